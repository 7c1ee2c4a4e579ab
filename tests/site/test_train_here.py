"""The page on which a network is trained, as a reader uses it."""

import functools
import re

import numpy as np
import pytest

from helpers.cli.export import read
from helpers.corpus import Vocabulary, load_corpus, split_ids
from helpers.ngram import NGram
from helpers.sampling import generate
from helpers.training import evaluate
from tests.site.browser import new_page, no_long_task, violations
from tests.site.test_playground import MODES_AT, NAME_OF_FOCUSED
from tools.site.playground import PLAYS, SCRIPTS, TEXTS, TRAINING_SCRIPTS, WITHOUT

SHORT = load_corpus("coriolanus", limit=2000).text


@pytest.fixture
def opened(opened):
    """Opens the page on which a network can be trained."""
    return functools.partial(opened, "train")


def button(page, name):
    return page.locator(".tr").get_by_role("button", name=name, exact=True)


def message(page):
    return page.locator(".tr .pg-message").first.inner_text()


def figure(page, name):
    """What stands under a heading of the table of figures."""
    return page.locator(f".tr-numbers div:has(dt:text-is('{name}')) dd").inner_text()


def choose(page, text=SHORT, units="32", updates="200"):
    form = page.locator(".tr > .pg > .pg-settings")
    form.get_by_label("Text", exact=True).select_option("own")
    form.get_by_label("Your text").evaluate("(box, text) => { box.value = text; }", text)
    form.get_by_label("Size").select_option(units)
    form.get_by_label("Length").select_option(updates)


def train(page, name="Train", **settings):
    choose(page, **settings)
    button(page, name).click()
    page.locator(".tr").get_by_role("button", name=re.compile(r"^[\d,]+ more$")).wait_for()


def all_samples(page):
    """When each was written and what, as the slider shows it from the first to the newest."""
    return page.locator(".tr-scrubber").evaluate(
        """slider => Array.from({length: Number(slider.max) + 1}, (_, k) => {
            slider.value = k;
            slider.dispatchEvent(new Event("input"));
            return [".tr-when", ".tr-sample"].map((it) => document.querySelector(it).textContent);
        })"""
    )


def test_it_learns_more_than_how_frequent_each_character_is(opened):
    page = opened()
    train(page)
    vocab = Vocabulary(SHORT)
    train_ids, held_ids = split_ids(vocab.encode(SHORT))
    frequencies = evaluate(NGram(1, len(vocab), "witten-bell").fit(train_ids), held_ids)
    counting = evaluate(NGram(5, len(vocab), "witten-bell").fit(train_ids), held_ids)
    held = float(figure(page, "Held-out loss").removesuffix(" nats"))
    assert held < frequencies - 0.2
    assert float(figure(page, "Perplexity, held out")) == pytest.approx(np.exp(held), rel=0.01)
    assert figure(page, "Updates") == "200"
    assert figure(page, "Time left, about") == "0 s"
    assert figure(page, "Times through the text") == "17"  # 200 * 3 * 50 / 1800
    assert float(figure(page, "Characters a second").replace(",", "")) > 1000
    assert message(page).startswith(f"200 updates done. The held-out loss is {held:.2f} nats")
    said = page.locator(".tr-curve svg").get_attribute("aria-label")
    assert f"knowing nothing {np.log(len(vocab)):.2f}" in said
    assert f"knowing how frequent each is {frequencies:.2f}" in said
    assert f"counting, five in a row {counting:.2f}" in said
    assert f"held-out loss {held:.2f}" in said
    samples = all_samples(page)
    numbers = [int((re.findall(r"^After (\d+) updates", when) or [0])[0]) for when, _ in samples]
    assert numbers == sorted(numbers)
    assert {0, 10, 20, 50, 100, 200} <= set(numbers)
    assert samples[-1][1].count(" ") > samples[0][1].count(" ") + 10
    button(page, "200 more").click()
    page.wait_for_function(
        "document.querySelector('.tr .pg-message').textContent.startsWith('400')"
    )


