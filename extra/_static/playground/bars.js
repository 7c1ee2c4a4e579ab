"use strict";
/* The most probable next characters as a table with bars. */
charbook.define("bars", ["sampling", "barChart", "page"], (
  { byProbability, nextDistribution }, BarChart, { percent, visible },
) => {
  const ROWS = 10;
  const HEADS = [
    ["char", "character"], ["", "bar"], ["drawn", "probability to be drawn, with the settings as they are"],
    ["model", "probability the model gives"],
  ];
  const CAPTION = "Next character";

  return class Bars extends BarChart {
    constructor(kind = "") {
      super({ caption: CAPTION, heads: HEADS, kind });
    }

    clear() {
      super.show([], { caption: CAPTION });
    }

    /* The model's probabilities at a place, and where given those that the settings make of them.
       id: of the character that stands there, or null. */
    show(model, { id, predicted }, number, settings = null) {
      const order = predicted ? byProbability(predicted).slice(0, ROWS) : [];
      if (predicted && id !== null && !order.includes(id)) order[ROWS - 1] = id;
      const drawn = predicted && settings && nextDistribution(predicted.map(Math.log), settings);
      const rows = order.map((i) => {
        const name = visible(model.characters[i]);
        const kind = i === id ? "pg-drawn" : "";
        const given = percent(predicted[i]);
        if (!drawn) return { name, kind, value: predicted[i], cells: ["", given] };
        const now = drawn[i] === 0 ? "cut" : percent(drawn[i]);
        return { name, kind, value: drawn[i], mark: predicted[i], cells: [now, given] };
      });
      super.show(rows, { caption: `What could stand at place ${number}` });
    }
  };
});
