"use strict";
/* The book's LSTM forwards, and backwards through time, with gradient clipping and Adam. Equal to
   helpers/numpy_lstm.py; tests/site/test_train_here.py holds them together. */
charbook.define("learner", ["matrices"], (matrices) => {
  const { addProduct, addRows, transpose } = matrices;

  const sigmoid = (x) => 1 / (1 + Math.exp(-x));
  const tanh = (x) => 1 - 2 / (1 + Math.exp(2 * x)); // a third of Math.tanh's time

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

  /* One layer of an LSTM for batches of B windows of T characters. The gates of a character
     stand side by side, 4H numbers: input, forget, candidate, output. All buffers are made here,
     none while it learns. */
  class Learner {
    /* config: {vocab_size, embed_size, hidden_size}; random: an object with next(), which
       gives numbers in [0, 1): for first weights with PyTorch's distributions. */
    constructor(config, B, T, random) {
      const { vocab_size: V, embed_size: E, hidden_size: H } = config;
      Object.assign(this, { config: { ...config, cell: "lstm" }, V, E, H, B, T, updates: 0 });
      this.shapes = shapes(V, E, H);
      const zeros = (...sizes) => new Float32Array(sizes.reduce((x, y) => x * y));
      const size = Object.values(this.shapes).reduce((n, s) => n + s.reduce((x, y) => x * y), 0);
      // All weights lie end to end, and so do their gradients and Adam's two running means.
      this.flat = zeros(size);
      this.flatGrads = zeros(size);
      this.mean = zeros(size);
      this.square = zeros(size);
      this.weights = this.#named(this.flat);
      this.grads = this.#named(this.flatGrads);
      const N = T * B; // characters of a batch, time first
      const steps = (array, count, width) =>
        Array.from({ length: count }, (_, t) => array.subarray(t * width, (t + 1) * width));
      this.table = zeros(V, 4 * H); // what a character adds to the gates' sums
      this.dTable = zeros(V, 4 * H);
      this.ids = new Uint16Array(N);
      this.gates = zeros(N, 4 * H); // first the sums, then what the activations make of them
      this.gatesAt = steps(this.gates, T, B * 4 * H);
      this.dSums = zeros(N, 4 * H);
      this.dSumsAt = steps(this.dSums, T, B * 4 * H);
      this.hs = zeros(T + 1, B, H); // the first is the zero state, and stays so
      this.hsAt = steps(this.hs, T + 1, B * H);
      this.cs = zeros(T + 1, B, H);
      this.csAt = steps(this.cs, T + 1, B * H);
      this.tanhCs = zeros(N, H);
      this.logits = zeros(N, V);
      this.dHs = zeros(N, H); // the loss's gradient in each h
      this.dHsAt = steps(this.dHs, T, B * H);
      this.dC = zeros(B, H); // from the step after
      this.transposed = {
        hh: zeros(H, 4 * H), out: zeros(H, V), table: zeros(4 * H, V), embedding: zeros(E, V),
        ih: zeros(E, 4 * H), sums: zeros(4 * H, N), logits: zeros(V, N), before: zeros(H, N),
        after: zeros(H, N),
      };
      this.before = this.hs.subarray(0, N * H);
      this.after = this.hs.subarray(B * H);
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
      const { V, E, H, B, T, ids, weights: w, table } = this;
      const inner = w["recurrent.bias_ih_l0"], outer = w["recurrent.bias_hh_l0"];
      for (let v = 0, k = 0; v < V; v++)
        for (let r = 0; r < 4 * H; r++, k++) table[k] = inner[r] + outer[r];
      addProduct(table, V, 4 * H, E, w["embedding.weight"], E, w["recurrent.weight_ih_l0"], E);
      for (let t = 0; t < T; t++) {
        const sums = this.gatesAt[t];
        for (let b = 0; b < B; b++) {
          const id = (ids[t * B + b] = x[b * T + t]);
          for (let r = 0; r < 4 * H; r++) sums[b * 4 * H + r] = table[id * 4 * H + r];
        }
        addProduct(sums, B, 4 * H, H, this.hsAt[t], H, w["recurrent.weight_hh_l0"], H);
        this.#activate(t);
      }
      const { logits } = this;
      const bias = w["output.bias"];
      for (let n = 0, k = 0; n < T * B; n++) for (let v = 0; v < V; v++, k++) logits[k] = bias[v];
      addProduct(logits, T * B, V, H, this.after, H, w["output.weight"], H);
    }

    #activate(t) {
      const { B, H } = this;
      const gates = this.gatesAt[t], before = this.csAt[t], c = this.csAt[t + 1];
      const h = this.hsAt[t + 1], { tanhCs } = this;
      for (let b = 0; b < B; b++) {
        for (let j = 0, k = b * H, at = b * 4 * H; j < H; j++, k++, at++) {
          const i = sigmoid(gates[at]);
          const f = sigmoid(gates[at + H]);
          const g = tanh(gates[at + 2 * H]);
          const o = sigmoid(gates[at + 3 * H]);
          const after = f * before[k] + i * g;
          const tanhC = tanh(after);
          gates[at] = i;
          gates[at + H] = f;
          gates[at + 2 * H] = g;
          gates[at + 3 * H] = o;
          c[k] = after;
          tanhCs[t * B * H + k] = tanhC;
          h[k] = o * tanhC;
        }
      }
    }

    /* The mean loss for targets y (B, T); this.logits becomes its gradient. */
    #crossEntropy(y) {
      const { V, B, T, logits } = this;
      const N = T * B;
      let loss = 0;
      for (let n = 0; n < N; n++) {
        const at = n * V;
        const target = at + y[(n % B) * T + Math.floor(n / B)];
        let highest = -Infinity;
        for (let k = at; k < at + V; k++) if (logits[k] > highest) highest = logits[k];
        const own = logits[target] - highest;
        let total = 0;
        for (let k = at; k < at + V; k++) total += logits[k] = Math.exp(logits[k] - highest);
        loss += Math.log(total) - own;
        for (let k = at; k < at + V; k++) logits[k] /= total * N;
        logits[target] -= 1 / N;
      }
      return loss / N;
    }

    #backward() {
      const { V, E, H, B, T, weights: w, grads: g, transposed, dHs, dC, logits: dLogits } = this;
      const N = T * B;
      this.flatGrads.fill(0);
      // The output layer.
      transpose(transposed.out, V, H, w["output.weight"]);
      dHs.fill(0);
      addProduct(dHs, N, H, V, dLogits, V, transposed.out, V);
      transpose(transposed.logits, N, V, dLogits);
      transpose(transposed.after, N, H, this.after);
      addProduct(g["output.weight"], V, H, N, transposed.logits, N, transposed.after, N);
      addRows(g["output.bias"], N, V, dLogits);
      // Through time: step t adds to the gradient in h of step t - 1.
      transpose(transposed.hh, 4 * H, H, w["recurrent.weight_hh_l0"]);
      dC.fill(0);
      for (let t = T - 1; t >= 0; t--) {
        this.#backThroughStep(t);
        if (t === 0) break;
        addProduct(this.dHsAt[t - 1], B, H, 4 * H, this.dSumsAt[t], 4 * H, transposed.hh, 4 * H);
      }
      // The weights are the same at every step: one product sums their gradients over time.
      transpose(transposed.sums, N, 4 * H, this.dSums);
      transpose(transposed.before, N, H, this.before);
      addProduct(g["recurrent.weight_hh_l0"], 4 * H, H, N, transposed.sums, N, transposed.before, N);
      // A row of the table sums the gradients of all places at which its character was read.
      const { dTable, dSums, ids } = this;
      dTable.fill(0);
      for (let n = 0; n < N; n++) {
        const row = ids[n] * 4 * H;
        for (let r = 0; r < 4 * H; r++) dTable[row + r] += dSums[n * 4 * H + r];
      }
      transpose(transposed.ih, 4 * H, E, w["recurrent.weight_ih_l0"]);
      addProduct(g["embedding.weight"], V, E, 4 * H, dTable, 4 * H, transposed.ih, 4 * H);
      transpose(transposed.table, V, 4 * H, dTable);
      transpose(transposed.embedding, V, E, w["embedding.weight"]);
      const gradIH = g["recurrent.weight_ih_l0"];
      addProduct(gradIH, 4 * H, E, V, transposed.table, V, transposed.embedding, V);
      addRows(g["recurrent.bias_ih_l0"], V, 4 * H, dTable);
      g["recurrent.bias_hh_l0"].set(g["recurrent.bias_ih_l0"]);
    }

    /* From the gradients in h and c after step t to those in its sums, and in c before it. */
    #backThroughStep(t) {
      const { B, H, dC, tanhCs } = this;
      const gates = this.gatesAt[t], before = this.csAt[t];
      const dH = this.dHsAt[t], dSums = this.dSumsAt[t];
      for (let b = 0; b < B; b++) {
        for (let j = 0, k = b * H, at = b * 4 * H; j < H; j++, k++, at++) {
          const i = gates[at], f = gates[at + H], g = gates[at + 2 * H], o = gates[at + 3 * H];
          const tanhC = tanhCs[t * B * H + k];
          const dc = dC[k] + dH[k] * o * (1 - tanhC * tanhC); // h = o * tanh(c)
          // c = f * c_before + i * g; a sigmoid a has the derivative a - a * a, tanh 1 - a * a
          dSums[at] = dc * g * (i - i * i);
          dSums[at + H] = dc * before[k] * (f - f * f);
          dSums[at + 2 * H] = dc * i * (1 - g * g);
          dSums[at + 3 * H] = dH[k] * tanhC * (o - o * o);
          dC[k] = dc * f;
        }
      }
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
      for (let k = 0; k < flat.length; k++) {
        const grad = flatGrads[k];
        const m = (mean[k] += (1 - beta1) * (grad - mean[k]));
        const s = (square[k] = beta2 * square[k] + (1 - beta2) * grad * grad);
        flat[k] -= (step * m) / (Math.sqrt(s) / root + tiny);
      }
    }
  }

  return { Learner };
});
