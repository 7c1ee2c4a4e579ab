/* The playground's page: controls, streamed text, bars, gates. The network is in engine.js.
   Nothing is loaded but this and engine.js until somebody presses play. */
(() => {
  "use strict";
  const HERE = document.currentScript.src.replace(/[^/]*$/, "");
  const E = globalThis.charbookEngine;
  const NAMES = { rnn: "RNN", lstm: "LSTM", gru: "GRU" };
  const ONE_PLAY = 500; // characters written for one press of play
  const MOST = 5000; // characters kept in the page
  const BUDGET = 8; // milliseconds of work before the browser may breathe
  const TOP = 10; // rows of bars
  const OFF = 41; // the end of the top-k slider
  const DEFAULTS = { prompt: "HAMLET:\n", temperature: 0.8, topK: null, topP: null, seed: 1 };
  const OWN_TEXT =
    "To be, or not to be: that is the question.\n" +
    "The internet is slow today; my laptop does not fix itself.";
  const VISIBLE = { " ": "␣", "\n": "↵", "\t": "⇥" };
  const still = matchMedia("(prefers-reduced-motion: reduce)");

  const visible = (character) => VISIBLE[character] ?? character;
  const quoted = (character) => `“${visible(character)}”`;
  const whole = (number) => number.toLocaleString("en-GB");
  const percent = (p) =>
    p > 0 && p < 0.0005 ? "<\u00a00.1\u00a0%" : `${(100 * p).toFixed(1)}\u00a0%`;

  /* An element with attributes, listeners (on…) and children. */
  function h(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (typeof value === "boolean") element.toggleAttribute(name, value);
      else element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }

  /* Whether the pointer itself has moved: a page that scrolls under it is not pointing. */
  let where = "";
  function moved({ screenX, screenY }) {
    const before = where;
    where = `${screenX} ${screenY}`;
    return where !== before;
  }

  let counter = 0;
  const newId = () => `pg-${++counter}`;

  /* A label, its control, and what the control says. */
  function labelled(text, control, output = null) {
    control.id = newId();
    const label = h("label", { for: control.id }, text);
    if (output) {
      output.setAttribute("for", control.id);
      label.append(" ", output);
    }
    return h("div", {}, label, control);
  }

  /* ---------------------------------------------------------------- the weights */

  const loading = new Map();

  function loadModel(name) {
    if (!loading.has(name)) {
      const promise = new Promise((resolve, reject) => {
        const script = h("script", { src: `${HERE}models/${name}.js` });
        script.onload = () => {
          try {
            const file = globalThis.charbookModels[name];
            resolve({ model: E.load(file), about: file.about, error: file.largest_error });
          } catch (error) {
            reject(error);
          }
        };
        script.onerror = () => reject(new Error(`the weights, ${script.src}, could not be loaded`));
        document.head.append(script);
      });
      promise.catch(() => loading.delete(name)); // so that play can be pressed again
      loading.set(name, promise);
    }
    return loading.get(name);
  }

  /* ---------------------------------------------------------------- text that can be looked into */

  /* items: {character, own, drawn, given}; own and drawn are probabilities (V,) or null. */
  class TextView {
    constructor(label, onLook) {
      this.onLook = onLook;
      this.box = h("div", { class: "pg-text", role: "region", "aria-label": label, tabindex: "0" });
      const at = (event) => event.target.closest?.("[data-at]")?.dataset.at;
      this.box.addEventListener("pointermove", (event) => {
        if (!moved(event)) return;
        const i = at(event);
        if (i !== undefined) onLook(Number(i), false);
      });
      this.box.addEventListener("pointerleave", () => onLook(null, false));
      this.box.addEventListener("click", (event) => {
        const i = at(event);
        if (i !== undefined) onLook(Number(i), true);
      });
      this.clear();
    }

    clear() {
      this.items = [];
      this.spans = [];
      this.marked = null;
      this.line = h("div");
      this.box.replaceChildren(this.line);
    }

    add(item, kind = "") {
      const span = h("span", { "data-at": String(this.items.length) });
      const ends = item.character === "\n";
      span.className = [kind, item.given && "pg-given", ends && "pg-end"].filter(Boolean).join(" ");
      span.textContent = ends ? "" : item.character; // the style sheet draws ↵
      this.line.append(span);
      if (ends) this.box.append((this.line = h("div")));
      this.items.push(item);
      this.spans.push(span);
    }

    mark(i) {
      if (this.marked !== null) this.spans[this.marked]?.classList.remove("pg-at");
      this.marked = i;
      if (i !== null) this.spans[i]?.classList.add("pg-at");
    }

    toEnd() {
      this.box.scrollTop = this.box.scrollHeight;
    }

    show(i) {
      const span = this.spans[i];
      if (!span) return;
      const top = span.offsetTop - this.box.offsetTop;
      if (top < this.box.scrollTop || top > this.box.scrollTop + this.box.clientHeight - 30)
        this.box.scrollTop = top - this.box.clientHeight / 2;
    }

    get text() {
      return this.items.map((item) => item.character).join("");
    }
  }

  /* ---------------------------------------------------------------- bars */

  class Bars {
    constructor(kind = "") {
      this.caption = h("caption", {}, "Next character");
      this.rows = Array.from({ length: TOP }, () => {
        const bar = h("i");
        const tick = h("b");
        const row = {
          name: h("th", { scope: "row" }), bar, tick, after: h("td"), own: h("td"),
        };
        const picture = h("td", {}, h("div", { class: "pg-bar", "aria-hidden": "true" }, bar, tick));
        row.tr = h("tr", { hidden: true }, row.name, picture, row.after, row.own);
        return row;
      });
      const heads = [
        ["char", "character"], ["", "bar"], ["drawn", "probability it is drawn with"],
        ["model", "probability the model gives"],
      ].map(([short, long]) =>
        h("th", { scope: "col" }, h("span", { "aria-hidden": "true" }, short), h("span", { class: "pg-hidden" }, long)),
      );
      this.table = h(
        "table", { class: `pg-bars ${kind}` }, this.caption,
        h("thead", {}, h("tr", {}, ...heads)), h("tbody", {}, ...this.rows.map((row) => row.tr)),
      );
    }

    clear() {
      this.caption.textContent = "Next character";
      for (const row of this.rows) row.tr.hidden = true;
    }

    /* The model's probabilities where this character came, and those after the settings. */
    show(model, item, number) {
      this.caption.textContent = `What could stand at place ${number}`;
      const { own, drawn } = item;
      const order = own ? E.byProbability(own).slice(0, TOP) : [];
      const id = model.ids.get(item.character);
      if (own && !order.includes(id)) order[TOP - 1] = id;
      this.rows.forEach((row, k) => {
        const i = order[k];
        row.tr.hidden = i === undefined;
        if (i === undefined) return;
        const p = drawn ? drawn[i] : own[i];
        row.tr.classList.toggle("pg-drawn", i === id);
        row.name.textContent = visible(model.characters[i]);
        row.bar.style.width = `${100 * p}%`;
        row.tick.hidden = !drawn;
        row.tick.style.left = `calc(${100 * own[i]}% - 1px)`;
        row.after.textContent = drawn ? (p === 0 ? "cut" : percent(p)) : "";
        row.own.textContent = percent(own[i]);
      });
    }
  }

  /* ---------------------------------------------------------------- gates */

  const KINDS = {
    forget: ["forget gate", 0, 1], input: ["input gate", 0, 1], output: ["output gate", 0, 1],
    cell: ["candidate", -1, 1], c: ["cell state", -5, 5], h: ["hidden state", -1, 1],
  };
  const COLOURS = { // from the lowest value to the highest, as in helpers/plotting.py
    light: { amount: ["#ffffff", "#9cc3e6", "#0072b2", "#08244a"], signed: ["#0072b2", "#ffffff", "#d55e00"] },
    dark: { amount: ["#14181e", "#1f4e79", "#4aa3df", "#eaf4ff"], signed: ["#4aa3df", "#14181e", "#f08a3c"] },
  };

  /* 256 colours (256 * 3 bytes) between the stops. */
  function ramp(stops) {
    const rgb = stops.map((s) => [1, 3, 5].map((k) => parseInt(s.slice(k, k + 2), 16)));
    return Uint8Array.from({ length: 768 }, (_, k) => {
      const place = (Math.floor(k / 3) / 255) * (rgb.length - 1);
      const left = Math.min(Math.floor(place), rgb.length - 2);
      const share = place - left;
      return Math.round(rgb[left][k % 3] * (1 - share) + rgb[left + 1][k % 3] * share);
    });
  }

  class Heatmap {
    static WIDTH = 10; // of a character, in CSS pixels
    static HEIGHT = 2; // of a unit
    static SHOWN = 240; // characters at once

    constructor(onLook) {
      this.columns = []; // one a character: {character, input, forget, …} with arrays (H,)
      this.first = 0; // the column shown leftmost
      this.canvas = h("canvas", { role: "img", "aria-label": "no gates yet" });
      this.canvas.width = this.canvas.height = 1;
      this.scroll = h(
        "div", { class: "pg-scroll", tabindex: "0", role: "region", "aria-label": "Gates, one column a character" },
        this.canvas,
      );
      this.kind = h("select", {}, ...Object.entries(KINDS).map(([key, [name]]) => h("option", { value: key }, name)));
      this.unit = h("input", { type: "number", min: "1", max: "128", value: "1" });
      this.strip = h("i", { "aria-hidden": "true" });
      this.low = h("span");
      this.high = h("span");
      this.said = h("p", { class: "pg-look" });
      this.details = h(
        "details", { class: "pg-wide pg-gates", open: true },
        h("summary", {}, "What the gates do"),
        h("div", { class: "pg-pick" }, labelled("Show", this.kind), labelled("Unit", this.unit)),
        this.scroll,
        h("p", { class: "pg-scale" }, this.low, this.strip, this.high, h("span", {}, "one row a unit")),
        this.said,
      );
      for (const control of [this.kind, this.unit]) control.addEventListener("input", () => this.draw());
      this.details.addEventListener("toggle", () => this.draw());
      new MutationObserver(() => this.draw()).observe(document.documentElement, {
        attributes: true, attributeFilter: ["data-theme"],
      });
      this.canvas.addEventListener("pointermove", (event) => {
        if (!moved(event)) return;
        const at = this.first + Math.floor(event.offsetX / Heatmap.WIDTH);
        const unit = Math.floor(event.offsetY / Heatmap.HEIGHT) + 1;
        if (at >= this.columns.length || unit > this.columns[at].h.length) return;
        this.unit.value = unit;
        onLook(at, false);
      });
      this.canvas.addEventListener("pointerleave", () => onLook(null, false));
      this.looked = null;
      this.draw();
    }

    clear() {
      this.columns = [];
      this.first = 0;
      this.looked = null;
      this.draw();
    }

    add(character, state) {
      const column = { character };
      for (const key of Object.keys(KINDS)) column[key] = Float32Array.from(state[key]);
      this.columns.push(column);
    }

    /* The last column is drawn and seen. */
    follow() {
      this.first = Math.max(0, this.columns.length - Heatmap.SHOWN);
      this.draw(this.columns.length - 1);
      this.scroll.scrollLeft = this.scroll.scrollWidth;
    }

    /* A column is drawn and seen, wherever in the text it is. */
    lookAt(at) {
      const { SHOWN, WIDTH } = Heatmap;
      if (at < this.first || at >= this.first + SHOWN)
        this.first = Math.max(0, Math.min(at - SHOWN / 2, this.columns.length - SHOWN));
      this.draw(at);
      const x = (at - this.first) * WIDTH;
      const { scrollLeft, clientWidth } = this.scroll;
      if (x < scrollLeft || x + WIDTH > scrollLeft + clientWidth)
        this.scroll.scrollLeft = x - clientWidth / 2;
    }

    draw(looked = this.looked) {
      this.looked = looked;
      const { WIDTH, HEIGHT } = Heatmap;
      const [name, low, high] = KINDS[this.kind.value];
      const dark = document.documentElement.dataset.theme === "dark";
      const stops = COLOURS[dark ? "dark" : "light"][low < 0 ? "signed" : "amount"];
      this.strip.style.background = `linear-gradient(to right, ${stops})`;
      this.low.textContent = low === 0 ? "0, shut" : `−${-low}`;
      this.high.textContent = low === 0 ? "1, open" : `${high}`;
      const H = this.columns[0]?.h.length ?? 128;
      const shown = this.columns.slice(this.first, this.first + Heatmap.SHOWN);
      const N = shown.length;
      this.unit.max = H;
      const unit = Math.min(Math.max(Math.round(Number(this.unit.value)) || 1, 1), H);
      this.say(name, unit, H);
      if (!N || !this.details.open) return;
      const colours = ramp(stops);
      const image = new ImageData(N, H);
      shown.forEach((column, x) => {
        const values = column[this.kind.value];
        for (let y = 0; y < H; y++) {
          const share = Math.min(Math.max((values[y] - low) / (high - low), 0), 1);
          const from = Math.round(share * 255) * 3;
          const to = (y * N + x) * 4;
          image.data[to] = colours[from];
          image.data[to + 1] = colours[from + 1];
          image.data[to + 2] = colours[from + 2];
          image.data[to + 3] = 255;
        }
      });
      const small = (this.small ??= document.createElement("canvas"));
      small.width = N;
      small.height = H;
      small.getContext("2d").putImageData(image, 0, 0);
      const sharp = Math.min(devicePixelRatio || 1, 2);
      const [width, height] = [N * WIDTH, H * HEIGHT + 20];
      this.canvas.width = width * sharp;
      this.canvas.height = height * sharp;
      this.canvas.style.width = `${width}px`;
      this.canvas.style.height = `${height}px`;
      const pen = this.canvas.getContext("2d");
      pen.scale(sharp, sharp);
      pen.imageSmoothingEnabled = false;
      pen.drawImage(small, 0, 0, width, H * HEIGHT);
      const ink = getComputedStyle(this.scroll).color;
      pen.fillStyle = pen.strokeStyle = ink;
      pen.font = "13px monospace";
      pen.textAlign = "center";
      shown.forEach((column, x) => {
        pen.fillText(visible(column.character), (x + 0.5) * WIDTH, H * HEIGHT + 14);
      });
      pen.strokeRect(0.5, (unit - 1) * HEIGHT - 0.5, width - 1, HEIGHT + 1);
      const x = (this.looked ?? N - 1) - this.first;
      pen.strokeRect(x * WIDTH - 0.5, 0.5, WIDTH + 1, height - 1);
      this.canvas.setAttribute("aria-label", `Heatmap: ${name} of ${H} units over ${N} characters. ${this.said.textContent}`);
    }

    say(name, unit, H) {
      const at = this.looked ?? this.columns.length - 1;
      const column = this.columns[at];
      if (!column) {
        this.said.textContent = "Press play: each character adds a column.";
        return;
      }
      const values = column[this.kind.value];
      const mean = values.reduce((a, b) => a + b, 0) / H;
      const many = values.filter((v) => v > (KINDS[this.kind.value][1] === 0 ? 0.5 : 0)).length;
      const than = KINDS[this.kind.value][1] === 0 ? "more than half open" : "above zero";
      this.said.textContent =
        `After reading ${quoted(column.character)} at place ${at + 1}, the ${name} of unit ${unit} is ` +
        `${values[unit - 1].toFixed(3)}. The mean of all ${H} units is ${mean.toFixed(3)}; ${many} are ${than}.`;
    }
  }

  /* ---------------------------------------------------------------- the three modes */

  /* Each mode has: element; names (models it needs); begin(models, form) -> whether there is
     something to do; step() -> whether there is more; paint(last); finished() -> what to say;
     clear(); copied() -> text for the clipboard. */

  /* A slider over the places of a text, and the sentence about the place looked at. */
  class Look {
    constructor(label, onLook) {
      this.slider = h("input", { type: "range", min: "1", max: "1", value: "1", disabled: true });
      this.slider.addEventListener("input", () => onLook(Number(this.slider.value) - 1, true));
      this.element = labelled(label, this.slider);
    }

    set(i, count, character) {
      this.slider.disabled = count === 0;
      this.slider.max = String(Math.max(count, 1));
      this.slider.value = String(i + 1);
      if (count) this.slider.setAttribute("aria-valuetext", `place ${i + 1}, ${quoted(character)}`);
    }
  }

  function about(item, i) {
    const place = `Place ${i + 1}, ${quoted(item.character)}`;
    if (!item.own) return `${place}: the first character, which nothing foretells.`;
    const own = item.own[item.id];
    const surprise = `a surprise of ${(-Math.log(own)).toFixed(2)} nats`;
    const drawn = item.drawn ? ` With the settings it was drawn with ${percent(item.drawn[item.id])}.` : "";
    return `${place}: the model gave it ${percent(own)}, ${surprise}.${drawn}`;
  }

  class Write {
    static names = ["lstm"];

    constructor() {
      this.view = new TextView("The text, yours in bold", (i, pin) => this.look(i, pin));
      this.bars = new Bars();
      this.said = h("p", { class: "pg-look" });
      this.range = new Look("Look at a character", (i) => this.look(i, true));
      this.heat = new Heatmap((i, pin) => this.look(i, pin));
      this.code = h("code");
      this.python = h(
        "details", { class: "pg-wide", hidden: true },
        h("summary", {}, "The same text in Python"),
        h("p", {}, "In a copy of the book, this prints what you see, to the letter:"),
        h("div", { class: "pg-python", tabindex: "0", role: "region", "aria-label": "Python code" }, this.code),
      );
      this.element = h(
        "div", { class: "pg-result pg-two" },
        h("div", {}, this.view.box, this.range.element, this.said),
        h("div", {}, this.bars.table),
        this.heat.details, this.python,
      );
      this.clear();
    }

    clear() {
      this.writer = this.begun = this.pinned = null;
      this.view.clear();
      this.bars.clear();
      this.heat.clear();
      this.range.set(0, 0);
      this.said.textContent = "Point at a character of the text, or move the slider, to see what the model gave it.";
      this.python.hidden = true;
      this.drawn = 0;
      this.settingsUsed = new Set();
    }

    begin([{ model }], form) {
      const begun = JSON.stringify([form.prompt, form.seed]);
      if (this.begun !== begun || this.model !== model || this.view.items.length >= MOST) {
        const writer = new E.Writer(model, form.prompt, new E.Uniforms(form.seed), (...seen) => this.seen(...seen));
        this.clear();
        Object.assign(this, { writer, model, begun, prompt: form.prompt, seed: form.seed });
      }
      this.goal = this.drawn + ONE_PLAY;
      this.pinned = null;
    }

    seen(id, state, own, drawn) {
      const item = { id, character: this.model.characters[id], own, drawn, given: !drawn };
      if (state.forget) this.heat.add(item.character, state);
      this.view.add(item);
    }

    step(settings) {
      if (this.writer.unread.length) {
        this.writer.prime(1);
        return true;
      }
      this.writer.next(settings);
      this.settingsUsed.add(JSON.stringify(settings));
      this.drawn++;
      return this.drawn < this.goal && this.view.items.length < MOST;
    }

    paint() {
      this.view.toEnd();
      this.look(null, false);
    }

    look(i, pin) {
      const { items } = this.view;
      if (!items.length) return;
      if (pin) this.pinned = i;
      const at = Math.min(i ?? this.pinned ?? items.length - 1, items.length - 1);
      this.view.mark(i === null && this.pinned === null ? null : at);
      if (pin) this.view.show(at);
      this.range.set(at, items.length, items[at].character);
      this.said.textContent = about(items[at], at);
      this.bars.show(this.model, items[at], at + 1);
      if (i === null && this.pinned === null) this.heat.follow();
      else this.heat.lookAt(at);
    }

    finished() {
      if (!this.drawn) return "";
      this.showPython();
      const full = this.view.items.length >= MOST ? " That is as much as this page keeps." : "";
      return `${whole(this.drawn)} characters written.${full}`;
    }

    showPython() {
      const [settings] = [...this.settingsUsed].map((s) => JSON.parse(s));
      this.python.hidden = this.settingsUsed.size !== 1 || this.model.custom;
      if (this.python.hidden) return; // the settings were moved on the way
      const named = { temperature: settings.temperature, top_k: settings.topK, top_p: settings.topP, seed: this.seed };
      const given = Object.entries(named).filter(([, value]) => value !== null);
      this.code.textContent =
        "from helpers.cli.export import read\nfrom helpers.sampling import generate\n\n" +
        'model, vocab, _ = read("extra/_static/playground/models/lstm.js")\n' +
        `text = generate(model, vocab, ${JSON.stringify(this.prompt)}, ${this.drawn},\n` +
        `                ${given.map(([name, value]) => `${name}=${value}`).join(", ")})\n` +
        "print(text)";
    }

    copied() {
      return this.view.text;
    }
  }

  class Surprise {
    static names = ["lstm"];

    constructor() {
      this.view = new TextView("Your text, coloured by surprise", (i, pin) => this.look(i, pin));
      this.bars = new Bars("pg-own");
      this.said = h("p", { class: "pg-look" });
      this.summary = h("p", {});
      this.range = new Look("Look at a character", (i) => this.look(i, true));
      this.units = h("select", {}, h("option", { value: "nats" }, "nats"), h("option", { value: "bits" }, "bits"));
      this.units.addEventListener("input", () => this.tell());
      const legend = [
        ["", "under 1 nat: expected"], ["pg-s1", "1 to 2.5"], ["pg-s2", "2.5 to 4.5"], ["pg-s3", "above 4.5: a surprise"],
      ].map(([kind, text]) => h("li", {}, h("span", { class: kind }, text)));
      this.element = h(
        "div", { class: "pg-result pg-two" },
        h("div", {}, this.view.box, h("ul", { class: "pg-legend", "aria-label": "Colours" }, ...legend), this.range.element, this.said),
        h("div", {}, labelled("Surprise in", this.units), this.summary, this.bars.table),
      );
      this.clear();
    }

    clear() {
      this.pinned = null;
      this.total = 0;
      this.view.clear();
      this.bars.clear();
      this.range.set(0, 0);
      this.summary.textContent = "";
      this.said.textContent = "Point at a character, or move the slider, to see how surprised the model was.";
    }

    begin([{ model, about: facts }], form) {
      const characters = Array.from(form.own);
      if (characters.length < 2) throw new Error("a text needs two characters at least: one to read and one to foretell");
      const ids = model.encode(characters.slice(0, MOST).join(""));
      this.clear();
      Object.assign(this, { model, facts, ids, cut: characters.length > MOST });
      this.thoughts = E.foretold(model, ids);
    }

    step() {
      const own = this.thoughts.next().value;
      const id = this.ids[this.view.items.length];
      const surprise = own ? -Math.log(own[id]) : 0;
      this.total += surprise;
      const kind = surprise < 1 ? "" : surprise < 2.5 ? "pg-s1" : surprise < 4.5 ? "pg-s2" : "pg-s3";
      this.view.add({ id, character: this.model.characters[id], own, drawn: null }, kind);
      return this.view.items.length < this.ids.length;
    }

    paint(last) {
      if (last) this.tell();
    }

    /* The numbers, in the unit chosen. */
    tell() {
      const n = this.view.items.length - 1;
      if (n < 1) return;
      const mean = this.total / n;
      const inUnit = (nats) => `${(this.units.value === "bits" ? nats / Math.LN2 : nats).toFixed(2)} ${this.units.value}`;
      const there = this.facts?.held_out_nats
        ? ` On ${this.facts.held_out ?? "Shakespeare"} that it has not read it has ${inUnit(this.facts.held_out_nats)}, perplexity ${Math.exp(this.facts.held_out_nats).toFixed(1)}.`
        : "";
      this.summary.textContent =
        `${inUnit(mean)} a character over ${whole(n)} characters: perplexity ${Math.exp(mean).toFixed(1)}, ` +
        `as if it had to guess among so many.${there} Knowing nothing would be ${inUnit(Math.log(this.model.V))}, perplexity ${this.model.V}.`;
      this.look(null, false);
    }

    look(i, pin) {
      const { items } = this.view;
      if (!items.length) return;
      if (pin) this.pinned = i;
      const at = i ?? this.pinned;
      this.view.mark(at);
      if (at === null) return this.range.set(0, items.length, items[0].character);
      const item = items[at];
      if (pin) this.view.show(at);
      this.range.set(at, items.length, item.character);
      const place = `Place ${at + 1}, ${quoted(item.character)}`;
      if (!item.own) this.said.textContent = about(item, at);
      else {
        const nats = -Math.log(item.own[item.id]);
        this.said.textContent =
          `${place}: ${nats.toFixed(2)} nats (${(nats / Math.LN2).toFixed(2)} bits). The model gave it ${percent(item.own[item.id])}.`;
      }
      this.bars.show(this.model, item, at + 1);
    }

    finished() {
      if (!this.view.items.length) return "";
      const cut = this.cut ? ` Only the first ${whole(MOST)} characters were read.` : "";
      return `${whole(this.view.items.length)} characters read.${cut}`;
    }

    /* One line a character: the character, tab, its surprise in nats. */
    copied() {
      return this.view.items
        .map((item) => `${visible(item.character)}\t${item.own ? (-Math.log(item.own[item.id])).toFixed(4) : ""}\n`)
        .join("");
    }
  }

  class Compare {
    static names = ["rnn", "lstm", "gru"];

    constructor() {
      this.pinned = null;
      this.columns = Compare.names.map((cell) => {
        const view = new TextView(`${NAMES[cell]}'s text`, (i, pin) => this.look(i, pin));
        const facts = h("p", {}, "not loaded yet");
        const said = h("p", { class: "pg-look" });
        const element = h(
          "div", { class: "pg-column", "data-cell": cell },
          h("strong", {}, NAMES[cell]), facts, view.box, said,
        );
        return { cell, view, facts, said, element };
      });
      this.range = new Look("Look at a place in all three", (i) => this.look(i, true));
      this.element = h(
        "div", { class: "pg-result pg-three" },
        ...this.columns.map((column) => column.element),
        h("div", { class: "pg-wide" }, this.range.element),
      );
      this.clear();
    }

    clear() {
      this.begun = this.pinned = null;
      this.drawn = 0;
      for (const column of this.columns) {
        column.view.clear();
        column.said.textContent = "";
      }
      this.range.set(0, 0);
    }

    begin(models, form) {
      const begun = JSON.stringify([form.prompt, form.seed]);
      if (this.begun !== begun || this.columns[0].view.items.length >= MOST) {
        const writers = this.columns.map((column, k) => {
          const { model } = models[k];
          const random = new E.Uniforms(form.seed); // each its own, so all three draw the same
          return new E.Writer(model, form.prompt, random, (id, state, own, drawn) =>
            column.view.add({ id, character: model.characters[id], own, drawn, given: !drawn }),
          );
        });
        this.clear();
        this.begun = begun;
        this.columns.forEach((column, k) => {
          column.writer = writers[k];
          const { weights, held_out_nats } = models[k].about;
          column.facts.textContent = `${whole(weights)} weights, ${held_out_nats.toFixed(2)} nats on held-out text`;
        });
      }
      this.goal = this.drawn + ONE_PLAY;
      this.pinned = null;
    }

    step(settings) {
      const reading = this.columns[0].writer.unread.length;
      for (const { writer } of this.columns) reading ? writer.prime(1) : writer.next(settings);
      if (!reading) this.drawn++;
      return this.drawn < this.goal && this.columns[0].view.items.length < MOST;
    }

    paint() {
      for (const { view } of this.columns) view.toEnd();
      this.look(null, false);
    }

    look(i, pin) {
      const count = this.columns[0].view.items.length;
      if (!count) return;
      if (pin) this.pinned = i;
      const at = Math.min(i ?? this.pinned ?? count - 1, count - 1);
      const marked = i === null && this.pinned === null ? null : at;
      for (const { view, said } of this.columns) {
        view.mark(marked);
        if (pin) view.show(at);
        said.textContent = about(view.items[at], at);
      }
      this.range.set(at, count, this.columns[0].view.items[at].character);
    }

    finished() {
      return this.drawn ? `${whole(this.drawn)} characters written by each of the three.` : "";
    }

    copied() {
      return this.columns.map(({ cell, view }) => `--- ${NAMES[cell]}\n${view.text}\n`).join("\n");
    }
  }

  const MODES = {
    write: ["Let it write", Write, "Play"],
    surprise: ["Your text, coloured", Surprise, "Colour it"],
    compare: ["Three side by side", Compare, "Play"],
  };

  /* ---------------------------------------------------------------- the whole */

  class Playground {
    /* mount: the element to fill. options.mode: write, surprise or compare.
       options.model: {model, about, prompt, own} to be used instead of the book's LSTM. */
    constructor(mount, { mode = "write", model = null } = {}) {
      this.given = model;
      this.job = null;
      this.modes = {};
      this.#build(mode);
      mount.append(this.root);
      this.reset();
    }

    #build(mode) {
      const group = newId();
      const modes = Object.entries(MODES).filter(([key]) => !this.given || key !== "compare");
      this.switches = modes.map(([key, [text]]) => {
        const input = h("input", { type: "radio", name: group, value: key, checked: key === mode });
        input.addEventListener("change", () => this.choose(key));
        return h("label", {}, input, h("span", {}, text));
      });
      this.prompt = h("textarea", { rows: "2", spellcheck: "false", maxlength: "500" });
      this.temperature = h("input", { type: "range", min: "0", max: "2", step: "0.05" });
      this.topK = h("input", { type: "range", min: "1", max: String(OFF), step: "1" });
      this.topP = h("input", { type: "range", min: "0.05", max: "1", step: "0.01" });
      this.seed = h("input", { type: "number", min: "0", step: "1" });
      this.pace = h(
        "select", {},
        h("option", { value: "5" }, "5 a second"),
        h("option", { value: "40", selected: true }, "40 a second"),
        h("option", { value: "Infinity" }, "as fast as it goes"),
      );
      this.outputs = [h("output"), h("output"), h("output")];
      const sliders = [["Temperature", this.temperature], ["Top-k", this.topK], ["Top-p", this.topP]];
      this.settings = h(
        "div", { class: "pg-settings" },
        h("div", { class: "pg-wide" }, labelled("Prompt", this.prompt)),
        ...sliders.map(([text, control], k) => labelled(text, control, this.outputs[k])),
        labelled("Seed", this.seed),
        labelled("Pace", this.pace),
      );
      for (const [, control] of sliders) control.addEventListener("input", () => this.#showSettings());
      this.own = h("textarea", { rows: "5", spellcheck: "false" });
      this.ownBox = h("div", {}, labelled("Your text", this.own));
      this.play = h("button", { type: "button", class: "pg-play" });
      this.play.addEventListener("click", () => (this.job ? this.stop() : this.start()));
      const copy = h("button", { type: "button", onclick: () => this.copy() }, "Copy");
      const reset = h("button", { type: "button", onclick: () => this.reset() }, "Reset");
      this.message = h("p", { class: "pg-message", role: "status" });
      this.live = h("p", { class: "pg-hidden", "aria-live": "polite" });
      this.fix = h("button", { type: "button", hidden: true, onclick: () => this.leaveOut() }, "Leave them out");
      this.stage = h("div");
      this.root = h(
        "div", { class: "pg", role: "group", "aria-label": "Playground" },
        h("fieldset", { class: "pg-modes" }, h("legend", { class: "pg-hidden" }, "What to do"), ...this.switches),
        this.settings, this.ownBox,
        h("div", { class: "pg-buttons" }, this.play, copy, reset, this.fix),
        this.message, this.live, this.stage,
      );
      this.choose(mode);
    }

    choose(key) {
      this.stop();
      this.mode = key;
      const [, Kind] = MODES[key];
      this.current = this.modes[key] ??= new Kind();
      this.names = Kind.names;
      this.stage.replaceChildren(this.current.element);
      this.settings.hidden = key === "surprise";
      this.ownBox.hidden = key !== "surprise";
      this.#showButton();
      this.#tell("");
    }

    #showButton() {
      this.play.textContent = this.job ? "Stop" : MODES[this.mode][2];
    }

    #showSettings() {
      const { temperature, topK, topP } = this.#chosen();
      this.outputs[0].textContent = temperature === 0 ? "0, greedy" : temperature.toFixed(2);
      this.outputs[1].textContent = topK ?? "off";
      this.outputs[2].textContent = topP?.toFixed(2) ?? "off";
      [this.temperature, this.topK, this.topP].forEach((slider, k) =>
        slider.setAttribute("aria-valuetext", this.outputs[k].textContent),
      );
    }

    #chosen() {
      const topK = Number(this.topK.value);
      const topP = Number(this.topP.value);
      return {
        temperature: Number(this.temperature.value),
        topK: topK >= OFF ? null : topK,
        topP: topP >= 1 ? null : topP,
      };
    }

    #tell(text, wrong = false) {
      this.message.textContent = text;
      this.message.classList.toggle("pg-wrong", wrong);
      this.fix.hidden = true;
      for (const box of [this.prompt, this.own]) box.removeAttribute("aria-invalid");
    }

    #refuse(error) {
      const box = this.mode === "surprise" ? this.own : this.prompt;
      if (error instanceof E.UnknownCharacters) {
        const few = error.unknown.slice(0, 12).map(quoted).join(", ");
        const more = error.unknown.length > 12 ? ` and ${error.unknown.length - 12} more` : "";
        this.#tell(
          `Not known: ${few}${more}, first at place ${error.first}. The text that this model learned from ` +
            `has no such character, so it has no weights for it. It knows these ${error.known.length}: ` +
            error.known.map(visible).join(" "),
          true,
        );
        this.unknown = error.unknown;
        this.fix.hidden = false;
      } else {
        this.#tell(`${error.message[0].toUpperCase()}${error.message.slice(1)}.`, true);
      }
      if (!(error instanceof RangeError)) box.setAttribute("aria-invalid", "true");
    }

    leaveOut() {
      const box = this.mode === "surprise" ? this.own : this.prompt;
      const unknown = new Set(this.unknown);
      box.value = Array.from(box.value).filter((character) => !unknown.has(character)).join("");
      this.play.focus();
      this.start();
    }

    async start() {
      const { current } = this;
      const job = (this.job = {});
      this.#showButton();
      this.#tell("Loading the weights …");
      try {
        const models = this.given ? [this.given] : await Promise.all(this.names.map(loadModel));
        if (this.job !== job) return; // stopped meanwhile
        const seed = this.seed.value.trim() === "" ? NaN : Number(this.seed.value);
        current.begin(models, { prompt: this.prompt.value, own: this.own.value, seed });
      } catch (error) {
        if (this.job !== job) return;
        this.job = null;
        this.#showButton();
        this.#refuse(error);
        return;
      }
      this.#tell(this.mode === "surprise" ? "Reading …" : "Writing …");
      this.#run(job, current);
    }

    #run(job, current) {
      // Where less motion is asked for, the text does not trickle: it is there at once.
      const pace = () => (this.mode === "surprise" || still.matches ? Infinity : Number(this.pace.value));
      let last = performance.now();
      let owed = 1;
      this.announced = performance.now();
      this.said = current.view?.items.length ?? 0;
      const frame = () => {
        if (this.job !== job) return;
        const now = performance.now();
        owed = Math.min(owed + ((now - last) / 1000) * pace(), pace() / 10 + 1);
        last = now;
        let more = true;
        while (more && owed >= 1 && performance.now() < now + BUDGET) {
          more = current.step(this.#chosen());
          owed--;
        }
        current.paint(!more);
        if (more) {
          this.#announce(current, false);
          requestAnimationFrame(frame);
        } else this.stop();
      };
      requestAnimationFrame(frame);
    }

    /* Tell a screen reader what was written since, up to the last whole word, now and then. */
    #announce(current, last) {
      if (this.mode !== "write" || (!last && performance.now() < this.announced + 5000)) return;
      const fresh = current.view.text.slice(this.said);
      const upTo = last ? fresh.length : Math.max(fresh.lastIndexOf(" "), fresh.lastIndexOf("\n")) + 1;
      if (!upTo) return;
      this.live.textContent = fresh.slice(0, upTo).slice(-300);
      this.said += upTo;
      this.announced = performance.now();
    }

    stop() {
      if (!this.job) return;
      this.job = null;
      this.current.paint(true);
      this.#announce(this.current, true);
      this.#tell(this.current.finished());
      this.#showButton();
    }

    reset() {
      this.stop();
      for (const mode of Object.values(this.modes)) mode.clear();
      this.prompt.value = this.given ? this.given.prompt ?? this.given.model.characters[0] : DEFAULTS.prompt;
      this.temperature.value = DEFAULTS.temperature;
      this.topK.value = OFF;
      this.topP.value = 1;
      this.seed.value = DEFAULTS.seed;
      this.own.value = this.given?.own ?? OWN_TEXT;
      this.live.textContent = "";
      this.#showSettings();
      this.#tell("");
    }

    async copy() {
      const text = this.current.copied();
      if (!text.trim()) return this.#tell("There is nothing to copy yet.");
      try {
        await navigator.clipboard.writeText(text);
      } catch {
        const box = h("textarea", { "aria-hidden": "true" }); // where the clipboard is not given
        box.value = text;
        document.body.append(box);
        box.select();
        document.execCommand("copy");
        box.remove();
      }
      this.#tell(`Copied: ${whole(Array.from(text).length)} characters.`);
    }
  }

  globalThis.charbookPlayground = {
    mount: (element, options) => new Playground(element, options),
    parts: { h, labelled, whole, visible }, // for train-here.js
  };
  for (const element of document.querySelectorAll(".pg-mount"))
    globalThis.charbookPlayground.mount(element, { mode: element.dataset.mode });
})();
