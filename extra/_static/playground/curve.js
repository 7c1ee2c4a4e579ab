"use strict";
/* Training loss and held-out loss over updates or seconds, baselines that need no network, and
   earlier runs on the same text. */
charbook.define("curve", ["page", "svg"], ({ h, labelled, whole }, { Picture, svg, words }) => {
  const MOST = 400; // points of a line; beyond, neighbours are joined
  const DOTS = 40; // points of the held-out line that are marked
  const EARLIER = 5; // runs whose held-out loss stays
  const AXES = ["updates", "seconds"]; // what runs across, in the order of a point's numbers
  const SETTLED = 100; // updates, after which the picture shows no more than what is low
  const HEIGHT = 300;
  const EDGE = { left: 28, right: 12, top: 26, bottom: 42 };

  /* Half as many points: of each two the later place and the mean loss. */
  function joined(points) {
    const pairs = Array.from({ length: points.length >> 1 }, (_, k) => points.slice(2 * k, 2 * k + 2));
    return pairs.map(([[, a], [place, b]]) => [place, (a + b) / 2]);
  }

  class Curve {
    constructor() {
      this.picture = new Picture((width) => this.#draw(width));
      this.earlier = []; // {name, text, held}
      this.axis = 0;
      const axes = h("select", {}, ...AXES.map((name, k) => h("option", { value: k }, name)));
      axes.addEventListener("input", () => {
        this.axis = Number(axes.value);
        this.picture.redraw();
      });
      this.element = h(
        "div", { class: "tr-curve" }, this.picture.element, labelled("Across", axes),
        h(
          "p", { class: "tr-keys" },
          h("span", { class: "tr-key tr-train" }, "training: batches just learned from"),
          h("span", { class: "tr-key tr-held" }, "held out: text never learned from"),
          h("span", { class: "tr-key tr-baselines" }, "what needs no network"),
          h("span", { class: "tr-key tr-earlier" }, "earlier runs, held out"),
        ),
      );
    }

    /* baselines: [name, loss], the lowest last; goal: [updates, seconds], 0 if unknown; name: of
       the run; text: what tells one text from another, for losses on two texts are not to be
       compared */
    begin(baselines, goal, name, text) {
      const { name: before, text: its, held } = this;
      if (held?.length) this.earlier.push({ name: before, text: its, held });
      this.earlier = this.earlier.filter((run) => run.text === text).slice(-EARLIER);
      Object.assign(this, { baselines, goal, name, text, train: [], held: [], marked: null });
      this.picture.redraw();
    }

    /* name: train or held; place: [updates, seconds] */
    add(name, place, loss) {
      this[name].push([place, loss]);
      if (this[name].length > MOST) this[name] = joined(this[name]);
      this.picture.redraw();
    }

    /* Where the sample that is seen was written. */
    mark({ updates, seconds }) {
      this.marked = [updates, seconds];
      this.picture.redraw();
    }

    /* The end of the axis. */
    #last() {
      const lines = [this.train, ...this.earlier.map((run) => run.held)];
      const last = Math.max(...lines.map((points) => points.at(-1)?.[0][this.axis] ?? 0));
      return Math.max(1, Math.ceil(last), this.goal[this.axis]);
    }

    #draw(width) {
      if (!this.baselines) return { height: HEIGHT, parts: [], label: "Loss: nothing to show yet" };
      const losses = [...this.train, ...this.held, ...this.baselines].map(([, loss]) => loss);
      const settled = [...this.train, ...this.held].filter(([[updates]]) => updates >= SETTLED);
      const seen = settled.length ? [...settled, this.baselines.at(-1)] : this.baselines;
      const high = Math.max(...seen.map(([, loss]) => loss)) + 0.3;
      const low = Math.max(0, Math.floor((Math.min(...losses) - 0.25) * 2) / 2);
      const [left, right] = [EDGE.left, width - EDGE.right];
      const end = this.#last();
      const x = (place) => left + (place[this.axis] / end) * (right - left);
      const y = (loss) => {
        const share = (high - Math.min(Math.max(loss, low), high)) / (high - low);
        return EDGE.top + share * (HEIGHT - EDGE.top - EDGE.bottom);
      };
      const across = (kind, loss) =>
        svg("line", { class: kind, x1: left, x2: right, y1: y(loss), y2: y(loss) });
      const parts = [];
      for (let loss = Math.ceil(low); loss <= high; loss++)
        parts.push(across("tr-grid", loss), words(left - 6, y(loss) + 4, loss, { anchor: "end" }));
      for (const [share, anchor] of [[0, "start"], [0.5, "middle"], [1, "end"]]) {
        const number = whole(Math.round(end * share));
        parts.push(words(left + share * (right - left), HEIGHT - 24, number, { anchor }));
      }
      parts.push(words((left + right) / 2, HEIGHT - 6, AXES[this.axis], { anchor: "middle" }));
      parts.push(words(0, 14, "nats per character"));
      this.baselines.forEach(([name, loss], k) => {
        // The names stand where the curves are not: the lowest one's at the left, below its line.
        const lowest = k === this.baselines.length - 1;
        if (loss > high) return;
        const below = y(loss) + 20 > HEIGHT - EDGE.bottom ? -5 : 15; // not across the numbers
        const [at, down, anchor] = lowest ? [left + 6, below, "start"] : [right, -5, "end"];
        const text = `${name}: ${loss.toFixed(2)}`;
        const named = words(at, y(loss) + down, text, { anchor, kind: "tr-name" });
        parts.push(across("tr-baseline", loss), named);
      });
      const place = ([at, loss]) => `${x(at).toFixed(1)},${y(loss).toFixed(1)}`;
      for (const { name, held } of this.earlier) {
        const [at, loss] = held.at(-1);
        parts.push(svg("polyline", { class: "tr-earlier", points: held.map(place).join(" ") }));
        parts.push(words(Math.min(x(at), right), y(loss) - 6, name, { anchor: "end", kind: "tr-name" }));
      }
      if (this.marked) {
        const at = x(this.marked);
        const ends = { x1: at, x2: at, y1: EDGE.top, y2: HEIGHT - EDGE.bottom };
        parts.push(svg("line", { class: "tr-mark", ...ends }));
      }
      for (const name of ["train", "held"]) {
        const points = this[name].map(place).join(" ");
        parts.push(svg("polyline", { class: `tr-${name}`, points }));
      }
      for (const [at, loss] of this.held.slice(0, DOTS))
        parts.push(svg("circle", { class: "tr-held", cx: x(at), cy: y(loss), r: 2.5 }));
      return { height: HEIGHT, parts, label: this.#describe() };
    }

    #describe() {
      const names = this.baselines.map(([name, loss]) => `${name} ${loss.toFixed(2)}`).join(", ");
      const without = `Without a network: ${names}.`;
      if (!this.train.length) return `Loss in nats per character. ${without}`;
      const [[first], firstLoss] = this.train[0];
      const [[last], lastLoss] = this.train.at(-1);
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
