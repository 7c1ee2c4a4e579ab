"use strict";
/* A text whose characters are coloured by a number each; it can be pointed at. */
charbook.define("strip", ["page", "textView", "shades"], (
  { h }, { TextView }, { ink, onMode, shade, stops },
) => {
  return class Strip extends TextView {
    /* onInspect(place or null, whether to stay there), as in TextView */
    constructor(label, onInspect = () => {}) {
      super(label, onInspect);
      this.box.classList.add("lv-strip");
      this.key = h("i", { "aria-hidden": "true" });
      this.ends = [h("span"), h("span")];
      this.scale = h("p", { class: "pg-scale" }, this.ends[0], this.key, this.ends[1]);
      onMode(() => this.#paint());
    }

    /* Another text: characters, by code point, in place of those that are there. */
    set(characters) {
      this.clear();
      for (const character of characters) this.add({ character });
    }

    /* values (N,), null for none; low and high, with the words for them in the scale */
    colour(values, low, high, words = [String(low), String(high)]) {
      Object.assign(this, { values, low, high });
      this.ends.forEach((end, k) => (end.textContent = words[k]));
      this.#paint();
    }

    #paint() {
      if (!this.values) return;
      this.key.style.background = `linear-gradient(to right, ${stops(this.low)})`;
      this.spans.forEach((span, t) => {
        const value = this.values[t] ?? null;
        const rgb = value === null ? null : shade(value, this.low, this.high);
        span.style.background = rgb ? `rgb(${rgb})` : "";
        span.style.color = rgb ? ink(rgb) : "";
      });
    }
  };
});
