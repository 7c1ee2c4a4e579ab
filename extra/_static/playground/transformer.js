"use strict";
/* A Transformer in plain JavaScript, one character after the other with a key-value cache.
   Equal to CharTransformer in helpers/models.py; tests/site/test_transformer.py holds them
   together. */
charbook.define("transformer", ["engine"], ({ Network, affine, classes }) => {
  const EPSILON = 1e-5; // LayerNorm's in PyTorch

  const density = (x) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI); // the normal one, φ

  /* The share of a standard normal distribution that lies below x: Φ(x) = 1/2 + φ(x) (x + x³/3 +
     x⁵/(3·5) + …) (Abramowitz and Stegun 1964, formula 26.2.11). */
  function share(x) {
    let [term, sum] = [x, x];
    for (let n = 3; Math.abs(term) > 1e-16; n += 2) {
      term *= (x * x) / n;
      sum += term;
    }
    return 0.5 + sum * density(x);
  }

  const [END, FINE] = [6, 64]; // a table of both from -6 to 6, in steps of 1/64
  const table = (f) => Float64Array.from({ length: 2 * END * FINE + 1 }, (_, k) => f(k / FINE - END));
  const [SHARES, DENSITIES] = [table(share), table(density)];

  /* x Φ(x), by three terms of Taylor's series around the nearest place of the table: to within
     1e-8 of x. */
  function gelu(x) {
    if (Math.abs(x) >= END) return Math.max(x, 0);
    const k = Math.round((x + END) * FINE);
    const at = k / FINE - END;
    const d = x - at;
    return x * (SHARES[k] + DENSITIES[k] * d * (1 - d * (at / 2 - (d * (at * at - 1)) / 6)));
  }

  class Transformer extends Network {
    /* config: that of CharTransformer; characters: a text; weights: {PyTorch's parameter name:
       array, row by row}. */
    constructor(config, characters, weights) {
      super(config, characters);
      const { embed_size: E, num_heads, num_layers, context } = config;
      Object.assign(this, { cell: "transformer", E, heads: num_heads, layers: num_layers, context, weights });
      this.D = E / num_heads; // numbers of one head
      this.zeros = new Float64Array(4 * E); // biases that are not there
      this.frequencies = Float64Array.from(
        { length: this.D / 2 },
        (_, i) => 10_000 ** ((-2 * i) / this.D), // radians a position
      );
    }

    /* The state before anything was read: keys and values of the last `context` positions, layer
       by layer, each position in the place of the one that has just gone out of sight.

       off: [layer, head] of each head that is to add nothing, counted from 0;
       rotary: false takes the positions away: attention then does not know any order.

       After each step it also shows what happened at that character:
       attention[layer][head], weights of the positions in sight, the oldest first, itself last;
       stream, the residual stream (E,): the embedding, then after each half of each block. */
    start({ off = [], rotary = true } = {}) {
      const each = (make) => Array.from({ length: this.layers }, make);
      const cache = () => each(() => new Float64Array(this.context * this.E));
      const shares = each(() => new Float64Array(this.heads).fill(1));
      for (const [layer, head] of off) shares[layer][head] = 0;
      return {
        read: 0, keys: cache(), values: cache(), shares, rotary, attention: [], stream: [],
      };
    }

    /* Read one character: the state is changed, the logits (V,) of the next are returned.
       Throws a RangeError for an id that is not in the vocabulary. */
    step(state, id) {
      this.check(id);
      const { E } = this;
      const x = Float64Array.from(this.weights["embedding.weight"].subarray(id * E, (id + 1) * E));
      state.attention = [];
      state.stream = [x.slice()];
      for (let layer = 0; layer < this.layers; layer++) {
        this.#attend(state, layer, x);
        state.stream.push(x.slice());
        this.#feed(layer, x);
        state.stream.push(x.slice());
      }
      state.read++;
      return this.logits(x);
    }

    /* The logits (V,) that the output layer makes of a residual stream (E,), the last or any. */
    logits(stream) {
      const logits = new Float64Array(this.V);
      const normed = this.#norm("norm.weight", stream);
      affine(logits, this.weights["output.bias"], 0, this.weights["output.weight"], normed, this.E);
      return logits;
    }

    #norm(name, x) {
      const weight = this.weights[name];
      const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
      const variance = x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length;
      const scale = 1 / Math.sqrt(variance + EPSILON);
      return x.map((value, i) => (value - mean) * scale * weight[i]);
    }

    #times(name, rows, vector) {
      const out = new Float64Array(rows);
      affine(out, this.zeros, 0, this.weights[name], vector, vector.length);
      return out;
    }

    /* x += attention(norm(x)) */
    #attend(state, layer, x) {
      const { E, D, context } = this;
      const block = `blocks.${layer}`;
      const normed = this.#norm(`${block}.norm_attend.weight`, x);
      const qkv = this.#times(`${block}.attend.qkv.weight`, 3 * E, normed);
      const [queries, keys, values] = [0, E, 2 * E].map((from) => qkv.subarray(from, from + E));
      if (state.rotary) for (const part of [queries, keys]) this.#rotate(part, state.read);
      const place = (state.read % context) * E;
      state.keys[layer].set(keys, place);
      state.values[layer].set(values, place);
      const places = this.#places(state.read);
      const attended = new Float64Array(E);
      state.attention.push([]);
      for (let head = 0; head < this.heads; head++) {
        const [from, to] = [head * D, (head + 1) * D];
        const weights = this.#weights(queries.subarray(from, to), state.keys[layer], places, from);
        weights.forEach((weight, k) => {
          const scale = weight * state.shares[layer][head];
          for (let i = from; i < to; i++) attended[i] += scale * state.values[layer][places[k] + i];
        });
        state.attention[layer].push(weights);
      }
      const added = this.#times(`${block}.attend.out.weight`, E, attended);
      for (let i = 0; i < E; i++) x[i] += added[i];
    }

    /* Number i of each head makes a pair with number i + D / 2, which is turned by an angle that
       grows with the position. A product of two turned vectors depends on the distance alone, so
       that keys can be kept as they were turned once. */
    #rotate(vector, position) {
      const half = this.D / 2;
      for (let i = 0; i < half; i++) {
        const angle = position * this.frequencies[i];
        const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
        for (let at = i; at < vector.length; at += this.D) {
          const [a, b] = [vector[at], vector[at + half]];
          vector[at] = a * cos - b * sin;
          vector[at + half] = a * sin + b * cos;
        }
      }
    }

    /* Where in a cache the positions in sight begin, the oldest first. */
    #places(position) {
      const first = Math.max(0, position - this.context + 1);
      const place = (_, k) => ((first + k) % this.context) * this.E;
      return Int32Array.from({ length: position - first + 1 }, place);
    }

    /* softmax(q · k / √D) over the positions in sight; a head's keys begin at `from`. */
    #weights(query, keys, places, from) {
      const scores = new Float64Array(places.length);
      for (let k = 0; k < scores.length; k++) {
        let sum = 0;
        for (let i = 0; i < query.length; i++) sum += query[i] * keys[places[k] + from + i];
        scores[k] = sum / Math.sqrt(query.length);
      }
      const most = Math.max(...scores);
      let total = 0;
      for (let k = 0; k < scores.length; k++) total += scores[k] = Math.exp(scores[k] - most);
      return scores.map((power) => power / total);
    }

    /* x += feed-forward(norm(x)) */
    #feed(layer, x) {
      const block = `blocks.${layer}`;
      const normed = this.#norm(`${block}.norm_feed.weight`, x);
      const grown = this.#times(`${block}.grow.weight`, 4 * this.E, normed).map(gelu);
      const added = this.#times(`${block}.shrink.weight`, this.E, grown);
      for (let i = 0; i < x.length; i++) x[i] += added[i];
    }
  }

  classes.transformer = Transformer;

  return { Transformer };
});
