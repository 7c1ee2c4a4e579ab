"use strict";
/* The cliff in the loss of a linear cell after fifty steps, and one step of gradient descent from
   a place on it, with and without a limit on the gradient: the lesson on learning through time. */
charbook.live("cliff", ["page", "slider", "plot", "say"], [], ({ h }, Slider, { Plot }, Say) => {
  const STEPS = 50; // from h_0 = 1, without input
  const TARGET = 0.5;
  const RATE = 0.01;
  const [LEFT, RIGHT, TOP] = [0.9, 1.035, 12.5]; // of the picture
  const NO_LIMIT = 3; // place of the slider, a power of ten, at which there is none

  const loss = (w) => (w ** STEPS - TARGET) ** 2 / 2;
  const gradient = (w) => (w ** STEPS - TARGET) * STEPS * w ** (STEPS - 1);

  /* A gradient of which no more is left than the limit. */
  const clipped = (g, limit) => g * Math.min(1, limit / Math.abs(g));

  /* Where one step of gradient descent leads. */
  const step = (w, limit = Infinity) => w - RATE * clipped(gradient(w), limit);

  const number = (value, digits = 2) => value.toFixed(digits).replace("-", "−");

  function build(place) {
    const w = new Slider({
      label: "From w", min: LEFT, max: 1.03, step: 0.001, value: 1.03, onInput: show,
      format: (value) => value.toFixed(3),
    });
    const limitOf = (value) => (value === NO_LIMIT ? Infinity : 10 ** value);
    const limit = new Slider({
      label: "Limit on the gradient", min: -1, max: NO_LIMIT, step: 0.1, value: 0, onInput: show,
      format: (value) => (value === NO_LIMIT ? "none" : Number((10 ** value).toPrecision(2)).toString()),
    });
    const plot = new Plot({
      x: { label: "w", low: LEFT, high: RIGHT }, y: { label: "loss", low: 0, high: TOP }, height: 240,
    });
    const readout = h("p", { class: "pg-readout" });
    const say = new Say();
    place.append(
      h("div", { class: "lv-controls" }, w.element, limit.element), plot.element, readout, say.element,
    );
    const curve = Array.from({ length: 271 }, (_, k) => LEFT + (k * (RIGHT - LEFT)) / 270)
      .map((at) => [at, loss(at)]);

    function show() {
      const from = w.value;
      const [free, kept] = [step(from), step(from, limitOf(limit.value))];
      const [g, left] = [gradient(from), clipped(gradient(from), limitOf(limit.value))];
      // A step keeps its height in the picture until it is at its new place: then it is on the curve.
      const tip = (to) => [to, to < LEFT || to > RIGHT ? loss(from) : loss(to)];
      const arrows = [{ from: [from, loss(from)], to: tip(free), kind: "lv-two" }];
      if (kept !== free) arrows.push({ from: [from, loss(from)], to: tip(kept), kind: "lv-one" });
      const outside = free < LEFT || free > RIGHT ? ", outside the picture" : "";
      const to = `the loss goes from ${number(loss(from))} to ${number(loss(kept))}`;
      let after = "";
      if (left !== g) after = ` Clipped to ${number(left, 1)}, it ends at w = ${number(kept, 3)}, and ${to}.`;
      else if (limit.value !== NO_LIMIT) after = " That is not above the limit, so nothing is clipped.";
      const end = `the step ends at w = ${number(free, 3)}${outside}`;
      readout.textContent = `The gradient is ${number(g, 1)}. Without a limit ${end}.${after}`;
      plot.show({
        lines: [{ points: curve, kind: "lv-three" }], arrows,
        marks: [{ at: [from, loss(from)], kind: "lv-three" }],
        label: `Loss of a linear cell over w, with a cliff beyond w = 1. ${readout.textContent}`,
      });
      say.say(readout.textContent);
    }

    show();
  }

  return { title: "A cliff, and a limit on the gradient", build, loss, gradient, clipped, step };
});
