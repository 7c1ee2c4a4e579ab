"use strict";
/* The most probable next characters as a table with bars. */
charbook.define("bars", ["sampling", "page"], ({ byProbability }, { h, percent, visible }) => {
  const ROWS = 10;
  const HEADS = [
    ["char", "character"], ["", "bar"], ["drawn", "probability it is drawn with"],
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

    /* The model's probabilities where this character came, and those after the settings. */
    show(model, { id, predicted, drawnFrom }, number) {
      this.caption.textContent = `What could stand at place ${number}`;
      const order = predicted ? byProbability(predicted).slice(0, ROWS) : [];
      if (predicted && !order.includes(id)) order[ROWS - 1] = id;
      this.rows.forEach((row, k) => {
        const i = order[k];
        row.tr.hidden = i === undefined;
        if (i === undefined) return;
        const p = drawnFrom ? drawnFrom[i] : predicted[i];
        row.tr.classList.toggle("pg-drawn", i === id);
        row.name.textContent = visible(model.characters[i]);
        row.bar.style.width = `${100 * p}%`;
        row.tick.hidden = !drawnFrom;
        row.tick.style.left = `calc(${100 * predicted[i]}% - 1px)`;
        row.drawn.textContent = drawnFrom ? (p === 0 ? "cut" : percent(p)) : "";
        row.model.textContent = percent(predicted[i]);
      });
    }
  }

  return { Bars };
});
