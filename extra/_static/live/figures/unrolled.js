"use strict";
/* The small network of the lesson on the vanilla RNN that has learned "hell" -> "ello", unrolled
   over letters that the reader types: its state after each, and what it expects next. */
charbook.live("unrolled", ["page", "grid", "slider", "barChart", "say"], [], (
  { h, labelled, percent }, Grid, Slider, BarChart, Say,
) => {
  const LETTERS = "ehlo";
  const [START, MOST] = ["hell", 12]; // letters
  // The first of the lesson's six networks (seed 0), rounded: E = 3, H = 5.
  const WEIGHTS = {
    embedding: [[2.653, -0.397, -1.623], [-0.165, -2.243, -1.565], [0.152, 1.462, -0.226], [-0.403,
      -0.597, 0.182]],
    W_x: [[0.223, -0.271, 0.1], [-1.022, -1.184, -0.243], [-0.794, 0.821, 0.205], [-0.263, -0.461,
      -0.66], [-0.49, 1.49, 0.365]],
    W_h: [[-0.673, 0.361, -0.682, 0.867, -1.44], [-0.58, -0.732, 1.384, -0.768, 0.885], [0.245, -0.632,
      1.064, -1.062, 0.86], [0.309, 0.009, 1.443, -0.858, 1.457], [0.363, -0.882, 0.177, -0.192,
      0.299]],
    b: [1.721, 0.449, -1.682, 0.375, 0.326],
    W_y: [[1.013, 1.891, -0.943, 0.922, -1.039], [-0.963, 0.26, 0.293, -0.359, -0.536], [1.525, -1.52,
      -1.202, -1.497, 0.353], [-1.365, 0.114, 1.467, 1.045, 1.271]],
    b_y: [0.35, -1.207, 1.013, 1.126],
  };

  const dot = (row, vector) => row.reduce((sum, weight, k) => sum + weight * vector[k], 0);

  /* A word of these letters -> the states (T, H), h_t = tanh(W_x x_t + W_h h_{t-1} + b). */
  function states(word) {
    const { embedding, W_x, W_h, b } = WEIGHTS;
    const all = [];
    let state = b.map(() => 0);
    for (const letter of word) {
      const x = embedding[LETTERS.indexOf(letter)];
      const before = state;
      state = b.map((bias, j) => Math.tanh(dot(W_x[j], x) + dot(W_h[j], before) + bias));
      all.push(state);
    }
    return all;
  }

  /* A state (H,) -> the probabilities (V,) of the next letter. */
  function predicted(state) {
    const logits = WEIGHTS.b_y.map((bias, i) => bias + dot(WEIGHTS.W_y[i], state));
    const most = Math.max(...logits);
    const weights = logits.map((logit) => Math.exp(logit - most));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return weights.map((weight) => weight / total);
  }

  function build(place) {
    const typed = { type: "text", spellcheck: "false", autocomplete: "off", autocapitalize: "none" };
    const word = h("input", typed);
    word.value = START;
    const at = new Slider({
      label: "Look at step", min: 1, max: START.length, step: 1, value: START.length, onInput: show,
      format: (t) => `${t}, after “${letters().slice(0, t)}”`,
    });
    const grid = new Grid({ square: 46, onPoint: (_, t) => { at.value = t + 1; show(); } });
    const bars = new BarChart({
      heads: [["next", "next letter"], ["", "bar"], ["p", "probability"]],
    });
    const readout = h("p", { class: "pg-readout" });
    const say = new Say();
    word.addEventListener("input", () => {
      at.input.max = Math.max(letters().length, 1);
      at.value = letters().length;
      show();
    });
    place.append(
      h("div", { class: "lv-controls" }, labelled("A word of the letters e, h, l, o", word), at.element),
      h("div", { class: "lv-beside" }, grid.element, h("div", {}, bars.element, readout)), say.element,
    );

    /* What the network can read of what was typed; never nothing. */
    function letters() {
      const known = Array.from(word.value.toLowerCase()).filter((c) => LETTERS.includes(c));
      return known.slice(0, MOST).join("") || LETTERS[1];
    }

    function show() {
      const read = letters();
      const all = states(read);
      const t = Math.min(at.value, read.length) - 1;
      const units = all[0].map((_, j) => all.map((state) => state[j]));
      const p = all.map(predicted);
      const best = p.map((row) => LETTERS[row.indexOf(Math.max(...row))]);
      const told = `After ${read.slice(0, t + 1)} it expects ${best[t]} (${percent(Math.max(...p[t]))}).`;
      grid.show({
        values: units, rows: units.map((_, j) => `unit ${j + 1}`), columns: Array.from(read),
        low: -1, high: 1, format: (value) => value.toFixed(1).replace("-", "−"), chosen: { column: t },
        label: `The states of five units after each letter of ${read}. ${told}`,
      });
      bars.show(
        p[t].map((value, i) => ({
          name: LETTERS[i], value, cells: [percent(value)], kind: LETTERS[i] === best[t] ? "pg-drawn" : "",
        })),
        { caption: `Next letter after “${read.slice(0, t + 1)}”`, most: 1 },
      );
      readout.textContent = `Letter by letter it reads ${read} and expects ${best.join("")}.`;
      say.say(`${readout.textContent} ${told}`);
    }

    show();
  }

  return { title: "A network unrolled", build, LETTERS, WEIGHTS, predicted, states };
});
