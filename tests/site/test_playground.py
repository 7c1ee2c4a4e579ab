"""The playground as a reader uses it: its page in a browser, and what it writes there."""

import contextlib
import functools
import io
import re
import shutil
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest

from helpers import plotting
from helpers.cli.export import read
from helpers.corpus import load_corpus
from helpers.gates import record_gates
from helpers.models import ARCHITECTURES
from helpers.plotting import COLOURS
from helpers.sampling import NO_GUESS, generate, next_distribution, pick
from helpers.training import evaluate
from tests.site.browser import new_page, no_long_task, violations
from tests.site.conftest import INTRODUCTION, PLAYGROUND
from tests.site.engine import MODELS, torch_logits
from tools.site.architectures import on_dark_pages
from tools.site.playground import SCRIPTS, TRAINING_SCRIPTS, WITHOUT

ROOT = Path(__file__).resolve().parents[2]
HAMLET = "HAMLET:\n"
SCRIPT_FILES = sorted(PLAYGROUND.glob("*.js"))


def test_every_script_is_loaded_and_is_short():
    """A part has one concern: at most 300 lines, and those can be read."""
    listed = {*SCRIPTS, *TRAINING_SCRIPTS} - {"playground/architectures"}  # the build writes it
    assert {f"playground/{path.stem}" for path in SCRIPT_FILES} == listed
    for path in [*SCRIPT_FILES, *PLAYGROUND.glob("*.css"), ROOT / "_static/book.css"]:
        lines = path.read_text(encoding="utf-8").splitlines()
        assert len(lines) <= 300, path.name
        assert max(map(len, lines)) <= 110, path.name


def test_no_style_sheet_has_colours_of_architectures_of_its_own():
    colours = {*COLOURS.values(), *map(on_dark_pages, COLOURS.values())}
    for path in [*PLAYGROUND.glob("*.css"), ROOT / "_static/book.css"]:
        found = set(re.findall(r"#[0-9A-F]{6}", path.read_text(encoding="utf-8").upper()))
        assert not found & colours, path.name


def play(page, name="Play", pace="Infinity"):
    """Press the button and wait for the end."""
    if name == "Play":
        page.get_by_label("Pace").select_option(pace)
        page.get_by_role("button", name=name).click()
    else:  # what was typed is coloured by itself too: in that moment the button says "Stop"
        page.wait_for_function(
            """name => {
                const button = document.querySelector(".pg-play");
                if (button.textContent !== name) return false;
                button.click();
                return true;
            }""",
            arg=name,
        )
    finished(page, name)


def finished(page, name="Play"):
    page.wait_for_function(
        "name => document.querySelector('.pg-play').textContent === name"
        " && document.querySelector('.pg-message').textContent",
        arg=name,
    )


def begin(page):
    """Press play, at 40 characters a second, and wait until the weights are there."""
    page.get_by_label("Pace").select_option("40")
    page.get_by_role("button", name="Play").click()
    page.locator(".pg-message", has_text="Writing").wait_for()


def message(page):
    return page.locator(".pg-message").inner_text()


def text_of(page, at=0):
    """The text in the page, from its characters; a line's end is drawn by the style sheet."""
    return page.evaluate(
        """(at) => Array.from(
            document.querySelectorAll('.pg-text')[at].querySelectorAll('[data-place]'),
            (span) => span.classList.contains('pg-end') ? '\\n' : span.textContent).join('')""",
        at,
    )


def point(page, place):
    """Move the pointer to a character; in one's own text the box that is typed in lies over it."""
    span = page.locator(f".pg-text [data-place='{place}']:visible").first
    span.scroll_into_view_if_needed()
    box = span.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def slide(page, label, value):
    page.get_by_label(label).evaluate(
        "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input')); }",
        str(value),
    )


network = functools.cache(lambda cell: read(MODELS[cell]))


@functools.cache
def python_text(cell="lstm", prompt=HAMLET, length=500, seed=1, temperature=0.8, **settings):
    model, vocab, _ = network(cell)
    return generate(model, vocab, prompt, length, temperature, seed=seed, **settings)


@functools.cache
def counts():
    """What follows each context of up to six characters in Coriolanus."""
    play, followers = load_corpus("coriolanus").text, defaultdict(Counter)
    for length in range(7):
        for i in range(len(play) - length):
            followers[play[i : i + length]][play[i + length]] += 1
    return followers


@functools.cache
def counted_text(prompt=HAMLET, length=500, seed=1, **settings):
    """What the lesson's counts write."""
    chars, V, followers = load_corpus("shakespeare").vocab.chars, 63, counts()
    text, random = prompt, np.random.default_rng([seed, 0])
    for _ in range(length):
        p = np.full(V, 1 / V)
        for k in range(min(6, len(text)) + 1):
            seen = followers.get(text[len(text) - k :], {})
            p = (np.array([seen.get(c, 0) for c in chars]) + V * p) / (sum(seen.values()) + V)
        drawn_from = next_distribution(np.log(p), **{"temperature": 0.8, **settings})
        text += chars[pick(drawn_from, random.random())]
    return text


def test_only_pages_with_a_playground_load_it(small_site):
    for name in ("index", "own", "plain"):
        html = (small_site / f"{name}.html").read_text(encoding="utf-8")
        assert ("playground/engine.js" in html) == (name != "plain")
        assert ("playground/playground.css" in html) == (name != "plain")
    assert INTRODUCTION in (small_site / "index.html").read_text(encoding="utf-8")


