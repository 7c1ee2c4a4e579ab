/* One of each part of the live figures, for tests/site/test_live.py. */
addEventListener("load", () => {
  const { slider: Slider, barChart: BarChart, grid: Grid, strip: Strip, diagram: Diagram } = charbook;
  const { say: Say, plot: { Plot, ticks }, page: { h } } = charbook;
  const place = h("div", { class: "pg lv" });
  document.querySelector("article").append(place);
  const moved = [];
  const slider = new Slider({
    label: "Size", min: 0, max: 10, step: 0.5, value: 2,
    format: (v) => `${v} cm`, onInput: (v) => moved.push(v),
  });
  const heads = [["n", "name"], ["", "bar"], ["v", "value"]];
  const bars = new BarChart({ caption: "Bars", heads });
  const plot = new Plot({
    x: { label: "steps", low: 0, high: 10 }, y: { label: "size", low: 0.01, high: 1, log: true },
  });
  const grid = new Grid({ square: 40 });
  const strip = new Strip("A text");
  const diagram = new Diagram((width) => ({
    height: 100,
    boxes: { a: { x: 40, y: 50 }, b: { x: width - 40, y: 50 } },
    arrows: { ab: { path: [[70, 50], [width - 70, 50]], at: [width / 2, 40] } },
  }));
  const say = new Say();
  const all = [slider, bars, plot, grid, diagram, say].map((part) => part.element);
  place.append(...all, strip.box, strip.scale);
  globalThis.made = { slider, bars, plot, ticks, grid, strip, diagram, say, moved };
});
