"""What the live figures of the lessons on networks compute, held equal to Python."""

import math

import numpy as np
import pytest
import torch

from helpers.cli.export import read
from helpers.gates import record_gates
from helpers.models import CharRNN
from helpers.studies.lstm import GATE_COLOURS
from tests.site.engine import MODELS
from tests.site.live_pages import figures_page, filled
from tests.site.test_live_figures import from_lesson

FIGURES = ("lstm", "lstm-reads", "gates", "gru", "numpy-lstm")
LINES = "If music be the food of love, play on,\nGive me excess of it!"


@pytest.fixture(scope="module")
def page(browser, static):
    """A page with the scripts of all these figures and with the trained LSTM, and no figure."""
    model = '<script defer src="_static/playground/models/lstm.js"></script>'
    with figures_page(browser, static, FIGURES, places=False, before=model) as it:
        it.evaluate("globalThis.model = charbook.engine.load(charbookModels.lstm)")
        yield it


@pytest.fixture(scope="module")
def lstm():
    model, vocab, _ = read(MODELS["lstm"])
    return model, vocab


# ---------------------------------------------------------------- the tank


def test_the_tank_is_the_lessons(page):
    """The lesson's loop over a line of Python, valve by valve."""
    valves = from_lesson("lstm", "valves")
    c = 0.0
    for character in "f(1, (2))\n(3)":
        i, f, g, o = valves(character)
        ours = page.evaluate(
            "([c, i, f, g, o]) => charbook['live/lstm'].step(c, { i, f, g, o })", [c, i, f, g, o]
        )
        c = f * c + i * g
        assert ours == pytest.approx({"c": c, "h": o * math.tanh(c)}, abs=1e-12)


def test_the_curve_ahead_is_the_sum_of_a_geometric_series(page):
    i, f, g, o, c = 0.4, 0.9, -0.7, 0.5, 1.3
    ours = page.evaluate(
        "([c, v]) => charbook['live/lstm'].ahead(c, v, 30)", [c, {"i": i, "f": f, "g": g, "o": o}]
    )
    n = np.arange(1, 31)
    levels = f**n * c + i * g * (1 - f**n) / (1 - f)
    assert np.allclose([step["c"] for step in ours], levels, atol=1e-12)
    assert np.allclose([step["h"] for step in ours], o * np.tanh(levels), atol=1e-12)


def test_a_unit_of_the_trained_network_works_as_record_gates_says(page, lstm):
    model, vocab = lstm
    gates = record_gates(model, vocab.encode(LINES))
    for unit, t in ((0, 0), (66, 12), (127, len(LINES) - 1)):
        ours = page.evaluate(
            """([text, t, unit]) => { const { at, read } = charbook["live/lstm-reads"];
                return at(read(model, model.encode(text)), t, unit); }""",
            [LINES, t, unit],
        )
        theirs = {"i": gates.input, "f": gates.forget, "g": gates.cell, "o": gates.output}
        theirs = {name: v[t, unit] for name, v in theirs.items()}
        theirs |= {"c": gates.c[t, unit], "h": gates.h[t, unit]}
        theirs["before"] = gates.c[t - 1, unit] if t else 0
        assert ours == pytest.approx(theirs, abs=1e-4)


def test_the_unit_that_it_opens_with_rises_along_a_line_and_falls_at_its_end(lstm):
    """As the sentence beside it says."""
    model, vocab = lstm
    text = (LINES + "\n") * 3
    place = [len(text[:t].split("\n")[-1]) for t in range(1, len(text) + 1)]
    c = record_gates(model, vocab.encode(text)).c[:, 66]
    assert np.corrcoef(c, place)[0, 1] > 0.8
    ends = np.array([t for t, character in enumerate(text) if character == "\n"])
    assert (c[ends] < 0.5 * c[ends - 1]).all()


def test_gates_have_the_colours_of_the_lessons_figures(browser, static):
    """Which stand in helpers.studies.lstm, in light and as a dark page turns a figure over."""
    with figures_page(browser, static, ["lstm"]) as page:
        filled(page)
        seen = page.locator(".lv-slider").evaluate_all(
            "all => all.map((s) => getComputedStyle(s).borderLeftColor)"
        )
        wanted = [GATE_COLOURS[g] for g in ("input", "candidate", "forget", "output")]
        assert seen == [
            f"rgb({int(c[1:3], 16)}, {int(c[3:5], 16)}, {int(c[5:], 16)})" for c in wanted
        ]


# ---------------------------------------------------------------- gates


def run(page, generator):
    """The last value of a generator of the page's."""
    step = "let s; do s = g.next(); while (!s.done); return s.value;"
    return f"(() => {{ const g = {generator}; {step} }})()"