def test_nothing_is_loaded_before_play(opened, small_site):
    page = opened()
    asked = []
    page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    page.get_by_label("Temperature").focus()
    page.wait_for_timeout(200)
    assert asked == []
    play(page)
    assert asked == ["lstm.js"]
    files = [*(f"{name}.js" for name in SCRIPTS), "playground/playground.css"]
    before_play = [small_site / "_static" / name for name in files]
    assert sum(f.stat().st_size for f in before_play) < 110_000


def test_it_begins_by_itself_where_the_page_wants_it(opened):
    """But for somebody who asked for less motion; and nothing is read out unasked."""
    page = opened("arrives")
    page.get_by_label("Pace").select_option("Infinity")
    page.wait_for_function("document.querySelectorAll('.pg-text [data-place]').length > 500")
    finished(page)
    assert text_of(page) == python_text()
    assert page.locator("[aria-live=polite]").inner_text() == ""
    play(page)
    assert page.locator("[aria-live=polite]").inner_text() != ""
    page = opened("arrives", reduced_motion="reduce")
    page.wait_for_timeout(300)
    assert text_of(page) == ""


def test_without_scripts_the_page_says_so_and_reads_on(opened):
    page = opened(java_script_enabled=False)
    assert page.get_by_text(INTRODUCTION).is_visible()
    assert page.locator(".pg-mount").get_by_text(WITHOUT).is_visible()


def test_a_script_that_is_missing_or_too_new_leaves_the_sentence(browser, small_site):
    """And nothing half-alive beside it; of a sample, every other one is missing."""
    page = new_page(browser)
    for i, name in enumerate([*SCRIPTS[::3], SCRIPTS[-1]]):
        address = re.compile(rf"/{name}\.js")
        if i % 2:
            page.route(address, lambda route: route.abort())
        else:
            page.route(address, lambda route: route.fulfill(body="class Old { #unknown; static }"))
        page.goto((small_site / "index.html").as_uri())
        assert page.locator(".pg-mount").inner_text() == WITHOUT, name
        page.unroute(address)
    page.goto((small_site / "index.html").as_uri())
    assert page.get_by_role("button", name="Play").is_visible()
    assert page.get_by_text(WITHOUT).count() == 0
    page.close()


def test_it_writes_what_python_writes_and_says_how(opened):
    page = opened()
    play(page)
    assert message(page) == "500 characters written."
    assert text_of(page) == python_text()
    page.get_by_text("The same text in Python").click()
    printed = io.StringIO()
    with contextlib.chdir(ROOT), contextlib.redirect_stdout(printed):
        exec(page.locator(".pg-python code").inner_text(), {})
    assert printed.getvalue() == text_of(page) + "\n"
    play(page)  # and on
    assert message(page) == "1,000 characters written."
    assert text_of(page) == python_text(length=1000)


def test_text_streams_and_stops_and_goes_on(opened):
    page = opened(clock=True)
    begin(page)
    lengths = []
    for _ in range(3):
        page.clock.run_for(300)
        lengths.append(len(text_of(page)))
    assert np.diff([0, *lengths]).tolist() == pytest.approx([12, 12, 12], abs=1)
    page.get_by_role("button", name="Stop").click()
    stopped = text_of(page)
    assert len(stopped) == lengths[-1]
    assert message(page) == f"{len(stopped) - len(HAMLET)} characters written."
    page.clock.run_for(300)
    assert text_of(page) == stopped
    page.clock.resume()
    play(page)
    assert text_of(page) == python_text(length=len(stopped) - len(HAMLET) + 500)


def test_each_slider_does_what_python_does(opened):
    page = opened()
    for label, value, says, settings in [
        ("Temperature", 0, "0, greedy", {"temperature": 0}),
        ("Temperature", 1.5, "1.50", {"temperature": 1.5}),
        ("Top-k", 3, "3", {"top_k": 3}),
        ("Top-p", 0.5, "0.50", {"top_p": 0.5}),
        ("Min-p", 0.1, "0.10", {"min_p": 0.1}),
    ]:
        page.get_by_role("button", name="Reset").click()
        assert page.get_by_label("Top-k").get_attribute("aria-valuetext") == "off"
        slide(page, label, value)
        assert page.get_by_label(label).get_attribute("aria-valuetext") == says
        play(page)
        assert text_of(page) == python_text(**settings)


def test_prompt_seed_and_reset(opened):
    page = opened()
    page.get_by_label("Prompt").fill("JULIET:\nO ")
    page.get_by_label("Seed").fill("9007199254740991")
    slide(page, "Top-k", 5)
    play(page)
    assert text_of(page) == python_text(prompt="JULIET:\nO ", seed=2**53 - 1, top_k=5)
    page.get_by_role("button", name="Reset").click()
    assert text_of(page) == ""
    assert page.get_by_label("Prompt").input_value() == HAMLET
    assert page.get_by_label("Seed").input_value() == "1"
    assert page.get_by_label("Top-k").get_attribute("aria-valuetext") == "off"
    assert page.locator(".pg-bars tbody tr:visible").count() == 0
    play(page)
    assert text_of(page) == python_text()


