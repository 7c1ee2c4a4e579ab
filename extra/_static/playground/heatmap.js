"use strict";
/* The gates of an LSTM over a text, as a picture: one column a character, one row a unit, in an
   order that says something; and below them one unit by itself, over its characters. */
charbook.define("heatmap", ["page", "colours"], (
  { h, labelled, pointerMoved, quoted, sharpPen, visible }, { ramp, stops },
) => {
  const VALUES = { // a state's field -> name, lowest and highest value shown
    forget: ["forget gate", 0, 1], input: ["input gate", 0, 1], output: ["output gate", 0, 1],
    cell: ["candidate", -1, 1], c: ["cell state", -5, 5], h: ["hidden state", -1, 1],
  };
  const ORDERS = { // how the rows lie -> what is highest in the top one, of a unit's values
    mean: ["by mean", (values) => mean(values)],
    change: ["by variance", (values) => mean(values.map((v) => v * v)) - mean(values) ** 2],
    number: ["by number", (_, unit) => -unit],
  };
  const WIDTH = 10; // of a character, in CSS pixels
  const HEIGHT = 3; // of a unit
  const [GAP, STRIP, LETTERS] = [6, 14, 20]; // below the units: nothing, the chosen one, characters
  const SHOWN = 240; // characters at once

  const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;

  class Heatmap {
    /* onInspect(place or null, whether to stay there) */
    constructor(onInspect) {
      this.columns = []; // {character, input, forget, …} with arrays (H,)
      this.#build();
      this.clear();
      for (const control of [this.field, this.order])
        control.addEventListener("input", () => {
          this.#sort();
          this.draw();
        });
      this.unit.addEventListener("input", () => this.draw());
      this.details.addEventListener("toggle", () => this.draw());
      new MutationObserver(() => this.draw()).observe(document.documentElement, {
        attributes: true, attributeFilter: ["data-theme"],
      });
      const at = ({ offsetX, offsetY }) => ({
        place: this.first + Math.floor(offsetX / WIDTH),
        unit: this.rows[Math.floor(offsetY / HEIGHT)] ?? null,
      });
      this.canvas.addEventListener("pointermove", (event) => {
        if (!pointerMoved(event)) return;
        const { place, unit } = at(event);
        if (place >= this.columns.length) return;
        this.pointed = unit;
        onInspect(place, false);
      });
      this.canvas.addEventListener("click", (event) => {
        const { unit } = at(event);
        if (unit !== null) this.unit.value = unit;
        this.draw();
      });
      this.canvas.addEventListener("pointerleave", () => {
        this.pointed = null;
        onInspect(null, false);
      });
    }

    #build() {
      this.canvas = h("canvas", { role: "img", "aria-label": "no gates yet" });
      this.canvas.width = this.canvas.height = 1;
      const region = { tabindex: "0", role: "region", "aria-label": "Gates, one column a character" };
      this.scroll = h("div", { class: "pg-scroll", ...region }, this.canvas);
      const options = Object.entries(VALUES).map(([field, [name]]) =>
        h("option", { value: field }, name),
      );
      this.field = h("select", {}, ...options);
      const orders = Object.entries(ORDERS).map(([key, [name]]) => h("option", { value: key }, name));
      this.order = h("select", {}, ...orders);
      this.unit = h("input", { type: "number", min: "0", max: "127", value: "0" });
      this.strip = h("i", { "aria-hidden": "true" });
      this.low = h("span");
      this.high = h("span");
      this.readout = h("p", { class: "pg-readout" });
      this.details = h(
        "details", { class: "pg-wide pg-gates", open: true },
        h("summary", {}, "What the gates do"),
        h(
          "div", { class: "pg-pick" }, labelled("Show", this.field), labelled("Rows", this.order),
          labelled("Unit", this.unit),
        ),
        this.scroll,
        h(
          "p", { class: "pg-scale" },
          this.low, this.strip, this.high, h("span", {}, "one row a unit; click one to keep it"),
        ),
        this.readout,
      );
    }

    clear() {
      this.columns = [];
      this.first = 0; // the column shown leftmost
      this.inspected = this.pointed = null; // a place, a unit
      this.#sort();
      this.draw();
    }

    /* Which unit lies in which row. It is asked again when the text is twice as long. */
    #sort() {
      const units = Array.from(this.columns[0]?.h ?? [], (_, unit) => unit);
      const highest = ORDERS[this.order.value][1];
      const scores = units.map((unit) =>
        highest(this.columns.map((column) => column[this.field.value][unit]), unit));
      this.rows = units.sort((a, b) => scores[b] - scores[a]);
      this.sortedAt = this.columns.length;
    }

    add(character, state) {
      const column = { character };
      for (const field of Object.keys(VALUES)) column[field] = Float32Array.from(state[field]);
      this.columns.push(column);
      if (this.columns.length >= 2 * this.sortedAt) this.#sort();
    }

    /* The last column is drawn and in sight. */
    follow() {
      this.first = Math.max(0, this.columns.length - SHOWN);
      this.draw(this.columns.length - 1);
      this.scroll.scrollLeft = this.scroll.scrollWidth;
    }

    /* A column is drawn and in sight, wherever in the text it is. */
    inspect(place) {
      if (place < this.first || place >= this.first + SHOWN)
        this.first = Math.max(0, Math.min(place - SHOWN / 2, this.columns.length - SHOWN));
      this.draw(place);
      const x = (place - this.first) * WIDTH;
      const { scrollLeft, clientWidth } = this.scroll;
      if (x < scrollLeft || x + WIDTH > scrollLeft + clientWidth)
        this.scroll.scrollLeft = x - clientWidth / 2;
    }

    draw(inspected = this.inspected) {
      this.inspected = inspected;
      const [name, low, high] = VALUES[this.field.value];
      const between = stops(low);
      this.strip.style.background = `linear-gradient(to right, ${between})`;
      this.low.textContent = low === 0 ? "0, shut" : `−${-low}`;
      this.high.textContent = low === 0 ? "1, open" : `${high}`;
      const H = this.columns[0]?.h.length ?? 128;
      this.unit.max = H - 1;
      const picked = Math.min(Math.max(Math.round(Number(this.unit.value)) || 0, 0), H - 1);
      const unit = this.pointed ?? picked;
      this.readout.textContent = this.#describe(name, unit, H);
      const shown = this.columns.slice(this.first, this.first + SHOWN);
      if (!shown.length || !this.details.open) return;
      this.#paint(this.#squares(shown, H, low, high, ramp(between)), shown, H, unit);
      this.canvas.setAttribute(
        "aria-label",
        `Heatmap: ${name} of ${H} units over ${shown.length} characters. ${this.readout.textContent}`,
      );
    }

    /* A picture with one pixel for each value, the units in the order of the rows. */
    #squares(shown, H, low, high, colours) {
      const N = shown.length;
      const image = new ImageData(N, H);
      shown.forEach((column, x) => {
        const values = column[this.field.value];
        for (let y = 0; y < H; y++) {
          const share = Math.min(Math.max((values[this.rows[y]] - low) / (high - low), 0), 1);
          const from = Math.round(share * 255) * 3;
          const to = (y * N + x) * 4;
          for (let k = 0; k < 3; k++) image.data[to + k] = colours[from + k];
          image.data[to + 3] = 255;
        }
      });
      const small = (this.small ??= document.createElement("canvas"));
      small.width = N;
      small.height = H;
      small.getContext("2d").putImageData(image, 0, 0);
      return small;
    }

    /* The picture at its size; below it the unit by itself and the characters; frames around the
       unit and the place. */
    #paint(picture, shown, H, unit) {
      const N = shown.length;
      const strip = H * HEIGHT + GAP;
      const [width, height] = [N * WIDTH, strip + STRIP + LETTERS];
      const pen = sharpPen(this.canvas, width, height, getComputedStyle(this.scroll).color);
      const row = this.rows.indexOf(unit);
      pen.drawImage(picture, 0, 0, width, H * HEIGHT);
      pen.drawImage(picture, 0, row, N, 1, 0, strip, width, STRIP);
      pen.font = "13px monospace";
      pen.textAlign = "center";
      shown.forEach((column, x) => {
        pen.fillText(visible(column.character), (x + 0.5) * WIDTH, strip + STRIP + 14);
      });
      pen.strokeRect(0.5, row * HEIGHT - 0.5, width - 1, HEIGHT + 1);
      pen.strokeRect(0.5, strip - 0.5, width - 1, STRIP + 1);
      const x = (this.inspected ?? N - 1) - this.first;
      pen.strokeRect(x * WIDTH - 0.5, 0.5, WIDTH + 1, height - 1);
    }

    #describe(name, unit, H) {
      const place = this.inspected ?? this.columns.length - 1;
      const column = this.columns[place];
      if (!column) return "Press play: each character adds a column.";
      const values = column[this.field.value];
      const isGate = VALUES[this.field.value][1] === 0;
      const above = values.filter((v) => v > (isGate ? 0.5 : 0)).length;
      return (
        `After reading ${quoted(column.character)} at place ${place + 1}, the ${name} of unit ` +
        `${unit} is ${values[unit].toFixed(3)}. The mean of all ${H} units is ` +
        `${mean(values).toFixed(3)}; ${above} are ${isGate ? "more than half open" : "above zero"}.`
      );
    }
  }

  return { Heatmap };
});
