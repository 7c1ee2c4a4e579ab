"use strict";
/* A heatmap of few numbers: rows and columns with names, the numbers in the squares where there
   is room. For 128 units over a text there is the playground's heatmap.js. */
charbook.define("grid", ["page", "svg", "shades"], (
  { pointerMoved }, { Picture, svg, words }, { ink, onMode, shade },
) => {
  const LEFT = 64; // of the squares, for the rows' names
  const TOP = 22;

  return class Grid {
    /* onPoint(row, column) while a pointer is over a square; what it shows must also be
       reached with a native control. */
    constructor({ onPoint = null, square = 30 } = {}) {
      Object.assign(this, { square, given: null });
      this.picture = new Picture((width) => this.#draw(width));
      this.element = this.picture.element;
      onMode(() => this.picture.redraw());
      if (onPoint)
        this.picture.picture.addEventListener("pointermove", (event) => {
          const place = event.target.closest?.("[data-row]")?.dataset;
          if (place && pointerMoved(event)) onPoint(Number(place.row), Number(place.column));
        });
    }

    /* values: rows of numbers, null for an empty square; rows, columns: names; low, high;
       format(value) -> text in a square; chosen: {row, column}, either absent; label: all in a
       sentence */
    show(given) {
      this.given = given;
      this.picture.redraw();
    }

    #draw(width) {
      if (!this.given) return { height: 1, parts: [], label: "" };
      const { values, rows, columns, low, high, format, chosen = {}, label } = this.given;
      const side = Math.min(this.square, (width - LEFT - 2) / columns.length);
      const parts = [];
      columns.forEach((name, c) =>
        parts.push(words(LEFT + (c + 0.5) * side, TOP - 7, name, { anchor: "middle", kind: "lv-mono" })),
      );
      rows.forEach((name, r) => {
        const y = TOP + r * side;
        parts.push(words(LEFT - 7, y + side / 2 + 5, name, { anchor: "end", kind: "lv-mono" }));
        values[r].forEach((value, c) => {
          const at = { x: LEFT + c * side, y, width: side, height: side };
          const picked = chosen.row === r || chosen.column === c;
          const rgb = value === null ? null : shade(value, low, high);
          const kind = `lv-square ${picked ? "lv-chosen" : ""}`;
          const fill = rgb ? `rgb(${rgb})` : "none";
          parts.push(svg("rect", { ...at, fill, class: kind, "data-row": r, "data-column": c }));
          if (!rgb || !format || side < 28) return;
          const middle = { anchor: "middle", kind: "lv-small" };
          const text = words(at.x + side / 2, y + side / 2 + 4, format(value), middle);
          text.style.fill = ink(rgb);
          parts.push(text);
        });
      });
      return { height: TOP + rows.length * side + 2, parts, label };
    }
  };
});