def test_what_is_written_can_be_sent_as_an_address(opened):
    """Once play was pressed; another address, and one that says nothing of use, change nothing."""
    page = opened()
    choose(page, "GRU")
    page.get_by_label("Prompt").fill("ROMEO &\n")
    page.get_by_label("Seed").fill("7")
    slide(page, "Top-p", 0.9)
    assert "#" not in page.url
    play(page)
    written, sent = text_of(page), page.url
    page = opened()
    page.goto(sent)
    page.reload()
    assert page.get_by_label("Network").input_value() == "gru"
    play(page)
    assert text_of(page) == written
    assert page.url == sent
    page.goto(f"{sent.partition('#')[0]}#prompt=A&network=none&seed=x&top_k=many&temperature=9")
    page.reload()
    assert page.get_by_label("Prompt").input_value() == "A"
    assert page.get_by_label("Network").input_value() == "lstm"
    assert page.get_by_label("Seed").input_value() == "1"
    assert page.get_by_label("Temperature").input_value() == "2"


def test_a_wrong_seed_is_refused(opened):
    page = opened()
    for seed in ("-1", "1.5", "", "1e300"):
        page.get_by_role("button", name="Reset").click()
        assert message(page) == ""
        page.get_by_label("Seed").fill(seed)
        play(page)
        assert "Seed must be a whole number" in message(page), seed
        assert text_of(page) == ""


def mount(page, vocab, cell="lstm", change="", **options):
    """A playground for a small random network, in place of the page's own."""
    page.evaluate(
        """([characters, cell, change, options]) => {
            const rows = { rnn: 1, lstm: 4, gru: 3 }[cell] * 3, V = characters.length;
            const random = new charbook.sampling.Uniforms(1);
            const draw = (n) => Float32Array.from({ length: n }, () => random.next() - 0.5);
            const weights = {
                "embedding.weight": draw(V * 2), "recurrent.weight_ih_l0": draw(rows * 2),
                "recurrent.weight_hh_l0": draw(rows * 3), "recurrent.bias_ih_l0": draw(rows),
                "recurrent.bias_hh_l0": draw(rows), "output.weight": draw(V * 3),
                "output.bias": draw(V),
            };
            eval(change);
            const config = { vocab_size: V, embed_size: 2, hidden_size: 3, cell };
            const model = new charbook.engine.Model(config, characters.join(""), weights);
            model.custom = true;
            const place = document.querySelector(".pg-mount");
            charbook.playground.mount(place, { model: { model, about: {}, ...options } });
        }""",
        [list(vocab), cell, change, options],
    )


@pytest.mark.parametrize("temperature", [0.8, 0])
def test_a_network_whose_logits_are_no_numbers_is_refused_in_a_sentence(opened, temperature):
    page = opened()
    sentence = f"{NO_GUESS[0].upper()}{NO_GUESS[1:]}."
    mount(page, "ab", change="weights['output.bias'][1] = NaN", prompt="a", text="abab")
    slide(page, "Temperature", temperature)
    play(page)
    assert message(page) == sentence
    assert text_of(page) == "a"
    page.get_by_label("Your text, coloured").check()
    play(page, "Colour it")
    assert message(page) == sentence


def test_lengths_are_those_of_code_points(opened):
    page = opened()
    mount(page, "🙂🙃 ", prompt="🙂" * 500)
    play(page)
    assert message(page) == "500 characters written."
    text = text_of(page)
    assert len(text) == 1000
    assert page.locator("[aria-live=polite]").text_content() == text[-300:]
    page.get_by_label("Prompt").fill("🙂" * 501)
    play(page)
    assert message(page) == "The prompt has 501 characters, and the page takes 500."


def test_a_text_from_right_to_left_stands_so(opened):
    page = opened()
    mount(page, "שלום.\n", prompt="שלום.\n", text="שלום.\nש")
    play(page)
    direction = "element => getComputedStyle(element).direction"
    assert page.get_by_label("Prompt").evaluate(direction) == "rtl"
    assert page.locator(".pg-text > div").first.evaluate(direction) == "rtl"
    page.get_by_label("Your text, coloured").check()
    assert page.get_by_label("Your text", exact=True).evaluate(direction) == "rtl"


def test_architectures_look_as_in_the_figures(opened):
    """Their names and lines where they write side by side, their colours in each mode."""
    page = opened(color_scheme="light")
    page.get_by_label("Side by side").check()
    seen = page.locator(".pg-column").evaluate_all(
        """columns => columns.map((column) => {
            const style = getComputedStyle(column);
            return [column.dataset.cell, column.firstChild.textContent, style.borderTopStyle];
        })"""
    )
    lines = {"--": "dashed", "-": "solid"}  # the others are dotted
    names, styles = plotting.NAMES, plotting.LINES
    cells = [*MODELS, "ngram"]
    assert seen == [[cell, names[cell], lines.get(styles[cell], "dotted")] for cell in cells]
    colour = "name => getComputedStyle(document.documentElement).getPropertyValue(`--cbc-${name}`)"
    for name, light in COLOURS.items():
        page.evaluate("document.documentElement.dataset.theme = 'light'")
        assert page.evaluate(colour, name) == light
        page.evaluate("document.documentElement.dataset.theme = 'dark'")
        assert page.evaluate(colour, name) == on_dark_pages(light) != light
        page.emulate_media(media="print")
        assert page.evaluate(colour, name) == light
        page.emulate_media(media="screen")


