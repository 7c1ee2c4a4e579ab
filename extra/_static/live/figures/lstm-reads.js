"use strict";
/* The same tank fed by the trained LSTM: one unit of it while it reads the reader's text. */
charbook.live("lstm-reads", ["page", "numbers", "engine", "textView", "slider", "strip", "tank", "say"],
  ["models/lstm"],
  ({ h, labelled, quoted }, { signed }, { load }, { PlaceSlider }, Slider, Strip, { Tank }, Say) => {
  const LONGEST = 160; // characters of a text
  const START = {
    text: "If music be the food of love, play on,\nGive me excess of it; that surfeiting,\n" +
      "The appetite may sicken.",
    unit: 66,
  };
  const NAMES = { i: "input", f: "forget", g: "cell", o: "output", c: "c", h: "h" }; // in the engine

  /* ids -> for each character a copy of the state after it, under the engine's names */
  function read(model, ids) {
    const state = model.start();
    return ids.map((id) => {
      model.step(state, id);
      return Object.fromEntries(Object.values(NAMES).map((name) => [name, Float64Array.from(state[name])]));
    });
  }

  /* One unit at place t of what was read -> {before, i, f, g, o, c, h}. */
  function at(states, t, unit) {
    const values = Object.entries(NAMES).map(([short, name]) => [short, states[t][name][unit]]);
    return { before: t ? states[t - 1].c[unit] : 0, ...Object.fromEntries(values) };
  }

  function build(place, { lstm }) {
    const model = load(lstm);
    let [states, characters, shown, stays, reach] = [[], [], 0, 0, 1];
    const tank = new Tank();
    const say = new Say();
    const inspect = (where, stay) => {
      if (stay) stays = where;
      shown = where ?? stays;
      paint();
    };
    const strip = new Strip("Your text, coloured by the unit’s cell state", inspect);
    const slider = new PlaceSlider("Character", inspect);
    const format = (unit) => `${unit} of ${model.H - 1}`;
    const unit = new Slider({
      label: "Unit", min: 0, max: model.H - 1, step: 1, value: START.unit, format, onInput: colour,
    });
    const text = h("textarea", { rows: "3", maxlength: String(LONGEST), spellcheck: "false" }, START.text);
    const told = h("p", { class: "pg-readout" });
    text.addEventListener("input", write);
    place.append(
      labelled("Your text", text),
      h(
        "div", { class: "lv-beside" }, tank.element,
        h("div", {}, unit.element, strip.box, strip.scale, slider.element, told),
      ),
      say.element,
    );

    function write() {
      characters = Array.from(text.value).filter((character) => model.ids.has(character));
      if (!characters.length) return; // what was there stays
      states = read(model, characters.map((character) => model.ids.get(character)));
      shown = stays = characters.length - 1;
      strip.set(characters);
      colour();
    }

    function colour() {
      const levels = states.map(({ c }) => c[unit.value]);
      reach = Math.max(1, ...levels.map(Math.abs));
      strip.colour(levels, -reach, reach, [signed(-reach, 1), signed(reach, 1)]);
      paint();
    }

    function paint() {
      const step = at(states, shown, unit.value);
      strip.highlight(shown);
      slider.set(shown, characters.length, characters[shown]);
      tank.show(step, { where: ` at ${quoted(characters[shown])}`, reach });
      const unknown = Array.from(text.value).length - characters.length;
      const left = unknown ? ` ${unknown} characters that the network does not know were left out.` : "";
      told.textContent = `Reading ${quoted(characters[shown])}, unit ${unit.value} goes from ` +
        `${signed(step.before)} to ${signed(step.c)} and shows ${signed(step.h)}.${left}`;
      say.say(told.textContent);
    }

    setTimeout(write); // loading was a task already
  }

  return { title: "The tank, worked by a trained network", at, build, read };
});
