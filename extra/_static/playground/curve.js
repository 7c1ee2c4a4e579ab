"use strict";
/* Training loss and held-out loss over updates, and baselines that need no network. */
charbook.define("curve", ["page"], ({ h, whole }) => {
  const MOST = 400; // points of a line; beyond, neighbours are joined
  const DOTS = 40; // points of the held-out line that are marked
  const HEIGHT = 300;
  const EDGE = { left: 28, right: 12, top: 26, bottom: 42 };

  function svg(tag, attributes = {}, text = "") {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.textContent = text;
    return element;
  }

  const label = (x, y, text, anchor = "start", kind = "") =>
    svg("text", { x, y, "text-anchor": anchor, class: kind }, text);

  /* Half as many points: of each two the later update and the mean loss. */
  function joined(points) {
    const pairs = Array.from({ length: points.length >> 1 }, (_, k) => points.slice(2 * k, 2 * k + 2));
    return pairs.map(([[, a], [updates, b]]) => [updates, (a + b) / 2]);
  }

  class Curve {
    constructor() {
      this.picture = svg("svg", { role: "img", "aria-label": "Loss: nothing to show yet" });
      this.element = h(
        "div", { class: "tr-curve" }, this.picture,
        h(
          "p", { class: "tr-keys" },
          h("span", { class: "tr-key tr-train" }, "training: batches just learned from"),
          h("span", { class: "tr-key tr-held" }, "held out: text never learned from"),
          h("span", { class: "tr-key tr-baselines" }, "what needs no network"),
        ),
      );
      new ResizeObserver(() => this.draw()).observe(this.element);
    }

    /* baselines: [name, loss], the lowest last; goal: updates */
    begin(baselines, goal) {
      Object.assign(this, { baselines, goal, train: [], held: [] });
      this.draw();
    }

    /* name: train or held */
    add(name, updates, loss) {
      this[name].push([updates, loss]);
      if (this[name].length > MOST) this[name] = joined(this[name]);
      this.draw();
    }

    draw() {
      const width = Math.floor(this.element.clientWidth);
      if (!width || !this.baselines) return;
      const losses = [...this.train, ...this.held, ...this.baselines].map(([, loss]) => loss);
      const high = Math.max(...this.baselines.map(([, loss]) => loss)) + 0.3;
      const low = Math.max(0, Math.floor((Math.min(...losses) - 0.25) * 2) / 2);
      const [left, right] = [EDGE.left, width - EDGE.right];
      const x = (updates) => left + (updates / this.goal) * (right - left);
      const y = (loss) => {
        const share = (high - Math.min(Math.max(loss, low), high)) / (high - low);
        return EDGE.top + share * (HEIGHT - EDGE.top - EDGE.bottom);
      };
      const across = (kind, loss) =>
        svg("line", { class: kind, x1: left, x2: right, y1: y(loss), y2: y(loss) });
      const parts = [];
      for (let loss = Math.ceil(low); loss <= high; loss++)
        parts.push(across("tr-grid", loss), label(left - 6, y(loss) + 4, String(loss), "end"));
      for (const [share, anchor] of [[0, "start"], [0.5, "middle"], [1, "end"]]) {
        const updates = Math.round(this.goal * share);
        parts.push(label(x(updates), HEIGHT - 24, whole(updates), anchor));
      }
      parts.push(label(x(this.goal / 2), HEIGHT - 6, "updates", "middle"));
      parts.push(label(0, 14, "nats per character"));
      this.baselines.forEach(([name, loss], k) => {
        // The names stand where the curves are not: the lowest one's at the left, below its line.
        const lowest = k === this.baselines.length - 1;
        const [at, down, anchor] = lowest ? [left + 6, 15, "start"] : [right, -5, "end"];
        const text = `${name}: ${loss.toFixed(2)}`;
        parts.push(across("tr-baseline", loss), label(at, y(loss) + down, text, anchor, "tr-name"));
      });
      const place = ([updates, loss]) => `${x(updates).toFixed(1)},${y(loss).toFixed(1)}`;
      for (const name of ["train", "held"]) {
        const points = this[name].map(place).join(" ");
        parts.push(svg("polyline", { class: `tr-${name}`, points }));
      }
      for (const [updates, loss] of this.held.slice(0, DOTS))
        parts.push(svg("circle", { class: "tr-held", cx: x(updates), cy: y(loss), r: 2.5 }));
      this.picture.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
      this.picture.setAttribute("aria-label", this.#describe());
      this.picture.replaceChildren(...parts);
    }

    #describe() {
      const names = this.baselines.map(([name, loss]) => `${name} ${loss.toFixed(2)}`).join(", ");
      const without = `Without a network: ${names}.`;
      if (!this.train.length) return `Loss in nats per character. ${without}`;
      const [first, firstLoss] = this.train[0];
      const [last, lastLoss] = this.train[this.train.length - 1];
      const [, heldLoss] = this.held[this.held.length - 1] ?? [];
      const held = heldLoss === undefined ? "" : `, held-out loss ${heldLoss.toFixed(2)}`;
      return (
        `Loss in nats per character over updates. Training loss from ${firstLoss.toFixed(2)} at ` +
        `${whole(first)} to ${lastLoss.toFixed(2)} at ${whole(last)}${held}. ${without}`
      );
    }
  }

  return { Curve };
});
