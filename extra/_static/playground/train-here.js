"use strict";
/* The place where a network is trained: text, size, curve, samples. The learning itself is in
   trainer.js and happens in a worker, so that the page stays free for the reader. */
charbook.define("trainHere", [
  "engine", "corpus", "trainer", "page", "trainingForm", "curve", "samples", "saved", "playground",
], (
  { Model }, { STRETCH }, trainer, { h, percent, sentence, whole }, { TrainingForm },
  { Curve }, { Samples }, { openSaved }, playground,
) => {
  const LABELS = { // of the second button, by state; when a run is done, how much more it adds
    idle: "Pause", reading: "Stop", running: "Pause", paused: "Go on",
  };
  const nats = (loss) => `${loss.toFixed(2)} nats`;
  const REPEATS = 0.1; // the share of a held-out text that may stand in the rest, without a word
  const duration = (seconds) =>
    seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
  const times = (passes) => (passes < 10 ? passes.toFixed(1) : whole(Math.round(passes)));

  /* A worker cannot be started from an address on the disk, but from a text. */
  let address = null;
  function newWorker() {
    const source = `${charbook.script("trainer")}\ncharbook.trainer.work(globalThis);`;
    address ??= URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    return new Worker(address);
  }

  class TrainHere {
    constructor(place) {
      this.worker = null;
      this.nextWorker = null; // until it has read its text
      this.trained = false; // whether there is a network to play with
      this.form = new TrainingForm((text, wrong) => this.#say(text, wrong));
      this.#buildResults();
      const button = (text, onclick, kind = "") =>
        h("button", { type: "button", class: kind, onclick }, text);
      this.main = button("", () => this.#begin());
      this.second = button("", () => this.#press());
      this.play = button("Play with it", () => this.#ask("network"));
      this.save = button("Save it", () => this.#ask("file"));
      const open = button("Open a saved one", () => this.saved.click());
      this.saved = h("input", { type: "file", accept: ".js" });
      this.saved.addEventListener("change", () => this.#open());
      this.message = h("p", { class: "pg-message", role: "status" });
      this.stage = h("div", {
        class: "tr-stage", tabindex: "-1", role: "group", hidden: true,
        "aria-label": "Your network in the playground",
      });
      const root = h(
        "div", { class: "tr" },
        h(
          "div", { class: "pg", role: "group", "aria-label": "Train a network" },
          this.form.element,
          h("div", { class: "pg-buttons" }, this.main, this.second, this.play, this.save, open),
          this.message, this.results,
        ),
        this.stage,
      );
      this.#enter("idle");
      place.replaceChildren(root);
    }

    #buildResults() {
      this.facts = h("p", { class: "tr-facts" });
      this.numbers = {};
      const number = (key, name) => {
        this.numbers[key] = h("dd", {}, "–");
        return h("div", {}, h("dt", {}, name), this.numbers[key]);
      };
      this.curve = new Curve();
      this.samples = new Samples((sample) => this.curve.mark(sample));
      this.warning = h("p", { class: "tr-warning", hidden: true });
      this.results = h(
        "div", { class: "tr-running", hidden: true },
        this.facts, this.warning,
        h(
          "dl", { class: "tr-numbers" },
          number("updates", "Updates"), number("passes", "Times through the text"),
          number("speed", "Characters a second"), number("train", "Training loss"),
          number("held", "Held-out loss"), number("perplexity", "Perplexity, held out"),
          number("left", "Time left, about"),
        ),
        h("div", { class: "tr-beside" }, this.curve.element, this.samples.element),
      );
    }

    #say(text, wrong = false) {
      this.message.textContent = text;
      this.message.classList.toggle("pg-wrong", wrong);
      this.form.invalid = false;
    }

    #enter(state) {
      const { main, second } = this;
      this.state = state;
      const busy = state === "reading" || state === "running";
      if (!busy) this.rest = state; // where a run that cannot begin leaves it
      this.form.disabled = main.disabled = busy;
      second.disabled = state === "idle";
      this.play.disabled = this.save.disabled = !this.trained;
      main.textContent = this.trained ? "Train again" : "Train";
      const more = () => (this.timed ? `${this.step / 60} minutes` : whole(this.step));
      second.textContent = LABELS[state] ?? `${more()} more`;
      const first = state === "idle" || state === "done";
      main.classList.toggle("pg-play", first);
      second.classList.toggle("pg-play", !first);
      // A button that can't be pressed any more would take the focus with it.
      const lost = [main, second].find((it) => it.disabled && it === document.activeElement);
      if (lost) (lost === main ? second : main).focus();
    }

    #press() {
      if (this.state === "running") this.#ask("pause");
      else if (this.state === "reading") this.#giveUp();
      else this.#goOn();
    }

    #ask(order, more = {}) {
      this.worker.postMessage({ order, ...more });
    }

    async #begin() {
      this.#enter("reading");
      this.#say("Reading the text …");
      const job = (this.job = {});
      try {
        const { text, settings, name } = await this.form.read();
        this.name = name;
        if (this.job !== job) return; // stopped meanwhile
        const worker = (this.nextWorker = newWorker());
        worker.onmessage = ({ data }) => this.#receive(worker, data);
        worker.onerror = (event) =>
          this.#refuse(event.message || "the worker could not be started");
        worker.postMessage({ order: "begin", text, settings });
      } catch (error) {
        if (this.job === job) this.#refuse(error.message);
      }
    }

    #goOn() {
      const more = this.state === "done" ? this.step : 0;
      this.curve.goal[Number(this.timed)] += more;
      this.#ask("resume", { more });
      this.#enter("running");
      this.#say("Going on …");
    }

    /* No new run; what was trained before stays. */
    #giveUp() {
      this.job = null;
      this.nextWorker?.terminate();
      this.nextWorker = null;
      this.#enter(this.rest);
      this.#say("Stopped.");
    }

    /* A network that was trained before is kept; one that was being trained is spoilt. */
    #refuse(why) {
      if (this.state === "reading") this.#giveUp();
      else if (this.state === "running") {
        this.trained = false;
        this.#enter("idle");
      }
      this.#say(sentence(why), true);
    }

    #receive(worker, { kind, ...facts }) {
      if (worker === this.nextWorker && kind === "ready") {
        this.worker?.terminate(); // what was trained before gives way
        this.worker = worker;
        this.nextWorker = this.job = null;
      }
      if (worker === this.worker || worker === this.nextWorker) this[`_${kind}`](facts);
    }

    _ready(facts) {
      this.trained = true;
      this.results.hidden = false;
      this.stage.hidden = true;
      this.stage.replaceChildren();
      this.step = facts.goal;
      this.timed = facts.timed;
      for (const number of Object.values(this.numbers)) number.textContent = "–";
      this.samples.clear();
      const where = facts.heldName ? `of ${facts.heldName}` : "that come after them";
      this.facts.textContent =
        `It learns from ${whole(facts.train)} characters, of ${facts.characters} kinds, and is ` +
        `tested on ${whole(facts.held)} ${where}. It has ${whole(facts.weights)} ` +
        `weights. An update reads ${facts.batch} windows of ${facts.window} characters, and is ` +
        `computed by ${facts.vectors ? "WebAssembly, four numbers at a time" : "plain JavaScript"}.`;
      this.warning.hidden = facts.repeated < REPEATS;
      this.warning.textContent =
        `Of the held-out text, ${percent(facts.repeated)} stands in the rest word for word ` +
        `(stretches of ${STRETCH} characters). A low loss on it shows a good memory, no more.`;
      const baselines = [
        ["knowing nothing", facts.uniform],
        ["knowing how frequent each is", facts.unigram],
        ["counting, five in a row", facts.ngram],
      ];
      const text = `${facts.train} ${facts.held} ${facts.uniform} ${facts.unigram}`;
      const goal = facts.timed ? [0, facts.goal] : [facts.goal, 0];
      this.curve.begin(baselines, goal, this.name, text);
      this.ngramLoss = facts.ngram;
      this.#enter("running");
      this.#say("Training …");
    }

    _progress({ updates, passes, speed, loss, seconds, left }) {
      const { numbers } = this;
      numbers.updates.textContent = whole(updates);
      numbers.passes.textContent = times(passes);
      if (left !== null) numbers.left.textContent = duration(left);
      numbers.speed.textContent = whole(Math.round(speed / 100) * 100);
      if (loss === null) return;
      numbers.train.textContent = nats(loss);
      this.curve.add("train", [updates, seconds], loss);
    }

    _held({ updates, seconds, loss }) {
      this.heldLoss = loss;
      this.numbers.held.textContent = nats(loss);
      this.numbers.perplexity.textContent = Math.exp(loss).toFixed(1);
      this.curve.add("held", [updates, seconds], loss);
    }

    _sample({ updates, seconds, held, mark, text }) {
      const after = `After ${whole(updates)} update${updates === 1 ? "" : "s"}`;
      const when = updates ? `${after}: held-out loss ${nats(held)}` : "Before the first update";
      this.samples.add({ updates, seconds, when, text });
      if (updates && mark && this.state === "running") this.#say(`${when}.`);
    }

    _stopped({ done }) {
      this.#enter(done ? "done" : "paused");
      const updates = `${this.numbers.updates.textContent} updates`;
      if (!done) return this.#say(`Paused after ${updates}.`);
      this.numbers.left.textContent = duration(0);
      const than = this.heldLoss < this.ngramLoss ? "lower" : "still higher";
      this.#say(
        `${updates} done. The held-out loss is ${nats(this.heldLoss)}, ${than} than counting's ` +
          `${nats(this.ngramLoss)}. Play with it, let it learn more, or change the settings and ` +
          "train again.",
      );
    }

    _network({ config, characters, weights, updates, prompt, excerpt }) {
      const model = new Model(config, characters, weights);
      const about = { held_out_nats: this.heldLoss, held_out: "the text" };
      const title = `Your network as it was after ${whole(updates)} updates:`;
      this.#playWith(title, { model, about, prompt, text: excerpt });
    }

    /* A network in the playground, already writing. */
    #playWith(title, custom) {
      custom.model.custom = true;
      const place = h("div");
      this.stage.hidden = false;
      this.stage.replaceChildren(h("p", { class: "tr-after" }, title), place);
      const opened = playground.mount(place, { model: custom });
      opened.asked = true;
      opened.start();
      this.stage.focus();
    }

    async #open() {
      const [file] = this.saved.files;
      if (!file) return;
      this.saved.value = ""; // so that the same file can be chosen again
      try {
        this.#playWith(`The network from “${file.name}”:`, await openSaved(file));
        this.#say(`“${file.name}” is open.`);
      } catch (error) {
        this.#say(sentence(error.message), true);
      }
    }

    _file({ script }) {
      const href = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
      h("a", { href, download: "trained-here.js" }).click();
      this.#say("Saved as trained-here.js: open it here again, or read it with the book's library.");
    }

    _refused({ why }) {
      const reading = this.nextWorker !== null;
      this.#refuse(why);
      this.form.invalid = reading;
    }
  }

  const mount = (place) => new TrainHere(place);
  for (const place of document.querySelectorAll(".tr-mount")) mount(place);
  return { mount };
});
