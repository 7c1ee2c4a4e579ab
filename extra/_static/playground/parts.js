"use strict";
/* The live figures are plain scripts, loaded in order and without a build step. Each defines one
   part under a name, from the parts that it needs. Where one is missing, or the browser is too
   old for it, what needs it stays undefined and the page keeps the sentence in a figure's place.

   The sources are kept for a Web Worker, which cannot load files from file://. */
globalThis.charbook = (function factory() {
  const definitions = new Map(); // name -> {needs, make}
  const parts = { define, script };

  function define(name, needs, make) {
    const missing = needs.filter((need) => !(need in parts));
    if (missing.length) throw new Error(`${name} cannot be shown without ${missing.join(", ")}`);
    parts[name] = make(...needs.map((need) => parts[need]));
    definitions.set(name, { needs, make });
  }

  /* The source of a script that defines one part and all that it needs. */
  function script(name) {
    const wanted = new Set([name]);
    const lines = [];
    for (const [each, { needs, make }] of [...definitions].reverse()) {
      if (!wanted.has(each)) continue;
      for (const need of needs) wanted.add(need);
      lines.unshift(`charbook.define("${each}", ${JSON.stringify(needs)}, ${make});`);
    }
    return ['"use strict";', `globalThis.charbook = (${factory})();`, ...lines].join("\n");
  }

  return parts;
})();