def opens(page, path):
    """Choose a file behind the button that opens a network."""
    with page.expect_file_chooser() as chooser:
        button(page, "Open a saved one").click()
    chooser.value.set_files(path)


def written(page):
    """The playground writes by itself as soon as it is there; -> all that it has written."""
    stage = page.locator(".tr-stage")
    stage.get_by_text("500 characters written.").wait_for()
    return stage.locator(".pg-text").evaluate(
        """box => Array.from(box.querySelectorAll('[data-place]'),
            (s) => s.classList.contains('pg-end') ? '\\n' : s.textContent).join('')"""
    )


def test_playing_saving_and_opening_give_the_network_that_was_trained(opened, tmp_path):
    """What Python writes with the saved weights is what the playground writes, in the page that
    trained it and in another one that opens the file."""
    page = opened(accept_downloads=True, reduced_motion="reduce")  # it is written at once
    train(page)
    with page.expect_download() as download:
        button(page, "Save it").click()
    download.value.save_as(tmp_path / "trained-here.js")
    model, vocab, description = read(tmp_path / "trained-here.js")
    assert vocab == Vocabulary(SHORT)
    assert description["about"]["updates"] == 200
    _, held_ids = split_ids(vocab.encode(SHORT))
    assert f"{evaluate(model, held_ids):.2f} nats" == figure(page, "Held-out loss")
    button(page, "Play with it").click()
    stage = page.locator(".tr-stage")
    stage.get_by_text("as it was after 200 updates").wait_for()
    assert page.evaluate("document.activeElement.className") == "tr-stage"
    prompt = stage.get_by_label("Prompt").input_value()
    assert prompt in SHORT
    assert written(page) == generate(model, vocab, prompt, 500, 0.8, seed=1)
    stage.get_by_label("Your text, coloured").check()
    stage.get_by_role("button", name="Colour it").click()
    stage.get_by_text("On the text that it has not read").wait_for()
    assert stage.get_by_label("Side by side").count() == 0
    loss = figure(page, "Held-out loss").removesuffix(" nats")

    page = opened(reduced_motion="reduce")  # another one, which has trained nothing
    stage = page.locator(".tr-stage")
    (tmp_path / "other.js").write_text("alert('I am run')", encoding="utf-8")
    opens(page, tmp_path / "other.js")
    page.get_by_text("“other.js” holds no network that this page can run").wait_for()
    assert stage.is_hidden()
    opens(page, tmp_path / "trained-here.js")
    stage.get_by_text("The network from “trained-here.js”:").wait_for()
    prompt = stage.get_by_label("Prompt").input_value()
    assert written(page) == generate(model, vocab, prompt, 500, 0.8, seed=1)
    stage.get_by_label("Your text, coloured").check()
    stage.get_by_role("textbox", name="Your text").fill(SHORT[:100])
    stage.get_by_text(f"On the text that it has not read it has {loss}").wait_for()


def test_earlier_runs_stay_on_the_curve_and_seconds_run_across(opened):
    page = opened()
    train(page)
    earlier = page.locator(".tr-curve polyline.tr-earlier")
    numbers = page.locator(".tr-curve svg").text_content
    train(page, "Train again", units="64")
    assert earlier.count() == 1
    assert "32 units" in numbers()
    assert "updates" in numbers()
    page.get_by_label("Across").select_option("seconds")
    assert "seconds" in numbers()
    train(page, "Train again", text=SHORT[:1500])  # losses on two texts are not to be compared
    assert earlier.count() == 0


@pytest.mark.parametrize(("text", "warned"), [(SHORT[:100] * 40, True), (SHORT, False)])
def test_a_held_out_text_that_stands_in_the_rest_is_named(opened, text, warned):
    page = opened()
    train(page, text=text)
    warning = page.locator(".tr-warning")
    assert warning.is_visible() == warned
    assert ("100.0\xa0% stands in the rest" in warning.inner_text()) == warned


def updates(page):
    return int(figure(page, "Updates").replace(",", ""))


