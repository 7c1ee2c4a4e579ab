"use strict";
/* The back-off ladder of the lesson on counting: what followed the last k characters of the
   reader's text in Coriolanus, for each k, and what such counts write. */
charbook.live("ladder", [
  "page", "sampling", "counts", "slider", "barChart", "say",
], ["texts/coriolanus"], (
  { h, labelled, percent, visible, whole }, { Uniforms, pick }, { counter, ending, ladder, probability },
  Slider, BarChart, Say,
) => {
  const LONGEST = 7; // characters of a context
  const [SHOWN, WRITTEN, AT_ONCE] = [8, 240, 20]; // bars; characters; of them in one frame
  const START = { text: "If music be the food of lov", length: 4 };

  /* One character more at each call, drawn from the plain counts of the longest context of at
     most `length` characters that was seen. */
  function writer(follow, text, length, seed) {
    const random = new Uniforms(seed);
    return () => {
      let k = Math.min(length, text.length);
      while (!follow(ending(text, k)).n) k--;
      const { times } = follow(ending(text, k));
      const order = [...times.keys()].sort();
      const next = order[pick(order.map((c) => times.get(c)), random.next())];
      text += next;
      return next;
    };
  }

  function build(place, { coriolanus }) {
    const follow = counter(coriolanus);
    const characters = [...follow("").times.keys()].sort();
    let [seed, frame] = [1, 0];
    const text = h("input", { type: "text", spellcheck: "false", autocomplete: "off", maxlength: "200" });
    text.value = START.text;
    const format = (k) => (k ? `the last ${k === 1 ? "character" : `${k} characters`}` : "nothing");
    const length = new Slider(
      { label: "It looks at", min: 0, max: LONGEST, step: 1, value: START.length, format, onInput: show },
    );
    const heads = [["next", "next character"], ["", "bar"], ["count", "times counted"], ["p", "probability"]];
    const bars = new BarChart({ heads });
    const rows = h("tbody");
    const [ahead, written] = [h("b"), h("span")];
    const [say, again] = [new Say(), h("button", { type: "button" }, "Write again")];
    const column = (name) => h("th", { scope: "col" }, name);
    text.addEventListener("input", show);
    again.addEventListener("click", () => {
      seed++;
      show();
    });
    place.append(
      h("div", { class: "lv-controls" }, labelled("Your text", text), length.element),
      h(
        "div", { class: "lv-beside" },
        h(
          "table", { class: "lv-table" }, h("caption", {}, "The ladder, counted in Coriolanus"),
          h("thead", {}, h("tr", {}, ...["context", "seen", "followed by (%)"].map(column))), rows,
        ),
        bars.element,
      ),
      h("p", { class: "lv-label" }, "What such counts write"),
      h("p", { class: "lv-text" }, ahead, written),
      h("div", { class: "pg-buttons" }, again), say.element,
    );

    /* One rung as a row of the table, the chosen one marked, those above it quiet. */
    function row({ context, n, times }, k) {
      const most = [...times].sort(([a, m], [b, o]) => o - m || (a < b ? -1 : 1)).slice(0, 3);
      const followers = most.map(([c, m]) => `${visible(c)} ${Math.round((100 * m) / n)}`);
      const kind = k === length.value ? "lv-at" : k > length.value ? "lv-off" : "";
      const name = context ? Array.from(context, visible).join("") : "(none)";
      return h(
        "tr", { class: kind },
        h("th", { scope: "row", class: context ? "lv-mono" : "" }, name),
        h("td", { class: "lv-number" }, n ? whole(n) : "never"),
        h("td", {}, n ? followers.join(", ") : "ask the rung below"),
      );
    }

    function show() {
      const rungs = ladder(follow, text.value, LONGEST);
      rows.replaceChildren(...rungs.map(row).reverse());
      const used = rungs.slice(0, length.value + 1);
      const { context, times, n } = used.at(-1);
      const likely = characters.map((name) => ({ name, value: probability(used, name) }));
      likely.sort((a, b) => b.value - a.value);
      const after = context ? `after “${Array.from(context, visible).join("")}”` : "after anything";
      bars.show(
        likely.slice(0, SHOWN).map(({ name, value }) =>
          ({ name: visible(name), value, cells: [whole(times.get(name) ?? 0), percent(value)] })),
        { caption: `Next character ${after}` },
      );
      ahead.textContent = text.value.slice(-40);
      write();
      const seen = n ? `${whole(n)} times` : "never";
      say.say(`Seen ${after}: ${seen}. Most probable next: ${visible(likely[0].name)}.`);
    }

    /* Over what stood there, some characters a frame, so that nothing waits for it. */
    function write() {
      cancelAnimationFrame(frame);
      const [next, before] = [writer(follow, text.value, length.value, seed), written.textContent];
      let now = "";
      const some = () => {
        for (let k = 0; k < AT_ONCE; k++) now += next();
        written.textContent = now + before.slice(now.length);
        if (now.length < WRITTEN) frame = requestAnimationFrame(some);
      };
      some();
    }

    show();
  }

  return { title: "The back-off ladder", build, writer };
});
