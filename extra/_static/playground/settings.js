"use strict";
/* The controls of sampling: prompt, a slider for each setting, seed and pace. */
charbook.define("settings", ["page"], ({ h, labelled, numberIn, whole }) => {
  const MOST = 500; // characters of a prompt
  // Each setting of sampling.js: its slider, what the page starts with, and the place of the
  // slider at which the setting is off.
  const SLIDERS = {
    temperature: { label: "Temperature", min: 0, max: 2, step: 0.05, start: 0.8, off: null },
    top_k: { label: "Top-k", min: 1, max: 41, step: 1, start: 41, off: 41 },
    top_p: { label: "Top-p", min: 0.05, max: 1, step: 0.01, start: 1, off: 1 },
    min_p: { label: "Min-p", min: 0, max: 0.5, step: 0.01, start: 0, off: 0 },
  };
  const SEED = 1;
  const PACES = { 5: "5 a second", 40: "40 a second", Infinity: "as fast as it goes" };
  const PACE = "40";

  class Settings {
    /* network: the control that chooses one; onMove: called when a slider was moved */
    constructor(network, onMove) {
      this.prompt = h("textarea", { rows: "2", spellcheck: "false", dir: "auto" });
      this.sliders = {};
      const sliders = Object.entries(SLIDERS).map(([name, { label, min, max, step }]) => {
        const slider = h("input", { type: "range", min, max, step });
        const output = h("output");
        slider.addEventListener("input", () => {
          this.#show();
          onMove();
        });
        this.sliders[name] = { slider, output };
        return labelled(label, slider, output);
      });
      this.seed = h("input", { type: "number", min: "0", step: "1" });
      const moved = Object.entries(this.sliders).map(([name, { slider }]) => [name, slider]);
      this.stated = { prompt: this.prompt, network, seed: this.seed, ...Object.fromEntries(moved) };
      const paces = Object.entries(PACES).map(([value, text]) =>
        h("option", { value, selected: value === PACE }, text),
      );
      this.paces = h("select", {}, ...paces);
      this.element = h(
        "div", { class: "pg-settings" },
        h("div", { class: "pg-wide" }, labelled("Prompt", this.prompt)),
        ...sliders, labelled("Seed", this.seed), labelled("Pace", this.paces),
      );
    }

    reset(prompt) {
      this.prompt.value = prompt;
      for (const [name, { start }] of Object.entries(SLIDERS))
        this.sliders[name].slider.value = start;
      this.seed.value = SEED;
      this.#show();
    }

    /* What sampling.nextDistribution takes. */
    get sampling() {
      const settings = Object.entries(this.sliders).map(([name, { slider }]) => {
        const value = Number(slider.value);
        return [name, value === SLIDERS[name].off ? null : value];
      });
      return Object.fromEntries(settings);
    }

    /* {prompt, seed, settings}; a seed that is no whole number is refused where random numbers are made. */
    get start() {
      const { length } = Array.from(this.prompt.value); // by code point
      if (length > MOST)
        throw new Error(`the prompt has ${whole(length)} characters, and the page takes ${MOST}`);
      const { value: prompt } = this.prompt;
      return { prompt, seed: numberIn(this.seed), settings: this.sampling };
    }

    /* #prompt=…&network=…&seed=… and each slider that is not where the page starts with it. */
    get address() {
      const stated = Object.entries(this.stated).map(([name, control]) => [name, control.value]);
      return `#${new URLSearchParams(stated.filter(([name, v]) => Number(v) !== SLIDERS[name]?.start))}`;
    }

    /* Set what such an address says, and leave what it does not, or cannot, say. */
    set address(address) {
      const given = new URLSearchParams(address.slice(1));
      if (!given.has("prompt")) return; // of a heading, or none
      for (const [name, control] of Object.entries(this.stated)) {
        const { value } = control;
        control.value = given.get(name) ?? value;
        control.value ||= value;
      }
      this.#show();
    }

    /* Characters a second. */
    get pace() {
      return Number(this.paces.value);
    }

    #show() {
      const { sampling } = this;
      for (const [name, { slider, output }] of Object.entries(this.sliders)) {
        const value = sampling[name];
        if (value === null) output.textContent = "off";
        else if (name === "top_k") output.textContent = value;
        else output.textContent = name === "temperature" && !value ? "0, greedy" : value.toFixed(2);
        slider.setAttribute("aria-valuetext", output.textContent);
      }
    }
  }

  return { SLIDERS, Settings };
});
