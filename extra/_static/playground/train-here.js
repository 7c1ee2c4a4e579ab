/* The page on which a network is trained: text, size, curve, samples. The learning itself is
   in trainer.js and happens in a worker, so that the page stays free for the reader. */
(() => {
  "use strict";
  const HERE = document.currentScript.src.replace(/[^/]*$/, "");
  const { mount: mountPlayground, parts } = globalThis.charbookPlayground;
  const { h, labelled, whole } = parts;
  const E = globalThis.charbookEngine;
  const T = globalThis.charbookTrainer;
  const TEXTS = {
    shakespeare: "Shakespeare: scenes from six plays",
    austen: "Austen: four chapters of a novel",
    own: "A text of my own",
  };
  const SIZES = { 32: "small: 32 units", 64: "middle: 64 units", 128: "large: 128 units, as in the book" };
  const UPDATES = [200, 1000, 3000];
  const DEFAULTS = { units: "64", updates: "1000", rate: "0.01", seed: "1" };
  const MAIN = { idle: "Train", running: "Pause", paused: "Go on", ended: "Train anew" };
  const nats = (loss) => `${loss.toFixed(2)} nats`;
  const times = (passes) => (passes < 10 ? passes.toFixed(1) : whole(Math.round(passes)));

  /* ---------------------------------------------------------------- the book's texts */

  function loadText(name) {
    const known = globalThis.charbookTexts?.[name];
    if (known !== undefined) return Promise.resolve(known);
    return new Promise((resolve, reject) => {
      const script = h("script", { src: `${HERE}texts/${name}.js` });
      script.onload = () => resolve(globalThis.charbookTexts[name]);
      script.onerror = () => reject(new Error(`The text, ${script.src}, could not be loaded.`));
      document.head.append(script);
    });
  }

  /* A worker cannot be started from an address on the disk, but from a text. */
  let address = null;
  function newWorker() {
    const source = `globalThis.charbookEngine = (${E.source})();\n(${T.source})(charbookEngine).work(globalThis);`;
    address ??= URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    return new Worker(address);
  }

  /* ---------------------------------------------------------------- the curve */

  function svg(tag, attributes = {}, text = "") {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.textContent = text;
    return element;
  }

  class Curve {
    static MOST = 400; // points of a line; beyond, neighbours are joined
    static DOTS = 40; // points of the held-out line that are marked
    static HEIGHT = 300;
    static EDGE = { left: 28, right: 12, top: 26, bottom: 42 };

    constructor() {
      this.picture = svg("svg", { role: "img", "aria-label": "Loss: nothing to show yet" });
      this.element = h(
        "div", { class: "tr-curve" }, this.picture,
        h(
          "p", { class: "tr-keys" },
          h("span", { class: "tr-key tr-train" }, "training: batches just learned from"),
          h("span", { class: "tr-key tr-held" }, "held out: text never learned from"),
          h("span", { class: "tr-key tr-marks" }, "what needs no network"),
        ),
      );
      new ResizeObserver(() => this.draw()).observe(this.element);
    }

    /* marks: [name, loss] of lines that need no network; goal: updates */
    begin(marks, goal) {
      Object.assign(this, { marks, goal, train: [], held: [] });
      this.draw();
    }

    /* name: train or held */
    add(name, updates, loss) {
      const points = this[name];
      points.push([updates, loss]);
      if (points.length > Curve.MOST)
        this[name] = points.filter((_, k) => k % 2).map(([at, later], k) => [at, (points[2 * k][1] + later) / 2]);
      this.draw();
    }

    draw() {
      const width = Math.floor(this.element.clientWidth);
      if (!width || !this.marks) return;
      const { HEIGHT, EDGE } = Curve;
      const losses = [...this.train, ...this.held, ...this.marks].map(([, loss]) => loss);
      const high = Math.max(...this.marks.map(([, loss]) => loss)) + 0.3;
      const low = Math.max(0, Math.floor((Math.min(...losses) - 0.25) * 2) / 2);
      const x = (updates) => EDGE.left + (updates / this.goal) * (width - EDGE.left - EDGE.right);
      const y = (loss) =>
        EDGE.top + ((high - Math.min(Math.max(loss, low), high)) / (high - low)) * (HEIGHT - EDGE.top - EDGE.bottom);
      const parts = [];
      for (let loss = Math.ceil(low); loss <= high; loss++)
        parts.push(
          svg("line", { class: "tr-grid", x1: EDGE.left, x2: width - EDGE.right, y1: y(loss), y2: y(loss) }),
          svg("text", { x: EDGE.left - 6, y: y(loss) + 4, "text-anchor": "end" }, String(loss)),
        );
      for (const share of [0, 0.5, 1]) {
        const at = Math.round(this.goal * share);
        const anchor = ["start", "middle", "end"][share * 2];
        parts.push(svg("text", { x: x(at), y: HEIGHT - 24, "text-anchor": anchor }, whole(at)));
      }
      parts.push(
        svg("text", { x: x(this.goal / 2), y: HEIGHT - 6, "text-anchor": "middle" }, "updates"),
        svg("text", { x: 0, y: 14 }, "nats per character"),
      );
      const right = width - EDGE.right;
      this.marks.forEach(([name, loss], k) => {
        // The names stand where the curves are not: the lowest one's at the left, below its line.
        const [at, down, anchor] = k === this.marks.length - 1 ? [EDGE.left + 6, 15, "start"] : [right, -5, "end"];
        parts.push(
          svg("line", { class: "tr-mark", x1: EDGE.left, x2: right, y1: y(loss), y2: y(loss) }),
          svg("text", { class: "tr-name", x: at, y: y(loss) + down, "text-anchor": anchor }, `${name}: ${loss.toFixed(2)}`),
        );
      });
      const line = (points) => points.map(([at, loss]) => `${x(at).toFixed(1)},${y(loss).toFixed(1)}`).join(" ");
      parts.push(svg("polyline", { class: "tr-train", points: line(this.train) }));
      parts.push(svg("polyline", { class: "tr-held", points: line(this.held) }));
      for (const [at, loss] of this.held.slice(0, Curve.DOTS)) parts.push(svg("circle", { class: "tr-held", cx: x(at), cy: y(loss), r: 2.5 }));
      this.picture.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
      this.picture.setAttribute("aria-label", this.#said());
      this.picture.replaceChildren(...parts);
    }

    #said() {
      const marks = this.marks.map(([name, loss]) => `${name} ${loss.toFixed(2)}`).join(", ");
      if (!this.train.length) return `Loss in nats per character. Without a network: ${marks}.`;
      const [[at, first]] = this.train;
      const [updates, last] = this.train.at(-1);
      const held = this.held.length ? `, held-out loss ${this.held.at(-1)[1].toFixed(2)}` : "";
      return (
        `Loss in nats per character over updates. Training loss from ${first.toFixed(2)} at ${whole(at)} ` +
        `to ${last.toFixed(2)} at ${whole(updates)}${held}. Without a network: ${marks}.`
      );
    }
  }

  /* ---------------------------------------------------------------- the whole */

  class TrainHere {
    constructor(mount) {
      this.worker = null;
      this.coming = null; // the next worker, until it has read its text
      this.trained = false; // whether there is a network to play with
      this.#build();
      mount.append(this.root);
      this.#enter("idle");
    }

    #build() {
      const options = (entries, chosen) =>
        entries.map(([value, text]) => h("option", { value, selected: value === chosen }, text));
      this.text = h("select", {}, ...options(Object.entries(TEXTS), "shakespeare"));
      this.text.addEventListener("input", () => this.#showOwn());
      this.own = h("textarea", { rows: "6", spellcheck: "false" });
      this.file = h("input", { type: "file", accept: ".txt,.md,text/*" });
      this.file.addEventListener("change", () => this.#open());
      this.ownBox = h(
        "div", { class: "pg-wide tr-own" },
        labelled("Your text: paste it here", this.own), labelled("or open a text file", this.file),
      );
      this.units = h("select", {}, ...options(Object.entries(SIZES), DEFAULTS.units));
      this.updates = h(
        "select", {}, ...options(UPDATES.map((n) => [String(n), `${whole(n)} updates`]), DEFAULTS.updates),
      );
      this.rate = h("input", { type: "number", min: "0", step: "any", value: DEFAULTS.rate });
      this.seed = h("input", { type: "number", min: "0", step: "1", value: DEFAULTS.seed });
      this.settings = h(
        "fieldset", { class: "pg-settings" },
        h("legend", { class: "pg-hidden" }, "What to train"),
        labelled("Text", this.text), labelled("Size", this.units), labelled("Length", this.updates),
        this.ownBox,
        h(
          "details", { class: "pg-wide" },
          h("summary", {}, "More settings"),
          h("div", { class: "pg-pick" }, labelled("Learning rate", this.rate), labelled("Seed", this.seed)),
        ),
      );
      const button = (text, press, kind = "") => h("button", { type: "button", class: kind, onclick: press }, text);
      this.main = button("", () => this.#press(), "pg-play");
      this.stop = button("Stop", () => this.#stop());
      this.play = button("Play with it", () => this.#ask("network"));
      this.save = button("Save it", () => this.#ask("file"));
      this.message = h("p", { class: "pg-message", role: "status" });
      this.facts = h("p", { class: "tr-facts" });
      this.numbers = {};
      const number = (key, name) => {
        this.numbers[key] = h("dd", {}, "–");
        return h("div", {}, h("dt", {}, name), this.numbers[key]);
      };
      this.curve = new Curve();
      this.samples = h("div", { class: "tr-samples", role: "region", "aria-label": "Samples, the newest first" });
      this.running = h(
        "div", { class: "tr-running", hidden: true },
        this.facts,
        h(
          "dl", { class: "tr-numbers" },
          number("updates", "Updates"), number("passes", "Times through the text"),
          number("speed", "Characters a second"), number("train", "Training loss"),
          number("held", "Held-out loss"), number("perplexity", "Perplexity, held out"),
        ),
        this.curve.element,
        h("p", { class: "pg-label" }, "What it writes"),
        this.samples,
      );
      this.stage = h("div", { class: "tr-stage", tabindex: "-1", role: "group", "aria-label": "Your network in the playground" });
      this.stage.hidden = true;
      this.root = h(
        "div", { class: "tr" },
        h(
          "div", { class: "pg", role: "group", "aria-label": "Train a network" },
          this.settings,
          h("div", { class: "pg-buttons" }, this.main, this.stop, this.play, this.save),
          this.message, this.running,
        ),
        this.stage,
      );
      this.#showOwn();
    }

    #showOwn() {
      this.ownBox.hidden = this.text.value !== "own";
    }

    async #open() {
      const [file] = this.file.files;
      if (!file) return;
      try {
        if (file.size > 4 * T.LIMITS.longest)
          throw new Error(`“${file.name}” is too large: the page takes ${whole(T.LIMITS.longest)} characters at most.`);
        this.own.value = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
        this.#tell(`“${file.name}” is open.`);
      } catch (error) {
        const why = error instanceof TypeError ? `“${file.name}” is not UTF-8 text. Save it as UTF-8.` : error.message;
        this.#tell(why, true);
      }
    }

    #tell(text, wrong = false) {
      this.message.textContent = text;
      this.message.classList.toggle("pg-wrong", wrong);
      this.own.removeAttribute("aria-invalid");
    }

    #enter(state) {
      this.state = state;
      this.main.textContent = MAIN[state];
      const busy = state === "running" || state === "paused";
      this.settings.disabled = busy;
      this.stop.disabled = !busy;
      this.play.disabled = this.save.disabled = !this.trained;
    }

    #press() {
      if (this.state === "running") this.#ask("pause");
      else if (this.state === "paused") this.#goOn();
      else this.#begin();
    }

    #ask(order, more = {}) {
      this.worker.postMessage({ order, ...more });
    }

    async #begin() {
      this.#enter("running");
      this.#tell("Reading the text …");
      const job = (this.job = {});
      try {
        const rate = Number(this.rate.value);
        if (!(rate > 0 && rate <= 1)) throw new RangeError("The learning rate lies above 0 and is 1 at most; 0.01 is a good one.");
        const seed = this.seed.value.trim() === "" ? NaN : Number(this.seed.value);
        const text = this.text.value === "own" ? this.own.value : await loadText(this.text.value);
        if (this.job !== job) return; // stopped meanwhile
        const worker = (this.coming = newWorker());
        worker.onmessage = ({ data }) => this.#hear(worker, data);
        worker.onerror = (event) => this.#refuse(event.message || "the worker could not be started");
        const settings = { units: Number(this.units.value), updates: Number(this.updates.value), rate, seed };
        worker.postMessage({ order: "begin", text, settings });
      } catch (error) {
        if (this.job === job) this.#refuse(error.message);
      }
    }

    #goOn() {
      if (this.done) {
        this.goal += this.step;
        this.curve.goal = this.goal;
      }
      this.#ask("go", { more: this.done ? this.step : 0 });
      this.#enter("running");
      this.#tell("Going on …");
    }

    /* Ends the training; the network stays, to be played with. */
    #stop() {
      this.job = null;
      if (this.coming) {
        this.coming.terminate();
        this.coming = null;
        this.#tell("Stopped.");
      } else if (this.trained) {
        if (this.state === "running") this.#ask("pause");
        this.#tell(`Stopped after ${this.numbers.updates.textContent} updates.`);
      }
      this.#enter(this.trained ? "ended" : "idle");
    }

    /* A network that was trained before is kept; one that was being trained is spoilt. */
    #refuse(why) {
      if (this.coming) this.coming.terminate();
      else if (this.state === "running" && this.job === null) this.trained = false;
      this.coming = null;
      this.#enter(this.trained ? "ended" : "idle");
      this.#tell(`${why[0].toUpperCase()}${why.slice(1)}${why.endsWith(".") ? "" : "."}`, true);
    }

    #hear(worker, { kind, ...news }) {
      if (worker === this.coming && kind === "ready") {
        this.worker?.terminate(); // what was trained before gives way
        this.worker = worker;
        this.coming = this.job = null;
      }
      if (worker === this.worker || worker === this.coming) this[`_${kind}`](news);
    }

    _ready(facts) {
      this.trained = true;
      this.done = false;
      this.running.hidden = false;
      this.stage.hidden = true;
      this.stage.replaceChildren();
      this.goal = this.step = facts.goal;
      for (const number of Object.values(this.numbers)) number.textContent = "–";
      this.samples.replaceChildren();
      this.facts.textContent =
        `It learns from ${whole(facts.train)} characters, of ${facts.characters} kinds, and is tested on ` +
        `${whole(facts.held)} that come after them. It has ${whole(facts.weights)} weights. An update reads ` +
        `${facts.batch} windows of ${facts.window} characters.`;
      this.curve.begin(
        [["knowing nothing", facts.even], ["knowing how frequent each is", facts.frequencies], ["counting, five in a row", facts.counting]],
        this.goal,
      );
      this.counting = facts.counting;
      this.#enter("running");
      this.#tell("Training …");
    }

    _progress({ updates, passes, speed, loss }) {
      const { numbers } = this;
      numbers.updates.textContent = whole(updates);
      numbers.passes.textContent = times(passes);
      numbers.speed.textContent = whole(Math.round(speed / 100) * 100);
      if (loss === null) return;
      numbers.train.textContent = nats(loss);
      this.curve.add("train", updates, loss);
    }

    _held({ updates, loss }) {
      this.heldLoss = loss;
      this.numbers.held.textContent = nats(loss);
      this.numbers.perplexity.textContent = Math.exp(loss).toFixed(1);
      this.curve.add("held", updates, loss);
    }

    _sample({ updates, held, text }) {
      const when = updates ? `After ${whole(updates)} update${updates === 1 ? "" : "s"}: held-out loss ${nats(held)}` : "Before the first update";
      this.samples.prepend(
        h("p", { class: "tr-when" }, when),
        h("div", { class: "tr-sample" }, text),
      );
      if (updates && this.state === "running") this.#tell(`${when}.`);
    }

    _rests({ done }) {
      this.done = done;
      if (this.state === "ended") return;
      this.#enter("paused");
      const than = this.heldLoss < this.counting ? "lower than counting's" : "still higher than counting's";
      const updates = `${this.numbers.updates.textContent} updates`;
      this.#tell(
        done
          ? `${updates} done. The held-out loss is ${nats(this.heldLoss)}, ${than} ${nats(this.counting)}. ` +
              "Play with it, go on for as many again, or stop to change the settings."
          : `Paused after ${updates}.`,
      );
    }

    _network({ config, characters, weights, updates, prompt, own }) {
      const model = new E.Model(config, characters, weights);
      model.custom = true;
      const about = { held_out_nats: this.heldLoss, held_out: "the text" };
      this.stage.hidden = false;
      this.stage.replaceChildren(h("p", { class: "tr-after" }, `Your network as it was after ${whole(updates)} updates:`));
      mountPlayground(this.stage, { model: { model, about, prompt, own } });
      this.stage.focus();
    }

    _file({ script }) {
      const link = h("a", { href: URL.createObjectURL(new Blob([script], { type: "text/javascript" })), download: "trained-here.js" });
      link.click();
      this.#tell("Saved as trained-here.js, which helpers.cli.export.read reads.");
    }

    _refused({ why }) {
      const reading = this.coming !== null;
      this.#refuse(why);
      if (reading && this.text.value === "own") this.own.setAttribute("aria-invalid", "true");
    }
  }

  globalThis.charbookTrainHere = { mount: (element) => new TrainHere(element) };
  for (const element of document.querySelectorAll(".tr-mount")) globalThis.charbookTrainHere.mount(element);
})();
