"use strict";
/* A text's way to ids, and what an n-gram model makes of them. Equal to helpers/corpus.py and
   ngram.py; tests/site/test_trainer.py holds them together. */
charbook.define("corpus", ["numbers"], ({ whole }) => {
  const LIMITS = { shortest: 1000, longest: 1_000_000, characters: 500 };
  const HELD_OUT = 0.1;
  const STRETCH = 20; // characters
  const BASE = 0x9e3779b1; // odd and large, so that every character moves all bits above it

  /* A text -> its characters, by code point. Half of a surrogate pair that stands alone becomes
     U+FFFD, as when a browser saves a text. */
  function charactersOf(text) {
    const cleaned = text.replace(/^\ufeff/, "").replace(/\r\n?/g, "\n");
    return Array.from(cleaned.replace(/\p{Surrogate}/gu, "\ufffd"));
  }

  /* A text -> {characters, train, held}: its distinct characters in code-point order, and the
     ids of its first nine tenths and of its last. Where another text is held out, all of this one
     is learned from, however long. Throws an Error that says what would help. */
  function prepare(text, heldOut = "") {
    const learned = charactersOf(text);
    const all = learned.concat(charactersOf(heldOut));
    const count = all.length;
    if (count < LIMITS.shortest)
      throw new Error(
        `This text has ${whole(count)} character${count === 1 ? "" : "s"}. It must have at least ` +
          `${whole(LIMITS.shortest)}; for words to appear, 20,000 or more.`,
      );
    if (count > LIMITS.longest && !heldOut)
      throw new Error(
        `This text has ${whole(count)} characters, and the page takes ${whole(LIMITS.longest)} ` +
          "at most. Paste a part of it, or train on all of it outside the page: " +
          "python -m helpers train.",
      );
    const characters = [...new Set(all)].sort((a, b) => a.codePointAt(0) - b.codePointAt(0));
    if (characters.length === 1)
      throw new Error(
        "This text has one character only, over and over. What comes next is no question there.",
      );
    if (characters.length > LIMITS.characters)
      throw new Error(
        `This text has ${whole(characters.length)} different characters, and the page takes ` +
          `${LIMITS.characters} at most: each needs weights of its own, and enough places to ` +
          "learn them from.",
      );
    const number = new Map(characters.map((character, id) => [character, id]));
    const ids = Uint16Array.from(all, (character) => number.get(character));
    const border = heldOut ? learned.length : Math.floor(count * (1 - HELD_OUT));
    const [train, held] = [ids.subarray(0, border), ids.subarray(border)];
    return { characters: characters.join(""), train, held };
  }

  /* The `length` characters before each place of `ids` as a whole number, with V as base; -1 where
     there are fewer. */
  function contextsOf(ids, V, length) {
    const contexts = new Float64Array(ids.length);
    const highest = V ** length;
    for (let p = 0, context = 0; p < ids.length; p++) {
      contexts[p] = p < length ? -1 : context;
      context = (context * V + ids[p]) % highest;
    }
    return contexts;
  }

  /* Loss in nats per character, on `held` (all but its first), of an n-gram model of `train`:
     all orders up to this one, mixed by Witten and Bell's method, as in helpers.ngram. What
     follows a context is counted only where `held` has that context, in a row of V numbers: so
     four million characters need no more room than `held`. */
  function ngramLoss(train, held, V, order) {
    const probabilities = new Float64Array(held.length).fill(1 / V);
    for (let length = 0; length < order; length++) {
      const rows = new Map(); // context -> its row
      const wanted = contextsOf(held, V, length);
      for (const context of wanted)
        if (context >= 0 && !rows.has(context)) rows.set(context, rows.size);
      const times = new Uint32Array(rows.size * V);
      const totals = new Uint32Array(rows.size);
      const distinct = new Uint32Array(rows.size); // characters that have followed
      contextsOf(train, V, length).forEach((context, p) => {
        const row = rows.get(context);
        if (row === undefined) return;
        totals[row]++;
        if (!times[row * V + train[p]]++) distinct[row]++;
      });
      wanted.forEach((context, p) => {
        const row = rows.get(context);
        if (!totals[row]) return; // nor has any longer one been counted
        const seen = times[row * V + held[p]] + distinct[row] * probabilities[p];
        probabilities[p] = seen / (totals[row] + distinct[row]);
      });
    }
    const loss = probabilities.subarray(1).reduce((sum, p) => sum - Math.log(p), 0);
    return loss / (held.length - 1);
  }

  /* Which share of the stretches of STRETCH characters in `held` stands in `train` too. A rolling
     hash finds them: the number of a stretch to the base BASE, modulo 2^32. */
  function repeated(train, held) {
    const count = held.length - STRETCH + 1;
    if (count < 1) return 0;
    const hashes = (ids) => {
      let hash = 0, highest = 1;
      for (let k = 0; k < STRETCH; k++) highest = Math.imul(highest, BASE);
      return Int32Array.from(ids, (id, p) => {
        const gone = p < STRETCH ? 0 : Math.imul(ids[p - STRETCH], highest);
        return (hash = (Math.imul(hash, BASE) + id - gone) | 0);
      }).subarray(STRETCH - 1);
    };
    const wanted = hashes(held);
    const found = new Map(Array.from(wanted, (hash) => [hash, false]));
    for (const hash of hashes(train)) if (found.has(hash)) found.set(hash, true);
    return wanted.filter((hash) => found.get(hash)).length / count;
  }

  return { LIMITS, STRETCH, ngramLoss, prepare, repeated };
});
