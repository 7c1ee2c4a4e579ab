"use strict";
/* The playground: its modes, its buttons and messages, and the loop that writes while the page
   stays free. Nothing is loaded but scripts until somebody presses play, moves a slider or types a
   text, or until it comes into view where the page wants it to begin by itself. */
charbook.define("playground", [
  "engine", "architectures", "page", "mode", "settings", "write", "surprise", "compare",
], (
  { UnknownCharacters }, architectures, page, { CELLS, loadModel }, { Settings }, { Write },
  { Surprise }, { Compare },
) => {
  const { h, labelled, newId, quoted, sentence, visible, whole } = page;
  const BUDGET = 8; // milliseconds of work before the browser may do its own
  const TYPING = 150; // milliseconds without a key before a text is coloured
  const ANNOUNCED_EVERY = 5000; // milliseconds, to a screen reader
  const PROMPT = "HAMLET:\n";
  const OWN_TEXT =
    "To be, or not to be: that is the question.\n" +
    "The internet is slow today; my laptop does not fix itself.";
  const MODES = {
    write: { label: "Let it write", Mode: Write, button: "Play", busy: "Writing …" },
    surprise: {
      label: "Your text, coloured", Mode: Surprise, button: "Colour it", busy: "Reading …",
    },
    compare: { label: "Side by side", Mode: Compare, button: "Play", busy: "Writing …" },
  };
  const lessMotion = matchMedia("(prefers-reduced-motion: reduce)");

  class Playground {
    /* place: the element to fill. options.mode: write, surprise or compare.
       options.model: {model, about, prompt, text} to be used instead of the book's networks. */
    constructor(place, { mode = "write", model = null } = {}) {
      this.custom = model;
      this.job = null;
      this.asked = false; // whether a reader has pressed play
      this.modes = { surprise: new Surprise() };
      this.#build(mode);
      this.reset();
      if (!model) this.settings.address = location.hash;
      this.choose(mode);
      place.replaceChildren(this.root);
    }

    #build(mode) {
      const group = newId();
      const shown = Object.entries(MODES).filter(([key]) => !this.custom || key !== "compare");
      const switches = shown.map(([key, { label }]) => {
        const input = h("input", { type: "radio", name: group, value: key, checked: key === mode });
        input.addEventListener("change", () => this.choose(key));
        return h("label", {}, input, h("span", {}, label));
      });
      const networks = CELLS.map((value) =>
        h("option", { value, selected: value === "lstm" }, architectures[value].name),
      );
      this.network = h("select", { oninput: () => this.choose(this.mode) }, ...networks);
      this.networkBox = labelled("Network", this.network);
      this.networkBox.className = "pg-network";
      this.settings = new Settings(this.network, () => this.adjust());
      this.text = this.modes.surprise.input;
      this.text.addEventListener("input", () => {
        clearTimeout(this.typing);
        if (this.text.value.length > 1) this.typing = setTimeout(() => this.start(true), TYPING);
      });
      const button = (text, onclick, kind = "") =>
        h("button", { type: "button", class: kind, onclick }, text);
      this.play = button("", () => {
        this.asked = true;
        if (this.job) this.stop();
        else this.start();
      }, "pg-play");
      this.fix = button("Leave them out", () => this.leaveOut());
      this.message = h("p", { class: "pg-message", role: "status" });
      this.live = h("p", { class: "pg-hidden", "aria-live": "polite" });
      this.stage = h("div");
      this.root = h(
        "div", { class: "pg", role: "group", "aria-label": "Playground" },
        h(
          "fieldset", { class: "pg-modes" },
          h("legend", { class: "pg-hidden" }, "What to do"), ...switches,
        ),
        this.networkBox,
        h(
          "div", { class: "pg-buttons" }, this.play, button("Copy", () => this.copy()),
          button("Reset", () => this.reset()), this.fix,
        ),
        this.message, this.live, this.stage, this.settings.element,
      );
      this.root.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
        event.preventDefault();
        this.asked = true;
        this.start();
      });
    }

    choose(key) {
      clearTimeout(this.typing);
      this.stop();
      this.mode = key;
      const { Mode } = MODES[key];
      this.current = this.modes[key] ??= new Mode();
      this.cells = Mode.cells ?? [this.network.value];
      this.networkBox.hidden = Boolean(this.custom || Mode.cells);
      this.stage.replaceChildren(this.current.element);
      this.settings.element.hidden = key === "surprise";
      this.#showButton();
      this.#say("");
    }

    #showButton() {
      this.play.textContent = this.job ? "Stop" : MODES[this.mode].button;
    }

    #say(text, wrong = false) {
      this.message.textContent = text;
      this.message.classList.toggle("pg-wrong", wrong);
      this.fix.hidden = true;
      for (const box of [this.settings.prompt, this.text]) box.removeAttribute("aria-invalid");
    }

    #tell(text) {
      this.#say(this.job.quietly ? "" : text);
    }

    /* The box of what is read: the prompt, or the reader's text. */
    get #box() {
      return this.mode === "surprise" ? this.text : this.settings.prompt;
    }

    #refuse(error) {
      this.job = null;
      this.#showButton();
      this.#say(sentence(error.message), true);
      if (error instanceof UnknownCharacters) {
        const { unknown, first, known } = error;
        const few = unknown.slice(0, 12).map(quoted).join(", ");
        const more = unknown.length > 12 ? ` and ${unknown.length - 12} more` : "";
        this.message.textContent =
          `Not known: ${few}${more}, first at place ${first}. The text that this model learned ` +
          `from has no such character, so it has no weights for it. It knows these ` +
          `${known.length}: ${known.map(visible).join(" ")}`;
        this.unknown = new Set(unknown);
        this.fix.hidden = false;
      }
    }

    leaveOut() {
      const box = this.#box;
      box.value = Array.from(box.value).filter((c) => !this.unknown.has(c)).join("");
      this.play.focus();
      this.start();
    }

    /* Begin by itself when the place comes into view, but not where less motion is asked for,
       and with the gates folded: most of such a page is still to come. */
    arrive(place) {
      for (const gates of this.root.querySelectorAll(".pg-gates, .pg-attention")) gates.open = false;
      if (lessMotion.matches || navigator.connection?.saveData) return;
      const watcher = new IntersectionObserver(([{ isIntersecting }]) => {
        if (!isIntersecting) return;
        watcher.disconnect();
        if (!this.asked) this.start();
      });
      watcher.observe(place);
    }

    #models() {
      return this.custom ? [this.custom] : Promise.all(this.cells.map(loadModel));
    }

    /* A slider was moved: the bars follow at once. */
    async adjust() {
      const { current, settings } = this;
      if (this.job || this.mode !== "write") return;
      try {
        const models = await this.#models();
        if (this.job || this.mode !== "write") return;
        if (!current.view.items.length) current.begin(models, settings.start);
        current.adjust(settings.sampling);
      } catch {} // play says what is wrong with the prompt
    }

    /* quietly: because the text was typed on, which needs no word when all is well */
    async start(quietly = false) {
      clearTimeout(this.typing);
      this.stop();
      const { current } = this;
      const job = (this.job = { quietly });
      this.#showButton();
      this.#tell("Loading the weights …");
      try {
        const models = await this.#models();
        if (this.job !== job) return; // stopped meanwhile
        const text = this.mode === "surprise" ? { text: this.text.value } : this.settings.start;
        current.begin(models, text);
      } catch (error) {
        if (this.job !== job) return;
        this.#refuse(error);
        if (!(error instanceof RangeError)) this.#box.setAttribute("aria-invalid", "true");
        return;
      }
      if (this.asked && !this.custom && this.mode !== "surprise")
        history.replaceState(null, "", this.settings.address);
      this.#tell(MODES[this.mode].busy);
      this.#run(job, current);
    }

    #run(job, current) {
      // Where less motion is asked for, the text does not trickle: it is there at once.
      const atOnce = this.mode === "surprise" || lessMotion.matches;
      let last = performance.now();
      let due = 1; // characters
      this.announcedAt = last;
      this.announced = this.mode === "write" ? current.view.items.length : 0;
      const frame = () => {
        if (this.job !== job) return;
        const now = performance.now();
        const pace = atOnce ? Infinity : this.settings.pace;
        due = Math.min(due + ((now - last) / 1000) * pace, pace / 10 + 1);
        last = now;
        let more = true;
        try {
          while (more && due >= 1 && performance.now() < now + BUDGET) {
            more = current.step(this.settings.sampling);
            due--;
          }
        } catch (error) {
          current.paint(true);
          this.#refuse(error);
          return;
        }
        current.paint(!more);
        if (more) {
          this.#announce(current, false);
          requestAnimationFrame(frame);
        } else this.stop();
      };
      requestAnimationFrame(frame);
    }

    /* Tell a screen reader what was written since, up to the last whole word, now and then. */
    #announce(current, last) {
      if (this.mode !== "write" || !this.asked) return;
      if (!last && performance.now() < this.announcedAt + ANNOUNCED_EVERY) return;
      const fresh = current.view.characters.slice(this.announced);
      const wordEnd = Math.max(fresh.lastIndexOf(" "), fresh.lastIndexOf("\n")) + 1;
      const count = last ? fresh.length : wordEnd;
      if (!count) return;
      this.live.textContent = fresh.slice(0, count).slice(-300).join("");
      this.announced += count;
      this.announcedAt = performance.now();
    }

    stop() {
      if (!this.job) return;
      this.current.paint(true);
      this.#announce(this.current, true);
      this.#tell(this.current.finished());
      this.job = null;
      this.#showButton();
    }

    reset() {
      this.stop();
      const { model, prompt, text } = this.custom ?? {};
      this.settings.reset(prompt ?? model?.characters[0] ?? PROMPT);
      this.text.value = text ?? OWN_TEXT;
      for (const mode of Object.values(this.modes)) mode.clear();
      this.live.textContent = "";
      this.#say("");
    }

    async copy() {
      const text = this.current.copied();
      if (!text.trim()) return this.#say("There is nothing to copy yet.");
      try {
        await navigator.clipboard.writeText(text);
      } catch {
        const box = h("textarea", { "aria-hidden": "true" }); // where the clipboard is not given
        box.value = text;
        document.body.append(box);
        box.select();
        document.execCommand("copy");
        box.remove();
      }
      this.#say(`Copied: ${whole(Array.from(text).length)} characters.`);
    }
  }

  const mount = (place, options) => new Playground(place, options);
  for (const place of document.querySelectorAll(".pg-mount")) {
    const playground = mount(place, { mode: place.dataset.mode });
    if ("arrive" in place.dataset) playground.arrive(place);
  }
  return { mount };
});
