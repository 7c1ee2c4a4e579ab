"use strict";
/* The slider of the lesson on the GRU: one number that marks an open question, kept from character
   to character as far as z lets it, in both conventions of what z = 1 means. */
charbook.live("gru", ["page", "numbers", "svg", "slider", "say"], [], (
  { h, labelled, quoted, visible }, { signed }, { Picture, svg, words }, Slider, Say,
) => {
  const LONGEST = 28; // characters of a text
  const START = { text: "Who's there? Nay, answer", z: 0.8 };
  const CANDIDATE = { W: 1, "?": -1 }; // every other character proposes 0
  const CONVENTIONS = [ // name, whether z keeps, kind of line
    ["z keeps the old value (PyTorch)", true, "lv-one"], ["z lets the candidate in", false, "lv-two"],
  ];
  const [HEIGHT, TOP, BOTTOM] = [220, 34, 170];

  const slide = (z, old, candidate) => (1 - z) * candidate + z * old;

  /* The unit's value after each character: a proposal other than 0 is taken whole, and elsewhere
     z decides; keeps: whether z = 1 keeps the old value or replaces it. */
  function oneUnit(text, z, keeps = true) {
    let value = 0;
    return Array.from(text, (character) => {
      const share = character in CANDIDATE ? 0 : keeps ? z : 1 - z; // of the old value
      return (value = slide(share, value, CANDIDATE[character] ?? 0));
    });
  }

  function build(place) {
    const attributes = { maxlength: String(LONGEST), spellcheck: "false", autocomplete: "off" };
    const text = h("input", { type: "text", ...attributes });
    text.value = START.text;
    const range = { min: 0, max: 1, step: 0.01, value: START.z };
    const label = "z at all other characters";
    const z = new Slider({ label, ...range, format: signed, onInput: show });
    const picture = new Picture(draw);
    const say = new Say();
    const told = h("p", { class: "pg-readout" });
    let lines = [];
    text.addEventListener("input", show);
    place.append(
      h("div", { class: "lv-controls" }, labelled("A text with W and ?", text), z.element),
      picture.element, told, say.element,
    );

    function show() {
      if (!text.value) return; // what was there stays
      lines = CONVENTIONS.map(([name, keeps, kind]) =>
        ({ name, kind, values: oneUnit(text.value, z.value, keeps) }));
      picture.redraw();
      const last = Array.from(text.value).at(-1);
      const [keeps, lets] = lines.map(({ values }) => signed(values.at(-1)));
      const [old, candidate] = [lines[0].values.at(-2) ?? 0, CANDIDATE[last] ?? 0];
      const share = last in CANDIDATE ? 0 : z.value;
      const sum = `${signed(1 - share)} · ${signed(candidate)} + ${signed(share)} · ${signed(old)}`;
      told.textContent = `At ${quoted(last)}: ${sum} = ${keeps} where z keeps, and ${lets} where z lets ` +
        "the candidate in.";
      say.say(told.textContent);
    }

    function draw(width) {
      const characters = Array.from(text.value || START.text);
      const wide = Math.min(34, (width - 40) / characters.length);
      const x = (t) => 36 + (t + 0.5) * wide;
      const y = (value) => (TOP + BOTTOM) / 2 - (value * (BOTTOM - TOP)) / 2;
      const parts = [-1, 0, 1].flatMap((value) => [
        svg("line", { class: "lv-grid", x1: 30, x2: width, y1: y(value), y2: y(value) }),
        words(24, y(value) + 4, signed(value, 0), { anchor: "end" }),
      ]);
      characters.forEach((character, t) => {
        const kind = `lv-mono ${character in CANDIDATE ? "lv-name" : ""}`;
        parts.push(words(x(t), BOTTOM + 22, visible(character), { anchor: "middle", kind }));
      });
      lines.forEach(({ name, kind, values }, k) => {
        const points = values.map((value, t) => `${x(t).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
        parts.push(svg("polyline", { class: kind, points }));
        const dot = (value, t) => svg("circle", { class: kind, cx: x(t), cy: y(value), r: 3 });
        parts.push(...values.map(dot));
        const at = 4 + k * Math.min(250, width / 2);
        parts.push(svg("line", { class: kind, x1: at, x2: at + 22, y1: 10, y2: 10 }));
        parts.push(words(at + 27, 14, width < 480 ? ["z keeps", "z lets in"][k] : name));
      });
      parts.push(words(width / 2, HEIGHT - 6, "character read", { anchor: "middle" }));
      const ends = lines.map(({ name, values }) => `${name}: ${signed(values.at(-1) ?? 0)}`).join("; ");
      const label = `The value of the unit after each character. At the end, ${ends}.`;
      return { height: HEIGHT, parts, label };
    }

    show();
  }

  return { title: "One slider between old and new", build, oneUnit, slide };
});