def test_an_unknown_character_is_refused_with_a_word_on_why(opened):
    page = opened()
    page.get_by_label("Prompt").fill("Act 3, naïve")
    play(page)
    assert "Not known: “3”, “ï”, first at place 5" in message(page)
    assert "no weights for it" in message(page)
    assert page.get_by_label("Prompt").get_attribute("aria-invalid") == "true"
    page.get_by_role("button", name="Leave them out").click()
    finished(page)
    assert text_of(page) == python_text(prompt="Act , nave")
    assert page.get_by_label("Prompt").get_attribute("aria-invalid") is None
    page.get_by_label("Prompt").fill("")
    play(page)
    assert "prompt is empty" in message(page)


def test_copy(opened):
    page = opened()
    page.evaluate("navigator.clipboard.writeText = async (text) => { globalThis.copied = text; }")
    page.get_by_role("button", name="Copy").click()
    assert message(page) == "There is nothing to copy yet."
    play(page)
    page.get_by_role("button", name="Copy").click()
    page.get_by_text("Copied: 508 characters.").wait_for()
    assert page.evaluate("copied") == text_of(page)
    page.evaluate(  # where the browser gives no clipboard: by hand
        """() => {
            navigator.clipboard.writeText = async () => { throw new Error("no"); };
            document.execCommand = () => { globalThis.byHand = document.activeElement.value; };
        }"""
    )
    page.get_by_role("button", name="Copy").click()
    page.wait_for_function("globalThis.byHand")
    assert page.evaluate("byHand") == text_of(page)


def rows(page):
    """The bars as text: {character: (drawn with, model's)}, most probable first."""
    cells = page.locator(".pg-bars tbody tr:visible").evaluate_all(
        "trs => trs.map((tr) => [...tr.children].map((cell) => cell.textContent))"
    )
    return {name: (drawn, own) for name, _, drawn, own in cells}


def test_pointing_at_a_character_shows_its_probability_and_the_bars(opened):
    page = opened()
    slide(page, "Top-k", 4)
    play(page)
    text, at = text_of(page), 300
    model, vocab, _ = network("lstm")
    before = torch_logits(model, vocab, text[:at])[-1]
    own, drawn = next_distribution(before), next_distribution(before, 0.8, top_k=4)
    k = vocab.encode(text[at])[0]
    page.locator(".pg-text [data-place='300']").scroll_into_view_if_needed()
    page.locator(".pg-text [data-place='300']").hover()
    said = page.locator(".pg-readout").first.inner_text().replace("\xa0", " ")
    assert said.startswith("Place 301, ")
    assert f"gave it {100 * own[k]:.1f} %" in said
    assert f"a surprise of {-np.log(own[k]):.2f} nats" in said
    assert f"drawn with {100 * drawn[k]:.1f} %" in said
    shown = rows(page)
    best = np.argsort(-own, kind="stable")[:10]
    assert len(shown) == 10
    for i in best[:9]:
        p, q = shown[vocab.chars[i].replace(" ", "␣").replace("\n", "↵")]
        assert p == ("cut" if drawn[i] == 0 else f"{100 * drawn[i]:.1f}\xa0%")
        assert q == f"{100 * own[i]:.1f}\xa0%"
    width = page.locator(".pg-bar i").first.evaluate("bar => bar.style.width")
    most = max(drawn.max(), own.max())  # the largest fills the width
    assert float(width[:-1]) == pytest.approx(100 * drawn[best[0]] / most, abs=1e-2)
    page.mouse.move(5, 5)  # away: the last character again
    assert page.locator(".pg-readout").first.inner_text().startswith("Place 508, ")


def test_the_bars_follow_a_slider_before_and_after_play(opened):
    """At once, with what Python makes of the model's guess; what is written stays."""
    page = opened()
    model, vocab, _ = network("lstm")

    def expected(text, **settings):
        p = next_distribution(torch_logits(model, vocab, text)[-1], **settings)
        names = [plotting.VISIBLE.get(c, c) for c in vocab.chars]
        return {name: f"{100 * x:.1f}\xa0%" for name, x in zip(names, p, strict=True) if x > 0.001}

    def shown():
        return {name: drawn for name, (drawn, _) in rows(page).items() if drawn[0] not in "<c"}

    slide(page, "Temperature", 1.5)
    page.get_by_text("What could stand at place 9").wait_for()
    assert page.locator(".pg-readout").first.inner_text().startswith("Your prompt is read.")
    first = shown()
    assert first.items() <= expected(HAMLET, temperature=1.5).items()
    assert len(first) == 10
    slide(page, "Temperature", 0.8)
    play(page)
    assert text_of(page) == python_text()
    slide(page, "Look at a character", 200)
    slide(page, "Top-k", 2)
    few = shown()
    assert len(few) == 2
    assert few.items() <= expected(text_of(page)[:199], temperature=0.8, top_k=2).items()
    assert text_of(page) == python_text()


def test_a_place_that_is_pointed_at_holds_while_the_text_grows(opened):
    page = opened(clock=True)
    begin(page)
    page.clock.run_for(500)
    page.locator(".pg-text [data-place='12']").hover()
    said = page.locator(".pg-readout").first
    assert said.inner_text().startswith("Place 13, ")
    page.clock.run_for(1000)
    assert len(text_of(page)) > 50
    assert said.inner_text().startswith("Place 13, ")
    assert page.locator(".pg-at").get_attribute("data-place") == "12"
    page.mouse.move(5, 5)
    page.clock.run_for(100)
    assert said.inner_text().startswith(f"Place {len(text_of(page))}, ")