def test_the_values_of_all_units_are_those_of_record_gates(page, lstm):
    model, vocab = lstm
    gates = record_gates(model, vocab.encode(LINES))
    call = run(page, f"charbook.units.read(model, model.encode({LINES!r}))")
    ours = page.evaluate(f"globalThis.values = {call}")
    for field in ("input", "forget", "cell", "output", "c", "h"):
        assert np.allclose(ours[field], getattr(gates, field), atol=1e-4)


def test_units_are_judged_by_the_lessons_correlations(page, lstm):
    """For a stretch of the text, and for the same stretch at each other place."""
    model, vocab = lstm
    states = record_gates(model, vocab.encode(LINES)).c.astype(float)
    correlations = from_lesson("gates", "correlations", np=np)
    start, stop = 8, 17
    wanted = np.zeros(len(LINES))
    wanted[start:stop] = 1
    page.evaluate("rows => { globalThis.rows = rows; }", states.tolist())
    ours = page.evaluate("Array.from(charbook.units.correlations(rows, 8, 17)[0])")
    theirs = correlations(states, wanted)
    assert np.allclose(ours, theirs, atol=1e-9)
    order = page.evaluate("charbook.units.ranked(charbook.units.correlations(rows, 8, 17)[0])")
    assert order == np.argsort(-np.abs(theirs), kind="stable").tolist()
    n = stop - start
    moved = [
        np.abs(correlations(states, np.roll(wanted, shift))).max()
        for shift in range(n, len(LINES) - n + 1)
    ]
    chance = page.evaluate("charbook.units.byChance(rows, 8, 17)")
    assert chance == pytest.approx(np.quantile(moved, 0.95), abs=1e-9)
    assert page.evaluate("charbook.units.byChance(rows.slice(0, 20), 5, 16)") is None


def test_random_weights_are_pytorchs_distributions_from_numpys_numbers(page):
    """Uniform ones number by number, the embedding by its moments."""
    call = run(page, "charbook.units.untrained(model.config, 1)")
    ours = page.evaluate(f"Object.entries({call}).map(([name, w]) => [name, Array.from(w)])")
    ours = {name: np.array(values) for name, values in ours}
    model = CharRNN(63, cell="lstm")
    shapes = {name: p.numel() for name, p in model.named_parameters()}
    assert {name: len(values) for name, values in ours.items()} == shapes
    numbers = np.random.default_rng([1, 0]).random(
        sum(shapes.values()) + shapes["embedding.weight"]
    )
    first = ours.pop("embedding.weight")
    u, v = numbers[: 2 * len(first)].reshape(-1, 2).T
    assert np.allclose(first, np.sqrt(-2 * np.log(1 - u)) * np.cos(2 * np.pi * v), atol=1e-6)
    rest = np.concatenate(list(ours.values()))
    assert np.allclose(rest, (2 * numbers[2 * len(first) :] - 1) / math.sqrt(128), atol=1e-7)
    assert abs(first.std() - 1) < 0.05
    assert abs(first.mean()) < 0.05
    with torch.no_grad():
        bound = max(p.abs().max() for n, p in model.named_parameters() if n != "embedding.weight")
    assert bound == pytest.approx(np.abs(rest).max(), rel=1e-3)


@pytest.mark.parametrize(
    ("text", "selected", "before", "characters", "stretch"),
    [
        ("To be", [3, 5], [0, 1], "To be", [3, 5]),
        ("Tö be", [3, 5], [0, 1], "T be", [2, 4]),  # what is not known is left out
        ("🙂 be", [3, 5], [0, 1], " be", [1, 3]),  # of two units of JavaScript's
        ("To be", [2, 2], [3, 4], "To be", [3, 4]),  # nothing is selected
        ("To", [1, 1], [3, 4], "To", None),
        ("To", [0, 2], [3, 4], "To", None),  # all of it: nothing to compare with
    ],
)
def test_the_stretch_that_is_selected(page, text, selected, before, characters, stretch):
    ours = page.evaluate(
        "([text, [start, end], before]) =>"
        " charbook['live/gates'].chosen(model, text, start, end, before)",
        [text, selected, before],
    )
    assert ours == {"characters": list(characters), "stretch": stretch}


def test_brushing_sorts_the_units_and_underlines_the_stretch(browser, static):
    """By keyboard, with both networks and all that is said of them."""
    with figures_page(browser, static, ["gates"]) as page:
        filled(page)
        page.wait_for_function("() => document.querySelector('.lv .pg-readout').textContent")
        page.get_by_label("Your text").first.press("Control+Home")
        for _ in range(4):
            page.keyboard.press("Shift+ArrowRight")
        page.wait_for_function(
            "() => document.querySelector('.lv .pg-readout').textContent"
            ".startsWith('“You␣” and the cell state c: the best of 128 units')"
        )
        for box in page.locator(".pg-text").all():
            lined = box.locator("span").evaluate_all(
                "all => all.map((s) => s.style.textDecoration !== '')"
            )
            assert [t for t, line in enumerate(lined) if line] == [0, 1, 2, 3]
        heads = page.locator(".lv-label").all_inner_texts()
        assert [head.split(":")[0] for head in heads] == ["Trained", "Random (seed 1)"]


