"use strict";
/* A diagram of boxes and arrows with values on them, as helpers/studies/diagrams.py draws it. */
charbook.define("diagram", ["svg", "plot"], ({ Picture, svg, words }, { arrow }) => {
  const HEIGHT = 34; // of a box

  class Diagram {
    /* layout(width) -> {height, boxes: {name: {x, y, width, height, round, kind}}, where x, y is
       the middle; arrows: {name: {path: [[x, y], …], at: [x, y] of its value, anchor, kind}}}.
       Widths are in CSS pixels, so a phone has a layout of its own where it needs one. */
    constructor(layout) {
      Object.assign(this, { layout, values: {}, label: "" });
      this.picture = new Picture((width) => this.#draw(width));
      this.element = this.picture.element;
    }

    /* values: {name of a box or an arrow: text, or [text, kind]}; label: all in a sentence */
    show(values, label) {
      Object.assign(this, { values, label });
      this.picture.redraw();
    }

    #value(name) {
      const given = this.values[name] ?? "";
      return Array.isArray(given) ? given : [given, ""];
    }

    #draw(width) {
      const { height, boxes = {}, arrows = {} } = this.layout(width);
      const parts = [];
      for (const [name, { path, at, anchor = "middle", kind = "lv-flow" }] of Object.entries(arrows)) {
        const [text, more] = this.#value(name);
        const classes = `${kind} ${more}`;
        const points = path.slice(0, -1).map((point) => point.join(",")).join(" ");
        if (path.length > 2) parts.push(svg("polyline", { class: classes, points }));
        parts.push(...arrow(path.at(-2), path.at(-1), classes));
        if (at && text) parts.push(words(...at, text, { anchor, kind: `lv-value ${more}` }));
      }
      for (const [name, box] of Object.entries(boxes)) {
        const { x, y, width: w = 60, height: tall = HEIGHT, round = false, kind = "" } = box;
        const [text, more] = this.#value(name);
        const shape = { x: x - w / 2, y: y - tall / 2, width: w, height: tall, rx: round ? tall / 2 : 4 };
        parts.push(svg("rect", { class: `lv-box ${kind} ${more}`, ...shape }));
        const rows = String(text).split("\n");
        rows.forEach((row, k) => {
          const down = y + 5 + (k - (rows.length - 1) / 2) * 17;
          parts.push(words(x, down, row, { anchor: "middle", kind: `lv-inside ${more}` }));
        });
      }
      return { height, parts, label: this.label };
    }
  }

  return Diagram;
});
