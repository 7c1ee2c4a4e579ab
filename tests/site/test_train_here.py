"""Training in the page: its arithmetic against NumpyCharLSTM, and its page as a reader uses it."""

import functools
import inspect
import re
from importlib import resources

import numpy as np
import pytest

from helpers.cli.export import read
from helpers.corpus import Vocabulary, load_corpus, split_ids
from helpers.models import CharRNN
from helpers.ngram import NGram
from helpers.numpy_lstm import NumpyCharLSTM
from helpers.sampling import generate
from helpers.training import evaluate, fit
from tests.site.browser import no_long_task, page_of
from tests.site.test_playground import AXE, NAME_OF_FOCUSED
from tools.site.live import STATIC, needed
from tools.site.playground import PLAYS, SCRIPTS, TEXTS, TRAINING_SCRIPTS, WITHOUT

SHORT = load_corpus("coriolanus", limit=2000).text


# ---------------------------------------------------------------- the arithmetic


@pytest.fixture(scope="module")
def trainer(browser, tmp_path_factory):
    """A page from the disk with the scripts that learn and nothing else."""
    scripts = [STATIC / f"{name}.js" for name in needed(["trainer"])]
    with page_of(browser, tmp_path_factory.mktemp("trainer"), *scripts) as page:
        yield page


ARITHMETIC_OF = {"plain": "charbook.plain.plain()", "simd": "charbook.simd.simd(H)"}


@pytest.mark.parametrize("turned", [False, True], ids=["", "turned"])
@pytest.mark.parametrize("kind", ARITHMETIC_OF)
def test_products_equal_numpys(trainer, kind, turned):
    """Sizes that are no multiples of the blocks, rows longer than a part; what is turned is the
    same matrix, transposed."""
    rng = np.random.default_rng(0)
    for m, n, k in [(3, 4, 5), (7, 9, 300), (2, 3, 1), (6, 8, 513), (1, 1, 256), (13, 17, 260)]:
        a, b, out = rng.normal(size=(m, k)), rng.normal(size=(k, n)), rng.normal(size=(m, n))
        given = [(x.T if turned else x).ravel().tolist() for x in (a, b)]
        ours = trainer.evaluate(
            f"""([m, n, k, turned, given, start]) => {{
                const H = 4;
                const arithmetic = {ARITHMETIC_OF[kind]};
                const size = arithmetic.packedSize(k, n);
                const floats = {{a: m * k, b: k * n, out: m * n, buffer: size, after: 4}};
                const made = arithmetic.arrays(floats, {{}});
                const {{ a, b, out, buffer, after }} = made;
                a.set(given[0]); b.set(given[1]); out.set(start);
                const packed = arithmetic.pack(buffer, b, k, n, turned);
                arithmetic.product(out, m, n, k, a, turned, packed);
                if (after.some(Boolean)) throw new Error("written beyond the end");
                return Array.from(out);
            }}""",
            [m, n, k, turned, given, out.ravel().tolist()],
        )
        assert np.abs(np.reshape(ours, (m, n)) - (out + a @ b)).max() < 4e-6 * np.sqrt(k)


@pytest.mark.parametrize("kind", ARITHMETIC_OF)
def test_activations_are_exact_wherever_a_sum_lies(trainer, kind):
    """From where a sigmoid is 0 to where it is 1: i, f, g, o, c, tanh(c) and h, to 1e-6."""
    sums = np.concatenate(
        [np.linspace(-100, 100, 201), np.linspace(-2, 2, 203), [-1e30, 1e30, 0, -0.0]]
    )
    gates = np.stack([sums, sums[::-1], np.roll(sums, 7), np.roll(sums, 50)])  # (4, H)
    before = np.resize(np.linspace(-3, 3, 31), sums.shape)
    ours = trainer.evaluate(
        f"""([gates, before]) => {{
            const H = before.length;
            const arithmetic = {ARITHMETIC_OF[kind]};
            const floats = {{gates: 4 * H, before: H, c: H, tanhC: H, h: H}};
            const made = arithmetic.arrays(floats, {{}});
            made.gates.set(gates); made.before.set(before);
            arithmetic.activate(made.gates, made.before, made.c, made.tanhC, made.h, 1, H);
            return [...made.gates, ...made.c, ...made.tanhC, ...made.h];
        }}""",
        [gates.ravel().tolist(), before.tolist()],
    )
    i, f, g, o = gates.astype("float32").astype("float64")
    i, f, o = (1 / (1 + np.exp(-np.clip(gate, -700, 700))) for gate in (i, f, o))
    g = np.tanh(g)
    c = f * before + i * g
    expected = np.concatenate([i, f, g, o, c, np.tanh(c), o * np.tanh(c)])
    assert np.abs(np.array(ours) - expected).max() < 1e-6