# ---------------------------------------------------------------- the slider of the GRU


def test_the_slider_is_the_lessons_in_both_conventions(page):
    slide = from_lesson("gru", "slide")
    one_unit = from_lesson("gru", "one_unit", slide=slide, CANDIDATE={"W": 1.0, "?": -1.0})
    for text in ("Who's there? Nay", "abc", "?W"):
        for z in (0, 0.3, 0.8, 1):
            ours = page.evaluate(
                "([text, z]) => [true, false].map((keeps) =>"
                " charbook['live/gru'].oneUnit(text, z, keeps))",
                [text, z],
            )
            assert np.allclose(ours, [one_unit(text, z), one_unit(text, 1 - z)], atol=1e-12)


# ---------------------------------------------------------------- the backward pass


def lessons_step():
    """The lesson's step and step_back for one text and one unit, with all weights 0 but biases."""
    sigmoid = from_lesson("numpy-lstm", "sigmoid", np=np)
    known = {"np": np, "sigmoid": sigmoid}
    step = from_lesson("numpy-lstm", "step", **known)
    return step, from_lesson("numpy-lstm", "step_back", **known)


GIVEN = {"a_f": 1.2, "a_i": -0.6, "a_g": 0.9, "a_o": 0.4, "old_c": 0.7, "d_h": 1.3, "d_c": -0.5}


def test_the_backward_pass_is_the_lessons(page):
    step, step_back = lessons_step()
    one = np.ones((1, 1))
    sums = np.array([GIVEN[f"a_{gate}"] for gate in "ifgo"])
    w = {"W_x": np.zeros((4, 1)), "W_h": np.zeros((4, 1)), "b_x": sums, "b_h": np.zeros(4)}
    h, c, kept = step(one, one, GIVEN["old_c"] * one, w)
    d_a, _, d_old_c = step_back(GIVEN["d_h"] * one, GIVEN["d_c"] * one, kept, w)
    v, d = page.evaluate(
        """given => { const { backward, forward } = charbook["live/numpy-lstm"];
            const v = forward(given); return [v, backward(given, v)]; }""",
        GIVEN,
    )
    assert [v["h"], v["c"], v["t"]] == pytest.approx([h.item(), c.item(), kept[-1].item()])
    assert [v[gate] for gate in "ifgo"] == pytest.approx([part.item() for part in kept[3:7]])
    assert [d[f"a_{gate}"] for gate in "ifgo"] == pytest.approx(d_a[0].tolist(), abs=1e-12)
    assert d["old_c"] == pytest.approx(d_old_c.item(), abs=1e-12)


def test_a_nudge_finds_each_gradient_and_each_slip(page):
    """As the lesson's differences do; a slip shows where it was made and below, nowhere else."""
    nodes, wrong = page.evaluate(
        """given => { const { backward, forward, nudge } = charbook["live/numpy-lstm"];
            const v = forward(given), nodes = Object.keys(backward(given, v));
            const off = (slip) => nodes.filter((node) =>
              Math.abs(backward(given, v, slip)[node] - nudge(given, node)) > 1e-7);
            const slips = ["none", "cell", "tanh", "gate"];
            return [nodes, Object.fromEntries(slips.map((slip) => [slip, off(slip)]))]; }""",
        GIVEN,
    )
    assert len(nodes) == 12
    from_c = {"c", "old_c", "f", "i", "g", "a_f", "a_i", "a_g"}
    assert {slip: set(found) for slip, found in wrong.items()} == {
        "none": set(), "cell": from_c, "tanh": from_c, "gate": {"a_f", "a_i", "a_o"},
    }  # fmt: skip


def test_stepping_back_shows_one_gradient_more_and_marks_what_is_wrong(browser, static):
    with figures_page(browser, static, ["numpy-lstm"]) as page:
        filled(page)
        texts = page.locator(".lv svg text", has_text="∂")
        slider = page.get_by_label("Step of the backward pass")
        assert texts.count() == 4
        slider.press("ArrowRight")
        assert texts.count() == 5
        slider.press("End")
        assert texts.count() == 12
        assert page.locator(".lv-box.lv-wrong").count() == 0
        page.get_by_label("Derivatives").select_option("gate")
        assert page.locator(".lv-box.lv-wrong").count() == 3
        assert (
            "3 of 12 gradients are not what a nudge does."
            in page.locator(".pg-readout").inner_text()
        )