def main_buttons(page):
    """Of Train and Pause: what stands on each, whether it can be pressed, whether it stands out."""
    return (
        page.locator(".tr .pg-buttons")
        .first.locator("button")
        .evaluate_all(
            """all => all.slice(0, 2).map((it) =>
            [it.textContent, !it.disabled, it.classList.contains("pg-play")])"""
        )
    )


def test_pause_pauses_and_the_settings_are_free_when_it_rests(opened):
    page = opened()
    assert main_buttons(page) == [["Train", True, True], ["Pause", False, False]]
    choose(page, updates="2 minutes")  # the one length that does not end before it is paused
    button(page, "Train").click()
    page.wait_for_function("document.querySelector('.tr-scrubber').max >= 3")
    assert main_buttons(page) == [["Train again", False, False], ["Pause", True, True]]
    assert page.get_by_label("Size").is_disabled()
    button(page, "Pause").click()
    button(page, "Go on").wait_for()
    assert main_buttons(page) == [["Train again", True, False], ["Go on", True, True]]
    there = updates(page)
    assert message(page) == f"Paused after {there:,} updates."
    button(page, "Play with it").click()  # the worker is asked, and has gone no further
    page.get_by_text(f"as it was after {there:,} updates").wait_for()
    assert updates(page) == there
    page.get_by_label("Length").select_option("200")  # of the next run, not of this one
    button(page, "Go on").click()
    page.wait_for_function(
        "n => document.querySelector('.tr-numbers dd').textContent.replaceAll(',', '') > n",
        arg=there,
    )
    button(page, "Pause").click()
    train(page, "Train again")
    assert main_buttons(page) == [["Train again", True, True], ["200 more", True, False]]
    assert updates(page) == 200


@pytest.mark.parametrize("name", TEXTS)
def test_the_books_texts_can_be_taken(opened, name):
    page = opened()
    offered = page.get_by_label("Text", exact=True).locator("option")
    names = [option.get_attribute("value") for option in offered.all()]
    assert sorted(names) == sorted([*TEXTS, PLAYS, "own"])
    asked = []
    page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    page.get_by_label("Text", exact=True).select_option(name)
    page.get_by_label("Size").select_option("32")
    assert page.get_by_label("Your text").is_hidden()
    assert asked == []
    button(page, "Train").click()
    page.locator(".tr-facts").wait_for()
    assert asked[0] == f"{name}.js"
    assert page.locator(".tr .pg-wide:visible").count() == 1  # More settings; no note
    corpus = load_corpus(name)
    train_ids, held_ids = corpus.split()
    facts = page.locator(".tr-facts").inner_text()
    assert f"learns from {len(train_ids):,} characters, of {len(corpus.vocab)} kinds" in facts
    assert f"tested on {len(held_ids):,} that come after them" in facts


def test_the_plays_are_learned_and_another_play_is_held_out(browser, opened):
    """Fetched only when asked for; the n-gram model is that of Python, though it is counted with
    the contexts of the held-out play alone; no task of the page is long."""
    page = opened()
    page.set_default_timeout(120_000)  # to read them takes two seconds of a processor to itself
    asked = []
    page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))

    def learn(page):
        page.reload()
        page.get_by_label("Text", exact=True).select_option(PLAYS)
        assert page.get_by_text("Four megabytes, fetched when you press Train.").is_visible()
        page.get_by_label("Size").select_option("32")
        page.get_by_label("Length").select_option("2 minutes")
        assert not any(name.startswith(PLAYS) for name in asked)
        button(page, "Train").click()
        page.wait_for_function("document.querySelector('.tr-scrubber').max >= 1")
        button(page, "Pause").click()
        button(page, "Go on").wait_for()
        assert f"{PLAYS}.js" in asked
        asked.clear()

    no_long_task(browser, page, learn)
    corpus = load_corpus("shakespeare")
    train_ids = corpus.split_by_plays()[0]
    held_ids = corpus.vocab.encode(load_corpus("the-tempest").text)[:20_000]
    facts = page.locator(".tr-facts").inner_text()
    assert f"learns from {len(train_ids):,} characters, of {len(corpus.vocab)} kinds" in facts
    assert "tested on 20,000 of The Tempest." in facts
    counting = evaluate(NGram(5, len(corpus.vocab), "witten-bell").fit(train_ids), held_ids)
    said = page.locator(".tr-curve svg").get_attribute("aria-label")
    assert f"counting, five in a row {counting:.2f}" in said
    assert re.fullmatch(r"2 min|\d+ s", figure(page, "Time left, about"))


