/* Learning, in plain JavaScript: the book's LSTM forwards and backwards through time,
   clipping, Adam, and a text's way from characters to windows. Equal to helpers/ in Python
   (numpy_lstm.py, corpus.py, ngram.py); tests/test_train_here.py holds them together.

   Like engine.js one function, whose source a page gives to a Web Worker (see `source`). */
globalThis.charbookTrainer = (function factory(engine) {
  "use strict";

  /* ---------------------------------------------------------------- matrices, row by row */

  const PART = 256; // numbers of a row that are multiplied before the next rows: they stay in the cache

  /* out (M, N) += a (M, K) times the transpose of b (N, K).

     Both run along their rows, which lie aStep and bStep apart. Three rows of a meet four of
     b at a time: each number fetched is used more than once, and twelve sums, as many as a
     processor has registers for, do not wait for each other. So a batch of a multiple of
     three is the quickest. Sums are made in 64 bits, whatever the arrays hold. */
  function addProduct(out, M, N, K, a, aStep, b, bStep) {
    const inThrees = M - (M % 3);
    const inFours = N - (N % 4);
    for (let from = 0; from < K; from += PART) {
      const to = Math.min(from + PART, K);
      for (let n = 0; n < inFours; n += 4) {
        const b0 = n * bStep, b1 = b0 + bStep, b2 = b1 + bStep, b3 = b2 + bStep;
        for (let m = 0; m < inThrees; m += 3) {
          const a0 = m * aStep, a1 = a0 + aStep, a2 = a1 + aStep;
          let s00 = 0, s01 = 0, s02 = 0, s03 = 0;
          let s10 = 0, s11 = 0, s12 = 0, s13 = 0;
          let s20 = 0, s21 = 0, s22 = 0, s23 = 0;
          for (let k = from; k < to; k++) {
            const x0 = a[a0 + k], x1 = a[a1 + k], x2 = a[a2 + k];
            const y0 = b[b0 + k];
            s00 += x0 * y0; s10 += x1 * y0; s20 += x2 * y0;
            const y1 = b[b1 + k];
            s01 += x0 * y1; s11 += x1 * y1; s21 += x2 * y1;
            const y2 = b[b2 + k];
            s02 += x0 * y2; s12 += x1 * y2; s22 += x2 * y2;
            const y3 = b[b3 + k];
            s03 += x0 * y3; s13 += x1 * y3; s23 += x2 * y3;
          }
          const o0 = m * N + n, o1 = o0 + N, o2 = o1 + N;
          out[o0] += s00; out[o0 + 1] += s01; out[o0 + 2] += s02; out[o0 + 3] += s03;
          out[o1] += s10; out[o1 + 1] += s11; out[o1 + 2] += s12; out[o1 + 3] += s13;
          out[o2] += s20; out[o2 + 1] += s21; out[o2 + 2] += s22; out[o2 + 3] += s23;
        }
      }
      // What is left over: up to two rows of a, and up to three of b.
      for (let m = 0; m < M; m++)
        for (let n = m < inThrees ? inFours : 0; n < N; n++) {
          let s = 0;
          for (let k = from; k < to; k++) s += a[m * aStep + k] * b[n * bStep + k];
          out[m * N + n] += s;
        }
    }
  }

  /* a (M, N) -> out (N, M) */
  function transpose(out, M, N, a) {
    for (let m = 0; m < M; m++) for (let n = 0; n < N; n++) out[n * M + m] = a[m * N + n];
  }

  const sigmoid = (x) => 1 / (1 + Math.exp(-x));
  const tanh = (x) => 1 - 2 / (1 + Math.exp(2 * x)); // a third of Math.tanh's time

  /* ---------------------------------------------------------------- the network that learns */

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
     stand side by side, 4H numbers: input, forget, candidate, output. All room is made here,
     none while it learns. */
  class Learner {
    /* config: {vocab_size, embed_size, hidden_size}; random: an object with next(), which
       gives numbers in [0, 1): for first weights with PyTorch's distributions. */
    constructor(config, B, T, random) {
      const { vocab_size: V, embed_size: E, hidden_size: H } = config;
      Object.assign(this, { config: { ...config, cell: "lstm" }, V, E, H, B, T, updates: 0 });
      this.shapes = shapes(V, E, H);
      const room = (...sizes) => new Float32Array(sizes.reduce((x, y) => x * y));
      const size = Object.values(this.shapes).reduce((n, s) => n + s.reduce((x, y) => x * y), 0);
      // All weights lie end to end, and so do their slopes and Adam's two running means.
      this.flat = room(size);
      this.slopes = room(size);
      this.mean = room(size);
      this.square = room(size);
      this.weights = this.#named(this.flat);
      this.grads = this.#named(this.slopes);
      const N = T * B; // characters of a batch, time first
      const steps = (array, count, width) =>
        Array.from({ length: count }, (_, t) => array.subarray(t * width, (t + 1) * width));
      this.table = room(V, 4 * H); // what a character adds to the gates' sums
      this.dTable = room(V, 4 * H);
      this.ids = new Uint16Array(N);
      this.gates = room(N, 4 * H); // first the sums, then what the activations make of them
      this.gatesAt = steps(this.gates, T, B * 4 * H);
      this.dSums = room(N, 4 * H);
      this.dSumsAt = steps(this.dSums, T, B * 4 * H);
      this.hs = room(T + 1, B, H); // the first is the zero state, and stays so
      this.hsAt = steps(this.hs, T + 1, B * H);
      this.cs = room(T + 1, B, H);
      this.csAt = steps(this.cs, T + 1, B * H);
      this.tanhCs = room(N, H);
      this.logits = room(N, V);
      this.dHs = room(N, H); // what each h is told by its own loss
      this.dHsAt = steps(this.dHs, T, B * H);
      this.dC = room(B, H); // from the step after
      this.turned = {
        hh: room(H, 4 * H), out: room(H, V), table: room(4 * H, V), embedding: room(E, V),
        ih: room(E, 4 * H), sums: room(4 * H, N), logits: room(V, N), before: room(H, N),
        after: room(H, N),
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

    /* x and y (B, T): ids read and ids to foretell -> mean loss in nats; the slopes are then
       in this.grads. Each window starts from a zero state. */
    lossAndGrads(x, y) {
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
          const now = f * before[k] + i * g;
          const shown = tanh(now);
          gates[at] = i;
          gates[at + H] = f;
          gates[at + 2 * H] = g;
          gates[at + 3 * H] = o;
          c[k] = now;
          tanhCs[t * B * H + k] = shown;
          h[k] = o * shown;
        }
      }
    }

    /* The mean loss for targets y (B, T); this.logits becomes its slope in the logits. */
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
      const { V, E, H, B, T, weights: w, grads: g, turned, dHs, dC, logits: dLogits } = this;
      const N = T * B;
      this.slopes.fill(0);
      // The output layer.
      transpose(turned.out, V, H, w["output.weight"]);
      dHs.fill(0);
      addProduct(dHs, N, H, V, dLogits, V, turned.out, V);
      transpose(turned.logits, N, V, dLogits);
      transpose(turned.after, N, H, this.after);
      addProduct(g["output.weight"], V, H, N, turned.logits, N, turned.after, N);
      sumRows(g["output.bias"], N, V, dLogits);
      // Through time: dHs[t - 1] is told what step t makes of it as soon as that is known.
      transpose(turned.hh, 4 * H, H, w["recurrent.weight_hh_l0"]);
      dC.fill(0);
      for (let t = T - 1; t >= 0; t--) {
        this.#backThroughStep(t);
        if (t > 0) addProduct(this.dHsAt[t - 1], B, H, 4 * H, this.dSumsAt[t], 4 * H, turned.hh, 4 * H);
      }
      // The weights are the same at every step: their slopes are gathered in one product.
      transpose(turned.sums, N, 4 * H, this.dSums);
      transpose(turned.before, N, H, this.before);
      addProduct(g["recurrent.weight_hh_l0"], 4 * H, H, N, turned.sums, N, turned.before, N);
      // A row of the table has the slopes of all places at which its character was read.
      const { dTable, dSums, ids } = this;
      dTable.fill(0);
      for (let n = 0; n < N; n++) {
        const row = ids[n] * 4 * H;
        for (let r = 0; r < 4 * H; r++) dTable[row + r] += dSums[n * 4 * H + r];
      }
      transpose(turned.ih, 4 * H, E, w["recurrent.weight_ih_l0"]);
      addProduct(g["embedding.weight"], V, E, 4 * H, dTable, 4 * H, turned.ih, 4 * H);
      transpose(turned.table, V, 4 * H, dTable);
      transpose(turned.embedding, V, E, w["embedding.weight"]);
      addProduct(g["recurrent.weight_ih_l0"], 4 * H, E, V, turned.table, V, turned.embedding, V);
      sumRows(g["recurrent.bias_ih_l0"], V, 4 * H, dTable);
      g["recurrent.bias_hh_l0"].set(g["recurrent.bias_ih_l0"]);
    }

    /* From the slopes in h and c after step t to those in its sums, and in c before it. */
    #backThroughStep(t) {
      const { B, H, dC, tanhCs } = this;
      const gates = this.gatesAt[t], before = this.csAt[t], dH = this.dHsAt[t], dSums = this.dSumsAt[t];
      for (let b = 0; b < B; b++) {
        for (let j = 0, k = b * H, at = b * 4 * H; j < H; j++, k++, at++) {
          const i = gates[at], f = gates[at + H], g = gates[at + 2 * H], o = gates[at + 3 * H];
          const shown = tanhCs[t * B * H + k];
          const dc = dC[k] + dH[k] * o * (1 - shown * shown); // h = o * tanh(c)
          // c = f * c_before + i * g; a sigmoid's slope is a - a * a, that of tanh 1 - a * a
          dSums[at] = dc * g * (i - i * i);
          dSums[at + H] = dc * before[k] * (f - f * f);
          dSums[at + 2 * H] = dc * i * (1 - g * g);
          dSums[at + 3 * H] = dH[k] * shown * (o - o * o);
          dC[k] = dc * f;
        }
      }
    }

    /* One update by Adam, the norm of all slopes together clipped -> loss before it. */
    trainStep(x, y, { rate = 3e-3, clip = 5 } = {}) {
      const loss = this.lossAndGrads(x, y);
      this.#clip(clip);
      this.#adam(rate);
      return loss;
    }

    #clip(most) {
      const { slopes } = this;
      let squares = 0;
      for (let k = 0; k < slopes.length; k++) squares += slopes[k] * slopes[k];
      const norm = Math.sqrt(squares);
      if (norm > most) {
        const scale = most / (norm + 1e-6);
        for (let k = 0; k < slopes.length; k++) slopes[k] *= scale;
      }
    }

    #adam(rate, beta1 = 0.9, beta2 = 0.999, tiny = 1e-8) {
      const { flat, slopes, mean, square } = this;
      this.updates++;
      const step = rate / (1 - beta1 ** this.updates);
      const root = Math.sqrt(1 - beta2 ** this.updates);
      for (let k = 0; k < flat.length; k++) {
        const slope = slopes[k];
        const m = (mean[k] += (1 - beta1) * (slope - mean[k]));
        const s = (square[k] = beta2 * square[k] + (1 - beta2) * slope * slope);
        flat[k] -= (step * m) / (Math.sqrt(s) / root + tiny);
      }
    }
  }

  /* out (N,) += the sum of the rows of a (M, N) */
  function sumRows(out, M, N, a) {
    for (let m = 0; m < M; m++) for (let n = 0; n < N; n++) out[n] += a[m * N + n];
  }

  /* ---------------------------------------------------------------- the text */

  const LIMITS = { shortest: 1000, longest: 1_000_000, characters: 500 };
  const HELD_OUT = 0.1;

  const whole = (number) => number.toLocaleString("en-GB");

  /* A text -> {characters, train, held}: its distinct characters in code-point order, and the
     ids of its first nine tenths and of its last. Throws an Error that says what would help. */
  function prepare(text) {
    const all = Array.from(text.replace(/^\ufeff/, "").replace(/\r\n?/g, "\n"));
    const count = all.length;
    if (count < LIMITS.shortest)
      throw new Error(
        `This text has ${whole(count)} character${count === 1 ? "" : "s"}. It must have at least ` +
          `${whole(LIMITS.shortest)}; for words to appear, 20,000 or more.`,
      );
    if (count > LIMITS.longest)
      throw new Error(
        `This text has ${whole(count)} characters, and the page takes ${whole(LIMITS.longest)} at most. ` +
          "Paste a part of it, or train on all of it outside the page: python -m helpers train.",
      );
    const characters = [...new Set(all)].sort((a, b) => a.codePointAt(0) - b.codePointAt(0));
    if (characters.length === 1)
      throw new Error("This text has one character only, over and over. What comes next is no question there.");
    if (characters.length > LIMITS.characters)
      throw new Error(
        `This text has ${whole(characters.length)} different characters, and the page takes ` +
          `${LIMITS.characters} at most: each needs weights of its own, and enough places to learn them from.`,
      );
    const number = new Map(characters.map((character, id) => [character, id]));
    const ids = Uint16Array.from(all, (character) => number.get(character));
    const border = Math.floor(count * (1 - HELD_OUT));
    return { characters: characters.join(""), train: ids.subarray(0, border), held: ids.subarray(border) };
  }

  /* Mean nats a character that counting has on `held` (all but its first), after counting in
     `train`: the mixture of all orders up to this one by Witten and Bell, as in NGram. */
  function countingLoss(train, held, V, order) {
    const tables = [];
    for (let length = 0; length < order; length++) {
      const runs = new Map(); // a context and its follower, as one number -> how often
      const after = new Map(); // a context -> [characters that followed, different ones]
      const top = V ** length;
      for (let p = 0, context = 0; p < train.length; p++) {
        if (p >= length) {
          const run = context * V + train[p];
          const times = runs.get(run) ?? 0;
          runs.set(run, times + 1);
          const place = after.get(context);
          if (!place) after.set(context, [1, 1]);
          else {
            place[0]++;
            if (!times) place[1]++;
          }
        }
        context = (context * V + train[p]) % top;
      }
      tables.push({ runs, after });
    }
    let total = 0;
    for (let p = 1; p < held.length; p++) {
      let probability = 1 / V;
      for (let length = 0, context = 0; length <= Math.min(p, order - 1); length++) {
        if (length) context += held[p - length] * V ** (length - 1);
        const place = tables[length].after.get(context);
        if (!place) break; // nor has any longer one been counted
        const times = tables[length].runs.get(context * V + held[p]) ?? 0;
        probability = (times + place[1] * probability) / (place[0] + place[1]);
      }
      total -= Math.log(probability);
    }
    return total / (held.length - 1);
  }

  /* ---------------------------------------------------------------- a training */

  const EMBED = 32;
  const WINDOW = 50;
  const CLIP = 5;
  const SCORED = 20_000; // characters of the held-out tenth, at most
  const SAMPLE = { length: 200, temperature: 0.8 };
  const MARKS = [0, ...[1, 2, 3, 4, 5].flatMap((d) => [1, 2, 5].map((k) => k * 10 ** d))];

  const now = () => performance.now();

  /* settings: {units, rate, updates, seed}. What happens is told by tell(kind, facts). */
  class Training {
    constructor(text, settings, tell) {
      Object.assign(this, prepare(text), { settings, tell });
      const V = Array.from(this.characters).length;
      this.held = this.held.subarray(0, SCORED);
      const windows = Math.floor((this.train.length - 1) / WINDOW);
      // 30 windows at a time; fewer where they would be used up after a few updates.
      this.B = Math.min(30, 3 * Math.max(1, Math.floor(windows / 24)));
      this.random = new engine.Uniforms(settings.seed);
      this.config = { vocab_size: V, embed_size: EMBED, hidden_size: settings.units };
      this.learner = new Learner(this.config, this.B, WINDOW, this.random);
      this.order = Uint32Array.from({ length: windows }, (_, k) => k);
      this.next = windows; // so that the first update shuffles
      this.x = new Uint16Array(this.B * WINDOW);
      this.y = new Uint16Array(this.B * WINDOW);
      this.goal = settings.updates;
      this.seconds = 0; // of updates alone
      this.cost = 0; // seconds of the last look at the held-out text
      this.since = 0; // seconds of updates since then
      this.sum = this.summed = 0; // training losses not told yet
      this.told = 0;
    }

    /* What is known before the first update. */
    facts() {
      const { train, held, B } = this;
      const { vocab_size: V } = this.config;
      return {
        goal: this.goal, characters: V, train: train.length, held: held.length, batch: B, window: WINDOW,
        weights: this.learner.flat.length,
        even: Math.log(V),
        frequencies: countingLoss(train, held, V, 1),
        counting: countingLoss(train, held, V, 5),
      };
    }

    /* To the goal; gives way now and then, so that somebody can say "pause". */
    *run() {
      if (!this.learner.updates) this.#sample(null);
      while (this.learner.updates < this.goal) {
        const begun = now();
        const loss = this.#update();
        const took = (now() - begun) / 1000;
        this.seconds += took;
        this.since += took;
        this.sum += loss;
        this.summed++;
        const { updates } = this.learner;
        if (!Number.isFinite(loss))
          throw new Error(
            `After ${whole(updates)} updates the loss is no number any more: the steps were too large. ` +
              "Try a smaller learning rate.",
          );
        const mark = MARKS.includes(updates) || updates === this.goal;
        if (mark || now() > this.told + 200) this.report();
        if (mark || this.since > Math.max(0.25, 8 * this.cost)) {
          const held = yield* this.score();
          if (mark) this.#sample(held);
        }
        yield;
      }
    }

    #update() {
      const { B, x, y, order, train } = this;
      if (this.next + B > order.length) {
        for (let k = order.length - 1; k > 0; k--) {
          const other = Math.floor(this.random.next() * (k + 1));
          [order[k], order[other]] = [order[other], order[k]];
        }
        this.next = 0;
      }
      for (let b = 0; b < B; b++) {
        const from = order[this.next++] * WINDOW;
        for (let t = 0; t < WINDOW; t++) {
          x[b * WINDOW + t] = train[from + t];
          y[b * WINDOW + t] = train[from + t + 1];
        }
      }
      return this.learner.trainStep(x, y, { rate: this.settings.rate, clip: CLIP });
    }

    /* How far it is, and the mean training loss since this was last told. */
    report() {
      const { updates } = this.learner;
      const read = updates * this.B * WINDOW;
      this.tell("progress", {
        updates, read, passes: read / this.train.length, speed: this.seconds ? read / this.seconds : 0,
        loss: this.summed ? this.sum / this.summed : null,
      });
      this.sum = this.summed = 0;
      this.told = now();
    }

    /* The network as it is now, for engine.js. */
    #model() {
      return new engine.Model(this.learner.config, this.characters, this.learner.weights);
    }

    /* The held-out loss, read as one stream from a zero state. */
    *score() {
      const begun = now();
      let total = 0;
      let at = 0;
      for (const p of engine.foretold(this.#model(), this.held)) {
        if (p) total -= Math.log(p[this.held[at]]);
        if (++at % 500 === 0) yield;
      }
      const loss = total / (this.held.length - 1);
      this.cost = (now() - begun) / 1000;
      this.since = 0;
      this.tell("held", { updates: this.learner.updates, loss });
      return loss;
    }

    #sample(held) {
      const model = this.#model();
      const first = model.ids.has("\n") ? "\n" : model.characters[this.train[0]];
      // The same random numbers each time, so that what differs was learned.
      const writer = new engine.Writer(model, first, new engine.Uniforms(this.settings.seed));
      let text = first === "\n" ? "" : first;
      while (text.length < SAMPLE.length) text += model.characters[writer.next(SAMPLE)];
      this.tell("sample", { updates: this.learner.updates, held, text });
    }

    /* A copy of what was learned, and held-out text to try it on: a line, and a passage. */
    network() {
      const copies = Object.entries(this.learner.weights).map(([name, w]) => [name, w.slice()]);
      const { config, updates } = this.learner;
      const characters = Array.from(this.characters);
      const passage = Array.from(this.held.subarray(0, 300), (id) => characters[id]);
      const own = passage.join("");
      const line = own.match(/\n([^\n]{3,40}\n)/);
      const prompt = line ? line[1] : passage.slice(0, 20).join("");
      return {
        config, updates, own, prompt, characters: this.characters,
        weights: Object.fromEntries(copies),
      };
    }

    /* The same as a script like those of helpers/cli/export.py, which its `read` reads. */
    file() {
      const { config, updates, characters, weights } = this.network();
      const packed = Object.entries(weights).map(([name, values]) => {
        const shape = this.learner.shapes[name];
        return [name, { dtype: "float32", shape, data: base64(values) }];
      });
      const description = {
        format: "character-by-character model", version: 1, config, characters,
        precision: "float32", largest_error: 0, about: { trained: "in the page", updates },
        weights: Object.fromEntries(packed),
      };
      const ascii = JSON.stringify(description).replace(/[\u0080-\uffff]/g, (c) =>
        `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
      );
      return `(globalThis.charbookModels ??= {})["trained-here"] = ${ascii};\n`;
    }
  }

  function base64(values) {
    const bytes = new Uint8Array(values.buffer);
    let binary = "";
    for (let k = 0; k < bytes.length; k++) binary += String.fromCharCode(bytes[k]);
    return btoa(binary);
  }

  /* ---------------------------------------------------------------- in a worker */

  /* Messages to it: begin {text, settings}, pause, go {more}, network, file. From it: ready,
     progress, held, sample (see Training), rests {done}, network, file, refused {why}. */
  function work(scope) {
    let training = null;
    let steps = null; // of the training, up to its goal
    let running = false;
    let called = false; // a turn is on its way
    const tell = (kind, facts) => scope.postMessage({ kind, ...facts });
    const refuse = (error) => {
      running = false;
      steps = null;
      tell("refused", { why: error.message });
    };
    // A message to itself is the shortest way to let other messages in.
    const turn = new MessageChannel();
    const call = () => {
      if (!called) turn.port2.postMessage(0);
      called = true;
    };
    turn.port1.onmessage = () => {
      called = false;
      if (!running) return;
      try {
        const until = now() + 50;
        let over = false;
        while (!over && now() < until) over = steps.next().done;
        if (!over) return call();
        running = false;
        steps = null;
        tell("rests", { done: true });
      } catch (error) {
        refuse(error);
      }
    };
    const start = () => {
      steps ??= training.run(); // where it was paused, if it was
      running = true;
      call();
    };
    const orders = {
      begin({ text, settings }) {
        training = new Training(text, settings, tell);
        tell("ready", training.facts());
        start();
      },
      pause() {
        if (!running) return;
        running = false;
        training.report();
        tell("rests", { done: false });
      },
      go({ more }) {
        if (running) return;
        training.goal += more;
        start();
      },
      network() {
        tell("network", training.network());
      },
      file() {
        tell("file", { script: training.file() });
      },
    };
    scope.onmessage = ({ data }) => {
      try {
        orders[data.order](data);
      } catch (error) {
        refuse(error);
      }
    };
  }

  return {
    addProduct, Learner, Training, prepare, countingLoss, work, LIMITS,
    source: factory.toString(),
  };
})(globalThis.charbookEngine);
