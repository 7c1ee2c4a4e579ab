"use strict";
/* A text of the reader's, counted as the lesson on text as data counts, beside Coriolanus. */
charbook.live("statistics", ["page", "barChart", "say"], ["texts/coriolanus"], (
  { h, labelled, percent, visible, whole }, BarChart, Say,
) => {
  const START = "It is a truth universally acknowledged, that a single man in possession of a good " +
    "fortune, must be in want of a wife.";
  const MOST = 100_000; // characters of a text
  const SHOWN = 12; // bars

  /* A text -> {count, bytes, distinct, entropy, shares: [[character, share]], the largest first}.
     The entropy is that of single characters, in bits; of equals the earlier code point first. */
  function statistics(text) {
    const characters = Array.from(text); // by code point, as in Python
    const times = new Map();
    for (const character of characters) times.set(character, (times.get(character) ?? 0) + 1);
    const count = characters.length;
    const order = [...times].sort(([a, m], [b, n]) => n - m || a.codePointAt(0) - b.codePointAt(0));
    const shares = order.map(([character, n]) => [character, n / count]);
    const entropy = shares.reduce((sum, [, p]) => sum - p * Math.log2(p), 0);
    return { count, bytes: new TextEncoder().encode(text).length, distinct: times.size, entropy, shares };
  }

  /* The characters of a text that another one does not have, in the order of their code points. */
  function unknown(text, other) {
    const known = new Set(other);
    const strange = [...new Set(text)].filter((character) => !known.has(character));
    return strange.sort((a, b) => a.codePointAt(0) - b.codePointAt(0));
  }

  function build(place, { coriolanus }) {
    const theirs = statistics(coriolanus);
    const shareThere = new Map(theirs.shares);
    const text = h("textarea", { rows: "4", spellcheck: "false", maxlength: MOST });
    text.value = START;
    const rows = [
      ["characters", ({ count }) => whole(count)],
      ["bytes in UTF-8", ({ bytes }) => whole(bytes)],
      ["distinct characters", ({ distinct }) => whole(distinct)],
      ["always guessing the most frequent: right", ({ shares }) => percent(shares[0]?.[1] ?? 0)],
      ["entropy of single characters, bits", ({ entropy }) => entropy.toFixed(2)],
    ];
    const cells = rows.map(([name, of]) => ({ of, name, mine: h("td", { class: "lv-number" }) }));
    const column = (name, kind = "lv-number") => h("th", { scope: "col", class: kind }, name);
    const table = h(
      "table", { class: "lv-table" },
      h("thead", {}, h("tr", {}, column("", ""), column("your text"), column("Coriolanus"))),
      h("tbody", {}, ...cells.map(({ name, of, mine }) =>
        h("tr", {}, h("th", { scope: "row" }, name), mine, h("td", { class: "lv-number" }, of(theirs))))),
    );
    const bars = new BarChart({
      caption: "The most frequent characters of your text",
      heads: [["char", "character"], ["", "bar: your text; line: Coriolanus"], ["yours", "your text"],
              ["play", "Coriolanus"]],
    });
    const readout = h("p", { class: "pg-readout" });
    const say = new Say();
    text.addEventListener("input", show);
    place.append(
      labelled("Your text", text),
      h("div", { class: "lv-beside" }, h("div", {}, table, readout), bars.element), say.element,
    );

    function show() {
      const mine = statistics(text.value);
      for (const { of, mine: cell } of cells) cell.textContent = of(mine);
      bars.show(mine.shares.slice(0, SHOWN).map(([character, value]) => {
        const there = shareThere.get(character) ?? 0;
        return { name: visible(character), value, mark: there, cells: [percent(value), percent(there)] };
      }));
      const strange = unknown(text.value, coriolanus);
      readout.textContent = strange.length
        ? `Not in the play: ${strange.slice(0, 20).map(visible).join(" ")}${strange[20] ? " …" : ""}`
        : "The play has every character of your text.";
      say.say(`${whole(mine.count)} characters, ${mine.distinct} distinct. ${readout.textContent}`);
    }

    show();
  }

  return { title: "Statistics of a text", build, statistics, unknown };
});
