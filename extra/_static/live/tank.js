"use strict";
/* One unit of an LSTM as a tank, as in the first figure of its lesson: a pipe with the input gate
   fills it, a drain with the forget gate empties it, the output gate shows it in a window. */
charbook.define("tank", ["numbers", "svg"], ({ signed }, { Picture, svg, words }) => {
  const [HEIGHT, WIDTH] = [282, 316];
  const [LEFT, RIGHT, TOP, BOTTOM] = [92, 182, 66, 222]; // of the tank
  const ZERO = (TOP + BOTTOM) / 2;
  const [IN, WINDOW, PIPE] = [137, 250, 18]; // where pipe and window begin, and a pipe's width
  const LIMITS = [1.5, 3, 6, 15, 30, 60]; // levels that a tank can be made for

  const gateColour = (gate) => `var(--cbc-gate-${gate})`;

  const line = (x1, y1, x2, y2, style) => svg("line", { x1, y1, x2, y2, style });
  const rect = (x, y, width, height, style) =>
    svg("rect", { x, y, width: Math.max(width, 0), height: Math.max(height, 0), style });

  /* A pipe between two points of one line, and a valve in its middle: two shutters with a gap. */
  function pipe([x1, y1], [x2, y2], open, gate) {
    const upright = x1 === x2;
    const half = PIPE / 2;
    const [x, y] = [(x1 + x2) / 2, (y1 + y2) / 2];
    const shut = half * (1 - open);
    const wall = "stroke: var(--pg-line); stroke-width: 1.4";
    const water = `fill: var(--lv-water)`;
    const flow = PIPE * open;
    const shutter = `fill: ${gateColour(gate)}`;
    return upright
      ? [
        rect(x - flow / 2, y1, flow, y2 - y1, water),
        line(x - half, y1, x - half, y2, wall), line(x + half, y1, x + half, y2, wall),
        rect(x - half, y - 4, shut, 8, shutter), rect(x + half - shut, y - 4, shut, 8, shutter),
        rect(x - half - 5, y - 6, 5, 12, shutter), rect(x + half, y - 6, 5, 12, shutter),
      ]
      : [
        rect(x1, y - flow / 2, x2 - x1, flow, water),
        line(x1, y - half, x2, y - half, wall), line(x1, y + half, x2, y + half, wall),
        rect(x - 4, y - half, 8, shut, shutter), rect(x - 4, y + half - shut, 8, shut, shutter),
        rect(x - 6, y - half - 5, 12, 5, shutter), rect(x - 6, y + half, 12, 5, shutter),
      ];
  }

  class Tank {
    constructor() {
      this.picture = new Picture((width) => this.#draw(width));
      this.element = this.picture.element;
    }

    /* One step of a unit: the level before, the gates i, f, o and the candidate g, and what they
       made, c and h; where: in the text, for the picture's sentence; reach: the highest level,
       up or down, that the tank is to have room for. */
    show(step, { where = "", reach = 0 } = {}) {
      Object.assign(this, { step, where, reach });
      this.picture.redraw();
    }

    #draw(width) {
      if (!this.step) return { height: HEIGHT, parts: [], label: "A tank before its first step." };
      const { before, i, f, g, o, c, h } = this.step;
      const reach = Math.max(this.reach, Math.abs(before), Math.abs(c));
      const limit = LIMITS.find((each) => each >= reach) ?? Math.ceil(reach);
      const y = (value) => ZERO - (value / limit) * (ZERO - TOP);
      const across = (value) => ZERO - value * (ZERO - TOP); // of the window, from -1 to 1
      const bar = (x, wide, from, to, style) => rect(x, Math.min(from, to), wide, Math.abs(to - from), style);
      const ink = "stroke: var(--pg-text); stroke-width: 2";
      const close = Math.abs(y(before) - y(c)) < 17; // the two labels would touch
      const aside = close ? (y(before) <= y(c) ? -17 : 17) + y(c) - y(before) : 0;
      const group = svg("g", { transform: `translate(${Math.max(0, (width - WIDTH) / 2)} 0)` });
      group.append(
        bar(LEFT, RIGHT - LEFT, ZERO, y(c), "fill: var(--lv-water)"),
        line(LEFT, ZERO, RIGHT, ZERO, "stroke: var(--pg-muted); stroke-width: 1"),
        line(LEFT, y(before), RIGHT, y(before), `${ink}; stroke-dasharray: 5 4`),
        line(LEFT, TOP, LEFT, BOTTOM, ink), line(RIGHT, TOP, RIGHT, BOTTOM, ink),
        line(LEFT - 1, BOTTOM, IN - PIPE / 2, BOTTOM, ink),
        line(IN + PIPE / 2, BOTTOM, RIGHT + 1, BOTTOM, ink),
        ...pipe([IN, 20], [IN, TOP], i, "input"),
        ...pipe([IN, BOTTOM], [IN, HEIGHT - 14], 1 - f, "forget"),
        ...pipe([RIGHT + 2, ZERO], [WINDOW, ZERO], o, "output"),
        bar(WINDOW, 30, ZERO, across(h), `fill: ${gateColour("output")}`),
        bar(WINDOW, 30, ZERO, across(Math.tanh(c)), `fill: none; ${ink}; stroke-dasharray: 3 3`),
        svg("rect", { x: WINDOW, y: TOP, width: 30, height: BOTTOM - TOP, style: `fill: none; ${ink}` }),
        line(WINDOW, ZERO, WINDOW + 30, ZERO, "stroke: var(--pg-muted); stroke-width: 1"),
        words(IN, 13, `g = ${signed(g)}`, { anchor: "middle" }),
        words(IN + 20, 48, `i = ${signed(i)}`), words(IN + 20, HEIGHT - 36, `f = ${signed(f)}`),
        words((RIGHT + WINDOW) / 2, ZERO - 24, `o = ${signed(o)}`, { anchor: "middle" }),
        words(LEFT - 7, y(c) + 5, `c = ${signed(c)}`, { anchor: "end", kind: "lv-name" }),
        words(LEFT - 7, y(before) + 5 + aside, `was ${signed(before)}`, { anchor: "end" }),
        words(RIGHT - 4, ZERO - 4, "0", { anchor: "end", kind: "lv-small" }),
        words(LEFT - 7, TOP + 4, signed(limit, 1), { anchor: "end", kind: "lv-small" }),
        words(LEFT - 7, BOTTOM + 4, signed(-limit, 1), { anchor: "end", kind: "lv-small" }),
        words(WINDOW + 15, BOTTOM + 18, `h = ${signed(h)}`, { anchor: "middle", kind: "lv-name" }),
        words(WINDOW + 15, TOP - 9, "tanh c", { anchor: "middle", kind: "lv-small" }),
      );
      const label =
        `A tank${this.where}: input gate ${signed(i)}, candidate ${signed(g)}, forget gate ${signed(f)}, ` +
        `output gate ${signed(o)}; level before ${signed(before)}, now ${signed(c)}; shown ${signed(h)}.`;
      return { height: HEIGHT, parts: [group], label };
    }
  }

  return { Tank, gateColour };
});
