"use strict";
/* What the units of an LSTM do over a text, which of them mark a stretch of it, and a network of
   random weights to compare with. */
charbook.define("units", ["sampling"], ({ Uniforms }) => {
  const FIELDS = ["input", "forget", "cell", "output", "c", "h"]; // of the engine's state

  /* Weights as PyTorch draws them, from numpy.random.default_rng([seed, 0]): a generator. */
  function* untrained({ vocab_size: V, embed_size: E, hidden_size: H }, seed) {
    const random = new Uniforms(seed);
    const bound = 1 / Math.sqrt(H);
    const sizes = {
      "embedding.weight": V * E, "recurrent.weight_ih_l0": 4 * H * E, "recurrent.weight_hh_l0": 4 * H * H,
      "recurrent.bias_ih_l0": 4 * H, "recurrent.bias_hh_l0": 4 * H, "output.weight": V * H, "output.bias": V,
    };
    const normal = () => // Box and Muller
      Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
    const weights = {};
    for (const [name, size] of Object.entries(sizes)) {
      const draw = name === "embedding.weight" ? normal : () => bound * (2 * random.next() - 1);
      weights[name] = new Float32Array(size);
      for (let k = 0; k < size; k++) {
        weights[name][k] = draw();
        if (k % 500 === 499) yield;
      }
    }
    return weights;
  }

  /* ids -> {field: one Float64Array (H,) a character}: a generator. */
  function* read(model, ids) {
    const state = model.start();
    const values = Object.fromEntries(FIELDS.map((field) => [field, []]));
    for (const id of ids) {
      model.step(state, id);
      for (const field in values) values[field].push(Float64Array.from(state[field]));
      yield;
    }
    return values;
  }

  /* Correlation of each unit's values (T, H) with "is in the stretch from … to", 1 or 0, for the
     stretch moved on by each of the shifts, around the end to the beginning: [[r of a unit]]. */
  function correlations(values, from, to, shifts = [0]) {
    const [T, H, n] = [values.length, values[0].length, to - from];
    const r = shifts.map(() => new Float64Array(H));
    for (let j = 0; j < H; j++) {
      const sums = [0]; // of the first so many
      for (let t = 0; t < 2 * T; t++) sums.push(sums[t] + values[t % T][j]);
      const mean = sums[T] / T;
      let squares = 0;
      for (const row of values) squares += (row[j] - mean) ** 2;
      const size = Math.sqrt(squares * n * (1 - n / T));
      shifts.forEach((shift, s) => {
        const at = (from + shift) % T;
        r[s][j] = size ? (sums[at + n] - sums[at] - n * mean) / size : 0;
      });
    }
    return r;
  }

  const best = (r) => r.reduce((most, each) => Math.max(most, Math.abs(each)), 0);

  /* The best unit's |r| where the stretch stood anywhere else: 95 % are below. */
  function byChance(values, from, to) {
    const [T, n] = [values.length, to - from];
    const shifts = Array.from({ length: Math.max(0, T - 2 * n + 1) }, (_, k) => n + k);
    if (!shifts.length) return null;
    const sorted = correlations(values, from, to, shifts).map(best).sort((a, b) => a - b);
    const at = 0.95 * (sorted.length - 1);
    const low = Math.floor(at);
    return sorted[low] + (at - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
  }

  /* Units from the largest |r| to the smallest. */
  const ranked = (r) => [...r.keys()].sort((a, b) => Math.abs(r[b]) - Math.abs(r[a]) || a - b);

  return { byChance, correlations, ranked, read, untrained };
});
