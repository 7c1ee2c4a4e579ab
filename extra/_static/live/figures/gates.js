"use strict";
/* The reader's text coloured by any unit of the trained LSTM, and by one of a network with random
   weights: the units in the order of how well they mark a stretch that the reader selects. */
charbook.live("gates", ["page", "numbers", "engine", "units", "slider", "strip", "slices", "say"],
  ["models/lstm"],
  ({ h, labelled, visible }, { signed }, { Model, load }, units, Slider, Strip, Slices, Say) => {
  const LONGEST = 600; // characters of a text
  const SEED = 1; // of the random weights
  const FIELDS = { // of the engine's state -> name, and how far its values go; null: as far as they do
    c: ["cell state c", null], h: ["hidden state h", 1], cell: ["candidate g", 1],
    input: ["input gate i", 0], forget: ["forget gate f", 0], output: ["output gate o", 0],
  };
  const START = {
    text: "You shall hear me.\n\nOLIVER:\nKnow you where you are?\n\nORLANDO:\nO, sir, very well: here in " +
      "your orchard.\n\nOLIVER:\nKnow you before whom, sir?",
    from: 53, to: 61,
  };

  /* A text and the ends of a selection in it -> the characters that the model knows, and the
     stretch among them: the selection, or where nothing is selected the stretch before it. */
  function chosen(model, text, start, end, before) {
    const known = (some) => Array.from(some).filter((character) => model.ids.has(character));
    const characters = known(text);
    let stretch = [start, end].map((at) => known(text.slice(0, at)).length);
    if (stretch[0] === stretch[1]) stretch = before.map((at) => Math.min(at, characters.length));
    const whole = stretch[1] - stretch[0] >= characters.length;
    return { characters, stretch: whole || stretch[0] === stretch[1] ? null : stretch };
  }

  function build(place, { lstm }) {
    const trained = load(lstm);
    const [slices, sorting] = [new Slices(), new Slices()];
    let [networks, values, orders, characters, stretch] = [[trained], [], [], [], [START.from, START.to]];
    const say = new Say();
    const text = h("textarea", { rows: "6", maxlength: String(LONGEST), spellcheck: "false" }, START.text);
    const options = Object.entries(FIELDS).map(([value, [name]]) => h("option", { value }, name));
    const field = h("select", {}, ...options);
    const format = (k) => (k === 1 ? "the best" : `number ${k} of ${trained.H}`);
    const limits = { min: 1, max: trained.H, step: 1, value: 1 };
    const rank = new Slider({ label: "Unit", ...limits, format, onInput: paint });
    const sides = ["Trained", `Random (seed ${SEED})`].map((name) => {
      const strip = new Strip(`Your text, coloured by a unit of this network: ${name}`);
      const head = h("p", { class: "lv-label" });
      return { name, strip, head, element: h("div", {}, head, strip.box, strip.scale) };
    });
    const told = h("p", { class: "pg-readout" });
    place.append(
      labelled("Your text: select a stretch of it, with the mouse or with Shift and the arrows", text),
      h("div", { class: "lv-controls" }, labelled("Colour by", field), rank.element),
      h("div", { class: "lv-beside" }, ...sides.map(({ element }) => element)), told, say.element,
    );
    text.addEventListener("input", write);
    document.addEventListener("selectionchange", () => document.activeElement === text && brush());
    field.addEventListener("input", () => sorting.run(order()));

    function write() {
      const now = chosen(trained, text.value, text.selectionStart, text.selectionEnd, stretch);
      if (!now.characters.length) return; // what was there stays
      const same = now.characters.findIndex((character, t) => character !== characters[t]);
      const kept = same < 0 ? now.characters.length : same; // what was read of them stays true
      values = values.map((fields) => Object.fromEntries(
        Object.entries(fields).map(([name, rows]) => [name, rows.slice(0, kept)])));
      ({ characters } = now);
      for (const { strip } of sides) strip.set(characters);
      paint();
      slices.run(reading());
    }

    /* Both networks read, the random one is drawn before its first text; what the trained one does
       is shown as soon as it is known. */
    function* reading() {
      const ids = characters.map((character) => trained.ids.get(character));
      const read = [yield* units.read(trained, ids)];
      if (networks.length === 1) {
        values = [...read];
        yield* order();
        const weights = yield* units.untrained(trained.config, SEED);
        yield;
        networks.push(new Model(trained.config, trained.characters.join(""), weights));
        yield;
      }
      read.push(yield* units.read(networks[1], ids));
      values = read;
      yield* order();
    }

    function brush() {
      const { selectionStart: start, selectionEnd: end } = text;
      const now = chosen(trained, text.value, start, end, stretch);
      const still = start === end || !now.stretch || String(now.stretch) === String(stretch);
      if (still || now.characters.length !== characters.length) return;
      ({ stretch } = now);
      rank.value = 1;
      sorting.run(order());
    }

    /* Each network's units by how well they mark the stretch. */
    function* order() {
      const [from, to] = stretch.map((at) => Math.min(at, characters.length));
      const [found, given] = [[], values];
      if (given[0]?.c.length !== characters.length) return; // still reading
      for (const each of values.map((fields) => fields[field.value])) {
        const [r] = units.correlations(each, from, to);
        yield;
        found.push({ r, order: units.ranked(r), chance: units.byChance(each, from, to) });
        yield;
      }
      if (given !== values) return; // another text has been read
      orders = found;
      paint();
    }

    function paint() {
      const [name, most] = FIELDS[field.value];
      const [from, to] = stretch;
      const best = orders.map(({ r, order: sorted, chance }, k) => {
        const { strip, head, name: network } = sides[k];
        const unit = sorted[rank.value - 1];
        head.textContent = `${network}: unit ${unit}, r = ${signed(r[unit])}`;
        const shown = values[k][field.value].map((row) => row[unit]);
        const far = most ?? Math.max(0, ...shown.map(Math.abs));
        strip.colour(shown, -far, far || 1, far ? [signed(-far, 1), signed(far, 1)] : ["0, shut", "1, open"]);
        strip.spans.forEach((span, t) => {
          span.style.textDecoration = t >= from && t < to ? "underline 2px" : "";
        });
        return { r: signed(Math.abs(r[sorted[0]])), chance };
      });
      if (best.length < 2) return; // still reading
      const part = characters.slice(from, to).map(visible).join("");
      const band = best[0].chance === null ? "" : " Moved to any other place of this text, 95 % of such " +
        `stretches have a best unit below ${signed(best[0].chance)} in the trained network.`;
      told.textContent = `“${part}” and the ${name}: the best of ${trained.H} units has |r| = ` +
        `${best[0].r}, the best of the random network ${best[1].r}.${band}`;
      say.say(told.textContent);
    }

    write();
  }

  return { title: "Ask all 128 units", SEED, build, chosen };
});