def test_a_text_of_ones_own_is_sent_nowhere(opened, tmp_path):
    """From a file of one's own, too: the worker's own address is all that is asked for."""
    page = opened()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    (tmp_path / "novel.txt").write_text(SHORT + "é", encoding="utf-8")
    (tmp_path / "old.txt").write_bytes((SHORT + "é").encode("latin-1"))
    page.get_by_label("Text", exact=True).select_option("own")
    page.get_by_label("open a text file").set_input_files(tmp_path / "old.txt")
    page.get_by_text("“old.txt” is not UTF-8 text.").wait_for()
    page.get_by_label("open a text file").set_input_files(tmp_path / "novel.txt")
    page.get_by_text("“novel.txt” is open.").wait_for()
    assert page.get_by_label("Your text").input_value() == SHORT + "é"
    page.get_by_label("Size").select_option("32")
    page.get_by_label("Length").select_option("200")
    button(page, "Train").click()
    button(page, "200 more").wait_for()
    assert all(url.startswith("blob:") for url in asked), asked


def test_a_text_that_cannot_be_learned_is_refused_with_a_word_on_why(opened):
    """The words for each kind of text are held in tests/site/test_trainer.py."""
    page = opened()
    choose(page, text="To be, or not to be.")
    button(page, "Train").click()
    page.locator(".tr .pg-message.pg-wrong").wait_for()
    assert message(page).startswith("This text has 20 characters. It must have at least 1,000")
    assert page.get_by_label("Your text").get_attribute("aria-invalid") == "true"
    assert button(page, "Train").is_enabled()
    assert button(page, "Play with it").is_disabled()


def test_a_text_from_right_to_left_stands_so(opened):
    page = opened()
    choose(page, text="שלום עולם.\n" * 100)
    direction = "element => getComputedStyle(element).direction"
    assert page.get_by_label("Your text").evaluate(direction) == "rtl"
    button(page, "Train").click()
    page.locator(".tr-sample").first.wait_for()
    sample = page.locator(".tr-sample").first
    assert sample.get_attribute("dir") == "auto"
    assert sample.evaluate("sample => getComputedStyle(sample).unicodeBidi") == "plaintext"


def test_a_script_that_is_missing_leaves_the_sentence(browser, small_site):
    page = new_page(browser)
    for name in [SCRIPTS[0], *TRAINING_SCRIPTS[::3], TRAINING_SCRIPTS[-1]]:
        address = re.compile(rf"/{name}\.js")
        page.route(address, lambda route: route.abort())
        page.goto((small_site / "train.html").as_uri())
        assert page.locator(".tr-mount").inner_text() == WITHOUT, name
        page.unroute(address)
    page.close()


def test_settings_out_of_range_are_refused(opened):
    page = opened()
    choose(page)
    page.get_by_text("More settings").click()
    for label, value, why in [
        ("Learning rate", "0", "rate lies above 0"),
        ("Learning rate", "1.5", "rate lies above 0 and is 1 at most"),
        ("Learning rate", "", "rate lies above 0"),
        ("Seed", "-1", "Seed must be a whole number"),
        ("Seed", "", "Seed must be a whole number"),
    ]:
        before = page.get_by_label(label).input_value()
        page.get_by_label(label).fill(value)
        button(page, "Train").click()
        page.locator(".tr .pg-message.pg-wrong").wait_for()
        assert why in message(page)
        page.get_by_label(label).fill(before)
    train(page)
    choose(page, text="short")
    button(page, "Train again").click()
    page.get_by_text("This text has 5 characters.").wait_for()
    button(page, "Play with it").click()  # what was trained before is still there
    page.get_by_text("as it was after 200 updates").wait_for()


