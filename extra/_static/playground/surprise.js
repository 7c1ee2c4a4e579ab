"use strict";
/* The mode in which a network reads a text of the reader's, coloured by the surprise in nats where
   it is typed: the box of the text is clear and lies over a view of the same text. */
charbook.define("surprise", ["sampling", "page", "textView", "bars", "mode"], (
  { predictions }, { h, labelled, newId, percent, visible, whole }, { PlaceSlider, TextView },
  Bars, modes,
) => {
  const { LIMITS, Mode, describe, placeName } = modes;
  const LEVELS = [
    { above: 4.5, kind: "pg-s3", text: "above 4.5: a surprise" },
    { above: 2.5, kind: "pg-s2", text: "2.5 to 4.5" },
    { above: 1, kind: "pg-s1", text: "1 to 2.5" },
    { above: -Infinity, kind: "", text: "under 1 nat: expected" },
  ];

  class Surprise extends Mode {
    static cells = null;

    constructor() {
      const inspect = (place, stay) => this.inspect(place, stay);
      const view = new TextView(null, inspect);
      super([view], new PlaceSlider("Look at a character", inspect));
      this.view = view;
      this.#build(inspect);
      this.bars = new Bars("pg-own");
      this.readout = h("p", { class: "pg-readout" });
      this.summary = h("p", {});
      const units = ["nats", "bits"].map((unit) => h("option", { value: unit }, unit));
      this.units = h("select", {}, ...units);
      this.units.addEventListener("input", () => this.#summarise());
      const legend = [...LEVELS].reverse().map(({ kind, text }) =>
        h("li", {}, h("span", { class: kind }, text)),
      );
      this.element = h(
        "div", { class: "pg-result pg-two" },
        h(
          "div", {}, h("label", { for: this.input.id }, "Your text"), this.paper,
          h("ul", { class: "pg-legend", "aria-label": "Colours" }, ...legend),
          this.slider.element, this.readout,
        ),
        h("div", {}, labelled("Surprise in", this.units), this.summary, this.bars.element),
      );
      this.clear();
    }

    /* The box, the view below it, and the sheet that holds both and grows with the text. */
    #build(inspect) {
      const { box } = this.view;
      this.input = h("textarea", { id: newId(), rows: "1", spellcheck: "false", dir: "auto" });
      this.paper = h("div", { class: "pg-paper" }, box, this.input);
      this.view.scroller = this.paper;
      this.input.addEventListener("input", () => this.#grow());
      for (const event of ["keyup", "click"])
        this.input.addEventListener(event, () => inspect(this.caret, true));
      this.input.addEventListener("pointermove", ({ clientX, clientY }) => {
        const under = document.elementsFromPoint(clientX, clientY);
        const span = under.find((element) => box.contains(element) && element.dataset.place);
        if (span) inspect(Number(span.dataset.place), false);
      });
      this.input.addEventListener("pointerleave", () => inspect(null, false));
    }

    #grow() {
      this.paper.dataset.text = `${this.input.value} `; // which the style sheet sets, unseen
    }

    /* The place after the caret, or the last. */
    get caret() {
      const before = Array.from(this.input.value.slice(0, this.input.selectionStart)).length;
      return Math.max(0, Math.min(before, this.view.items.length - 1));
    }

    clear() {
      super.clear();
      this.#grow();
      this.total = 0;
      this.ids = [];
      this.bars.clear();
      this.summary.textContent = "";
      this.readout.textContent =
        "Point at a character, or put the cursor before it, to see how surprised the model was.";
    }

    begin([{ model, about }], form) {
      this.#grow();
      const characters = Array.from(form.text);
      if (characters.length < 2)
        throw new Error("a text needs two characters at least: one to read and one to foretell");
      const ids = model.encode(characters.slice(0, LIMITS.text).join(""));
      this.cut = characters.length > LIMITS.text;
      const known = this.model === model ? this.ids : [];
      if (known.length && known.length < ids.length && known.every((id, t) => id === ids[t])) {
        this.ids.push(...ids.slice(known.length)); // the generator goes on where it waits
        return;
      }
      this.clear();
      Object.assign(this, { model, about, ids });
      this.predictions = predictions(model, ids);
    }

    step() {
      const predicted = this.predictions.next().value;
      const id = this.ids[this.view.items.length];
      const surprise = predicted ? -Math.log(predicted[id]) : 0;
      this.total += surprise;
      const { kind } = LEVELS.find(({ above }) => surprise >= above);
      const character = this.model.characters[id];
      this.view.add({ id, character, predicted, drawnFrom: null }, kind);
      return this.view.items.length < this.ids.length;
    }

    paint(last) {
      if (!last) return;
      this.pinned = this.caret;
      this.#summarise();
    }

    /* Mean surprise and perplexity, in the unit chosen. */
    #summarise() {
      const n = this.view.items.length - 1;
      if (n < 1) return;
      const unit = this.units.value;
      const inUnit = (nats) => `${(unit === "bits" ? nats / Math.LN2 : nats).toFixed(2)} ${unit}`;
      const loss = (nats) => `${inUnit(nats)}, perplexity ${Math.exp(nats).toFixed(1)}.`;
      const mean = this.total / n;
      const { held_out = "Shakespeare", held_out_nats } = this.about ?? {};
      const there = held_out_nats
        ? ` On ${held_out} that it has not read it has ${loss(held_out_nats)}`
        : "";
      const { V } = this.model;
      this.summary.textContent =
        `${inUnit(mean)} a character over ${whole(n)} characters: perplexity ` +
        `${Math.exp(mean).toFixed(1)}, as if it had to guess among so many.${there} ` +
        `Knowing nothing would be ${inUnit(Math.log(V))}, perplexity ${V}.`;
      this.refresh();
    }

    restingPlace() {
      return 0;
    }

    show(place, chosen) {
      if (!chosen) return;
      const item = this.view.items[place];
      this.bars.show(this.model, item, place + 1);
      if (!item.predicted) {
        this.readout.textContent = describe(item, place);
        return;
      }
      const p = item.predicted[item.id];
      const nats = -Math.log(p);
      this.readout.textContent =
        `${placeName(item, place)}: ${nats.toFixed(2)} nats (${(nats / Math.LN2).toFixed(2)} bits). ` +
        `The model gave it ${percent(p)}.`;
    }

    finished() {
      const { length } = this.view.items;
      if (!length) return "";
      const cut = this.cut ? ` Only the first ${whole(LIMITS.text)} characters were read.` : "";
      return `${whole(length)} characters read.${cut}`;
    }

    /* One line a character: the character, tab, its surprise in nats. */
    copied() {
      const nats = ({ id, predicted }) => (predicted ? (-Math.log(predicted[id])).toFixed(4) : "");
      return this.view.items
        .map((item) => `${visible(item.character)}\t${nats(item)}\n`)
        .join("");
    }
  }

  return { Surprise };
});
