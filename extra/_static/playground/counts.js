"use strict";
/* The lesson's n-gram model, counted in a text: how often each character followed each context
   there, with back-off to shorter ones. Held to the lesson by tests/site/test_live_figures.py. */
charbook.define("counts", ["engine"], ({ Network }) => {
  const CHARACTERS = "\n !&',-.:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"; // of the plays
  const V = CHARACTERS.length;
  const LONGEST = 6; // characters of a context that the model looks at

  /* A text -> follow(context), how often each character followed it there: {n, times: Map}. */
  function counter(text) {
    const known = new Map();
    const count = (context) => {
      const times = new Map();
      let n = 0;
      const add = (next) => {
        if (next === undefined) return; // the end of the text
        times.set(next, (times.get(next) ?? 0) + 1);
        n++;
      };
      if (!context) for (const next of text) add(next);
      else
        for (let at = text.indexOf(context); at >= 0; at = text.indexOf(context, at + 1))
          add(text[at + context.length]);
      return { n, times };
    };
    return (context) => {
      if (!known.has(context)) known.set(context, count(context));
      return known.get(context);
    };
  }

  const ending = (text, length) => (length ? text.slice(-length) : "");

  /* The rungs for the end of a text, from no context up: {context, n, times}. */
  function ladder(follow, text, longest) {
    return Array.from({ length: Math.min(longest, text.length) + 1 }, (_, length) => {
      const context = ending(text, length);
      return { context, ...follow(context) };
    });
  }

  /* p(character) by the rule of the lesson: each rung has n votes, the one below it V. */
  const probability = (rungs, character) =>
    rungs.reduce((p, { n, times }) => ((times.get(character) ?? 0) + V * p) / (n + V), 1 / V);

  /* The counts of one text in the place of a network; its state is the end of what it has read. */
  class Counts extends Network {
    custom = true; // Python has no such file

    constructor(text) {
      super({ vocab_size: V }, CHARACTERS);
      this.follow = counter(text);
    }

    start() {
      return { text: "" };
    }

    step(state, id) {
      this.check(id);
      state.text = (state.text + this.characters[id]).slice(-LONGEST);
      const rungs = ladder(this.follow, state.text, LONGEST);
      return Float64Array.from(this.characters, (next) => Math.log(probability(rungs, next)));
    }
  }

  return { CHARACTERS, Counts, LONGEST, V, counter, ending, ladder, probability };
});
