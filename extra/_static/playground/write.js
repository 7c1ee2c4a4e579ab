"use strict";
/* The mode in which a network continues a prompt: text, bars, gates or attention, and the same in
   Python. */
charbook.define("write", [
  "sampling", "page", "textView", "bars", "heatmap", "attention", "mode", "settings",
], (
  { Uniforms, Writer, nextDistribution }, { h, whole }, { PlaceSlider, TextView }, Bars, { Heatmap },
  { Attention }, modes, { SLIDERS },
) => {
  const { LIMITS, Mode, describe } = modes;

  class Write extends Mode {
    static cells = null;

    constructor() {
      const inspect = (place, stay) => this.inspect(place, stay);
      const view = new TextView("The text, yours in bold", inspect);
      super([view], new PlaceSlider("Look at a character", inspect));
      this.view = view;
      this.bars = new Bars();
      this.readout = h("p", { class: "pg-readout" });
      this.heatmap = new Heatmap(inspect);
      this.attention = new Attention(view);
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
        h("div", {}, this.bars.element),
        this.heatmap.details, this.attention.details, this.python,
      );
      this.clear();
    }

    clear() {
      super.clear();
      this.writer = this.begunWith = null;
      this.bars.clear();
      this.heatmap.clear();
      this.attention.clear();
      this.readout.textContent =
        "Point at a character of the text, or move the slider, to see what the model gave it.";
      this.python.hidden = true;
      this.drawn = 0;
      this.settingsUsed = new Set();
    }

    begin([{ model }], { prompt, seed, settings }) {
      this.settings = settings;
      const begunWith = JSON.stringify([prompt, seed]);
      const full = this.view.items.length >= LIMITS.text;
      if (this.begunWith !== begunWith || this.model !== model || full) {
        const onRead = (...step) => this.#onRead(...step);
        const writer = new Writer(model, prompt, new Uniforms(seed), onRead);
        this.clear();
        Object.assign(this, { writer, model, begunWith, prompt, seed });
        this.heatmap.details.hidden = model.cell !== "lstm";
        this.attention.begin(model);
      }
      this.goal = this.drawn + LIMITS.play;
      this.release();
    }

    /* The settings were moved while nothing was written: what is looked at is shown with them,
       and before the first press of play what could follow the prompt. */
    adjust(settings) {
      if (!this.writer) return;
      this.writer.prime();
      this.settings = settings;
      this.refresh();
    }

    #onRead(id, state, predicted, drawnFrom) {
      const character = this.model.characters[id];
      if (state.forget) this.heatmap.add(character, state);
      const { attention } = state;
      this.view.add({ id, character, predicted, drawnFrom, attention, given: !drawnFrom });
    }

    step(settings) {
      if (this.writer.unread.length) {
        this.writer.prime(1);
        return true;
      }
      this.settings = settings;
      this.#rule(JSON.stringify(settings));
      this.writer.next(settings);
      this.drawn++;
      return this.drawn < this.goal && this.view.items.length < LIMITS.text;
    }

    /* A rule in the text where the settings became others. */
    #rule(settings) {
      if (this.drawn && settings !== this.lastUsed) {
        const before = JSON.parse(this.lastUsed);
        const changed = Object.entries(JSON.parse(settings)).filter(([k, v]) => v !== before[k]);
        this.view.rule(changed.map(([k, v]) => `${SLIDERS[k].label} ${v ?? "off"}`).join(", "));
      }
      this.lastUsed = settings;
      this.settingsUsed.add(settings);
    }

    paint() {
      this.refresh();
    }

    show(place, chosen) {
      const item = this.view.items[place];
      if (chosen || this.drawn || this.writer.unread.length) {
        this.readout.textContent = describe(item, place);
        this.bars.show(this.model, item, place + 1, this.settings);
      } else if (this.writer.logits.every(Number.isFinite)) { // else play says what is wrong
        const predicted = nextDistribution(this.writer.logits);
        this.readout.textContent = "Your prompt is read. This is what could follow it.";
        this.bars.show(this.model, { id: null, predicted }, place + 2, this.settings);
      }
      this.attention.show(place);
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
        'model, vocab, _ = read("extra/_static/playground/models/' +
        `${this.model.cell}.js")\n` +
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
