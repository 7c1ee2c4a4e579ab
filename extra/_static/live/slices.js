"use strict";
/* Long work in short tasks, so that the page answers in between. */
charbook.define("slices", [], () => {
  const SLICE = 12; // milliseconds

  /* Runs one generator at a time, from the next task on: a new run ends the one before. */
  return class Slices {
    run(generator, done = () => {}) {
      clearTimeout(this.timer);
      const slice = () => {
        const until = performance.now() + SLICE;
        let step = generator.next();
        while (!step.done && performance.now() < until) step = generator.next();
        if (step.done) done(step.value);
        else this.timer = setTimeout(slice);
      };
      this.timer = setTimeout(slice);
    }
  };
});
