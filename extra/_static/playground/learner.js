"use strict";
/* The book's LSTM forwards, and backwards through time, with gradient clipping and Adam. Equal to
   helpers/numpy_lstm.py; tests/site/test_trainer.py holds them together. */
charbook.define("learner", ["plain", "simd"], ({ plain }, { simd }) => {
  /* PyTorch's names -> shapes, in its order. */
  const shapes = (V, E, H) => ({
    "embedding.weight": [V, E],
    "recurrent.weight_ih_l0": [4 * H, E],
    "recurrent.weight_hh_l0": [4 * H, H],
    "recurrent.bias_ih_l0": [4 * H],
    "recurrent.bias_hh_l0": [4 * H],
    "output.weight": [V, H],
    "output.bias": [V],
  });

  const LANES = 6; // parts of a held-out text that are read side by side
  const SHORTEST_LANE = 1000; // characters; a lane reads some 250 before its own

  const at = (array, t, width) => array.subarray(t * width, (t + 1) * width);

  /* One layer of an LSTM for batches of B windows of T characters. The gates of a character
     stand side by side, 4H numbers: input, forget, candidate, output. All buffers are made here,
     none while it learns. */
  class Learner {
    /* config: {vocab_size, embed_size, hidden_size}; random: an object with next(), which
       gives numbers in [0, 1): for first weights with PyTorch's distributions; arithmetic: see
       plain.js, and simd.js for the faster one, which is taken where it can be. */
    constructor(config, B, T, random, arithmetic = simd(config.hidden_size) ?? plain()) {
      const { vocab_size: V, embed_size: E, hidden_size: H } = config;
      Object.assign(this, { config: { ...config, cell: "lstm" }, V, E, H, B, T, arithmetic });
      this.updates = 0;
      this.shapes = shapes(V, E, H);
      const size = Object.values(this.shapes).reduce((n, s) => n + s.reduce((x, y) => x * y), 0);
      const N = T * B; // characters of a batch, time first
      const floats = {
        // All weights lie end to end, and so do their gradients and Adam's two running means.
        flat: size, flatGrads: size, mean: size, square: size,
        table: V * 4 * H, dTable: V * 4 * H, // what a character adds to the gates' sums
        gates: N * 4 * H, // first the sums, then what the activations make of them
        dSums: N * 4 * H,
        hs: (N + B) * H, cs: (N + B) * H, // the first is the zero state, and stays so
        tanhCs: N * H,
        logits: N * V, highest: N, sums: N,
        dHs: N * H, // the loss's gradient in each h
        dC: B * H, // from the step after
      };
      const pairs = { // of rows and columns of matrices that are packed before a product
        ih: [E, 4 * H], hh: [H, 4 * H], out: [H, V], outBack: [V, H], hhBack: [4 * H, H],
        ihBack: [4 * H, E], before: [N, H], after: [N, H], embedding: [V, E],
      };
      for (const name in pairs) floats[name] = arithmetic.packedSize(...pairs[name]);
      Object.assign(this, arithmetic.arrays(floats, { ids: N }));
      this.weights = this.#named(this.flat);
      this.grads = this.#named(this.flatGrads);
      this.hsBefore = this.hs.subarray(0, N * H);
      this.hsAfter = this.hs.subarray(B * H);
      this.targets = new Int32Array(N);
      this.#begin(random);
    }

    #named(flat) {
      const named = {};
      let at = 0;
      for (const [name, shape] of Object.entries(this.shapes)) {
        const size = shape.reduce((x, y) => x * y);
        named[name] = flat.subarray(at, at + size);
        at += size;
      }
      return named;
    }

    #begin(random) {
      const bound = 1 / Math.sqrt(this.H);
      const normal = () => // Box and Muller
        Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
      for (const [name, values] of Object.entries(this.weights)) {
        const draw = name === "embedding.weight" ? normal : () => bound * (2 * random.next() - 1);
        for (let i = 0; i < values.length; i++) values[i] = draw();
      }
    }

    /* x and y (B, T): ids read and ids to predict -> mean loss in nats; the gradients are
       then in this.grads. Each window starts from a zero state. */
    lossAndGrads(x, y) {
      for (const ids of [x, y])
        for (const id of ids)
          if (!(Number.isInteger(id) && id >= 0 && id < this.V))
            throw new RangeError(`id ${id} is outside the vocabulary's 0 to ${this.V - 1}`);
      this.#forward(x);
      const loss = this.#crossEntropy(y);
      this.#backward();
      return loss;
    }

    #forward(x) {
      const { B, T, ids } = this;
      for (let n = 0; n < T * B; n++) ids[n] = x[(n % B) * T + Math.floor(n / B)];
      this.#prepare();
      this.#read(B, T);
    }

    /* What depends on the weights alone: the table, and the matrices as products take them. */
    #prepare() {
      const { V, E, H, weights: w, table, arithmetic } = this;
      const inner = w["recurrent.bias_ih_l0"], outer = w["recurrent.bias_hh_l0"];
      for (let v = 0, k = 0; v < V; v++)
        for (let r = 0; r < 4 * H; r++, k++) table[k] = inner[r] + outer[r];
      const ih = arithmetic.pack(this.ih, w["recurrent.weight_ih_l0"], E, 4 * H, true);
      arithmetic.product(table, V, 4 * H, E, w["embedding.weight"], false, ih);
      this.packedHH = arithmetic.pack(this.hh, w["recurrent.weight_hh_l0"], H, 4 * H, true);
      this.packedOut = arithmetic.pack(this.out, w["output.weight"], H, V, true);
    }

    /* Read `steps` characters of each of `rows` texts, this.ids, time first, from the state that
       stands first in hs and cs; the logits of what follows each are then in this.logits. */
    #read(rows, steps) {
      const { V, H, weights: w, gates, hs, cs, tanhCs, logits, arithmetic } = this;
      arithmetic.fetch(gates, this.table, this.ids, rows * steps, 4 * H);
      for (let t = 0; t < steps; t++) {
        const sums = at(gates, t, rows * 4 * H);
        arithmetic.product(sums, rows, 4 * H, H, at(hs, t, rows * H), false, this.packedHH);
        const after = [at(cs, t + 1, rows * H), at(tanhCs, t, rows * H), at(hs, t + 1, rows * H)];
        arithmetic.activate(sums, at(cs, t, rows * H), ...after, rows, H);
      }
      const bias = w["output.bias"];
      for (let n = 0, k = 0; n < rows * steps; n++)
        for (let v = 0; v < V; v++, k++) logits[k] = bias[v];
      const read = hs.subarray(rows * H, rows * (steps + 1) * H);
      arithmetic.product(logits, rows * steps, V, H, read, false, this.packedOut);
    }

    /* The summed loss of the first `count` rows of logits for this.targets, of which those below
       zero do not count. The logits become probabilities, divided by `count`. */
    #loss(count) {
      const { V, logits, highest, sums, targets } = this;
      let loss = 0;
      for (let n = 0; n < count; n++) if (targets[n] >= 0) loss -= logits[n * V + targets[n]];
      this.arithmetic.softmax(logits, highest, sums, count, V);
      for (let n = 0; n < count; n++) if (targets[n] >= 0) loss += highest[n] + Math.log(sums[n]);
      return loss;
    }

    /* The mean loss for targets y (B, T); this.logits becomes its gradient. */
    #crossEntropy(y) {
      const { V, B, T, logits, targets } = this;
      const N = T * B;
      for (let n = 0; n < N; n++) targets[n] = y[(n % B) * T + Math.floor(n / B)];
      const loss = this.#loss(N);
      for (let n = 0; n < N; n++) logits[n * V + targets[n]] -= 1 / N;
      return loss / N;
    }

    /* The mean loss on a text that is not learned from, as one stream from a zero state; gives way
       now and then. A long one is read in LANES parts side by side: each reads before its part
       enough of the one before for its state to be nearly the stream's. */
    *heldOutLoss(text) {
      const { H, B, T, hs, cs, ids, targets } = this;
      const lanes = text.length >= LANES * SHORTEST_LANE ? LANES : 1;
      const steps = Math.floor((B * T) / lanes);
      const each = Math.ceil((text.length - 1) / lanes);
      let loss = 0;
      this.#prepare();
      for (let from = lanes > 1 ? -steps : 0; from < each; from += steps) {
        const count = Math.min(steps, each - from);
        for (let t = 0, n = 0; t < count; t++)
          for (let lane = 0; lane < lanes; lane++, n++) {
            const place = lane * each + from + t;
            ids[n] = text[Math.min(Math.max(0, place), text.length - 1)];
            targets[n] = from < 0 || place + 1 >= text.length ? -1 : text[place + 1];
          }
        this.#read(lanes, count);
        loss += this.#loss(count * lanes);
        for (const state of [hs, cs]) {
          state.copyWithin(0, count * lanes * H, (count + 1) * lanes * H);
          if (from < 0) state.fill(0, 0, H); // before the first part there is nothing
        }
        yield;
      }
      for (const state of [hs, cs]) state.fill(0, 0, B * H);
      return loss / (text.length - 1);
    }

    #backward() {
      const { V, E, H, B, T, weights: w, grads: g, logits: dLogits, arithmetic } = this;
      const { gates, cs, tanhCs, dHs, dC, dTable } = this;
      const N = T * B;
      this.flatGrads.fill(0);
      // The output layer.
      dHs.fill(0);
      const outBack = arithmetic.pack(this.outBack, w["output.weight"], V, H, false);
      arithmetic.product(dHs, N, H, V, dLogits, false, outBack);
      const after = arithmetic.pack(this.after, this.hsAfter, N, H, false);
      arithmetic.product(g["output.weight"], V, H, N, dLogits, true, after);
      addRows(g["output.bias"], N, V, dLogits);
      // Through time: step t adds to the gradient in h of step t - 1.
      const hhBack = arithmetic.pack(this.hhBack, w["recurrent.weight_hh_l0"], 4 * H, H, false);
      dC.fill(0);
      for (let t = T - 1; t >= 0; t--) {
        const dSums = at(this.dSums, t, B * 4 * H);
        const noted = [at(gates, t, B * 4 * H), at(cs, t, B * H), at(tanhCs, t, B * H)];
        arithmetic.activateBack(dSums, at(dHs, t, B * H), dC, ...noted, B, H);
        if (t) arithmetic.product(at(dHs, t - 1, B * H), B, H, 4 * H, dSums, false, hhBack);
      }
      // The weights are the same at every step: one product sums their gradients over time.
      const before = arithmetic.pack(this.before, this.hsBefore, N, H, false);
      arithmetic.product(g["recurrent.weight_hh_l0"], 4 * H, H, N, this.dSums, true, before);
      // A row of the table sums the gradients of all places at which its character was read.
      dTable.fill(0);
      arithmetic.scatter(dTable, this.dSums, this.ids, N, 4 * H);
      const ihBack = arithmetic.pack(this.ihBack, w["recurrent.weight_ih_l0"], 4 * H, E, false);
      arithmetic.product(g["embedding.weight"], V, E, 4 * H, dTable, false, ihBack);
      const embedding = arithmetic.pack(this.embedding, w["embedding.weight"], V, E, false);
      arithmetic.product(g["recurrent.weight_ih_l0"], 4 * H, E, V, dTable, true, embedding);
      addRows(g["recurrent.bias_ih_l0"], V, 4 * H, dTable);
      g["recurrent.bias_hh_l0"].set(g["recurrent.bias_ih_l0"]);
    }

    /* One update by Adam, the gradient's norm clipped -> loss before it. */
    trainStep(x, y, { rate = 3e-3, clip = 5 } = {}) {
      const loss = this.lossAndGrads(x, y);
      this.#clip(clip);
      this.#adam(rate);
      return loss;
    }

    #clip(most) {
      const { flatGrads: grads } = this;
      let squares = 0;
      for (let k = 0; k < grads.length; k++) squares += grads[k] * grads[k];
      const norm = Math.sqrt(squares);
      if (norm > most) {
        const scale = most / (norm + 1e-6);
        for (let k = 0; k < grads.length; k++) grads[k] *= scale;
      }
    }

    #adam(rate, beta1 = 0.9, beta2 = 0.999, tiny = 1e-8) {
      const { flat, flatGrads, mean, square } = this;
      this.updates++;
      const step = rate / (1 - beta1 ** this.updates);
      const root = Math.sqrt(1 - beta2 ** this.updates);
      const { length } = flat;
      this.arithmetic.adam(flat, flatGrads, mean, square, length, beta1, beta2, step, root, tiny);
    }
  }

  /* out (N,) += the sum of the rows of a (M, N) */
  function addRows(out, M, N, a) {
    for (let m = 0; m < M; m++) for (let n = 0; n < N; n++) out[n] += a[m * N + n];
  }

  return { Learner };
});