def test_a_rule_stands_where_the_settings_changed(opened):
    page = opened()
    play(page)
    assert page.locator(".pg-rule").count() == 0
    slide(page, "Temperature", 1.2)
    slide(page, "Top-k", 4)
    play(page)
    assert page.locator(".pg-rule").all_inner_texts() == ["Temperature 1.2, Top-k 4 from here"]
    before = page.locator(".pg-rule").evaluate(
        "rule => rule.previousSibling?.dataset.place ?? '507'"
    )
    assert before == "507"
    assert len(text_of(page)) == 1008
    play(page)  # unchanged
    assert page.locator(".pg-rule").count() == 1


def test_ctrl_and_enter_is_play(opened):
    page = opened()
    page.get_by_label("Pace").select_option("Infinity")
    page.get_by_label("Prompt").fill("JULIET:\n")
    page.get_by_label("Prompt").press("Control+Enter")
    finished(page)
    assert text_of(page) == python_text(prompt="JULIET:\n")


def test_a_text_is_coloured_as_it_is_typed(opened):
    """Without a button and without a word; what was there is read once, and goes on."""
    page = opened("own")
    box = page.get_by_label("Your text", exact=True)
    kinds = "all => all.map((s) => s.className)"
    texts = ("To be, or not", "To be, or not qxz", "To he")
    for text in texts:
        box.fill(text)
        page.wait_for_function(
            "n => document.querySelectorAll('.pg-text [data-place]').length === n", arg=len(text)
        )
        finished_quietly = "document.querySelector('.pg-play').textContent === 'Colour it'"
        page.wait_for_function(finished_quietly)
        assert text_of(page) == text
        assert message(page) == ""
        typed = page.locator(".pg-text [data-place]").evaluate_all(kinds)
        page.get_by_role("button", name="Colour it").click()
        finished(page, "Colour it")
        assert page.locator(".pg-text [data-place]").evaluate_all(kinds) == typed
    box.fill("Straße")
    page.get_by_text("Not known: “ß”").wait_for()


def test_the_text_can_be_looked_through_by_keyboard(opened):
    page = opened()
    play(page)
    slider = page.get_by_label("Look at a character")
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    assert slider.get_attribute("aria-valuetext").startswith("place 505, ")
    assert page.locator(".pg-readout").first.inner_text().startswith("Place 505, ")
    assert page.locator(".pg-at").get_attribute("data-place") == "504"
    page.keyboard.press("Home")
    assert (
        "the first character, which nothing foretells"
        in page.locator(".pg-readout").first.inner_text()
    )
    assert page.locator(".pg-at").get_attribute("data-place") == "0"


def test_gates_grow_with_the_text_and_are_those_of_record_gates(opened):
    page = opened(clock=True)
    canvas = page.locator("canvas:visible")
    begin(page)
    widths = []
    for _ in range(3):
        page.clock.run_for(300)
        widths.append(canvas.bounding_box()["width"])
    page.get_by_role("button", name="Stop").click()
    assert widths == sorted(set(widths))
    assert widths[0] >= 120
    text = text_of(page)
    model, vocab, _ = network("lstm")
    gates = record_gates(model, vocab.encode(text))
    slide(page, "Look at a character", 20)
    page.get_by_label("Unit", exact=True).fill("16")
    named = {
        "forget gate": gates.forget, "input gate": gates.input, "output gate": gates.output,
        "candidate": gates.cell, "cell state": gates.c, "hidden state": gates.h,
    }  # fmt: skip
    for name, values in named.items():
        page.get_by_label("Show").select_option(label=name)
        said = page.locator(".pg-gates .pg-readout").inner_text()
        assert f"at place 20, the {name} of unit 16 is " in said
        numbers = [float(x) for x in re.findall(r"-?\d+\.\d+", said)]
        assert numbers == pytest.approx([values[19, 16], values[19].mean()], abs=6e-4)
        assert said.split("; ")[1].split()[0] == str(
            (values[19] > (0.5 if name.endswith("gate") else 0)).sum()
        )
        assert said in canvas.get_attribute("aria-label")
    page.get_by_label("Show").select_option("forget")
    red = """() => {  // of the middle of each square of one column, and of the unit by itself
        const canvas = document.querySelector('canvas'), scale = canvas.height / 424;
        const copy = new OffscreenCanvas(1, canvas.height).getContext('2d');
        copy.drawImage(canvas, -95 * scale, 0);
        const column = copy.getImageData(0, 0, 1, canvas.height);
        const middles = Array.from({length: 128}, (_, y) => 3 * y + 1);
        return [...middles, 397].map((y) => column.data[4 * y * scale]);
    }"""
    orders = {
        "number": np.arange(128),
        "mean": np.argsort(-gates.forget.mean(0)),
        "change": np.argsort(-gates.forget.var(0)),
    }
    for name, rows in orders.items():
        page.get_by_label("Rows").select_option(name)
        *seen, alone = page.evaluate(red)
        framed = np.abs(np.arange(128) - rows.tolist().index(16)) < 2  # by the frame of unit 16
        order = [y for y in np.argsort(gates.forget[9][rows]) if not framed[y]]
        assert min(np.array(seen)[order[:20]]) > max(np.array(seen)[order[-20:]])  # open is dark
        ramp = 255 * plotting.AMOUNT(gates.forget[9, 16])[0]
        assert abs(alone - ramp) <= 3


def choose(page, network):
    page.get_by_label("Network").select_option(label=network)


