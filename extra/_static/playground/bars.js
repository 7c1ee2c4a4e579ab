"use strict";
/* The most probable next characters as a table with bars. */
charbook.define("bars", ["sampling", "page"], (
  { byProbability, nextDistribution }, { h, percent, visible },
) => {
  const ROWS = 10;
  const HEADS = [
    ["char", "character"], ["", "bar"], ["drawn", "probability to be drawn, with the settings as they are"],
    ["model", "probability the model gives"],
  ];

  class Bars {
    constructor(kind = "") {
      this.caption = h("caption", {}, "Next character");
      this.rows = Array.from({ length: ROWS }, () => this.#newRow());
      const heads = HEADS.map(([short, long]) =>
        h(
          "th", { scope: "col" },
          h("span", { "aria-hidden": "true" }, short), h("span", { class: "pg-hidden" }, long),
        ),
      );
      this.table = h(
        "table", { class: `pg-bars ${kind}` }, this.caption,
        h("thead", {}, h("tr", {}, ...heads)), h("tbody", {}, ...this.rows.map((row) => row.tr)),
      );
    }

    #newRow() {
      const [bar, tick] = [h("i"), h("b")];
      const [name, drawn, model] = [h("th", { scope: "row" }), h("td"), h("td")];
      const picture = h("div", { class: "pg-bar", "aria-hidden": "true" }, bar, tick);
      const tr = h("tr", { hidden: true }, name, h("td", {}, picture), drawn, model);
      return { name, bar, tick, drawn, model, tr };
    }

    clear() {
      this.caption.textContent = "Next character";
      for (const row of this.rows) row.tr.hidden = true;
    }

    /* The model's probabilities at a place, and where given those that the settings make of them.
       id: of the character that stands there, or null. The largest bar fills the width. */
    show(model, { id, predicted }, number, settings = null) {
      this.caption.textContent = `What could stand at place ${number}`;
      const order = predicted ? byProbability(predicted).slice(0, ROWS) : [];
      if (predicted && id !== null && !order.includes(id)) order[ROWS - 1] = id;
      const drawn = predicted && settings && nextDistribution(predicted.map(Math.log), settings);
      const most = Math.max(...order.map((i) => Math.max(predicted[i], drawn?.[i] ?? 0)));
      this.rows.forEach((row, k) => {
        const i = order[k];
        row.tr.hidden = i === undefined;
        if (i === undefined) return;
        const p = drawn ? drawn[i] : predicted[i];
        row.tr.classList.toggle("pg-drawn", i === id);
        row.name.textContent = visible(model.characters[i]);
        row.bar.style.width = `${(100 * p) / most}%`;
        row.tick.hidden = !drawn;
        row.tick.style.left = `calc(${(100 * predicted[i]) / most}% - 1px)`;
        row.drawn.textContent = drawn ? (p === 0 ? "cut" : percent(p)) : "";
        row.model.textContent = percent(predicted[i]);
      });
    }
  }

  return { Bars };
});
