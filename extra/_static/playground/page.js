"use strict";
/* What all figures are built from: elements, labels, and numbers and characters as text. */
charbook.define("page", ["numbers"], ({ whole }) => {
  // Where the scripts lie, and with them the weights and texts that are loaded later.
  const here = document.currentScript.src.replace(/[^/]*$/, "");
  const VISIBLE = { " ": "␣", "\n": "↵", "\t": "⇥" }; // as in helpers/plotting.py

  const visible = (character) => VISIBLE[character] ?? character;
  const quoted = (character) => `“${visible(character)}”`;
  const percent = (p) =>
    p > 0 && p < 0.0005 ? "<\u00a00.1\u00a0%" : `${(100 * p).toFixed(1)}\u00a0%`;

  /* A message as a sentence. */
  const sentence = (text) =>
    `${text[0].toUpperCase()}${text.slice(1)}${text.endsWith(".") ? "" : "."}`;

  /* An element with attributes, listeners (on…) and children. */
  function h(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (typeof value === "boolean") element.toggleAttribute(name, value);
      else element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }

  let counter = 0;
  const newId = () => `pg-${++counter}`;

  /* A label, its control, and where given an output that shows the control's value. */
  function labelled(text, control, output = null) {
    control.id = newId();
    const label = h("label", { for: control.id }, text);
    if (output) {
      output.setAttribute("for", control.id);
      label.append(" ", output);
    }
    return h("div", {}, label, control);
  }

  /* A number field's value; NaN where it is empty, which Number would take for 0. */
  const numberIn = (control) => (control.value.trim() === "" ? NaN : Number(control.value));

  /* Whether the pointer itself has moved: a page that scrolls under it is not pointing. */
  let lastPosition = "";
  function pointerMoved({ screenX, screenY }) {
    const before = lastPosition;
    lastPosition = `${screenX} ${screenY}`;
    return lastPosition !== before;
  }

  /* Load one script more, from beside these, -> a promise. */
  function loadScript(name, what) {
    return new Promise((resolve, reject) => {
      const script = h("script", { src: `${here}${name}` });
      script.onload = () => resolve();
      script.onerror = () => reject(new Error(`${what}, ${script.src}, could not be loaded`));
      document.head.append(script);
    });
  }

  /* The pen of a canvas of so many CSS pixels, sharp on any screen, in a colour. */
  function sharpPen(canvas, width, height, colour) {
    const sharp = Math.min(devicePixelRatio || 1, 2);
    canvas.width = width * sharp;
    canvas.height = height * sharp;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    const pen = canvas.getContext("2d");
    pen.scale(sharp, sharp);
    pen.imageSmoothingEnabled = false;
    pen.fillStyle = pen.strokeStyle = colour;
    return pen;
  }

  return {
    h, labelled, loadScript, newId, numberIn, percent, pointerMoved, quoted, sentence, sharpPen, visible,
    whole,
  };
});
