"use strict";
/* A native slider with its label and its value in words. */
charbook.define("slider", ["page"], ({ h, labelled }) => {
  return class Slider {
    /* format(value) -> what is shown and read out; onInput(value) while it is moved */
    constructor({ label, min, max, step, value, format = String, onInput = () => {} }) {
      this.format = format;
      this.input = h("input", { type: "range", min, max, step });
      this.output = h("output");
      this.element = labelled(label, this.input, this.output);
      this.element.className = "lv-slider";
      this.value = value;
      this.input.addEventListener("input", () => {
        this.#show();
        onInput(this.value);
      });
    }

    get value() {
      return Number(this.input.value);
    }

    /* Without a call of onInput. */
    set value(value) {
      this.input.value = value;
      this.#show();
    }

    #show() {
      const text = this.format(this.value);
      this.output.textContent = text;
      this.input.setAttribute("aria-valuetext", text);
    }
  };
});