def test_it_works_by_keyboard_and_announces_now_and_then(opened):
    page = opened()
    choose(page)
    page.evaluate(
        """() => {
            globalThis.heard = [];
            const status = document.querySelector('.tr [role=status]');
            const hear = () => heard.push(status.textContent);
            new MutationObserver(hear).observe(status, {childList: true});
        }"""
    )
    page.get_by_label("Text", exact=True).focus()
    reached = []
    for _ in range(6):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(NAME_OF_FOCUSED).split()[0])
    assert reached == ["Size", "Length", "Your", "or", "More", "Train"]
    page.keyboard.press("Enter")  # the focus goes to the button that can be pressed next
    button(page, "200 more").wait_for()
    assert page.evaluate("document.activeElement.textContent") == "200 more"
    heard = page.evaluate("heard")
    marks = [m for m in heard if m.startswith("After")]
    assert [m.split()[1] for m in marks] == ["10", "20", "50", "100", "200"]
    assert len(heard) == 3 + 5  # reading, training, done; and the marks
    page.keyboard.press("Space")
    page.get_by_text("400 updates done.").wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Play with it"
    page.get_by_label("Your text").fill("short")
    button(page, "Train again").press("Enter")
    page.get_by_text("This text has 5 characters.").wait_for()
    assert page.evaluate("document.activeElement.textContent") == "200 more"


# The longest choice of each select that is wider than its box.
CUT = """selects => selects.filter((select) => {
    const free = select.cloneNode(true);
    free.style.width = "max-content";
    select.after(free);
    const needed = free.offsetWidth;
    free.remove();
    return needed > select.offsetWidth;
}).map((select) => select.previousElementSibling.textContent)"""


@pytest.mark.parametrize("width", MODES_AT)
def test_it_is_accessible_and_fits(opened, width):
    """axe-core finds nothing in either mode: refused, trained, played with."""
    page = opened(width=width, reduced_motion="reduce")  # it is written at once

    def look(at):
        assert violations(page, ".charbook-playground", MODES_AT[width]) == [], at
        assert page.evaluate("document.documentElement.scrollWidth") <= width

    assert button(page, "Train").bounding_box()["y"] < {1280: 450, 390: 600}[width]  # 1st screen
    for name in ("coriolanus", PLAYS, "own"):  # some with more below, which has no say in it
        page.get_by_label("Text", exact=True).select_option(name)
        assert page.locator(".tr .pg-settings").first.locator("select").evaluate_all(CUT) == []
    choose(page, text="too short")
    page.locator(".tr details").first.evaluate("d => { d.open = true; }")
    button(page, "Train").click()
    page.locator(".tr .pg-message.pg-wrong").wait_for()
    look("refused")
    train(page)
    button(page, "Play with it").click()
    written(page)
    look("trained")


def test_no_task_of_the_page_is_long_and_it_is_told_now_and_then(browser, opened):
    """While the worker trains, no task over 50 ms of the page's processor time."""
    page = opened()
    choose(page, updates="1000")
    page.evaluate(
        """() => {
            globalThis.drawn = [];
            const curve = document.querySelector('.tr-curve svg');
            const draw = () => drawn.push(performance.now());
            new MutationObserver(draw).observe(curve, {childList: true});
        }"""
    )

    def train_anew(page):
        page.evaluate("drawn.length = 0")
        page.locator(".tr .pg-buttons button").first.click()
        button(page, "1,000 more").wait_for()

    no_long_task(browser, page, train_anew)
    drawn = page.evaluate("drawn")
    marks = 7  # from 10 to 1,000; each brings news of both losses and a sample
    assert len(drawn) < 3 * marks + 10 * (drawn[-1] - drawn[0]) / 1000 + 5
