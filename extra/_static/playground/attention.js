"use strict";
/* What a Transformer looks at, as a picture: one row a head, one column a character in sight; and
   bars under the characters of the text for the head that is chosen. */
charbook.define("attention", ["page", "colours"], (
  { h, labelled, percent, pointerMoved, quoted, sharpPen, visible }, { ramp, stops },
) => {
  const [WIDTH, HEIGHT] = [10, 12]; // of a character and of a head, in CSS pixels
  const MARGIN = 28; // for the names of the heads
  const NAMED = 3; // places that are put into words

  class Attention {
    /* view: the TextView under whose characters the bars stand */
    constructor(view) {
      Object.assign(this, { view, place: null });
      this.#build();
      for (const control of [this.layer, this.head])
        control.addEventListener("input", () => this.#draw());
      this.details.addEventListener("toggle", () => this.#draw());
      new MutationObserver(() => this.#draw()).observe(document.documentElement, {
        attributes: true, attributeFilter: ["data-theme"],
      });
      this.canvas.addEventListener("pointermove", (event) => {
        const row = Math.floor(event.offsetY / HEIGHT);
        if (!pointerMoved(event) || row < 0 || row >= this.layers * this.heads) return;
        this.layer.value = Math.floor(row / this.heads) + 1;
        this.head.value = (row % this.heads) + 1;
        this.#draw();
      });
    }

    #build() {
      this.canvas = h("canvas", { role: "img", "aria-label": "no attention yet" });
      this.canvas.width = this.canvas.height = 1;
      const region = { tabindex: "0", role: "region", "aria-label": "Attention, one row a head" };
      this.scroll = h("div", { class: "pg-scroll", ...region }, this.canvas);
      this.layer = h("select");
      this.head = h("select");
      this.strip = h("i", { "aria-hidden": "true" });
      this.readout = h("p", { class: "pg-readout" });
      this.details = h(
        "details", { class: "pg-wide pg-attention", open: true, hidden: true },
        h("summary", {}, "What attention looks at"),
        h("div", { class: "pg-pick" }, labelled("Layer", this.layer), labelled("Head", this.head)),
        this.scroll,
        h(
          "p", { class: "pg-scale" }, h("span", {}, "0"), this.strip,
          h("span", {}, "1; the root of the weight. One row a head, layer 1 on top."),
        ),
        this.readout,
      );
    }

    /* A text begins: of a Transformer, or of a network that has no attention. */
    begin({ layers = 0, heads = 0 }) {
      this.clear();
      Object.assign(this, { layers, heads });
      this.details.hidden = !layers;
      const options = (n) => Array.from({ length: n }, (_, k) => h("option", {}, String(k + 1)));
      this.layer.replaceChildren(...options(layers));
      this.head.replaceChildren(...options(heads));
    }

    clear() {
      this.place = null;
      this.view.weigh([], 0);
      this.readout.textContent = "Press play: each character looks back.";
    }

    /* A place of the text is looked at, whose item has attention[layer][head]. */
    show(place) {
      if (this.details.hidden) return;
      this.place = place;
      this.#draw();
    }

    #draw() {
      const item = this.view.items[this.place];
      if (!item?.attention || this.details.hidden) return;
      const [layer, head] = [Number(this.layer.value) - 1, Number(this.head.value) - 1];
      const weights = item.attention[layer][head];
      const first = this.place - weights.length + 1;
      this.view.weigh(this.details.open ? weights : [], first);
      this.readout.textContent = this.#describe(item, weights, first, layer, head);
      if (!this.details.open) return;
      this.#paint(item.attention.flat(), first, layer * this.heads + head);
      this.canvas.setAttribute(
        "aria-label",
        `Attention of ${this.layers} layers of ${this.heads} heads. ${this.readout.textContent}`,
      );
    }

    /* A picture with one pixel for each weight. */
    #squares(rows, colours) {
      const n = rows[0].length;
      const image = new ImageData(n, rows.length);
      rows.forEach((weights, row) =>
        weights.forEach((weight, k) => {
          const from = 3 * Math.round(255 * Math.sqrt(weight));
          image.data.set([...colours.subarray(from, from + 3), 255], 4 * (row * n + k));
        }),
      );
      const small = (this.small ??= document.createElement("canvas"));
      small.width = n;
      small.height = rows.length;
      small.getContext("2d").putImageData(image, 0, 0);
      return small;
    }

    #paint(rows, first, chosen) {
      const between = stops(0);
      this.strip.style.background = `linear-gradient(to right, ${between})`;
      const [n, bottom] = [rows[0].length, rows.length * HEIGHT];
      const [width, height] = [MARGIN + n * WIDTH, bottom + 20];
      const pen = sharpPen(this.canvas, width, height, getComputedStyle(this.scroll).color);
      pen.drawImage(this.#squares(rows, ramp(between)), MARGIN, 0, n * WIDTH, bottom);
      pen.font = "11px monospace";
      rows.forEach((_, row) => {
        const name = `${Math.floor(row / this.heads) + 1}.${(row % this.heads) + 1}`;
        pen.fillText(name, 2, (row + 1) * HEIGHT - 2);
      });
      pen.font = "13px monospace";
      pen.textAlign = "center";
      for (let k = 0; k < n; k++) {
        const { character } = this.view.items[first + k];
        pen.fillText(visible(character), MARGIN + (k + 0.5) * WIDTH, bottom + 14);
      }
      pen.strokeRect(MARGIN - 0.5, chosen * HEIGHT + 0.5, n * WIDTH, HEIGHT - 1);
    }

    #describe({ character }, weights, first, layer, head) {
      const order = Array.from(weights, (_, k) => k).sort((a, b) => weights[b] - weights[a]);
      const named = order.slice(0, NAMED).map((k) => {
        const back = weights.length - 1 - k;
        const where = back ? `${back} back` : "itself";
        return `${quoted(this.view.items[first + k].character)}, ${where} (${percent(weights[k])})`;
      });
      return (
        `Having read ${quoted(character)} at place ${this.place + 1}, head ${head + 1} of layer ` +
        `${layer + 1} looks most at ${named.join("; ")}.`
      );
    }
  }

  return { Attention };
});