# Arithmetic; B, T, E, H, V: vectors of four want an H of that kind, and nothing else. One network
# is nearly as large as those that the page offers.
SIZES = [
    ("plain", 3, 4, 5, 6, 7),
    ("plain", 7, 5, 3, 9, 11),
    ("simd", 3, 4, 5, 8, 7),
    ("simd", 7, 5, 3, 12, 11),
    ("simd", 6, 20, 32, 64, 63),
]


def twin(trainer, sizes, scale=2):
    """The same network in NumPy and in the page (as ``learner``), with a few batches."""
    kind, batch, time, embed, hidden, vocab = sizes
    ours = NumpyCharLSTM(vocab, embed, hidden, seed=1, dtype="float64")
    for value in ours.params.values():
        value *= scale
    trainer.evaluate(
        f"""([config, B, T, weights]) => {{
            const H = config.hidden_size;
            const random = new charbook.sampling.Uniforms(0);
            const arithmetic = {ARITHMETIC_OF[kind]};
            globalThis.learner = new charbook.learner.Learner(config, B, T, random, arithmetic);
            for (const name in weights) learner.weights[name].set(weights[name]);
        }}""",
        [
            {"vocab_size": vocab, "embed_size": embed, "hidden_size": hidden},
            batch,
            time,
            {name: value.ravel().tolist() for name, value in ours.params.items()},
        ],
    )
    rng = np.random.default_rng(2)
    return ours, [rng.integers(0, vocab, (2, batch, time)) for _ in range(20)]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_loss_and_gradients_equal_numpys(trainer, sizes):
    """To 1e-5, and again for the next batch: nothing is left over from the one before."""
    ours, batches = twin(trainer, sizes)
    for x, y in batches[:3]:
        loss, grads, _ = ours.loss_and_grads(x, y)
        theirs = trainer.evaluate(
            """([x, y]) => {
                const loss = learner.lossAndGrads(x, y);
                const all = Object.entries(learner.grads);
                return [loss, Object.fromEntries(all.map(([n, g]) => [n, Array.from(g)]))];
            }""",
            [x.ravel().tolist(), y.ravel().tolist()],
        )
        assert theirs[0] == pytest.approx(loss, abs=1e-5)
        assert theirs[1].keys() == grads.keys()
        for name, grad in grads.items():
            assert np.abs(np.reshape(theirs[1][name], grad.shape) - grad).max() < 1e-5, name
            assert np.abs(grad).max() > 1e-3, name


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_adam_with_clipping_takes_numpys_steps(trainer, sizes):
    """Twenty updates; the bound is such that some gradients are clipped and some are not."""
    ours, batches = twin(trainer, sizes)
    norms = []
    for x, y in batches:
        grads = ours.loss_and_grads(x, y)[1]
        norms.append(np.sqrt(sum((g**2).sum() for g in grads.values())))
    clip = float(np.median(norms)) / 2
    unclipped, _ = twin(trainer, sizes)
    losses, difference = [], 0
    for x, y in batches:
        losses.append(ours.train_step(x, y, lr=1e-2, clip=clip)[0])
        difference = max(
            difference, abs(unclipped.train_step(x, y, lr=1e-2, clip=None)[0] - losses[-1])
        )
    theirs = trainer.evaluate(
        """([batches, clip]) =>
            batches.map(([x, y]) => learner.trainStep(x, y, {rate: 1e-2, clip}))""",
        [[[b.ravel().tolist() for b in pair] for pair in batches], clip],
    )
    assert difference > 1e-3  # so that clipping cannot be left out unseen
    assert np.abs(np.array(theirs) - losses).max() < 1e-5
    weights = trainer.evaluate(
        """() => Object.fromEntries(
            Object.entries(learner.weights).map(([n, w]) => [n, Array.from(w)]))"""
    )
    for name, value in ours.params.items():
        assert np.abs(np.reshape(weights[name], value.shape) - value).max() < 1e-4, name


