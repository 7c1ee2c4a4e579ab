"use strict";
/* A gradient on its way back through a text: |w|^k in a linear cell of one number, and the product
   of the factors w (1 - h²) with tanh, as in the lesson on learning through time. */
charbook.live("gradient", ["page", "counts", "slider", "plot", "strip", "say"], [], (
  { h, labelled }, { CHARACTERS }, Slider, { Plot, power }, Strip, Say,
) => {
  // Of each character of the plays, the number that it is read as: the lesson's, to two decimals.
  const NUMBERS = [
    0.13, -0.13, 0.64, 0.10, -0.54, 0.36, 1.30, 0.95, -0.70, -1.27, -0.62, 0.04, -2.33, -0.22, -1.25,
    -0.73, -0.54, -0.32, 0.41, 1.04, -0.13, 1.37, -0.67, 0.35, 0.90, 0.09, -0.74, -0.92, -0.46, 0.22,
    -1.01, -0.21, -0.16, 0.54, 0.21, 0.36, -0.65, -0.13, 0.78, 1.49, -1.26, 1.51, 1.35, 0.78, 0.26,
    -0.31, 1.46, 1.96, 1.80, 1.32, 0.36, -1.21, -0.00, 0.66, -1.29, 0.40, 0.43, 0.70, -1.18, -0.66,
    -0.44, -1.17, 1.74,
  ];
  const START = "If music be the food of love, play on; Give me excess of it";
  const MOST = 200; // characters of a text
  const LOW = 1e-8, HIGH = 1e4; // of the picture
  const GONE = 0.001; // of a gradient: below it next to nothing is learned

  const numberOf = (character) => NUMBERS[CHARACTERS.indexOf(character)] ?? 0;

  /* The factor w (1 - h_t²) of each step, for h_t = tanh(w h_{t-1} + u x_t) from h_0 = 0. */
  function factors(w, u, text) {
    let state = 0;
    return Array.from(text, (character) => {
      state = Math.tanh(w * state + u * numberOf(character));
      return w * (1 - state * state);
    });
  }

  /* What is left of a gradient after 0, 1, … steps back from the end: products of the last ones. */
  function backwards(steps) {
    const left = [1];
    for (const factor of [...steps].reverse()) left.push(left.at(-1) * factor);
    return left;
  }

  /* The factor per step, in the geometric mean, and the steps after which half is left. */
  const perStep = (left) => left.at(-1) ** (1 / (left.length - 1));
  const halfLife = (factor) => Math.log(2) / -Math.log(factor);

  const small = (value) => {
    if (value >= 0.01 && value < 1000) return value.toPrecision(2);
    const [digits, exponent] = value.toExponential(1).split("e");
    return `${digits}\u00a0·\u00a0${power(Number(exponent))}`;
  };
  const steps = (count) => (count === 1 ? "1 step" : `${count} steps`);
  const half = (factor) =>
    factor < 1 ? `halved every ${halfLife(factor).toPrecision(2)} steps` : "never halved";

  function build(place) {
    const text = h("input", { type: "text", spellcheck: "false", autocomplete: "off", maxlength: MOST });
    text.value = START;
    const fixed = (digits) => (value) => value.toFixed(digits);
    const w = new Slider({
      label: "Weight w", min: 0.3, max: 1.5, step: 0.01, value: 0.9, format: fixed(2), onInput: show,
    });
    const u = new Slider({
      label: "Size of the inputs u", min: 0, max: 1, step: 0.01, value: 0.3, format: fixed(2), onInput: show,
    });
    const plot = new Plot({
      x: { label: "steps back from the end of the text", low: 0, high: 1 },
      y: { label: "what is left of the gradient", low: LOW, high: HIGH, log: true },
    });
    const strip = new Strip("The text, coloured by what reaches each character");
    const readout = h("p", { class: "pg-readout" });
    const say = new Say();
    text.addEventListener("input", show);
    place.append(
      h("div", { class: "lv-controls" }, w.element, u.element),
      plot.element, readout, labelled("Text", text), strip.box, strip.scale, say.element,
    );

    function show() {
      const characters = Array.from(text.value || " ");
      const T = characters.length;
      const linear = Array.from({ length: T + 1 }, (_, k) => w.value ** k);
      const curved = backwards(factors(w.value, u.value, characters));
      const points = (values) => values.map((value, k) => [k, value]);
      const far = Math.round(0.6 * T);
      const label =
        `What is left of a gradient after up to ${steps(T)} back, from 1, on a logarithmic scale: ` +
        `${small(linear[T])} in the linear cell, ${small(curved[T])} with tanh.`;
      plot.show({
        lines: [{ points: points(linear), kind: "lv-quiet" }, { points: points(curved), kind: "lv-one" }],
        marks: [
          { at: [far, linear[far]], text: "linear: wᵏ", kind: "lv-quiet" },
          { at: [far, curved[far]], text: "with tanh", kind: "lv-one" },
        ],
        x: { ...plot.x, high: T }, label,
      });
      const [a, b] = [w.value, perStep(curved)];
      readout.textContent =
        `After ${steps(T)} back ${small(linear[T])} is left in the linear cell (${half(a)}), and ` +
        `${small(curved[T])} with tanh, whose factor is ${b.toPrecision(2)} a step (${half(b)}).`;
      strip.set(characters);
      const reached = characters.map((_, t) => Math.log10(Math.max(curved[T - 1 - t] / GONE, 1)));
      strip.colour(reached, 0, -Math.log10(GONE), [`${GONE} or less reaches the character`, "all of it"]);
      say.say(readout.textContent);
    }

    show();
  }

  return { title: "A gradient on its way back", build, factors, backwards, halfLife, CHARACTERS, NUMBERS };
});
