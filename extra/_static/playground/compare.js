"use strict";
/* The mode in which the networks that the page can run, and counts, write side by side from one
   seed. */
charbook.define("compare", [
  "architectures", "sampling", "page", "textView", "mode",
], (
  architectures, { Uniforms, Writer }, { h, whole }, { PlaceSlider, TextView }, modes,
) => {
  const { CELLS, LIMITS, Mode, describe } = modes;

  class Compare extends Mode {
    static cells = CELLS;

    constructor() {
      const inspect = (place, stay) => this.inspect(place, stay);
      const columns = CELLS.map((cell) => {
        const { name, line } = architectures[cell];
        const view = new TextView(`${name}'s text`, inspect);
        const facts = h("p", {}, "not loaded yet");
        const readout = h("p", { class: "pg-readout" });
        const element = h(
          "div", { class: "pg-column", "data-cell": cell }, h("strong", {}, name),
          facts, view.box, readout,
        );
        element.style.borderTop = `4px ${line} var(--cbc-${cell})`;
        return { name, view, facts, readout, element };
      });
      const slider = new PlaceSlider("Look at a place in all", inspect);
      super(columns.map(({ view }) => view), slider);
      this.columns = columns;
      this.element = h(
        "div", { class: "pg-result pg-columns" },
        ...columns.map(({ element }) => element),
        h("div", { class: "pg-wide" }, slider.element),
      );
      this.clear();
    }

    clear() {
      super.clear();
      this.begunWith = null;
      this.drawn = 0;
      for (const { readout } of this.columns) readout.textContent = "";
    }

    begin(models, { prompt, seed }) {
      const begunWith = JSON.stringify([prompt, seed]);
      if (this.begunWith !== begunWith || this.#isFull()) {
        const writers = this.columns.map(({ view }, k) => {
          const { model } = models[k];
          const random = new Uniforms(seed); // each its own, so that all draw the same
          return new Writer(model, prompt, random, (id, _, predicted, drawnFrom) => {
            const character = model.characters[id];
            view.add({ id, character, predicted, drawnFrom, given: !drawnFrom });
          });
        });
        this.clear();
        this.begunWith = begunWith;
        this.columns.forEach((column, k) => {
          column.writer = writers[k];
          const { read, weights, held_out_nats } = models[k].about ?? {}; // of an export: perhaps none
          column.facts.textContent = [
            read,
            weights && `${whole(weights)} weights`,
            held_out_nats && `${held_out_nats.toFixed(2)} nats on plays that it has not read`,
          ].filter(Boolean).join(", ");
        });
      }
      this.goal = this.drawn + LIMITS.play;
      this.release();
    }

    #isFull() {
      return this.views[0].items.length >= LIMITS.text;
    }

    step(settings) {
      const reading = this.columns[0].writer.unread.length > 0;
      for (const { writer } of this.columns) {
        if (reading) writer.prime(1);
        else writer.next(settings);
      }
      if (!reading) this.drawn++;
      return this.drawn < this.goal && !this.#isFull();
    }

    paint() {
      this.refresh();
    }

    show(place) {
      for (const { view, readout } of this.columns)
        readout.textContent = describe(view.items[place], place);
    }

    finished() {
      return this.drawn ? `${whole(this.drawn)} characters written by each of the ${CELLS.length}.` : "";
    }

    copied() {
      return this.columns.map(({ name, view }) => `--- ${name}\n${view.text}\n`).join("\n");
    }
  }

  return { Compare };
});