@pytest.mark.parametrize(
    ("spoil", "hidden", "taken"),
    [
        ("", 8, "simd"),
        ("", 6, "plain"),
        ("WebAssembly.validate = () => false;", 8, "plain"),
        ("WebAssembly = undefined;", 8, "plain"),
    ],
)
def test_where_there_are_no_vectors_plain_javascript_learns(
    browser, tmp_path, spoil, hidden, taken
):
    scripts = [STATIC / f"{name}.js" for name in needed(["trainer"])]
    with page_of(browser, tmp_path, *scripts) as page:
        buffers, losses = page.evaluate(
            f"""(H) => {{
                {spoil}
                const config = {{vocab_size: 7, embed_size: 3, hidden_size: H}};
                const random = new charbook.sampling.Uniforms(0);
                const learner = new charbook.learner.Learner(config, 1, 4, random);
                const losses = Array.from({{length: 30}}, () =>
                    learner.trainStep([0, 1, 2, 3], [1, 2, 3, 4], {{rate: 0.1}}));
                return [new Set([learner.flat.buffer, learner.dC.buffer]).size, losses];
            }}""",
            hidden,
        )
    assert buffers == {"simd": 1, "plain": 2}[taken]  # one memory, or an array each
    assert losses[0] > 1.5
    assert losses[-1] < 0.1


def test_first_weights_have_pytorchs_distributions(trainer):
    embedding, recurrent = trainer.evaluate(
        """() => {
            const config = {vocab_size: 50, embed_size: 32, hidden_size: 64};
            const random = new charbook.sampling.Uniforms(3);
            const { weights } = new charbook.learner.Learner(config, 3, 5, random);
            const both = ["embedding.weight", "recurrent.weight_hh_l0"];
            return both.map((name) => Array.from(weights[name]));
        }"""
    )
    assert np.mean(embedding) == pytest.approx(0, abs=0.1)
    assert np.std(embedding) == pytest.approx(1, abs=0.1)
    assert np.abs(recurrent).max() == pytest.approx(1 / 8, abs=1e-3)
    assert np.std(recurrent) == pytest.approx(1 / 8 / np.sqrt(3), rel=0.05)


def test_a_text_is_cut_as_in_python(trainer):
    text = "\ufeff" + SHORT.replace("\n", "\r\n") + "naïve 🙂 \uffff"
    ours = trainer.evaluate(
        """(text) => {
            const { characters, train, held } = charbook.corpus.prepare(text);
            return [characters, Array.from(train), Array.from(held)];
        }""",
        text,
    )
    plain = SHORT + "naïve 🙂 \uffff"
    vocab = Vocabulary(plain)
    assert ours[0] == "".join(vocab.chars)
    for theirs, part in zip(ours[1:], split_ids(vocab.encode(plain)), strict=True):
        assert theirs == part.tolist()


@pytest.mark.parametrize("order", [1, 2, 5])
def test_counting_has_the_loss_that_python_finds(trainer, order):
    vocab = Vocabulary(SHORT)
    train, held = split_ids(vocab.encode(SHORT))
    loss = trainer.evaluate(
        "([train, held, V, order]) => charbook.corpus.ngramLoss(train, held, V, order)",
        [train.tolist(), held.tolist(), len(vocab), order],
    )
    ngram = NGram(order, len(vocab), "witten-bell").fit(train)
    assert loss == pytest.approx(evaluate(ngram, held), abs=1e-9)


