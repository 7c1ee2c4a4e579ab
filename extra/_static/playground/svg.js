"use strict";
/* What pictures are drawn with: elements of SVG, and a picture that is drawn again when its
   width changes. */
charbook.define("svg", ["page"], ({ h }) => {
  /* An element with attributes; children: elements, or one text. */
  function svg(tag, attributes = {}, ...children) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }

  /* Words in a picture, at (x, y); anchor: start, middle or end. */
  const words = (x, y, text, { anchor = "start", kind = "" } = {}) =>
    svg("text", { x, y, "text-anchor": anchor, class: kind }, text);

  /* A picture as wide as its place; one unit is a CSS pixel, so text has the size it is given. */
  class Picture {
    /* draw(width) -> {height, parts: elements, label: the picture in a sentence} */
    constructor(draw) {
      this.draw = draw;
      this.picture = svg("svg", { role: "img", "aria-label": "a picture" });
      this.element = h("div", { class: "lv-picture" }, this.picture);
      new ResizeObserver(() => this.redraw()).observe(this.element);
    }

    redraw() {
      const width = Math.floor(this.element.clientWidth);
      if (!width) return;
      const { height, parts, label } = this.draw(width);
      this.picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
      this.picture.setAttribute("height", height);
      this.picture.setAttribute("aria-label", label);
      this.picture.replaceChildren(...parts);
    }
  }

  return { Picture, svg, words };
});
