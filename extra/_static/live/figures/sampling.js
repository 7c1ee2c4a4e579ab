"use strict";
/* The next character of a prompt: the model's probabilities and those after temperature and cuts,
   in either order, and what is written with them. */
charbook.live("sampling", ["page", "engine", "sampling", "slider", "barChart", "say"], ["models/lstm"], (
  { h, labelled, percent, visible }, { load }, { Uniforms, nextDistribution, pick }, Slider, BarChart, Say,
) => {
  const START = "CORIOLANUS:\nMy h";
  const [SHOWN, WRITTEN, AT_ONCE] = [12, 160, 10]; // bars; characters; of them in one frame
  const SEED = 1;

  /* Logits (V,) -> probabilities (V,): the temperature before the cuts, as in the lesson, or after. */
  function distribution(logits, { temperature, ...cuts }, heatFirst) {
    if (heatFirst) return nextDistribution(logits, { temperature, ...cuts });
    const kept = nextDistribution(logits, cuts);
    return nextDistribution(kept.map(Math.log), { temperature });
  }

  const count = (p) => p.reduce((total, value) => total + (value > 0), 0);

  /* How much of one distribution lies where another has anything left. */
  const share = (own, drawn) => own.reduce((total, value, i) => total + (drawn[i] > 0 ? value : 0), 0);

  /* A prompt, continued: calls onText(text) now and then, and returns a function that stops it. */
  function write(model, prompt, settings, heatFirst, onText) {
    const random = new Uniforms(SEED);
    const state = model.start();
    const ids = model.encode(prompt);
    let [logits, text, frame, at] = [null, "", 0, 0];
    const some = () => {
      for (let k = 0; k < AT_ONCE && text.length < WRITTEN; k++) {
        if (at < ids.length) logits = model.step(state, ids[at++]);
        else {
          const id = pick(distribution(logits, settings, heatFirst), random.next());
          text += model.characters[id];
          logits = model.step(state, id);
        }
      }
      onText(text);
      if (text.length < WRITTEN) frame = requestAnimationFrame(some);
    };
    frame = requestAnimationFrame(some);
    return () => cancelAnimationFrame(frame);
  }

  /* The logits after a text. */
  function logitsAfter(model, text) {
    const state = model.start();
    let logits = null;
    for (const id of model.encode(text)) logits = model.step(state, id);
    return logits;
  }

  function build(place, { lstm }) {
    const model = load(lstm);
    const { V } = model;
    const prompt = h("textarea", { rows: "2", spellcheck: "false", maxlength: "100" });
    prompt.value = START;
    const off = (place_, format) => (value) => (value === place_ ? "off" : format(value));
    const two = (value) => value.toFixed(2);
    const slider = (label, min, max, step, value, format) =>
      new Slider({ label, min, max, step, value, format, onInput: show });
    const temperature = slider("Temperature", 0, 2, 0.05, 1, (t) => (t ? two(t) : "0, greedy"));
    const topK = slider("Top-k", 1, V, 1, V, off(V, String));
    const topP = slider("Top-p", 0.05, 1, 0.01, 0.9, off(1, two));
    const minP = slider("Min-p", 0, 0.5, 0.01, 0, off(0, two));
    const order = h(
      "select", {}, h("option", { value: "heat" }, "temperature, then cuts"),
      h("option", { value: "cut" }, "cuts, then temperature"),
    );
    const heads = [
      ["next", "next character"], ["", "bar: drawn with; line: the model's own"],
      ["drawn", "probability it is drawn with"], ["model", "probability the model gives"],
    ];
    const bars = new BarChart({ heads });
    const readout = h("p", { class: "pg-readout" });
    const [ahead, written] = [h("b"), h("span")];
    const say = new Say();
    let stop = () => {};
    let read = {}; // the text that was read last, and the logits after it
    for (const control of [prompt, order]) control.addEventListener("input", show);
    place.append(
      h(
        "div", { class: "lv-controls" }, temperature.element, topK.element, topP.element, minP.element,
        labelled("Prompt", prompt), labelled("In which order", order),
      ),
      bars.element, readout, h("p", { class: "lv-text" }, ahead, written), say.element,
    );

    function settings() {
      const or = (value, none) => (value === none ? null : value);
      return {
        temperature: temperature.value, top_k: or(topK.value, V), top_p: or(topP.value, 1),
        min_p: or(minP.value, 0),
      };
    }

    function show() {
      stop();
      const known = Array.from(prompt.value).filter((character) => model.ids.has(character)).join("");
      const text = known || "\n";
      if (read.text !== text) read = { text, logits: logitsAfter(model, text) };
      const { logits } = read;
      const own = nextDistribution(logits);
      const heatFirst = order.value === "heat";
      const [drawn, other] = [heatFirst, !heatFirst].map((first) => distribution(logits, settings(), first));
      const likely = Array.from(own, (_, i) => i).sort((i, j) => own[j] - own[i] || i - j);
      bars.show(
        likely.slice(0, SHOWN).map((i) => ({
          name: visible(model.characters[i]), value: drawn[i], mark: own[i],
          cells: [drawn[i] ? percent(drawn[i]) : "cut", percent(own[i])], kind: drawn[i] ? "" : "lv-cut",
        })),
        { caption: `Next character after “${Array.from(text.slice(-12), visible).join("")}”` },
      );
      const skipped = known === prompt.value ? "" : " Characters that the model does not know are left out.";
      readout.textContent =
        `${count(drawn)} of ${V} characters are left; the model gave them ${percent(share(own, drawn))}. ` +
        `In the other order ${count(other)} would be left.${skipped}`;
      ahead.textContent = text;
      const before = written.textContent; // is written over, so that what changes can be seen
      stop = write(model, text, settings(), heatFirst, (more) => {
        written.textContent = more + before.slice(more.length);
      });
      say.say(readout.textContent);
    }

    setTimeout(show); // the weights were work enough for one task
  }

  return { title: "Temperature and cuts", build, distribution, logitsAfter, share, write };
});
