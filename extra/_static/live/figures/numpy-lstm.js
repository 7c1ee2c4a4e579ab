"use strict";
/* The backward pass of the lesson An LSTM in NumPy for one unit and one character, node by node:
   value, gradient, and beside it what a nudge of that node does to the loss. */
charbook.live("numpy-lstm", ["page", "numbers", "slider", "diagram", "say"], [], (
  { h, labelled }, { signed }, Slider, Diagram, Say,
) => {
  const EPSILON = 1e-5;
  const START = { a_f: 1.2, a_i: 0.6, a_g: 0.9, a_o: 0.4, old_c: 0.7 };
  const SENT = { d_h: 1, d_c: 0.5 }; // what comes back to h, and to c from step t + 1
  const SLIPS = {
    none: "as in the lesson", cell: "nothing from step t + 1 to c", tanh: "no slope of tanh at c",
    gate: "no slope of the gates",
  };
  const SHOWN = {
    a_f: "a for f", a_i: "a for i", a_g: "a for g", a_o: "a for o", old_c: "old c", t: "tanh c",
  };
  const ORDER = [ // of the backward pass: node, and the rule
    ["h", "sent by the output layer and step t + 1"], ["o", "that of h · tanh c"], ["t", "that of h · o"],
    ["c", "sent by step t + 1, and that of tanh c · (1 − tanh² c)"], ["old_c", "that of c · f"],
    ["f", "that of c · old c"], ["i", "that of c · g"], ["g", "that of c · i"],
    ["a_f", "that of f · f (1 − f)"], ["a_i", "that of i · i (1 − i)"],
    ["a_g", "that of g · (1 − g²)"], ["a_o", "that of o · o (1 − o)"],
  ];
  const shown = (node) => SHOWN[node] ?? node;
  const ARROWS = "L-h L-c h-t h-o t-c c-old_c c-f c-i c-g f-a_f i-a_i g-a_g o-a_o".split(" ");

  const sigmoid = (a) => 1 / (1 + Math.exp(-a));

  /* Values of all nodes; nudged: {node: by how much}, added before the node is used. The loss is
     the simplest one with the gradients d_h at h and d_c at c. */
  function forward(given, nudged = {}) {
    const v = {};
    const set = (name, value) => (v[name] = value + (nudged[name] ?? 0));
    for (const name of ["a_i", "a_f", "a_g", "a_o", "old_c"]) set(name, given[name]);
    for (const gate of ["i", "f", "o"]) set(gate, sigmoid(v[`a_${gate}`]));
    set("g", Math.tanh(v.a_g));
    set("c", v.f * v.old_c + v.i * v.g);
    set("t", Math.tanh(v.c));
    set("h", v.o * v.t);
    v.L = given.d_h * v.h + given.d_c * v.c;
    return v;
  }

  /* The gradient of the loss at each node, by the lesson's step_back; slip: a mistake in it. */
  function backward(given, v, slip = "none") {
    const d = { h: given.d_h };
    d.o = d.h * v.t;
    d.t = d.h * v.o;
    d.c = (slip === "cell" ? 0 : given.d_c) + d.t * (slip === "tanh" ? 1 : 1 - v.t ** 2);
    Object.assign(d, { f: d.c * v.old_c, i: d.c * v.g, g: d.c * v.i, old_c: d.c * v.f });
    for (const gate of ["i", "f", "o"])
      d[`a_${gate}`] = d[gate] * (slip === "gate" ? 1 : v[gate] * (1 - v[gate]));
    d.a_g = d.g * (1 - v.g ** 2);
    return d;
  }

  /* (L(x + ε) − L(x − ε)) / 2ε at a node. */
  const nudge = (given, node, size = EPSILON) =>
    (forward(given, { [node]: size }).L - forward(given, { [node]: -size }).L) / (2 * size);

  /* Boxes in four columns; arrows from the loss down, against the direction of the computation. */
  function layout(width) {
    const column = Math.min(width, 520) / 4;
    const start = (width - 4 * column) / 2;
    const boxes = { L: { x: start + 2.5 * column, y: 20, width: 2.9 * column, height: 38 } };
    const rows = [[, , "t", "h"], ["old_c", "c"], ["f", "i", "g", "o"], ["a_f", "a_i", "a_g", "a_o"]];
    rows.forEach((row, r) => row.forEach((node, k) => {
      boxes[node] = { x: start + (k + 0.5) * column, y: 105 + 95 * r, width: column - 10, height: 62 };
    }));
    const arrows = {};
    for (const name of ARROWS) {
      const [from, to] = name.split("-").map((node) => boxes[node]);
      const side = Math.sign(to.x - from.x); // the loss is wide: down from it
      const path = from.y === to.y
        ? [[from.x + (side * from.width) / 2, from.y], [to.x - (side * to.width) / 2, to.y]]
        : [[from === boxes.L ? to.x : from.x + side * 0.2 * column, from.y + from.height / 2],
          [to.x - (from === boxes.L ? 0 : side * 0.2 * column), to.y - to.height / 2]];
      arrows[name] = { path };
    }
    return { height: 425, boxes, arrows };
  }

  function build(place) {
    const given = { ...START, ...SENT };
    const diagram = new Diagram(layout);
    const say = new Say();
    const told = h("p", { class: "pg-readout" });
    const choice = (names) => h("select", {}, ...names.map(([value, text]) => h("option", { value }, text)));
    const slip = choice(Object.entries(SLIPS));
    const input = choice(Object.keys(START).map((node) => [node, shown(node)]));
    const format = (k) => (k ? `${k} of ${ORDER.length}: ${shown(ORDER[k - 1][0])}` : "forward only");
    const steps = { min: 0, max: ORDER.length, step: 1, value: 4, format, onInput: show };
    const step = new Slider({ label: "Step of the backward pass", ...steps });
    const set = (value) => { given[input.value] = value; show(); };
    const limits = { min: -3, max: 3, step: 0.05, value: START.a_f, format: signed };
    const value = new Slider({ label: "Its value", ...limits, onInput: set });
    slip.addEventListener("input", show);
    input.addEventListener("input", () => (value.value = given[input.value]));
    place.append(
      h(
        "div", { class: "lv-controls" }, step.element, labelled("Derivatives", slip),
        labelled("Change", input), value.element,
      ),
      diagram.element, told, say.element,
    );

    function show() {
      const v = forward(given);
      const d = backward(given, v, slip.value);
      const reached = ORDER.slice(0, step.value).map(([node]) => node);
      const values = { L: `loss ${signed(v.L, 3)}` };
      let wrong = 0;
      for (const [node] of ORDER) {
        const rate = nudge(given, node);
        const off = reached.includes(node) && Math.abs(rate - d[node]) > 1e-6;
        wrong += off;
        const lines = reached.includes(node) ? `\n∂ ${signed(d[node], 3)}\nε ${signed(rate, 3)}` : "";
        const kind = `${node === reached.at(-1) ? "lv-at" : ""} ${off ? "lv-wrong" : ""}`;
        values[node] = [`${shown(node)} ${signed(v[node])}${lines}`, kind];
      }
      const [node, rule] = ORDER[step.value - 1] ?? [];
      const rate = node && nudge(given, node);
      const gradient = node && `Gradient of ${shown(node)}: ${rule}, together ${signed(d[node], 3)}. ` +
        `A nudge by ε there changes the loss by ${signed(rate, 3)} ε. `;
      const verdict = wrong ? `${wrong} of ${reached.length} gradients are not what a nudge does.` : "";
      told.textContent = gradient ? gradient + verdict : "Values only: the backward pass has not begun.";
      diagram.show(values, told.textContent);
      say.say(told.textContent);
    }

    show();
  }

  return { title: "The backward pass, number by number", backward, build, forward, layout, nudge };
});
