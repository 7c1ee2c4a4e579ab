"use strict";
/* A trained Transformer with some of its heads, or its positions, switched off: what that costs on
   the reader's text, in all and character by character. */
charbook.live("transformer",
  ["page", "numbers", "transformer", "engine", "barChart", "strip", "slices", "say"],
  ["models/transformer"],
  ({ h, labelled, visible }, { signed }, _, { load }, BarChart, Strip, Slices, Say) => {
    const LONGEST = 240; // characters of a text
    const START = {
      text: "Enter the king, the queen and the king's men.\n\nKING:\nThe king is here, and here the queen.",
      off: [[0, 1]],
    };
    const WORST = 2; // nats of change at which a character has the full colour

    /* Nats of each character but the first; options: those of the engine's start: a generator. */
    function* losses(model, ids, options = {}) {
      const state = model.start(options);
      const nats = [];
      for (let t = 0; t + 1 < ids.length; t++) {
        const logits = model.step(state, ids[t]);
        const most = Math.max(...logits);
        const total = logits.reduce((sum, logit) => sum + Math.exp(logit - most), 0);
        nats.push(Math.log(total) + most - logits[ids[t + 1]]);
        yield;
      }
      return nats;
    }

    const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

    function build(place, { transformer }) {
      const model = load(transformer);
      const [slices, later] = [new Slices(), new Slices()];
      let [ids, whole] = [[], []];
      const text = h("textarea", { rows: "4", maxlength: String(LONGEST), spellcheck: "false" }, START.text);
      const positions = h("input", { type: "checkbox", checked: true });
      const boxes = [];
      const rows = Array.from({ length: model.layers }, (_each, layer) => h(
        "tr", {}, h("th", { scope: "row" }, `layer ${layer + 1}`),
        ...Array.from({ length: model.heads }, (_one, head) => {
          const off = START.off.some(([a, b]) => a === layer && b === head);
          const box = h("input", { type: "checkbox", checked: !off, onchange: cut });
          box.setAttribute("aria-label", `layer ${layer + 1}, head ${head + 1}`);
          const cost = h("span");
          boxes.push({ layer, head, box, cost });
          return h("td", {}, box, " ", cost);
        }),
      ));
      const name = (_each, k) => h("th", { scope: "col" }, `head ${k + 1}`);
      const heads = Array.from({ length: model.heads }, name);
      const bars = new BarChart({
        caption: "Loss on this text", kind: "lv-names",
        heads: [["", "network"], ["", "bar"], ["nats", "nats per character"]],
      });
      const strip = new Strip("Your text, coloured by what the cut costs at each character");
      const told = h("p", { class: "pg-readout" });
      const say = new Say();
      text.addEventListener("input", write);
      positions.addEventListener("change", cut);
      place.append(
        labelled("Your text", text),
        h(
          "div", { class: "lv-beside" },
          h(
            "div", {},
            h(
              "table", { class: "lv-table" },
              h("caption", {}, "Heads that are on; beside each, what it costs to switch off it alone"),
              h("thead", {}, h("tr", {}, h("td"), ...heads)), h("tbody", {}, ...rows),
            ),
            h("label", {}, positions, " positions"),
          ),
          bars.element,
        ),
        strip.box, strip.scale, told, say.element,
      );

      /* Another text: its loss with the whole network, then with the cut, then head by head. */
      function write() {
        const known = Array.from(text.value).filter((character) => model.ids.has(character));
        if (known.length < 2) return; // what was there stays
        if (!ids.length) strip.set(known);
        told.textContent = "The text is being read …";
        ids = known.map((character) => model.ids.get(character));
        whole = [];
        for (const { cost } of boxes) cost.textContent = "…";
        slices.run(losses(model, ids), (nats) => {
          whole = nats;
          strip.set(known);
          cut();
          later.run(eachAlone(ids));
        });
      }

      function* eachAlone(read) {
        for (const { layer, head, cost } of boxes) {
          const nats = yield* losses(model, read, { off: [[layer, head]] });
          if (read !== ids) return; // another text has come
          cost.textContent = plus(mean(nats) - mean(whole));
        }
      }

      const plus = (nats) => `${nats > 0 ? "+" : ""}${signed(nats)}`;

      function cut() {
        const off = boxes.filter(({ box }) => !box.checked).map(({ layer, head }) => [layer, head]);
        told.textContent = `${without(off)}: being computed …`;
        if (!whole.length) return; // still reading: it comes back
        slices.run(losses(model, ids, { off, rotary: positions.checked }), (nats) => show(off, nats));
      }

      function without(off) {
        const gone = positions.checked ? [] : ["positions"];
        if (off.length) gone.unshift(`${off.length} of ${boxes.length} heads`);
        return gone.length ? `Without ${gone.join(" and without ")}` : "With all heads and positions";
      }

      function show(off, nats) {
        const [all, now, uniform] = [mean(whole), mean(nats), Math.log(model.V)];
        bars.show([
          { name: "whole", value: all, cells: [signed(all)] },
          { name: "cut", value: now, cells: [signed(now)] },
          { name: `1 in ${model.V}`, value: uniform, cells: [signed(uniform)], kind: "lv-cut" },
        ]);
        const change = nats.map((value, t) => value - whole[t]);
        strip.colour([null, ...change], -WORST, WORST, ["better by 2 nats", "worse by 2 nats"]);
        const worst = change.indexOf(Math.max(...change));
        const character = visible(model.characters[ids[worst + 1]]);
        told.textContent = `${without(off)}: ${signed(now)} nats per character, ${plus(now - all)}; the ` +
          `largest rise is at “${character}”, place ${worst + 2}, ${plus(change[worst])}.`;
        say.say(told.textContent);
      }

      write();
    }

    return { title: "Switch off a head", build, losses };
  });
