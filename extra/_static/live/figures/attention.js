"use strict";
/* Where a trained Transformer looks while it reads the reader's text: arcs from one character back
   to those that a head of attention gives its weight to. */
charbook.live("attention",
  ["page", "numbers", "transformer", "engine", "textView", "slider", "strip", "slices", "svg", "say"],
  ["models/transformer"],
  ({ h, labelled, percent, quoted, visible }, { signed }, _, { load }, { PlaceSlider }, Slider, Strip,
    Slices, { Picture, svg, words }, Say) => {
    const LONGEST = 240; // characters of a text
    const [WIDE, TALL, THICK] = [11, 190, 7]; // of a character, the arcs and the heaviest arc, in pixels
    const START = {
      text: "Where is the king? The king is in the\nforest. Is the king with the queen, or is the qu",
      head: 0,
    };

    /* ids -> for each character the weights [layer][head] of the positions in sight: a generator. */
    function* read(model, ids) {
      const state = model.start();
      const attention = [];
      for (const id of ids) {
        model.step(state, id);
        attention.push(state.attention);
        yield;
      }
      return attention;
    }

    /* Weights of position t over all positions of a text (T,); null for those out of sight. */
    function looks(attention, t, layer, head) {
      const weights = attention[t][layer][head];
      const first = t + 1 - weights.length;
      return attention.map((_each, u) => (u >= first && u <= t ? weights[u - first] : null));
    }

    /* The positions with the largest weights, the largest first. */
    const heaviest = (weights, count) =>
      [...weights.keys()].filter((u) => weights[u] !== null)
        .sort((a, b) => weights[b] - weights[a] || b - a).slice(0, count);

    function build(place, { transformer }) {
      const model = load(transformer);
      const slices = new Slices();
      let [attention, characters, weights, shown, stays] = [[], [], [], 0, 0];
      const inspect = (where, stay) => {
        if (stay) stays = where;
        shown = where ?? stays;
        paint();
      };
      const strip = new Strip("Your text, coloured by the weights of one head", inspect);
      const slider = new PlaceSlider("Character that looks back", inspect);
      const format = (k) => `layer ${Math.floor(k / model.heads) + 1}, head ${(k % model.heads) + 1}`;
      const limits = { min: 0, max: model.layers * model.heads - 1, step: 1, value: START.head };
      const head = new Slider({ label: "Head", ...limits, format, onInput: paint });
      const text = h("textarea", { rows: "3", maxlength: String(LONGEST), spellcheck: "false" }, START.text);
      const picture = new Picture(draw);
      const told = h("p", { class: "pg-readout" });
      const say = new Say();
      text.addEventListener("input", write);
      place.append(
        labelled("Your text", text), h("div", { class: "lv-controls" }, head.element, slider.element),
        picture.element, strip.box, strip.scale, told, say.element,
      );

      function write() {
        const known = Array.from(text.value).filter((character) => model.ids.has(character));
        if (!known.length) return; // what was there stays
        if (!characters.length) strip.set(known);
        slices.run(read(model, known.map((character) => model.ids.get(character))), (all) => {
          [attention, characters] = [all, known];
          shown = stays = known.length - 1;
          strip.set(known);
          paint();
        });
      }

      function paint() {
        if (!attention.length) return; // still reading
        const [layer, at] = [Math.floor(head.value / model.heads), head.value % model.heads];
        weights = looks(attention, shown, layer, at);
        const most = Math.max(...weights);
        strip.colour(weights, 0, most, ["no weight", percent(most)]);
        strip.highlight(shown);
        slider.set(shown, characters.length, characters[shown]);
        const far = (u) => (u === shown ? "itself" : `${shown - u} back`);
        const name = (u) => `${quoted(characters[u])} (${far(u)}, ${percent(weights[u])})`;
        const mean = weights.reduce((sum, weight, u) => sum + (weight ?? 0) * (shown - u), 0);
        told.textContent = `After ${quoted(characters[shown])}, ${head.output.textContent} looks most at ` +
          `${heaviest(weights, 3).map(name).join(", ")}; on average ${signed(mean, 1)} characters back.`;
        picture.redraw();
        say.say(told.textContent);
      }

      /* The characters up to the one that looks, as many as there is room for, and the arcs. */
      function draw(width) {
        if (!weights.length) return { height: TALL + 24, parts: [], label: "The text is being read." };
        const count = Math.min(shown + 1, model.context, Math.floor((width - 16) / WIDE));
        const first = shown + 1 - count;
        const x = (u) => (width - count * WIDE) / 2 + (u - first + 0.5) * WIDE;
        const parts = [];
        let before = 0; // weight to the left of what is drawn
        weights.forEach((weight, u) => {
          if (weight === null) return;
          if (u < first) before += weight;
          if (u < first || weight < 0.01) return;
          const rise = (TALL - 12) * Math.min(1, (shown - u + 4) / count);
          const thick = (THICK * Math.sqrt(weight)).toFixed(2);
          const arc = u === shown ? `M ${x(u)} ${TALL} v -14`
            : `M ${x(shown)} ${TALL} C ${x(shown)} ${TALL - rise}, ${x(u)} ${TALL - rise}, ${x(u)} ${TALL}`;
          const style = `stroke: var(--cbc-transformer); fill: none; stroke-width: ${thick}`;
          parts.push(svg("path", { d: arc, "data-place": u, style }));
        });
        for (let u = first; u <= shown; u++) {
          const kind = u === shown ? "lv-mono lv-name" : "lv-mono";
          parts.push(words(x(u), TALL + 18, visible(characters[u]), { anchor: "middle", kind }));
        }
        if (before >= 0.005)
          parts.push(words(4, 14, `further back: ${percent(before)}`, { kind: "lv-small" }));
        return { height: TALL + 24, parts, label: told.textContent };
      }

      write();
    }

    return { title: "Where a head looks", build, heaviest, looks, read };
  });