@pytest.mark.parametrize(
    ("settings", "spoil", "said"),
    [
        ({"rate": 1e300, "updates": 10}, "", "After 2 updates"),
        ({"rate": 0.01, "updates": 1}, "progress", "After 1 update"),
    ],
    ids=["the loss", "the logits"],
)
def test_a_loss_that_is_no_number_ends_the_training(trainer, settings, spoil, said):
    """Whether it is the loss that shows it first or, after an update, the logits."""
    with pytest.raises(Exception, match=f"{said} the .*no number any more.*smaller learning rate"):
        trainer.evaluate(
            """([text, settings, spoil]) => {
                const post = (kind) => { if (kind === spoil) training.learner.flat.fill(NaN); };
                const training = new charbook.trainer.Training(text, settings, post);
                for (const _ of training.run());
            }""",
            [SHORT, {"units": 4, "seed": 1, **settings}, spoil],
        )


def test_a_text_that_is_scored_in_parts_has_nearly_the_loss_of_one_stream(trainer):
    """A short one exactly; and what is learned afterwards is not touched by it."""
    short, parts, change = trainer.evaluate(
        """(text) => {
            const { predictions, Uniforms } = charbook.sampling;
            const { characters, train: ids } = charbook.corpus.prepare(text);
            const V = Array.from(characters).length;
            const config = {vocab_size: V, embed_size: 8, hidden_size: 16};
            const learner = new charbook.learner.Learner(config, 30, 50, new Uniforms(1));
            const [x, y] = [ids.subarray(0, 1500), ids.subarray(1, 1501)];
            for (let k = 0; k < 100; k++) learner.trainStep(x, y, {rate: 0.02});
            const before = learner.lossAndGrads(x, y);
            const model = new charbook.engine.Model(learner.config, characters, learner.weights);
            const differences = [900, 7001].map((count) => {
                const held = ids.subarray(0, count);
                let total = 0, at = 0;
                for (const p of predictions(model, held)) {
                    if (p) total -= Math.log(p[held[at]]);
                    at++;
                }
                const steps = learner.heldOutLoss(held);
                let step;
                do step = steps.next(); while (!step.done);
                return step.value - total / (count - 1);
            });
            return [...differences, learner.lossAndGrads(x, y) - before];
        }""",
        load_corpus("austen", limit=9000).text,
    )
    assert abs(short) < 1e-5
    assert abs(parts) < 1e-3
    assert change == 0


@pytest.mark.parametrize(("text", "share"), [("abcdefghij" * 200, 1.0), (SHORT, 0.0)])
def test_stretches_that_are_repeated_are_counted(trainer, text, share):
    ours = trainer.evaluate(
        """(text) => {
            const { train, held } = charbook.corpus.prepare(text);
            return charbook.corpus.repeated(train, held);
        }""",
        text,
    )
    train, held = split_ids(Vocabulary(text).encode(text))
    places = [held[k : k + 20].tobytes() in train.tobytes() for k in range(len(held) - 19)]
    assert ours == pytest.approx(np.mean(places)) == share


@pytest.mark.parametrize("id_", [-1, 7, 0.5])
def test_ids_outside_the_vocabulary_are_refused(trainer, id_):
    twin(trainer, ("simd", 1, 2, 3, 4, 7))
    for x, y in ([0, id_], [1, 2]), ([1, 2], [0, id_]):
        with pytest.raises(Exception, match=f"id {id_} is outside the vocabulary's 0 to 6"):
            trainer.evaluate("([x, y]) => learner.lossAndGrads(x, y)", [x, y])


def test_a_sample_has_200_characters_by_code_point(trainer):
    samples = trainer.evaluate(
        """() => {
            const samples = [];
            const post = (kind, facts) => { if (kind === "sample") samples.push(facts.text); };
            const settings = {units: 4, rate: 0.01, updates: 1, seed: 1};
            const text = "🙂🙃".repeat(1000);
            for (const _ of new charbook.trainer.Training(text, settings, post).run());
            return samples;
        }"""
    )
    assert [len(sample) for sample in samples] == [200, 200]