def test_the_transformer_shows_what_it_looks_at(opened):
    """In words, in the picture and under the characters, for each head as the engine has it."""
    page = opened()
    choose(page, "Transformer")
    play(page)
    assert text_of(page) == python_text("transformer")
    assert page.locator(".pg-gates").is_hidden()
    text, at = text_of(page), 300
    page.locator(f".pg-text [data-place='{at}']").scroll_into_view_if_needed()
    page.locator(f".pg-text [data-place='{at}']").hover()
    attention = page.evaluate(
        """text => {
            const model = charbook.engine.load(charbookModels.transformer), state = model.start();
            for (const id of model.encode(text)) model.step(state, id);
            return state.attention.map((heads) => heads.map((weights) => Array.from(weights)));
        }""",
        text[: at + 1],
    )
    said = page.locator(".pg-attention .pg-readout")
    for layer, head in [(1, 1), (3, 2)]:
        page.get_by_label("Layer", exact=True).select_option(str(layer))
        page.get_by_label("Head", exact=True).select_option(str(head))
        weights = np.array(attention[layer - 1][head - 1])
        best = np.argsort(-weights, kind="stable")[:3]
        words = said.inner_text().replace("\xa0", " ")
        assert words.startswith(
            f"Having read “{shown_as(text[at])}” at place {at + 1}, head {head} "
        )
        places = [k + at + 1 - len(weights) for k in best]
        for k, place in zip(best, places, strict=True):
            where = "itself" if place == at else f"{at - place} back"
            share = f"{100 * weights[k]:.1f} %" if weights[k] >= 0.0005 else "< 0.1 %"
            assert f"“{shown_as(text[place])}”, {where} ({share})" in words
        bars = page.locator(".pg-text [data-place]").evaluate_all(
            "all => all.map((s) => Number(s.style.boxShadow.match(/ ([0-9.]+)px/)?.[1] ?? -1))"
        )
        assert said.inner_text() in page.locator(".pg-attention canvas").get_attribute("aria-label")
        assert np.argmax(bars) == places[0]
        seen = np.flatnonzero(np.array(bars) >= 0)
        assert seen.tolist() == list(range(at + 1 - len(weights), at + 1))
    page.get_by_label("Layer", exact=True).select_option("1")
    canvas = page.locator(".pg-attention canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 12 * 6 + 4)  # the seventh row: layer 2, head 3
    assert ", head 3 of layer 2 looks most" in said.inner_text()


def shown_as(character):
    return plotting.VISIBLE.get(character, character)


def test_networks_can_be_chosen(opened):
    """Those without gates or attention too; each colours a text by its own surprise."""
    page = opened()
    choose(page, "GRU")
    play(page)
    assert text_of(page) == python_text("gru")
    assert page.locator(".pg-gates, .pg-attention").locator("visible=true").count() == 0
    assert 'models/gru.js")' in page.locator(".pg-python code").text_content()
    choose(page, "LSTM")
    assert text_of(page) == python_text("gru")  # until play is pressed
    play(page)
    assert text_of(page) == python_text()
    assert page.locator(".pg-gates").is_visible()
    page.get_by_label("Your text, coloured").check()
    choose(page, "RNN")
    play(page, "Colour it")
    held_out = network("rnn")[2]["about"]["held_out_nats"]
    assert f"{held_out:.2f} nats" in page.get_by_text("perplexity").inner_text()
    choose(page, "n-gram")
    play(page, "Colour it")
    assert "On Shakespeare that it has not read" not in page.get_by_text("perplexity").inner_text()
    page.get_by_label("Let it write").check()
    play(page)
    assert text_of(page) == counted_text()
    assert page.locator(".pg-python").is_hidden()
    page.get_by_label("Side by side").check()
    assert page.get_by_label("Network").is_hidden()


def test_pointing_into_the_heatmap(opened):
    page = opened()
    play(page)
    box = page.locator(".pg-scroll:visible").bounding_box()
    page.locator("canvas:visible").scroll_into_view_if_needed()
    box = page.locator(".pg-scroll:visible").bounding_box()
    page.get_by_label("Rows").select_option("number")
    page.mouse.move(box["x"] + box["width"] - 15, box["y"] + 3 * 40 + 2)
    said = page.locator(".pg-gates .pg-readout")
    at_40 = r"at place 50[678], the forget gate of unit 4[01] "
    assert re.search(at_40, said.inner_text()), said.inner_text()
    page.mouse.down()
    page.mouse.up()
    page.mouse.move(box["x"] + box["width"] - 15, box["y"] + 3 * 80 + 2)
    assert re.search(r"of unit 8[01] ", said.inner_text())
    page.mouse.move(0, 0)  # what was clicked at stays
    assert re.search(r"of unit 4[01] ", said.inner_text())


def test_a_text_of_ones_own_is_coloured_by_surprise(opened):
    page = opened("own")
    own = "To be, or not to be:\nqzx the end."
    page.get_by_label("Your text", exact=True).fill(own)
    play(page, "Colour it")
    assert message(page) == f"{len(own)} characters read."
    assert text_of(page) == own
    model, vocab, description = network("lstm")
    ids = vocab.encode(own)
    loss = evaluate(model, ids)
    logits = torch_logits(model, vocab, own)
    surprise = [
        0,
        *(-np.log(next_distribution(z)[i]) for z, i in zip(logits, ids[1:], strict=False)),
    ]
    summary = page.locator(".pg-result p", has_text="perplexity").inner_text()
    held_out = description["about"]["held_out_nats"]
    assert f"{loss:.2f} nats a character over {len(own) - 1} characters" in summary
    assert f"perplexity {np.exp(loss):.1f}" in summary
    assert f"{held_out:.2f} nats, perplexity {np.exp(held_out):.1f}" in summary
    kinds = page.locator(".pg-text [data-place]").evaluate_all("all => all.map((s) => s.className)")
    levels = np.digitize(surprise, [1, 2.5, 4.5])
    for kind, level in zip(kinds, levels, strict=True):
        assert kind.split(" ")[0].removesuffix("pg-end") == ("" if level == 0 else f"pg-s{level}")
    assert {0, 1, 2, 3} == set(levels)
    box = page.get_by_label("Your text", exact=True)
    said = page.locator(".pg-readout")
    assert said.inner_text().startswith(f"Place {len(own)}, ")  # the cursor stands at the end
    point(page, 22)
    assert f"{surprise[22]:.2f} nats ({surprise[22] / np.log(2):.2f} bits)" in said.inner_text()
    page.mouse.move(0, 0)
    box.press("ArrowLeft")
    box.press("ArrowLeft")
    assert said.inner_text().startswith(f"Place {len(own) - 1}, ")
    # The colours lie under the letters: the box breaks its lines where the view breaks them.
    heights = "e => [e.scrollHeight, e.parentElement.querySelector('.pg-text').scrollHeight]"
    for width in (90, 61):
        page.locator(".pg-paper").evaluate("(e, w) => { e.style.width = `${w}px`; }", width)
        typed, coloured = box.evaluate(heights)
        assert typed == coloured > 100
    page.get_by_label("Surprise in").select_option("bits")
    assert f"{loss / np.log(2):.2f} bits a character" in page.get_by_text("perplexity").inner_text()
    for kind, line in {"pg-s2": "dotted", "pg-s3": "double"}.items():  # not by colour alone
        style = page.locator(f".pg-text .{kind}").first.evaluate(
            "s => getComputedStyle(s).textDecoration"
        )
        assert line in style


def test_a_text_of_ones_own_that_cannot_be_read(opened):
    page = opened("own")
    page.get_by_label("Your text", exact=True).fill("“Yes”, 2 × 2 = 4")
    play(page, "Colour it")
    assert "Not known: ““”, “””, “2”, “×”, “=”, “4”, first at place 1" in message(page)
    assert page.get_by_label("Your text", exact=True).get_attribute("aria-invalid") == "true"
    page.get_by_role("button", name="Leave them out").click()
    finished(page, "Colour it")
    assert text_of(page) == "Yes,     "
    page.get_by_label("Your text", exact=True).fill("a")
    play(page, "Colour it")
    assert "two characters" in message(page)
    assert page.evaluate("charbook.mode.LIMITS.text") == 5000
    page.evaluate("charbook.mode.LIMITS.text = 1000")
    page.get_by_label("Your text", exact=True).evaluate("b => { b.value = 'ab'.repeat(501); }")
    play(page, "Colour it")
    assert message(page) == "1,000 characters read. Only the first 1,000 characters were read."


def test_networks_side_by_side_from_the_same_numbers(opened):
    page = opened()
    page.get_by_label("Side by side").check()
    slide(page, "Top-p", 0.9)
    play(page)
    assert message(page) == f"500 characters written by each of the {len(MODELS) + 1}."
    assert text_of(page, len(MODELS)) == counted_text(top_p=0.9)
    counted = page.locator(".pg-column[data-cell=ngram]").inner_text()
    assert f"Coriolanus alone, {len(load_corpus('coriolanus').text):,} characters" in counted
    for at, cell in enumerate(MODELS):
        assert text_of(page, at) == python_text(cell, top_p=0.9)
        about = network(cell)[2]["about"]
        facts = page.locator(f".pg-column[data-cell={cell}]").inner_text()
        assert f"{about['weights']:,} weights, {about['held_out_nats']:.2f} nats" in facts
    page.get_by_label("Look at a place in all").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    said = page.locator(".pg-column .pg-readout").all_inner_texts()
    assert [s.split(":")[0] for s in said] == ["Place 2, “A”"] * (len(MODELS) + 1)
    assert len(set(said)) == len(MODELS) + 1


def test_networks_of_which_nothing_is_known_write_too(opened):
    """Exported without ``about``, as by the command line, or with an empty one."""
    page = opened()

    def forgetful(route):
        cell = re.search(r"models/(\w+)\.js", route.request.url)[1]
        about = "{}" if cell in ("lstm", "transformer") else "undefined"
        body = MODELS[cell].read_text(encoding="utf-8")
        route.fulfill(body=f"{body}\ncharbookModels.{cell}.about = {about};")

    page.route(re.compile("playground/models/"), forgetful)
    page.reload()  # from the disk, routes hold from the next visit
    page.get_by_label("Side by side").check()
    play(page)
    assert message(page) == f"500 characters written by each of the {len(MODELS) + 1}."
    networks = page.locator(".pg-column:not([data-cell=ngram]) p:not(.pg-readout)")
    assert networks.all_inner_texts() == [""] * len(MODELS)


NAME_OF_FOCUSED = "(document.activeElement.labels?.[0] ?? document.activeElement).innerText"


def test_it_works_by_keyboard_alone(opened):
    page = opened()
    page.get_by_label("Let it write").focus()
    reached = []
    while reached[-1:] != ["Pace"]:
        page.keyboard.press("Tab")
        reached.append((page.evaluate(NAME_OF_FOCUSED).split() or ["(a text)"])[0])
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid", reached[-1]
    assert reached[:4] == ["Network", "Play", "Copy", "Reset"]
    assert reached[-7:] == ["Prompt", "Temperature", "Top-k", "Top-p", "Min-p", "Seed", "Pace"]
    page.get_by_label("Pace").select_option("5")  # a hundred seconds, to be stopped in
    page.get_by_role("button", name="Play").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Stop").wait_for()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Play").wait_for()
    assert page.evaluate("document.activeElement.className") == "pg-play"
    page.get_by_label("Let it write").focus()
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("button", name="Colour it").is_visible()
    assert page.get_by_label("Your text", exact=True).is_visible()


