"""Live figures: the library of parts, the directive, and what every figure keeps to.

What a figure computes is held equal to Python in tests/site/test_live_figures.py.
"""

import io
import json
import os
import re
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import TimeoutError
from sphinx.application import Sphinx

from helpers.corpus import load_corpus
from tests.site.browser import no_long_task, violations
from tests.site.live_pages import figures_page, filled
from tools.site import live

ROOT = Path(__file__).resolve().parents[2]
FIGURES = live.figures()
SHARE_OF_LINES = {"live": 200, "live/figures": 150}
CUT_OFF = """() => [...document.querySelectorAll('.lv, .lv *')].filter(e => {
    const { right, width } = e.getBoundingClientRect();
    return width && right > document.documentElement.clientWidth + 1
      && !e.closest('.pg-scroll, .pg-hidden'); }).map(e => e.outerHTML.slice(0, 100))"""


# All that a reader sees: text, lengths of bars, colours, pictures, fields.
SHOWN = (
    "(document.querySelector('.lv').innerHTML"
    " + [...document.querySelectorAll('.lv :is(i, b)')].map(e => e.style.cssText))"
)


# ---------------------------------------------------------------- files and pages


@pytest.mark.parametrize(("folder", "most"), SHARE_OF_LINES.items())
def test_a_script_is_short_and_its_parts_are_known(folder, most):
    known = live.parts()
    for path in sorted((live.STATIC / folder).glob("*.js")):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert len(lines) <= most, path.name
        assert max(map(len, lines)) <= 110, path.name
        name, needs = live.declared(path)
        assert set(needs) <= set(known), path.name
        if folder == "live/figures":
            assert name == path.stem


def test_scripts_come_after_those_that_they_need():
    known = live.parts()
    script_of = {script: needs for script, needs in known.values()}
    for name in FIGURES:
        listed = live.scripts(name)
        assert len(set(listed)) == len(listed)
        for at, script in enumerate(listed):
            needs = script_of.get(script, [])
            assert {known[need][0] for need in needs} <= set(listed[:at]), script


def test_a_page_has_the_scripts_of_its_figures_and_no_other(small_site):
    """Its sentence stands in the HTML, so that it stays where scripts are off."""
    for name in (*FIGURES, "plain"):
        html = (small_site / f"{'' if name == 'plain' else 'live-'}{name}.html").read_text("utf-8")
        linked = re.findall(r'<script defer="defer" src="_static/([\w/-]+)\.js', html)
        styles = re.findall(r'href="_static/((?:live|playground)/[\w-]+\.css)', html)
        if name == "plain":
            assert (linked, styles) == ([], [])
            continue
        assert linked == live.scripts(name)
        assert styles == ["playground/playground.css", "live/live.css"]
        assert "<p>Move something.</p>" in html
        assert live.WITHOUT in html


def test_the_directive_fills_its_place_in_the_books_theme(opened):
    page = opened(f"live-{FIGURES[0]}", width=390)
    filled(page)
    assert page.locator(".lv").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


CONF = """\
extensions = ["myst_parser", "tools.site.live"]
myst_enable_extensions = ["colon_fence"]
html_extra_path = ["extra"]
exclude_patterns = ["out"]
"""


def built(folder, page):
    """Build a site of one page in a folder, in ``out``; what Sphinx complains of."""
    (folder / "extra").mkdir(exist_ok=True)
    (folder / "conf.py").write_text(CONF, encoding="utf-8")
    if not (folder / "index.md").exists():
        (folder / "index.md").write_text(page, encoding="utf-8")
    warnings, out = io.StringIO(), folder / "out"
    Sphinx(folder, folder, out, out, "html", status=None, warning=warnings).build()
    return warnings.getvalue()


def test_a_figure_that_there_is_not_is_refused(tmp_path):
    said = built(tmp_path, "# Page\n\n:::{live} ladr\nMove.\n:::\n\n:::{live} ladder\n:::\n")
    assert 'there is no live figure "ladr", but ' in said
    assert "Content block expected" in said  # a figure without a sentence


def test_a_script_that_was_changed_comes_into_a_site_whose_pages_were_not(tmp_path, monkeypatch):
    monkeypatch.setattr(live, "COPIED", [tmp_path / "extra"])
    built(tmp_path, "# Page\n")
    script, page = tmp_path / "extra/say.js", tmp_path / "out/index.html"
    script.write_text("1;", encoding="utf-8")
    later = page.stat().st_mtime + 10
    os.utime(script, (later, later))
    built(tmp_path, "# Page\n")
    assert (tmp_path / "out/say.js").read_text(encoding="utf-8") == "1;"
    os.utime(page, (later + 1, later + 1))
    written = page.stat().st_mtime_ns
    built(tmp_path, "# Page\n")
    assert page.stat().st_mtime_ns == written  # nothing is newer