def test_half_a_surrogate_pair_becomes_a_replacement_character(trainer):
    """As where a browser saves such a text; the vocabulary has the right size."""
    characters, size = trainer.evaluate(
        """() => {
            const text = "ab\\ud83d cd \\ude00 🙂".repeat(300);
            const settings = {units: 4, rate: 0.01, updates: 1, seed: 1};
            const training = new charbook.trainer.Training(text, settings, () => {});
            for (const _ of training.run());
            return [training.characters, training.facts().characters];
        }"""
    )
    assert characters == " abcd\ufffd🙂"
    assert size == len(characters)


def test_the_recipe_is_the_books(trainer):
    """But for the batch, which suits a page, and the rate, which the reader chooses."""
    defaults = {
        name: parameter.default
        for function in (CharRNN, fit)
        for name, parameter in inspect.signature(function).parameters.items()
    }
    ours = trainer.evaluate("charbook.trainer.DEFAULTS")
    assert ours == {name: defaults[name] for name in ours}
    for name in ("page", "training-form"):
        trainer.add_script_tag(path=STATIC / f"playground/{name}.js")
    sizes = trainer.evaluate("charbook.trainingForm.SIZES")
    (books,) = [size for size, text in sizes.items() if "as in the book" in text]
    assert int(books) == defaults["hidden_size"]


# ---------------------------------------------------------------- the page


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


def test_a_run_of_so_many_seconds_ends_then_and_goes_on_for_as_many(trainer):
    """Seconds of work, not of waiting; the last network is scored and has written a sample. By a
    clock on which a millisecond passes whenever it is looked at."""
    spent, left, ends = trainer.evaluate(
        """(text) => {
            let time = 0;
            performance.now = () => time++;
            const ends = [], left = [];
            const post = (kind, facts) => {
                if (kind !== "progress") ends.push([kind, facts]);
                else if (facts.left !== null) left.push(facts.seconds + facts.left);
            };
            const settings = {units: 4, rate: 0.01, seconds: 0.3, seed: 1};
            const training = new charbook.trainer.Training(text, settings, post);
            const spent = [];
            for (let leg = 0; leg < 2; leg++) {
                const steps = training.run();
                steps.next();
                time += 400; // paused
                while (!steps.next().done);
                spent.push(training.spent);
                training.goal += 0.3;
            }
            delete performance.now;
            return [spent, left, ends.slice(-2).map(([kind, facts]) =>
                [kind, facts.updates - training.learner.updates])];
        }""",
        SHORT,
    )
    assert 0.3 <= spent[0] < 0.4
    assert 0.6 <= spent[1] < 0.7
    assert {0.3, 0.6} <= {round(seconds, 6) for seconds in left}
    assert ends == [["held", 0], ["sample", 0]]


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


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "has 0 characters. It must have at least 1,000; for words to appear, 20,000 or more."),
        ("To be, or not to be.", "has 20 characters. It must have at least 1,000"),
        ("a" * 2000, "has one character only, over and over"),
        ("ab" * 500_001, "has 1,000,002 characters, and the page takes 1,000,000 at most"),
        ("".join(map(chr, range(0x4E00, 0x4E00 + 600))) * 3, "has 600 different characters"),
    ],
    ids=["empty", "short", "one character", "long", "many characters"],
)
def test_a_text_that_cannot_be_learned_is_refused_with_a_word_on_why(opened, text, why):
    page = opened()
    choose(page, text=text)
    button(page, "Train").click()
    page.locator(".tr .pg-message.pg-wrong").wait_for()
    assert why in message(page)
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
    page = browser.new_page()
    for name in [*SCRIPTS[::5], *TRAINING_SCRIPTS]:
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


@pytest.mark.parametrize("width", [1280, 390])
def test_it_is_accessible_and_fits(opened, width):
    """axe-core finds nothing in either mode: refused, trained, played with."""
    page = opened(width=width, color_scheme="light")
    page.add_script_tag(path=resources.files("axe_playwright_python") / "axe.min.js")

    def look(at):
        for theme in ("light", "dark"):
            page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
            assert page.evaluate(AXE) == [], (at, theme)
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