def test_the_output_is_announced_in_whole_words_now_and_then(opened):
    page = opened(clock=True)
    page.evaluate(
        """() => {
            globalThis.heard = [];
            const live = document.querySelector('[aria-live=polite]');
            const hear = () => heard.push(live.textContent);
            new MutationObserver(hear).observe(live, {childList: true});
        }"""
    )
    page.locator(".pg-gates").evaluate("gates => { gates.open = false; }")
    begin(page)
    for _ in range(130):  # frames, of a tenth of a second each
        page.clock.fast_forward(100)
    finished(page)
    heard = page.evaluate("heard")
    assert HAMLET + "".join(heard)[-len(text_of(page)) + 8 :] == text_of(page)
    assert 2 <= len(heard) <= 5
    assert all(piece[-1] in " \n" for piece in heard[:-1])


def test_less_motion_is_respected(opened):
    page = opened(reduced_motion="reduce")
    play(page, pace="5")  # 100 s at that pace
    assert text_of(page) == python_text()


def test_missing_weights_are_said_and_can_be_tried_again(browser, small_site, tmp_path):
    site = tmp_path / "site"
    shutil.copytree(small_site, site)
    weights = site / "_static/playground/models/lstm.js"
    weights.rename(tmp_path / "lstm.js")
    page = new_page(browser)
    page.goto((site / "index.html").as_uri())
    play(page)
    assert "could not be loaded" in message(page)
    (tmp_path / "lstm.js").rename(weights)
    play(page)
    assert text_of(page) == python_text()
    page.close()