# ---------------------------------------------------------------- parts


EVERY_PART = ("slider", "barChart", "plot", "grid", "strip", "diagram", "say")


@pytest.fixture(scope="module")
def parts_page(browser, static):
    listed = live.needed(EVERY_PART)
    tags = "".join(f'<script defer src="_static/{script}.js"></script>' for script in listed)
    script = (ROOT / "tests/site/live_parts.js").read_text(encoding="utf-8")
    script = f"<script>{script}</script>"
    with figures_page(browser, static, [], before=tags + script) as page:
        page.wait_for_function("() => globalThis.made")
        yield page


def test_a_slider_moves_by_keyboard_and_says_its_value(parts_page):
    parts_page.get_by_label("Size").focus()
    parts_page.keyboard.press("ArrowRight")
    parts_page.keyboard.press("End")
    assert parts_page.evaluate("[made.moved, made.slider.value]") == [[2.5, 10], 10]
    assert parts_page.get_by_label("Size").get_attribute("aria-valuetext") == "10 cm"
    parts_page.evaluate("made.slider.value = 3")
    assert parts_page.locator(".lv output").inner_text() == "3 cm"
    assert parts_page.evaluate("made.moved.length") == 2  # the page's own settings are no input


def test_bars_are_scaled_to_the_longest_and_rows_come_and_go(parts_page):
    seen = parts_page.evaluate(
        """() => {
          const rows = [{ name: "a", value: 0.2, mark: 0.1, cells: ["0.2"] },
                        { name: "b", value: -0.05, kind: "lv-cut" }, { name: "c", value: 0 }];
          made.bars.show(rows);
          made.bars.show(rows.slice(0, 2));
          return [...made.bars.body.rows].map((row) => {
            const [bar, mark] = row.querySelectorAll("i, b");
            return [row.hidden, bar.style.width, bar.className, mark.hidden,
                    row.cells[2].textContent]; }); }"""
    )
    assert seen == [
        [False, "100%", "", False, "0.2"],
        [False, "25%", "lv-negative", True, ""],
        [True, "0%", "", True, ""],
    ]


def test_a_plot_puts_points_where_the_axes_say(parts_page):
    """On a logarithmic axis a tenth is as far from 1 as a hundredth from a tenth."""
    points = parts_page.evaluate(
        """() => {
          const points = [[0, 1], [5, 0.1], [10, 0.01], [20, 0]];
          made.plot.show({ lines: [{ points }], label: "falls" });
          return made.plot.element.querySelector("polyline").getAttribute("points").split(" ")
            .map((p) => p.split(",").map(Number)); }"""
    )
    (x0, y0), (x1, y1), (x2, y2), outside = points
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.15)
    assert y1 - y0 == pytest.approx(y2 - y1, abs=0.15)
    assert y2 - y0 > 150
    assert outside == [x2, y2]  # kept at the edge
    assert parts_page.locator('svg[aria-label="falls"] text', has_text="10⁻²").count() == 1
    ticks = "([a, b, n]) => made.ticks(a, b, n)"
    assert parts_page.evaluate(ticks, [0, 1, 5]) == [0, 0.2, 0.4, 0.6, 0.8, 1]
    assert parts_page.evaluate(ticks, [-1.2, 1.2, 6]) == [-1, -0.5, 0, 0.5, 1]


def test_a_grid_colours_and_writes_its_numbers(parts_page):
    cells = parts_page.evaluate(
        """() => {
          made.grid.show({ values: [[0, 1], [null, 0.5]], rows: ["a", "b"], columns: ["x", "y"],
            low: 0, high: 1, format: (v) => v.toFixed(1), chosen: { row: 0 }, label: "a grid" });
          const all = (kind) => [...made.grid.element.querySelectorAll(kind)];
          return [all("rect").map((r) => [r.getAttribute("fill"), r.matches(".lv-chosen")]),
            all(".lv-small").map((t) => [t.textContent, t.style.fill])]; }"""
    )
    white, black = "rgb(255, 255, 255)", "rgb(0, 0, 0)"
    assert [fill for fill, _ in cells[0]] == [
        "rgb(255,255,255)",
        "rgb(8,36,74)",
        "none",
        "rgb(77,154,204)",
    ]
    assert [chosen for _, chosen in cells[0]] == [True, True, False, False]
    assert cells[1] == [["0.0", black], ["1.0", white], ["0.5", black]]


