/* The book's recurrent models in plain JavaScript: from a prompt to logits to text.

   Everything lives in one function that needs nothing from outside, so that its source can
   also be given to a Web Worker (charbookEngine.source), which cannot load files from file://.
   Equal to helpers/ in Python: models.py, sampling.py, gates.py; tests/test_playground.py
   holds them together. */
globalThis.charbookEngine = (function factory() {
  "use strict";

  /* ---------------------------------------------------------------- weights from a file */

  function bytesFromBase64(text) {
    const binary = atob(text);
    const bytes = new Uint8Array(binary.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
    return bytes;
  }

  /* The number that 16 bits stand for (IEEE 754 binary16). */
  function half(bits) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }

  /* One tensor of an exported file -> Float32Array, row by row. */
  function unpack(tensor) {
    const { buffer } = bytesFromBase64(tensor.data);
    if (tensor.dtype === "float32") return new Float32Array(buffer);
    if (tensor.dtype === "float16") return Float32Array.from(new Uint16Array(buffer), half);
    if (tensor.dtype !== "int8") throw new Error(`weights of an unknown kind: ${tensor.dtype}`);
    const whole = new Int8Array(buffer);
    const scale = new Float32Array(bytesFromBase64(tensor.scale).buffer); // one a row
    const width = whole.length / scale.length;
    return Float32Array.from(whole, (value, i) => value * scale[Math.floor(i / width)]);
  }

  /* What helpers/cli/export.py wrote -> Model. */
  function load(file) {
    if (file?.format !== "character-by-character model" || file.version !== 1)
      throw new Error("this is not a model that this page can read");
    const weights = {};
    for (const [name, tensor] of Object.entries(file.weights)) weights[name] = unpack(tensor);
    return new Model(file.config, file.characters, weights);
  }

  /* ---------------------------------------------------------------- the network */

  const GATES = { rnn: 1, lstm: 4, gru: 3 }; // rows of the weights, in units of H

  const sigmoid = (x) => 1 / (1 + Math.exp(-x));

  /* out = start + matrix (rows, columns) times vector (columns) */
  function affine(out, start, startAt, matrix, vector, columns) {
    const inFours = columns - (columns % 4);
    for (let r = 0; r < out.length; r++) {
      const row = r * columns;
      let a = start[startAt + r], b = 0, c = 0, d = 0; // four sums do not wait for each other
      let k = 0;
      for (; k < inFours; k += 4) {
        a += matrix[row + k] * vector[k];
        b += matrix[row + k + 1] * vector[k + 1];
        c += matrix[row + k + 2] * vector[k + 2];
        d += matrix[row + k + 3] * vector[k + 3];
      }
      for (; k < columns; k++) a += matrix[row + k] * vector[k];
      out[r] = a + b + (c + d);
    }
  }

  class Model {
    /* config: {vocab_size, embed_size, hidden_size, cell, num_layers: 1}; characters: a text;
       weights: {PyTorch's parameter name: array, row by row}. */
    constructor(config, characters, weights) {
      const { vocab_size: V, embed_size: E, hidden_size: H, cell, num_layers = 1 } = config;
      if (!(cell in GATES) || num_layers !== 1)
        throw new Error("this page runs one layer of an RNN, an LSTM or a GRU");
      this.config = config;
      this.cell = cell;
      this.V = V;
      this.H = H;
      this.characters = Array.from(characters); // by code point, as in Python
      this.ids = new Map(this.characters.map((character, id) => [character, id]));
      if (this.characters.length !== V)
        throw new Error(`${this.characters.length} characters for a model of ${V}`);
      this.recurrent = weights["recurrent.weight_hh_l0"]; // (GATES * H, H)
      this.outWeight = weights["output.weight"]; // (V, H)
      this.outBias = weights["output.bias"]; // (V,)
      this.#fold(weights, E);
      this.sums = new Float64Array(GATES[cell] * H); // room to compute in
    }

    /* What one character adds to the sums never changes: compute it once for each of the V.
       The GRU's reset gate acts after the product with h, so there the candidate's second
       bias has to stay with that product. */
    #fold(weights, E) {
      const rows = GATES[this.cell] * this.H;
      const inner = weights["recurrent.bias_hh_l0"];
      const stays = this.cell === "gru" ? 2 * this.H : rows; // from this row on, not folded
      const bias = Float64Array.from(
        weights["recurrent.bias_ih_l0"],
        (b, r) => b + (r < stays ? inner[r] : 0),
      );
      this.innerBias = Float64Array.from(inner, (b, r) => (r < stays ? 0 : b));
      this.table = new Float64Array(this.V * rows); // (V, rows)
      for (let id = 0; id < this.V; id++) {
        const out = this.table.subarray(id * rows, (id + 1) * rows);
        const embedded = weights["embedding.weight"].subarray(id * E, (id + 1) * E);
        affine(out, bias, 0, weights["recurrent.weight_ih_l0"], embedded, E);
      }
    }

    /* The state before anything was read. For an LSTM it also shows what the gates did at
       the last character, under the names of helpers/gates.py. */
    start() {
      const zeros = () => new Float64Array(this.H);
      if (this.cell !== "lstm") return { h: zeros() };
      return { input: zeros(), forget: zeros(), cell: zeros(), output: zeros(), c: zeros(), h: zeros() };
    }

    /* Read one character: the state is changed, the logits (V,) of the next are returned. */
    step(state, id) {
      const { H, sums, table } = this;
      if (this.cell === "gru") {
        affine(sums, this.innerBias, 0, this.recurrent, state.h, H);
        this.#gru(state.h, sums, table, id * 3 * H);
      } else {
        affine(sums, table, id * sums.length, this.recurrent, state.h, H);
        if (this.cell === "rnn") for (let j = 0; j < H; j++) state.h[j] = Math.tanh(sums[j]);
        else this.#lstm(state, sums);
      }
      const logits = new Float64Array(this.V);
      affine(logits, this.outBias, 0, this.outWeight, state.h, H);
      return logits;
    }

    #lstm(state, sums) {
      const { H } = this;
      for (let j = 0; j < H; j++) {
        const i = sigmoid(sums[j]);
        const f = sigmoid(sums[H + j]);
        const g = Math.tanh(sums[2 * H + j]);
        const o = sigmoid(sums[3 * H + j]);
        const c = f * state.c[j] + i * g;
        state.input[j] = i;
        state.forget[j] = f;
        state.cell[j] = g;
        state.output[j] = o;
        state.c[j] = c;
        state.h[j] = o * Math.tanh(c);
      }
    }

    #gru(h, fromH, table, at) {
      const { H } = this;
      for (let j = 0; j < H; j++) {
        const r = sigmoid(table[at + j] + fromH[j]);
        const z = sigmoid(table[at + H + j] + fromH[H + j]);
        const n = Math.tanh(table[at + 2 * H + j] + r * fromH[2 * H + j]);
        h[j] = (1 - z) * n + z * h[j];
      }
    }

    /* A text -> its ids. Throws UnknownCharacters. */
    encode(text) {
      const characters = Array.from(text);
      const unknown = new Set(characters.filter((character) => !this.ids.has(character)));
      if (unknown.size) throw new UnknownCharacters([...unknown], characters, this.characters);
      return characters.map((character) => this.ids.get(character));
    }
  }

  class UnknownCharacters extends Error {
    constructor(unknown, characters, known) {
      const first = characters.indexOf(unknown[0]) + 1;
      super(`the model does not know ${unknown.join(" ")} (the first at place ${first})`);
      this.unknown = unknown;
      this.known = known;
      this.first = first;
    }
  }

  /* ---------------------------------------------------------------- from logits to a character */

  /* Indices by falling probability; of equals, the one earlier in the vocabulary first. */
  function byProbability(p) {
    return Array.from(p, (_, i) => i).sort((i, j) => p[j] - p[i] || i - j);
  }

  const sum = (values) => values.reduce((total, value) => total + value, 0);

  function divide(p) {
    const total = sum(p);
    for (let i = 0; i < p.length; i++) p[i] /= total;
  }

  function refuse(what, value) {
    throw new RangeError(`${what}, not ${value}`);
  }

  /* Logits (V,) -> probabilities (V,): temperature, then topK, topP and minP; null is off. */
  function nextDistribution(logits, { temperature = 1, topK = null, topP = null, minP = null } = {}) {
    if (!(Number.isFinite(temperature) && temperature >= 0))
      refuse("temperature must be a finite number, 0 (greedy) or above", temperature);
    if (topK !== null && !(Number.isInteger(topK) && topK >= 1))
      refuse("top-k must be a whole number of at least 1", topK);
    for (const [name, share] of [["top-p", topP], ["min-p", minP]])
      if (share !== null && !(share > 0 && share <= 1))
        refuse(`${name} must be above 0 and at most 1`, share);
    const p = new Float64Array(logits.length);
    let best = 0;
    for (let i = 1; i < p.length; i++) if (logits[i] > logits[best]) best = i;
    if (temperature === 0) {
      p[best] = 1;
      return p;
    }
    for (let i = 0; i < p.length; i++) p[i] = Math.exp((logits[i] - logits[best]) / temperature);
    divide(p);
    if (topK !== null || topP !== null) {
      const order = byProbability(p); // most probable first
      if (topK !== null) {
        for (const i of order.slice(topK)) p[i] = 0;
        divide(p);
      }
      let reached = 0;
      for (const i of topP === null ? [] : order) {
        const own = p[i];
        reached += own;
        if (reached - own >= topP) p[i] = 0; // the more probable ones are enough already
      }
    }
    if (minP !== null) {
      const least = minP * p[best];
      for (let i = 0; i < p.length; i++) if (p[i] < least) p[i] = 0;
    }
    divide(p);
    return p;
  }

  /* The index whose stretch of the cumulative sum holds u, a number in [0, 1). */
  function pick(p, u) {
    const mark = u * sum(p);
    let reached = 0;
    let last = 0;
    for (let i = 0; i < p.length; i++) {
      reached += p[i];
      if (reached > mark) return i;
      if (p[i] > 0) last = i;
    }
    return last;
  }

  /* ---------------------------------------------------------------- random numbers */

  /* numpy.random.default_rng([seed, i]).random(), so that a seed gives the text that it
     gives in Python: NumPy's SeedSequence (O'Neill's seed_seq_fe) and PCG64 (XSL-RR). */
  class Uniforms {
    static #MASK64 = (1n << 64n) - 1n;
    static #MASK128 = (1n << 128n) - 1n;
    static #STEP = 0x2360ed051fc65da44385df649fccf645n;

    constructor(seed, i = 0) {
      if (!(Number.isSafeInteger(seed) && seed >= 0))
        refuse("a seed is a whole number, 0 or above", seed);
      const words = Uniforms.#seedWords([...Uniforms.#inWords(seed), ...Uniforms.#inWords(i)]);
      const wide = (k) => BigInt(words[k]) | (BigInt(words[k + 1]) << 32n); // 64 bits
      this.increment = (((wide(4) << 64n) | wide(6)) << 1n | 1n) & Uniforms.#MASK128;
      this.state = 0n;
      this.#advance();
      this.state = (this.state + ((wide(0) << 64n) | wide(2))) & Uniforms.#MASK128;
      this.#advance();
    }

    static #inWords(number) {
      const high = Math.floor(number / 2 ** 32);
      return high ? [number >>> 0, high] : [number];
    }

    static #seedWords(entropy) {
      let constant = 0x43b0d7e5;
      const hash = (value, multiplier) => {
        value = (value ^ constant) >>> 0;
        constant = Math.imul(constant, multiplier) >>> 0;
        value = Math.imul(value, constant) >>> 0;
        return (value ^ (value >>> 16)) >>> 0;
      };
      const mix = (x, y) => {
        const value = (Math.imul(0xca01f9dd, x) - Math.imul(0x4973f715, y)) >>> 0;
        return (value ^ (value >>> 16)) >>> 0;
      };
      const pool = [0, 1, 2, 3].map((k) => hash(entropy[k] ?? 0, 0x931e8875));
      for (let from = 0; from < 4; from++)
        for (let to = 0; to < 4; to++)
          if (from !== to) pool[to] = mix(pool[to], hash(pool[from], 0x931e8875));
      constant = 0x8b51f9dd;
      return Array.from({ length: 8 }, (_, k) => hash(pool[k % 4], 0x58f38ded));
    }

    #advance() {
      this.state = (this.state * Uniforms.#STEP + this.increment) & Uniforms.#MASK128;
    }

    next() {
      this.#advance();
      const folded = (this.state >> 64n) ^ (this.state & Uniforms.#MASK64);
      const turn = this.state >> 122n;
      const turned = ((folded >> turn) | (folded << (64n - turn))) & Uniforms.#MASK64;
      return Number(turned >> 11n) / 2 ** 53;
    }
  }

  /* ---------------------------------------------------------------- writing and reading */

  /* Reads a prompt once, then writes one character a call. `random` gives numbers in [0, 1):
     an object with next(), such as Uniforms. `seen`, where given, is called with (id, state,
     own probabilities before it or null, probabilities it was drawn from or null) after each
     character was read, those of the prompt too. */
  class Writer {
    constructor(model, prompt, random, seen = () => {}) {
      this.unread = model.encode(prompt); // of the prompt
      if (!this.unread.length)
        throw new Error("the prompt is empty: the model needs a character to start from");
      this.model = model;
      this.random = random;
      this.seen = seen;
      this.state = model.start();
      this.logits = null;
    }

    #read(id, drawnFrom) {
      const own = this.logits && nextDistribution(this.logits);
      this.logits = this.model.step(this.state, id);
      this.seen(id, this.state, own, drawnFrom);
    }

    /* Read on in the prompt, so many characters at most; next() reads what is left. */
    prime(most = Infinity) {
      for (const id of this.unread.splice(0, most)) this.#read(id, null);
    }

    /* settings: those of nextDistribution -> the next character's id, which is also read. */
    next(settings) {
      this.prime();
      const p = nextDistribution(this.logits, settings);
      const id = pick(p, this.random.next());
      this.#read(id, p);
      return id;
    }
  }

  /* What the model thought before each character of a text: probabilities (V,); null before
     the first, which nothing foretells. A generator, so that a page can stop for breath. */
  function* foretold(model, ids) {
    const state = model.start();
    let logits = null;
    for (const id of ids) {
      yield logits && nextDistribution(logits);
      logits = model.step(state, id);
    }
  }

  /* -log p in nats of each character; null for the first. */
  function surprises(model, ids) {
    return Array.from(foretold(model, ids), (p, t) => p && -Math.log(p[ids[t]]));
  }

  return {
    Model, Writer, Uniforms, UnknownCharacters,
    load, nextDistribution, pick, byProbability, foretold, surprises,
    source: factory.toString(),
  };
})();