MODES_AT = {1280: ("dark", "light"), 390: ()}  # of colours; on a phone they are the same ones


@pytest.mark.parametrize("width", MODES_AT)
def test_every_mode_is_accessible_and_fits(opened, width):
    """axe-core finds nothing in dark and light, and nothing reaches over the edge."""
    page = opened(width=width)
    page.get_by_label("Pace").select_option("40")
    for label, network, button in [
        ("Let it write", "LSTM", "Play"),
        ("Let it write", "Transformer", "Play"),
        ("Your text, coloured", "RNN", "Colour it"),
        ("Side by side", None, "Play"),
    ]:
        page.locator(".pg-modes").get_by_label(label).check()
        if network:
            choose(page, network)
        page.get_by_role("button", name=button).click()
        if button == "Play":  # a few characters come in a frame, and it is asked in each
            page.wait_for_function(
                """() => {
                    if (!document.querySelector(".pg-text [data-place='40']")) return false;
                    document.querySelector(".pg-play").click();
                    return true;
                }"""
            )
        finished(page, button)
        point(page, 20)
        page.mouse.down()
        page.mouse.up()
        for details in page.locator(".pg details:visible").all():
            details.evaluate("d => { d.open = true; }")
        assert violations(page, ".charbook-playground", MODES_AT[width]) == [], label
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_colours_follow_the_theme(opened):
    """The theme's own switch; the heatmap's ground turns dark with the page."""
    page = opened(color_scheme="dark")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    slide(page, "Temperature", 0.5)
    play(page)
    shade = """() => {
        const canvas = document.querySelector('canvas');
        const copy = new OffscreenCanvas(canvas.width, 250).getContext('2d');
        copy.drawImage(canvas, 0, 0);
        const data = copy.getImageData(0, 0, canvas.width, 250).data;
        let dark = 0;  // squares of a shut gate are the darkest of all, or the lightest
        for (let i = 0; i < data.length; i += 4) dark += data[i] < 30 && data[i + 2] < 40;
        return dark / (data.length / 4);
    }"""
    in_dark = page.evaluate(shade)
    ground = "getComputedStyle(document.querySelector('.pg')).backgroundColor"
    dark_ground = page.evaluate(ground)
    page.evaluate("document.documentElement.dataset.theme = 'light'")
    assert in_dark > 0.02
    page.wait_for_function(f"most => ({shade})() < most", arg=in_dark / 2)
    assert page.evaluate(ground) != dark_ground


def test_no_task_is_long(browser, opened):
    """No task over 50 ms while weights load and each mode runs at full speed."""

    def each_mode(page):
        page.reload()
        page.get_by_label("Pace").focus()  # Playwright's own script is in the page from here on
        play(page)
        choose(page, ARCHITECTURES[list(MODELS)[-1]].label)
        play(page)
        page.get_by_label("Your text, coloured").check()
        page.get_by_label("Your text", exact=True).evaluate(  # typing is the browser's own work
            "box => { box.value = 'To be, or not to be.\\n'.repeat(100); }"
        )
        play(page, "Colour it")
        assert message(page) == "2,100 characters read."
        page.get_by_label("Side by side").check()
        play(page)

    no_long_task(browser, opened(), each_mode)
