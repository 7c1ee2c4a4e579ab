"use strict";
/* The tank of the lesson on the LSTM, worked by hand: three valves and a candidate as sliders. */
charbook.live("lstm", ["page", "numbers", "slider", "plot", "tank", "say"], [], (
  { h }, { signed }, Slider, { Plot }, { Tank, gateColour }, Say,
) => {
  const AHEAD = 40; // characters
  const VALVES = [ // name, gate, lowest value, value at the start
    ["i", "input", "Input gate i", 0, 0.5], ["g", "candidate", "Candidate g", -1, 0.8],
    ["f", "forget", "Forget gate f", 0, 0.9], ["o", "output", "Output gate o", 0, 1],
  ];
  const START = 0.4; // the level

  /* One step: the old level, and {i, f, g, o} -> {c, h}. */
  function step(before, { i, f, g, o }) {
    const c = f * before + i * g;
    return { c, h: o * Math.tanh(c) };
  }

  /* The same valves over n characters -> [{c, h}]. */
  function ahead(before, valves, n) {
    const steps = [];
    for (let c = before; steps.length < n; c = steps.at(-1).c) steps.push(step(c, valves));
    return steps;
  }

  function build(place) {
    let before = START;
    const tank = new Tank();
    const say = new Say();
    const limits = { x: { label: "characters ahead, with the valves left so", low: 0, high: AHEAD } };
    const plot = new Plot({ ...limits, y: { label: "c (line), h (dashed)", low: -2, high: 2 }, height: 230 });
    const sliders = VALVES.map(([, gate, label, min, value]) => {
      const slider = new Slider({ label, min, max: 1, step: 0.01, value, format: signed, onInput: show });
      slider.element.style.cssText = `border-left: 6px solid ${gateColour(gate)}; padding-left: 0.5rem`;
      return slider;
    });
    const button = (name, level) =>
      h("button", { type: "button", onclick: () => { before = level(); show(); } }, name);
    const valves = () => Object.fromEntries(VALVES.map(([name], k) => [name, sliders[k].value]));
    place.append(
      h("div", { class: "lv-controls" }, ...sliders.map(({ element }) => element)),
      h("div", { class: "lv-beside" }, tank.element, plot.element),
      h(
        "div", { class: "pg-buttons" },
        button("Next character", () => step(before, valves()).c), button("Start again", () => START),
      ),
      say.element,
    );

    function show() {
      const set = valves();
      const { c, h: shown } = step(before, set);
      tank.show({ before, ...set, c, h: shown });
      const steps = ahead(before, set, AHEAD);
      const most = Math.max(2, ...steps.map((each) => Math.ceil(Math.abs(each.c))));
      const points = (values) => [[0, before], ...values.map((value, k) => [k + 1, value])];
      plot.show({
        y: { ...plot.y, low: -most, high: most },
        lines: [
          { points: points(steps.map((each) => each.c)), kind: "lv-one" },
          { points: points(steps.map((each) => each.h)).slice(1), kind: "lv-two" },
        ],
        label: `With these valves the level is ${signed(c)} after one character, and after ` +
          `${AHEAD} it is ${signed(steps.at(-1).c)}.`,
      });
      const later = signed(steps.at(-1).c);
      say.say(`Level ${signed(c)}, shown ${signed(shown)}; after ${AHEAD} characters ${later}.`);
    }

    show();
  }

  return { title: "A tank with three valves", ahead, build, step };
});
