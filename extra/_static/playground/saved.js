"use strict";
/* A trained network as a file: a script like those of helpers/cli/export.py, whose `read` reads
   this one too. */
charbook.define("saved", ["engine"], ({ load }) => {
  const SCRIPT = /^\(globalThis\.charbookModels \?\?= \{\}\)\["(?:[^"\\]|\\.)*"\] = (\{.*\});\s*$/s;

  function base64(values) {
    const bytes = new Uint8Array(values.buffer);
    let binary = "";
    for (let k = 0; k < bytes.length; k++) binary += String.fromCharCode(bytes[k]);
    return btoa(binary);
  }

  /* What `network` of a Training says, the shapes of its weights, its held-out loss -> the file. */
  function script({ config, updates, characters, weights, shapes, heldLoss }) {
    const packed = Object.entries(weights).map(([name, values]) => [
      name, { dtype: "float32", shape: shapes[name], data: base64(values) },
    ]);
    const description = {
      format: "character-by-character model", version: 1, config, characters,
      precision: "float32", largest_error: 0,
      about: { trained: "in the page", updates, held_out: "the text", held_out_nats: heldLoss },
      weights: Object.fromEntries(packed),
    };
    const ascii = JSON.stringify(description).replace(/[\u0080-\uffff]/g, (c) =>
      `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
    return `(globalThis.charbookModels ??= {})["trained-here"] = ${ascii};\n`;
  }

  /* A file that was saved -> {model, about}. It is read, never run. */
  async function openSaved(file) {
    try {
      const description = JSON.parse(SCRIPT.exec(await file.text())[1]);
      return { model: load(description), about: description.about };
    } catch {
      throw new Error(
        `“${file.name}” holds no network that this page can run: choose a file that Save it wrote, ` +
          "or python -m helpers export",
      );
    }
  }

  return { openSaved, script };
});
