"use strict";
/* From logits to text: the settings, random numbers as NumPy draws them, writing and reading.
   Equal to helpers/sampling.py; tests/site/test_engine.py holds them together. */
charbook.define("sampling", [], () => {
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

  /* The settings of helpers.sampling.SamplingSettings, and what they are unless given; null is
     off. */
  const SETTINGS = Object.freeze({ temperature: 1, top_k: null, top_p: null, min_p: null });

  function checkSettings({ temperature, top_k, top_p, min_p }) {
    if (!(Number.isFinite(temperature) && temperature >= 0))
      refuse("temperature must be a finite number, 0 (greedy) or above", temperature);
    if (top_k !== null && !(Number.isInteger(top_k) && top_k >= 1))
      refuse("top-k must be a whole number of at least 1", top_k);
    for (const [name, share] of [["top-p", top_p], ["min-p", min_p]])
      if (share !== null && !(share > 0 && share <= 1))
        refuse(`${name} must be above 0 and at most 1`, share);
  }

  const NO_GUESS = // helpers.sampling's sentence
    "the model's guess is not a number (NaN): check its weights and its training losses";

  class NoGuess extends Error {
    constructor() {
      super(NO_GUESS);
    }
  }

  /* The index of the largest logit; of equals the first. Throws NoGuess where one is NaN, or
     the largest is infinite. */
  function argmax(logits) {
    let best = 0;
    for (let i = 0; i < logits.length; i++) {
      if (Number.isNaN(logits[i])) throw new NoGuess();
      if (logits[i] > logits[best]) best = i;
    }
    if (!Number.isFinite(logits[best])) throw new NoGuess();
    return best;
  }

  /* Logits (V,) -> probabilities (V,): temperature, then top_k, top_p and min_p. */
  function nextDistribution(logits, settings = {}) {
    const all = { ...SETTINGS, ...settings };
    checkSettings(all);
    const { temperature, top_k, top_p, min_p } = all;
    const p = new Float64Array(logits.length);
    const best = argmax(logits);
    if (temperature === 0) {
      p[best] = 1;
      return p;
    }
    for (let i = 0; i < p.length; i++) p[i] = Math.exp((logits[i] - logits[best]) / temperature);
    divide(p);
    const order = top_k === null && top_p === null ? [] : byProbability(p);
    if (top_k !== null) {
      for (const i of order.slice(top_k)) p[i] = 0;
      divide(p);
    }
    if (top_p !== null) {
      let reached = 0;
      for (const i of order) {
        const probability = p[i];
        reached += probability;
        if (reached - probability >= top_p) p[i] = 0; // the more probable ones are enough already
      }
    }
    if (min_p !== null) {
      const least = min_p * p[best];
      for (let i = 0; i < p.length; i++) if (p[i] < least) p[i] = 0;
    }
    divide(p);
    return p;
  }

  /* The index whose interval of the cumulative sum holds u, a number in [0, 1). */
  function pick(p, u) {
    const total = sum(p);
    if (!(total > 0 && total < Infinity)) throw new NoGuess();
    let reached = 0;
    let last = 0;
    for (let i = 0; i < p.length; i++) {
      reached += p[i];
      if (reached > u * total) return i;
      if (p[i] > 0) last = i;
    }
    return last; // rounding: the sum in another order is a little less
  }

  /* ---------------------------------------------------------------- random numbers */

  /* numpy.random.default_rng([seed, i]).random(), so that a seed gives the text that it
     gives in Python: NumPy's SeedSequence (O'Neill's seed_seq_fe) and PCG64 (XSL-RR). */
  class Uniforms {
    static #MASK64 = (1n << 64n) - 1n;
    static #MASK128 = (1n << 128n) - 1n;
    static #STEP = 0x2360ed051fc65da44385df649fccf645n;

    constructor(seed, i = 0) {
      for (const number of [seed, i])
        if (!(Number.isSafeInteger(number) && number >= 0))
          refuse(`seed must be a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`, number);
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
      const rotation = this.state >> 122n;
      const rotated = ((folded >> rotation) | (folded << (64n - rotation))) & Uniforms.#MASK64;
      return Number(rotated >> 11n) / 2 ** 53;
    }
  }

  /* ---------------------------------------------------------------- writing and reading */

  /* Reads a prompt once, then writes one character a call. `random` gives numbers in [0, 1):
     an object with next(), such as Uniforms. `onRead` is called with (id, state, the model's
     probabilities before it or null, those it was drawn from or null) after each character that
     was read, those of the prompt too. */
  class Writer {
    constructor(model, prompt, random, onRead = () => {}) {
      this.unread = model.encode(prompt); // of the prompt
      if (!this.unread.length)
        throw new Error("the prompt is empty: the model needs a character to start from");
      this.model = model;
      this.random = random;
      this.onRead = onRead;
      this.state = model.start();
      this.logits = null;
    }

    #read(id, drawnFrom) {
      const predicted = this.logits && nextDistribution(this.logits);
      this.logits = this.model.step(this.state, id);
      this.onRead(id, this.state, predicted, drawnFrom);
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

  /* The model's probabilities (V,) before each character of a text; null before the first, which
     nothing predicts. A generator, so that a page can give way in between. */
  function* predictions(model, ids) {
    const state = model.start();
    let logits = null;
    for (const id of ids) {
      yield logits && nextDistribution(logits);
      logits = model.step(state, id);
    }
  }

  /* -log p in nats of each character; null for the first. */
  function surprises(model, ids) {
    return Array.from(predictions(model, ids), (p, t) => p && -Math.log(p[ids[t]]));
  }

  return {
    NoGuess, SETTINGS, Uniforms, Writer, byProbability, nextDistribution, pick, predictions, surprises,
  };
});
