"use strict";
/* Curves over an axis, the vertical one linear or logarithmic. */
charbook.define("plot", ["svg"], ({ Picture, svg, words }) => {
  const EDGE = { left: 46, right: 12, top: 26, bottom: 42 };

  /* Numbers at which an axis has a line: at most so many, at multiples of 1, 2 or 5. */
  function ticks(low, high, most = 6) {
    const rough = (high - low) / most;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find((m) => m * power >= rough * 0.999);
    const first = Math.ceil(low / step - 1e-9);
    const count = Math.floor(high / step + 1e-9) - first + 1;
    return Array.from({ length: count }, (_, k) => Number(((first + k) * step).toPrecision(12)));
  }

  const SUPERSCRIPT = { "-": "⁻", ..."⁰¹²³⁴⁵⁶⁷⁸⁹" };
  const power = (exponent) => `10${Array.from(String(exponent), (c) => SUPERSCRIPT[c]).join("")}`;
  const minus = (number) => String(number).replace("-", "−");

  class Plot {
    /* x, y: {label, low, high, log}, where log is of y alone */
    constructor({ x, y, height = 260 }) {
      Object.assign(this, { x, y, height, lines: [], marks: [], label: "" });
      this.picture = new Picture((width) => this.#draw(width));
      this.element = this.picture.element;
    }

    /* lines: [{name, points: [[x, y]], kind}]; marks: [{at: [x, y], text, kind, anchor}], each a
       dot with words; arrows: [{from, to, kind}]; label: the picture in a sentence; x and y may
       be given anew. Kinds: lv-one, lv-two, lv-three, lv-quiet. */
    show({ lines = [], marks = [], arrows = [], label = "", x = this.x, y = this.y }) {
      Object.assign(this, { lines, marks, arrows, label, x, y });
      this.picture.redraw();
    }

    #draw(width) {
      const { x, y, height } = this;
      const [left, right] = [EDGE.left, width - EDGE.right];
      const [top, bottom] = [EDGE.top, height - EDGE.bottom];
      const share = (value, axis) => {
        const f = axis.log ? Math.log10 : (v) => v;
        const where = (f(value) - f(axis.low)) / (f(axis.high) - f(axis.low));
        return Math.min(Math.max(Number.isNaN(where) ? 0 : where, 0), 1);
      };
      const toX = (value) => left + share(value, x) * (right - left);
      const toY = (value) => bottom - share(value, y) * (bottom - top);
      const below = words((left + right) / 2, height - 6, x.label, { anchor: "middle" });
      const parts = [words(2, 14, y.label), below];
      const [low, high] = y.log ? [Math.log10(y.low), Math.log10(y.high)] : [y.low, y.high];
      for (const tick of ticks(low, high)) {
        if (y.log && !Number.isInteger(tick)) continue;
        const at = toY(y.log ? 10 ** tick : tick);
        parts.push(svg("line", { class: "lv-grid", x1: left, x2: right, y1: at, y2: at }));
        parts.push(words(left - 6, at + 4, y.log ? power(tick) : minus(tick), { anchor: "end" }));
      }
      for (const tick of ticks(x.low, x.high, width < 480 ? 4 : 8))
        parts.push(words(toX(tick), bottom + 18, minus(tick), { anchor: "middle" }));
      for (const { points, kind = "lv-one" } of this.lines) {
        const path = points.map(([a, b]) => `${toX(a).toFixed(1)},${toY(b).toFixed(1)}`);
        parts.push(svg("polyline", { class: kind, points: path.join(" ") }));
      }
      for (const { from, to, kind = "lv-one" } of this.arrows ?? [])
        parts.push(...arrow([toX(from[0]), toY(from[1])], [toX(to[0]), toY(to[1])], kind));
      for (const { at: [a, b], text = "", kind = "lv-one", anchor = "start" } of this.marks) {
        parts.push(svg("circle", { class: kind, cx: toX(a), cy: toY(b), r: 4 }));
        const aside = anchor === "end" ? -8 : anchor === "start" ? 8 : 0;
        const above = Math.max(toY(b) - 8, 28);
        if (text) parts.push(words(toX(a) + aside, above, text, { anchor, kind: "lv-name" }));
      }
      return { height, parts, label: this.label };
    }
  }

  /* A line from one point of the picture to another, with a head. */
  function arrow([x1, y1], [x2, y2], kind) {
    const length = Math.hypot(x2 - x1, y2 - y1);
    const parts = [svg("line", { class: kind, x1, y1, x2, y2 })];
    if (length < 1) return parts;
    const [dx, dy] = [(x2 - x1) / length, (y2 - y1) / length];
    const corner = (back, aside) =>
      `${(x2 - back * dx - aside * dy).toFixed(1)},${(y2 - back * dy + aside * dx).toFixed(1)}`;
    const points = [corner(0, 0), corner(9, 4), corner(9, -4)].join(" ");
    parts.push(svg("polygon", { class: kind, points }));
    return parts;
  }

  return { Plot, arrow, power, ticks };
});
