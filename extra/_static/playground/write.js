"use strict";
/* The mode in which the LSTM continues a prompt: text, bars, gates, and the same in Python. */
charbook.define("write", ["sampling", "page", "textView", "bars", "heatmap", "mode"], (
  { Uniforms, Writer }, { h, whole }, { PlaceSlider, TextView }, { Bars }, { Heatmap }, modes,
) => {
  const { LIMITS, Mode, describe } = modes;

  class Write extends Mode {
    static cells = ["lstm"];

    constructor() {
      const inspect = (place, stay) => this.inspect(place, stay);
      const view = new TextView("The text, yours in bold", inspect);
      super([view], new PlaceSlider("Look at a character", inspect));
      this.view = view;
      this.bars = new Bars();
      this.readout = h("p", { class: "pg-readout" });
      this.heatmap = new Heatmap(inspect);
      this.code = h("code");
      const code = { class: "pg-python", tabindex: "0", role: "region", "aria-label": "Python code" };
      this.python = h(
        "details", { class: "pg-wide", hidden: true },
        h("summary", {}, "The same text in Python"),
        h("p", {}, "In a copy of the book, this prints what you see, to the letter:"),
        h("div", code, this.code),
      );
      this.element = h(
        "div", { class: "pg-result pg-two" },
        h("div", {}, view.box, this.slider.element, this.readout),
        h("div", {}, this.bars.table),
        this.heatmap.details, this.python,
      );
      this.clear();
    }

    clear() {
      super.clear();
      this.writer = this.begunWith = null;
      this.bars.clear();
      this.heatmap.clear();
      this.readout.textContent =
        "Point at a character of the text, or move the slider, to see what the model gave it.";
      this.python.hidden = true;
      this.drawn = 0;
      this.settingsUsed = new Set();
    }

    begin([{ model }], { prompt, seed }) {
      const begunWith = JSON.stringify([prompt, seed]);
      const full = this.view.items.length >= LIMITS.text;
      if (this.begunWith !== begunWith || this.model !== model || full) {
        const onRead = (...step) => this.#onRead(...step);
        const writer = new Writer(model, prompt, new Uniforms(seed), onRead);
        this.clear();
        Object.assign(this, { writer, model, begunWith, prompt, seed });
      }
      this.goal = this.drawn + LIMITS.play;
      this.pinned = null;
    }

    #onRead(id, state, predicted, drawnFrom) {
      const character = this.model.characters[id];
      if (state.forget) this.heatmap.add(character, state);
      this.view.add({ id, character, predicted, drawnFrom, given: !drawnFrom });
    }

    step(settings) {
      if (this.writer.unread.length) {
        this.writer.prime(1);
        return true;
      }
      this.writer.next(settings);
      this.settingsUsed.add(JSON.stringify(settings));
      this.drawn++;
      return this.drawn < this.goal && this.view.items.length < LIMITS.text;
    }

    paint() {
      this.view.scrollToEnd();
      this.inspect(null, false);
    }

    show(place, chosen) {
      const item = this.view.items[place];
      this.readout.textContent = describe(item, place);
      this.bars.show(this.model, item, place + 1);
      if (chosen) this.heatmap.inspect(place);
      else this.heatmap.follow();
    }

    finished() {
      if (!this.drawn) return "";
      this.#showPython();
      const full = this.view.items.length >= LIMITS.text;
      const more = full ? " That is as much as this page keeps." : "";
      return `${whole(this.drawn)} characters written.${more}`;
    }

    #showPython() {
      const [settings] = [...this.settingsUsed].map((s) => JSON.parse(s));
      this.python.hidden = this.settingsUsed.size !== 1 || this.model.custom;
      if (this.python.hidden) return; // the settings were moved on the way
      const named = Object.entries({ ...settings, seed: this.seed });
      const given = named.filter(([, value]) => value !== null);
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

  return { Write };
});
