"use strict";
/* What a network in training writes: the newest sample, and a slider back to the first. */
charbook.define("samples", ["page"], ({ h, labelled }) => {
  const MOST = 60; // are kept; beyond, every second of the older half goes

  class Samples {
    /* onShow(sample) is told which sample is seen */
    constructor(onShow) {
      this.onShow = onShow;
      this.when = h("p", { class: "tr-when" });
      this.text = h("div", { class: "tr-sample", dir: "auto" });
      this.slider = h("input", { type: "range", class: "tr-scrubber", min: "0", step: "1" });
      this.slider.addEventListener("input", () => this.#show());
      this.element = h(
        "div", { class: "tr-samples", role: "region", "aria-label": "What it writes" },
        this.when, this.text, labelled("Samples, from the first to the newest", this.slider),
      );
      this.clear();
    }

    clear() {
      this.all = [];
      this.slider.max = this.slider.value = 0;
      this.when.textContent = this.text.textContent = "";
    }

    /* sample: {updates, seconds, when, text}; it is shown unless the reader looks at an older one */
    add(sample) {
      const { all, slider } = this;
      const shown = all[slider.value];
      const newest = Number(slider.value) === all.length - 1 || !all.length;
      all.push(sample);
      if (all.length > MOST)
        this.all = all.filter((each, k) => k % 2 === 0 || k > MOST / 2 || each === shown);
      slider.max = this.all.length - 1;
      slider.value = newest ? this.all.length - 1 : this.all.indexOf(shown);
      this.#show();
    }

    #show() {
      const sample = this.all[this.slider.value];
      this.when.textContent = sample.when;
      this.text.textContent = sample.text;
      this.slider.setAttribute("aria-valuetext", sample.when);
      this.onShow(sample);
    }
  }

  return { Samples };
});