def test_a_strip_is_coloured_in_both_modes(parts_page):
    colours = """() => made.strip.spans.map((s) => [s.style.background, s.style.color])"""
    parts_page.evaluate("made.strip.set('ab\\n'); made.strip.colour([-1, 1, null], -1, 1)")
    light = parts_page.evaluate(colours)
    assert light == [
        ["rgb(0, 114, 178)", "rgb(255, 255, 255)"],
        ["rgb(213, 94, 0)", "rgb(0, 0, 0)"],
        ["", ""],
    ]
    parts_page.evaluate("document.documentElement.dataset.theme = 'dark'")
    parts_page.wait_for_function(
        "() => made.strip.spans[0].style.background === 'rgb(74, 163, 223)'"
    )
    parts_page.evaluate("document.documentElement.dataset.theme = 'light'")


def test_a_diagram_has_values_in_its_boxes_and_on_its_arrows(parts_page):
    seen = parts_page.evaluate(
        """() => {
          made.diagram.show({ a: "h\\n0.5", b: "c", ab: ["0.25", "mine"] }, "h goes to c");
          const svg = made.diagram.element.querySelector("svg");
          return [svg.getAttribute("aria-label"),
            [...svg.querySelectorAll("text")].map((t) => t.textContent),
            svg.querySelectorAll("line.mine, polygon.mine, text.mine").length]; }"""
    )
    assert seen == ["h goes to c", ["0.25", "h", "0.5", "c"], 3]


def test_what_changes_is_said_once_the_hand_rests(parts_page):
    at_once = parts_page.evaluate(
        "made.say.say('one'), made.say.say('two'), made.say.element.textContent"
    )
    assert at_once == ""
    parts_page.wait_for_function("() => made.say.element.textContent === 'two'")


# ---------------------------------------------------------------- what every figure keeps to


@pytest.mark.parametrize("name", FIGURES)
def test_every_native_control_changes_what_is_shown(browser, static, name):
    """By keyboard, on a phone; and never is a figure empty, or wider than the screen."""
    with figures_page(browser, static, [name], width=390) as page:
        filled(page)
        assert page.evaluate(CUT_OFF) == []
        assert page.locator(".lv").get_attribute("aria-label")
        for picture in page.locator(".lv svg").all():
            assert len(picture.get_attribute("aria-label")) > 20
        controls = page.locator(".lv :is(input, select, button, textarea):not([disabled])").all()
        assert controls
        for control in controls:
            before, kind = page.evaluate(SHOWN), control.evaluate("e => e.type")
            control.focus()
            if kind in ("text", "textarea"):
                page.keyboard.type("we")
            else:
                page.keyboard.press({"range": "ArrowLeft"}.get(kind, "Space"))
                if kind.startswith("select"):
                    control.select_option(index=1)
                elif kind == "range" and page.evaluate(SHOWN) == before:  # it stood at its end
                    page.keyboard.press("ArrowRight")
            with suppress(TimeoutError):
                page.wait_for_function(f"before => {SHOWN} !== before", arg=before)
            assert page.evaluate(SHOWN) != before, control.evaluate(
                "e => e.labels?.[0]?.textContent"
            )


def test_axe_finds_no_violation_in_any_figure(browser, static):
    with figures_page(browser, static, FIGURES, mode="dark") as page:
        filled(page)
        assert violations(page, ".lv") == []


def test_no_task_takes_50_ms(browser, static):
    """While figures are built and each slider goes through."""

    def each_slider(page):
        page.reload()
        filled(page)
        for slider in page.locator(".lv input[type=range]").all():
            for key in ("Home", "End"):
                slider.press(key)
                page.wait_for_timeout(30)

    with figures_page(browser, static, FIGURES) as page:
        no_long_task(browser, page, each_slider)


def read_message(browser, static):
    with figures_page(browser, static, ["ladder"], width=800) as page:
        page.get_by_text("This figure cannot be shown.").wait_for()


def test_a_figure_whose_data_cannot_be_loaded_says_so(browser, static):
    for path in (static / "playground/texts").glob("*.js"):
        path.rename(path.with_suffix(".gone"))
    try:
        with pytest.raises(AssertionError, match="ERR_FILE_NOT_FOUND"):  # the browser's words
            read_message(browser, static)
    finally:
        for path in (static / "playground/texts").glob("*.gone"):
            path.rename(path.with_suffix(".js"))


def test_texts_are_those_of_the_corpora(static):
    script = (static / "playground/texts/coriolanus.js").read_text(encoding="ascii")
    text = json.loads(script[script.index("=") + 1 :].split("= ", 1)[1].rstrip().rstrip(";"))
    corpus = load_corpus("shakespeare")
    start, end = corpus.plays["coriolanus"]
    assert text == corpus.text[start:end]
