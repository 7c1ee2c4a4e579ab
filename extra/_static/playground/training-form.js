"use strict";
/* What to train: the text, from the book or the reader's own, and the settings. */
charbook.define("trainingForm", ["corpus", "page"], (
  { LIMITS }, { h, labelled, loadScript, numberIn, whole },
) => {
  const TEXTS = {
    coriolanus: "Shakespeare: Coriolanus",
    plays: "Shakespeare: thirty plays",
    austen: "Austen: four chapters",
    own: "A text of my own",
  };
  const SIZES = {
    32: "small: 32 units",
    64: "middle: 64 units",
    128: "large: 128, as in the book",
    256: "largest: 256 units",
  };
  const LENGTHS = {
    200: "200 updates", 1000: "1,000 updates", 3000: "3,000 updates", "120 s": "2 minutes",
  };
  const DEFAULTS = { units: "64", length: "1000", rate: "0.01", seed: "1" };

  async function loadText(name) {
    if (!globalThis.charbookTexts?.[name]) await loadScript(`texts/${name}.js`, "the text");
    return globalThis.charbookTexts[name];
  }

  class TrainingForm {
    /* onMessage(text, whether it is about an error) */
    constructor(onMessage) {
      this.onMessage = onMessage;
      const options = (entries, chosen) =>
        entries.map(([value, text]) => h("option", { value, selected: value === chosen }, text));
      this.text = h("select", {}, ...options(Object.entries(TEXTS), "coriolanus"));
      this.text.addEventListener("input", () => this.#showMore());
      this.plays = h(
        "p", { class: "pg-wide" },
        "Four megabytes, fetched when you press Train. The network learns from thirty plays and is " +
          "tested on The Tempest, which is not among them. Give it 2 minutes.",
      );
      this.own = h("textarea", { rows: "6", spellcheck: "false", dir: "auto" });
      this.file = h("input", { type: "file", accept: ".txt,.md,text/*" });
      this.file.addEventListener("change", () => this.#open());
      this.ownBox = h(
        "div", { class: "pg-wide tr-own" },
        h(
          "p", {},
          "Between a thousand and a million characters. ",
          h("strong", {}, "They stay with you:"),
          " this page reads them on your machine and sends them nowhere. When you reload or leave " +
            "it, the text and what was learned from it are forgotten, unless you have saved it.",
        ),
        labelled("Your text: paste it here", this.own), labelled("or open a text file", this.file),
      );
      this.units = h("select", {}, ...options(Object.entries(SIZES), DEFAULTS.units));
      this.length = h("select", {}, ...options(Object.entries(LENGTHS), DEFAULTS.length));
      this.rate = h("input", { type: "number", min: "0", step: "any", value: DEFAULTS.rate });
      this.seed = h("input", { type: "number", min: "0", step: "1", value: DEFAULTS.seed });
      this.element = h(
        "fieldset", { class: "pg-settings" },
        h("legend", { class: "pg-hidden" }, "What to train"),
        labelled("Text", this.text), labelled("Size", this.units), labelled("Length", this.length),
        this.plays, this.ownBox,
        h(
          "details", { class: "pg-wide" },
          h("summary", {}, "More settings"),
          h(
            "div", { class: "pg-pick" },
            labelled("Learning rate", this.rate), labelled("Seed", this.seed),
          ),
        ),
      );
      this.#showMore();
    }

    #showMore() {
      this.plays.hidden = this.text.value !== "plays";
      this.ownBox.hidden = this.text.value !== "own";
    }

    async #open() {
      const [file] = this.file.files;
      if (!file) return;
      try {
        const most = LIMITS.longest;
        if (file.size > 4 * most) // bytes; UTF-8 has four for a character at most
          throw new Error(
            `“${file.name}” is too large: the page takes ${whole(most)} characters at most.`,
          );
        this.own.value = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
        this.onMessage(`“${file.name}” is open.`);
      } catch (error) {
        const notText = `“${file.name}” is not UTF-8 text. Save it as UTF-8.`;
        this.onMessage(error instanceof TypeError ? notText : error.message, true);
      }
    }

    set disabled(busy) {
      this.element.disabled = busy;
    }

    /* Whether the reader's own text is at fault. */
    set invalid(wrong) {
      if (wrong && this.text.value === "own") this.own.setAttribute("aria-invalid", "true");
      else this.own.removeAttribute("aria-invalid");
    }

    /* -> {text, settings}, as Training takes them, and a name for the curve. */
    async read() {
      const rate = numberIn(this.rate);
      if (!(rate > 0 && rate <= 1))
        throw new RangeError("the learning rate lies above 0 and is 1 at most; 0.01 is a good one");
      const units = Number(this.units.value);
      const length = this.length.value;
      const goal = { [length.endsWith(" s") ? "seconds" : "updates"]: parseInt(length, 10) };
      const { value } = this.text;
      const text = value === "own" ? this.own.value : await loadText(value);
      const seed = numberIn(this.seed);
      const other = [["rate", this.rate, rate], ["seed", this.seed, seed]];
      const rest = other.map(([name, { defaultValue }, value]) =>
        value === Number(defaultValue) ? "" : `, ${name} ${value}`);
      const name = `${units} units${rest.join("")}`;
      return { text, name, settings: { units, ...goal, rate, seed } };
    }
  }

  return { SIZES, TrainingForm };
});
