"use strict";
/* A text whose characters can be pointed at or clicked, and a slider over its places. */
charbook.define("textView", ["page"], ({ h, labelled, pointerMoved, quoted }) => {
  const APART = 12; // characters between two rules
  const BAR = 6; // pixels between two lines that a bar may fill

  /* items: {id, character, predicted, drawnFrom, given, attention}; predicted and drawnFrom are
     probabilities (V,) or null. onInspect(place or null, whether to stay there). */
  class TextView {
    /* label: null where another element says the same */
    constructor(label, onInspect) {
      const spoken = label
        ? { role: "region", "aria-label": label, tabindex: "0" }
        : { "aria-hidden": "true" };
      this.box = this.scroller = h("div", { class: "pg-text", ...spoken });
      const placeOf = (event) => event.target.closest?.("[data-place]")?.dataset.place;
      this.box.addEventListener("pointermove", (event) => {
        if (!pointerMoved(event)) return;
        const place = placeOf(event);
        if (place !== undefined) onInspect(Number(place), false);
      });
      this.box.addEventListener("pointerleave", () => onInspect(null, false));
      this.box.addEventListener("click", (event) => {
        const place = placeOf(event);
        if (place !== undefined) onInspect(Number(place), true);
      });
      this.clear();
    }

    clear() {
      this.items = [];
      this.spans = [];
      this.highlighted = null;
      this.weighed = [];
      this.box.replaceChildren();
      this.#newLine();
    }

    #newLine() {
      this.line = h("div", { dir: "auto" });
      this.box.append(this.line);
    }

    add(item, kind = "") {
      const span = h("span", { "data-place": String(this.items.length) });
      const ends = item.character === "\n";
      const kinds = [kind, item.given && "pg-given", ends && "pg-end"];
      span.className = kinds.filter(Boolean).join(" ");
      span.textContent = ends ? "" : item.character; // the style sheet draws ↵
      this.line.append(span);
      if (ends) this.#newLine();
      this.items.push(item);
      this.spans.push(span);
    }

    /* A rule across the text, named; one that was just drawn is renamed instead. */
    rule(name) {
      if (this.ruled?.isConnected && this.items.length < this.ruledAt + APART) {
        this.ruled.textContent = `${name} from here`;
        return;
      }
      this.ruled = h("span", { class: "pg-rule" }, `${name} from here`);
      this.ruledAt = this.items.length;
      this.line.append(this.ruled);
    }

    highlight(place) {
      if (this.highlighted !== null) this.spans[this.highlighted]?.classList.remove("pg-at");
      this.highlighted = place;
      if (place !== null) this.spans[place]?.classList.add("pg-at");
    }

    /* A bar under each character from `first` on, as high as its weight; others lose theirs. */
    weigh(weights, first) {
      for (const span of this.weighed) span.style.boxShadow = "";
      this.weighed = this.spans.slice(first, first + weights.length);
      const most = Math.max(...weights);
      this.weighed.forEach((span, k) => {
        const height = ((BAR * weights[k]) / most).toFixed(1);
        span.style.boxShadow = `0 ${height}px var(--cbc-transformer)`;
      });
    }

    scrollToEnd() {
      this.box.scrollTop = this.box.scrollHeight;
    }

    scrollTo(place) {
      const span = this.spans[place];
      if (!span) return;
      const top = span.getBoundingClientRect().top - this.scroller.getBoundingClientRect().top;
      if (top < 0 || top > this.scroller.clientHeight - 30)
        this.scroller.scrollTop += top - this.scroller.clientHeight / 2;
    }

    get characters() {
      return this.items.map((item) => item.character);
    }

    get text() {
      return this.characters.join("");
    }
  }

  /* A slider over the places of a text. */
  class PlaceSlider {
    constructor(label, onInspect) {
      const attributes = { type: "range", min: "1", max: "1", value: "1", disabled: true };
      this.slider = h("input", attributes);
      this.slider.addEventListener("input", () => onInspect(Number(this.slider.value) - 1, true));
      this.element = labelled(label, this.slider);
    }

    set(place, count, character) {
      this.slider.disabled = count === 0;
      this.slider.max = String(Math.max(count, 1));
      this.slider.value = String(place + 1);
      if (!count) return;
      this.slider.setAttribute("aria-valuetext", `place ${place + 1}, ${quoted(character)}`);
    }
  }

  return { PlaceSlider, TextView };
});
