"use strict";
/* A table with bars: a row has a name, a bar, perhaps a mark on it, and numbers as text. */
charbook.define("barChart", ["page"], ({ h }) => {
  return class BarChart {
    /* heads: [[short, in full] for the names, the bars, then each column of numbers] */
    constructor({ caption = "", heads, kind = "" }) {
      this.caption = h("caption", {}, caption);
      this.columns = heads.length - 2;
      const cells = heads.map(([short, long]) =>
        h(
          "th", { scope: "col" },
          h("span", { "aria-hidden": "true" }, short), h("span", { class: "pg-hidden" }, long),
        ),
      );
      this.body = h("tbody");
      this.rows = [];
      this.element = h(
        "table", { class: `pg-bars ${kind}` },
        this.caption, h("thead", {}, h("tr", {}, ...cells)), this.body,
      );
    }

    /* rows: [{name, value, mark, cells, kind}], where mark is a second value or absent, cells
       the numbers as text, and kind a class ("pg-drawn", "lv-cut") or absent. The longest bar
       is as long as there is room; most: the value that would be, if not the largest. */
    show(rows, { caption, most } = {}) {
      if (caption !== undefined) this.caption.textContent = caption;
      while (this.rows.length < rows.length) this.rows.push(this.#newRow());
      const all = rows.flatMap(({ value, mark = 0 }) => [Math.abs(value), Math.abs(mark)]);
      const longest = most ?? Math.max(...all, Number.MIN_VALUE);
      const width = (value) => `${Math.min(100, (100 * Math.abs(value)) / longest)}%`;
      this.rows.forEach((row, k) => {
        row.tr.hidden = k >= rows.length;
        if (row.tr.hidden) return;
        const { name, value, mark, cells = [], kind = "" } = rows[k];
        row.tr.className = kind;
        row.name.textContent = name;
        row.bar.style.width = width(value);
        row.bar.className = value < 0 ? "lv-negative" : "";
        row.mark.hidden = mark === undefined;
        row.mark.style.left = `calc(${width(mark ?? 0)} - 1px)`;
        row.cells.forEach((cell, c) => (cell.textContent = cells[c] ?? ""));
      });
    }

    #newRow() {
      const [bar, mark] = [h("i"), h("b")];
      const name = h("th", { scope: "row" });
      const cells = Array.from({ length: this.columns }, () => h("td"));
      const picture = h("div", { class: "pg-bar", "aria-hidden": "true" }, bar, mark);
      const tr = h("tr", {}, name, h("td", {}, picture), ...cells);
      this.body.append(tr);
      return { tr, name, bar, mark, cells };
    }
  };
});
