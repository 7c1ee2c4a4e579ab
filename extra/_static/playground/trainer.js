"use strict";
/* A training on a text, and the worker in which it runs, so that the page stays free. */
charbook.define("trainer", ["engine", "sampling", "learner", "corpus", "saved", "numbers"], (
  { Model }, { NoGuess, Uniforms, Writer }, { Learner }, { ngramLoss, prepare, repeated },
  { script }, { whole },
) => {
  // The book's recipe, but for the batch: helpers.models.CharRNN and helpers.training.fit.
  const DEFAULTS = { embed_size: 32, seq_len: 50, clip: 5 };
  const WINDOW = DEFAULTS.seq_len;
  const MOST_WINDOWS = 12; // in a batch: a multiple of three and of six, see plain.js and kernel.c
  const SCORED = 20_000; // characters of the held-out tenth, at most
  const SAMPLE_LENGTH = 200;
  const TEMPERATURE = 0.8;
  const SAMPLED_EVERY = 2000; // milliseconds
  // Updates after which a sample is written in any case, and announced.
  const MARKS = [0, ...[1, 2, 3, 4, 5].flatMap((d) => [1, 2, 5].map((k) => k * 10 ** d))];

  const now = () => performance.now();

  /* text: one of which the last tenth is held out, or {train, held, heldName}; settings: {units,
     rate, seed, updates or seconds}. Events are handed to post(kind, facts). */
  class Training {
    constructor(text, settings, post) {
      const { train, held, heldName = null } = typeof text === "string" ? { train: text } : text;
      Object.assign(this, prepare(train, held), { heldName, settings, post });
      const V = Array.from(this.characters).length;
      this.held = this.held.subarray(0, SCORED);
      const windows = Math.floor((this.train.length - 1) / WINDOW);
      // Fewer windows at a time where they would be used up after a few updates.
      this.B = Math.min(MOST_WINDOWS, 3 * Math.max(1, Math.floor(windows / 24)));
      this.random = new Uniforms(settings.seed);
      this.config = { vocab_size: V, embed_size: DEFAULTS.embed_size, hidden_size: settings.units };
      this.learner = new Learner(this.config, this.B, WINDOW, this.random);
      this.order = Uint32Array.from({ length: windows }, (_, k) => k);
      this.next = windows; // so that the first update shuffles
      this.x = new Uint16Array(this.B * WINDOW);
      this.y = new Uint16Array(this.B * WINDOW);
      this.goal = settings.updates ?? settings.seconds;
      this.seconds = 0; // of updates alone
      this.scoringSeconds = 0; // of the last evaluation on the held-out text
      this.sinceScoring = 0; // seconds of updates since then
      this.spent = 0; // seconds in all: updates, evaluations, samples
      this.lastSample = 0;
      this.lossSum = this.lossCount = 0; // training losses since the last report
      this.lastReport = 0;
    }

    /* What is known before the first update. */
    facts() {
      const { train, held, B } = this;
      const { vocab_size: V } = this.config;
      return {
        goal: this.goal, timed: !this.settings.updates,
        characters: V, train: train.length, held: held.length, heldName: this.heldName,
        batch: B, window: WINDOW, weights: this.learner.flat.length,
        uniform: Math.log(V),
        unigram: ngramLoss(train, held, V, 1),
        ngram: ngramLoss(train, held, V, 5),
        repeated: repeated(train, held), vectors: this.learner.arithmetic.vectors,
      };
    }

    /* To the goal; gives way now and then, so that somebody can say "pause". */
    *run() {
      const steps = this.#run();
      try {
        for (;;) {
          const begun = now();
          const { done } = steps.next();
          this.spent += (now() - begun) / 1000;
          if (done) return;
          yield;
        }
      } catch (error) {
        throw error instanceof NoGuess ? this.#diverged() : error;
      }
    }

    /* How far it is, in what the goal is given in. */
    get #reached() {
      return this.settings.updates ? this.learner.updates : this.spent;
    }

    *#run() {
      if (!this.learner.updates) this.#sample(null);
      while (this.#reached < this.goal) {
        const begun = now();
        const loss = this.#update();
        const seconds = (now() - begun) / 1000;
        this.seconds += seconds;
        this.sinceScoring += seconds;
        this.lossSum += loss;
        this.lossCount++;
        if (!Number.isFinite(loss)) throw this.#diverged();
        const mark = MARKS.includes(this.learner.updates);
        const due = this.sinceScoring > Math.max(0.25, 8 * this.scoringSeconds);
        if (mark || (due && now() > this.lastSample + SAMPLED_EVERY)) yield* this.#show(mark);
        else {
          if (now() > this.lastReport + 200) this.report();
          if (due) yield* this.score();
        }
        yield;
      }
      if (this.sampledAt !== this.learner.updates) yield* this.#show(true);
    }

    *#show(mark) {
      this.report();
      const held = yield* this.score();
      this.#sample(held, mark);
    }

    #diverged() {
      const { updates } = this.learner;
      return new Error(
        `After ${whole(updates)} update${updates === 1 ? "" : "s"} the loss is no number any more: ` +
          "the steps were too large. Try a smaller learning rate.",
      );
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
      const rate = this.settings.rate * (1 - this.#reached / this.goal); // a straight line to 0
      return this.learner.trainStep(x, y, { rate, clip: DEFAULTS.clip });
    }

    /* How far it is, and the mean training loss since the last report. */
    report() {
      const { updates } = this.learner;
      const read = updates * this.B * WINDOW;
      this.post("progress", {
        updates, read,
        passes: read / this.train.length,
        speed: this.seconds ? read / this.seconds : 0,
        loss: this.lossCount ? this.lossSum / this.lossCount : null,
        seconds: this.spent,
        left: this.spent ? (this.spent / this.#reached) * (this.goal - this.#reached) : null,
      });
      this.lossSum = this.lossCount = 0;
      this.lastReport = now();
    }

    /* The network as it is now, for engine.js. */
    #model() {
      return new Model(this.learner.config, this.characters, this.learner.weights);
    }

    *score() {
      const begun = this.spent;
      const loss = yield* this.learner.heldOutLoss(this.held);
      if (!Number.isFinite(loss)) throw this.#diverged();
      this.heldLoss = loss;
      this.scoringSeconds = this.spent - begun;
      this.sinceScoring = 0;
      this.post("held", { updates: this.learner.updates, seconds: this.spent, loss });
      return loss;
    }

    #sample(held, mark = true) {
      const model = this.#model();
      const first = model.ids.has("\n") ? "\n" : model.characters[this.train[0]];
      // The same random numbers each time, so that what differs was learned.
      const writer = new Writer(model, first, new Uniforms(this.settings.seed));
      const sample = first === "\n" ? [] : [first]; // by code point
      while (sample.length < SAMPLE_LENGTH)
        sample.push(model.characters[writer.next({ temperature: TEMPERATURE })]);
      const { updates } = this.learner;
      this.post("sample", { updates, seconds: this.spent, held, mark, text: sample.join("") });
      this.sampledAt = updates;
      this.lastSample = now();
    }

    /* A copy of what was learned, and held-out text to try it on: a line, and a passage. */
    network() {
      const copies = Object.entries(this.learner.weights).map(([name, w]) => [name, w.slice()]);
      const { config, updates } = this.learner;
      const characters = Array.from(this.characters);
      const passage = Array.from(this.held.subarray(0, 300), (id) => characters[id]);
      const excerpt = passage.join("");
      const line = excerpt.match(/\n([^\n]{3,40}\n)/u);
      const prompt = line ? line[1] : passage.slice(0, 20).join("");
      return {
        config, updates, excerpt, prompt, characters: this.characters,
        weights: Object.fromEntries(copies),
      };
    }

    /* The same as a script. */
    file() {
      const { heldLoss } = this;
      return script({ ...this.network(), shapes: this.learner.shapes, heldLoss });
    }
  }

  /* ---------------------------------------------------------------- in a worker */

  /* Messages to it: begin {text, settings}, pause, resume {more}, network, file. From it: ready,
     progress, held, sample (see Training), stopped {done}, network, file, refused {why}. */
  function work(scope) {
    let training = null;
    let steps = null; // of the training, up to its goal
    let running = false;
    let scheduled = false;
    const post = (kind, facts) => scope.postMessage({ kind, ...facts });
    const refuse = (error) => {
      running = false;
      steps = null;
      post("refused", { why: error.message });
    };
    // A message to itself is the shortest way to let other messages in.
    const channel = new MessageChannel();
    const schedule = () => {
      if (!scheduled) channel.port2.postMessage(0);
      scheduled = true;
    };
    channel.port1.onmessage = () => {
      scheduled = false;
      if (!running) return;
      try {
        const until = now() + 50;
        let over = false;
        while (!over && now() < until) over = steps.next().done;
        if (!over) return schedule();
        running = false;
        steps = null;
        post("stopped", { done: true });
      } catch (error) {
        refuse(error);
      }
    };
    const start = () => {
      steps ??= training.run(); // where it was paused, if it was
      running = true;
      schedule();
    };
    const orders = {
      begin({ text, settings }) {
        training = new Training(text, settings, post);
        post("ready", training.facts());
        start();
      },
      pause() {
        if (!running) return;
        running = false;
        training.report();
        post("stopped", { done: false });
      },
      resume({ more }) {
        if (running) return;
        training.goal += more;
        start();
      },
      network() {
        post("network", training.network());
      },
      file() {
        post("file", { script: training.file() });
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

  return { DEFAULTS, Training, work };
});
