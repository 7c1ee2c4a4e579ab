"""What each live figure of the first lessons computes, held equal to Python."""

import ast
import math
import re
from collections import Counter, defaultdict
from contextlib import ExitStack
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch

from helpers.cli.export import read
from helpers.corpus import Vocabulary, load_corpus
from helpers.models import evaluating, predict
from helpers.ngram import NGram
from helpers.sampling import generate, next_distribution
from tests.site.engine import MODELS
from tests.site.live_pages import figures_page

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def bare(browser, static):
    """name -> a page with the figure's scripts and no figure."""
    with ExitStack() as pages:

        def open_page(name, *data):
            scripts = [
                f'<script defer src="_static/playground/{path}.js"></script>' for path in data
            ]
            return pages.enter_context(
                figures_page(browser, static, [name], places=False, before="".join(scripts))
            )

        yield open_page


def from_lesson(chapter, name, **known):
    """A function, class or variable that a lesson defines at the top level of a cell."""
    notebook = nbformat.read(ROOT / f"chapters/{chapter}.ipynb", as_version=4)
    for cell in notebook.cells:
        if cell.cell_type != "code" or cell.source.startswith("%"):
            continue
        if re.search(rf"^(def|class) {name}\b", cell.source, flags=re.M):
            (node,) = [n for n in ast.parse(cell.source).body if getattr(n, "name", "") == name]
            exec(ast.unparse(node), known)
            return known[name]
    raise LookupError(f"{chapter} defines no {name}")


@pytest.fixture(scope="module")
def coriolanus():
    return load_corpus("coriolanus").text


def test_the_ladder_is_the_lessons(bare, coriolanus):
    """Counts, and probabilities with back-off, of contexts seen often, once and never."""
    names = {"Counter": Counter, "defaultdict": defaultdict, "np": np}
    vocab = load_corpus("shakespeare").vocab
    text = coriolanus[:30_000]
    theirs = from_lesson("counting", "CountingModel", **names)(8, len(vocab)).fit(text)
    page = bare("ladder")
    assert page.evaluate("charbook.counts.CHARACTERS") == "".join(vocab.chars)
    for typed in ("the people", "MARCIUS:\n", "Qz\n zq", "e", "", text[-9:]):
        for longest in (0, 2, 7):
            ours = page.evaluate(
                """([text, typed, longest, characters]) => {
                    const { counter, ladder, probability } = charbook.counts;
                    const rungs = ladder(counter(text), typed, longest);
                    const counts = (r) => [r.context, r.n, Object.fromEntries(r.times)];
                    return { rungs: rungs.map(counts),
                             p: characters.map((c) => probability(rungs, c)) }; }""",
                [text, typed, longest, list(vocab.chars)],
            )
            contexts = [typed[len(typed) - k :] for k in range(min(longest, len(typed)) + 1)]
            assert ours["rungs"] == [
                [h, theirs.times.get(h, 0), dict(theirs.followers.get(h, {}))] for h in contexts
            ]
            p = [theirs.probability(contexts[-1], c) for c in vocab.chars]
            np.testing.assert_allclose(ours["p"], p, rtol=1e-12)
    # The weights are those of add-one smoothing, so one rung is helpers.ngram's.
    ids = vocab.encode(text)
    one = NGram(1, len(vocab), smoothing="add-one").fit(ids)(ids[None, :1])[0][0, 0]
    ours = page.evaluate(
        """([text, characters]) => {
            const { counter, ladder, probability } = charbook.counts;
            const rungs = ladder(counter(text), "", 0);
            return characters.map((c) => Math.log(probability(rungs, c))); }""",
        [text, list(vocab.chars)],
    )
    np.testing.assert_allclose(ours, one, atol=1e-12)


def test_the_ladder_writes_from_plain_counts(bare, coriolanus):
    """The lesson's loop with NumPy's random numbers; what was never seen asks a shorter context."""
    page, text = bare("ladder"), coriolanus[:20_000]

    def python(prompt, length, count, seed):
        random, all_ = np.random.default_rng([seed, 0]), prompt
        for _ in range(count):
            for k in range(min(length, len(all_)), -1, -1):
                h = all_[len(all_) - k :]
                followers = [text[i + k] for i in range(len(text) - k) if text.startswith(h, i)]
                if followers:
                    break
            kinds = sorted(set(followers))
            reached = np.cumsum([followers.count(c) for c in kinds])
            all_ += kinds[np.searchsorted(reached, random.random() * reached[-1], side="right")]
        return all_[len(prompt) :]

    for prompt, length, seed in (("the ", 3, 1), ("Zounds", 5, 2)):
        ours = page.evaluate(
            """([text, ...more]) => {
                const next = charbook["live/ladder"].writer(charbook.counts.counter(text), ...more);
                return Array.from({ length: 60 }, next).join(""); }""",
            [text, prompt, length, seed],
        )
        assert ours == python(prompt, length, 60, seed)


def test_a_gradient_shrinks_by_the_lessons_factors(bare):
    """The product of w (1 - h²), with the lesson's numbers, rounded; and the half-life."""
    page, vocab = bare("gradient"), load_corpus("shakespeare").vocab
    characters, numbers = page.evaluate(
        "() => { const f = charbook['live/gradient']; return [f.CHARACTERS, f.NUMBERS]; }"
    )
    assert tuple(characters) == vocab.chars
    np.testing.assert_allclose(numbers, np.random.default_rng(0).normal(size=63), atol=0.0051)
    text = "If music be the food of love, play on;\nGive me excess of it"
    known = {"math": math, "np": np, "numbers": np.array(numbers), "val_ids": np.zeros(1, int)}
    tanh_factors = from_lesson("learning-through-time", "tanh_factors", **known)
    half_life = from_lesson("learning-through-time", "half_life", math=math)
    for w, u in ((0.9, 0.3), (1.3, 1.0), (0.99, 0.03), (0.5, 0)):
        ours, left = page.evaluate(
            """([w, u, text]) => { const { factors, backwards } = charbook["live/gradient"];
                const all = factors(w, u, text); return [all, backwards(all)]; }""",
            [w, u, text],
        )
        theirs = tanh_factors(w, u, vocab.encode(text))
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
        np.testing.assert_allclose(left, np.cumprod([1, *theirs[::-1]]), rtol=1e-9)
        if not u:
            np.testing.assert_allclose(left, w ** np.arange(len(text) + 1), rtol=1e-12)
    assert page.evaluate("charbook['live/gradient'].halfLife(0.9)") == pytest.approx(half_life(0.9))


def test_the_cliff_and_its_steps_are_the_lessons(bare):
    """The loss as the lesson defines it; its gradient and the clipped one as autograd has them."""
    page, cliff = bare("cliff"), from_lesson("learning-through-time", "cliff")
    for w in (0.9, 0.97, 1.0, 1.03):
        ours = page.evaluate(
            """(w) => { const { loss, gradient, clipped, step } = charbook["live/cliff"];
                return [loss(w), gradient(w), clipped(gradient(w), 1), step(w), step(w, 1)]; }""",
            w,
        )
        weight = torch.tensor(w, dtype=torch.float64, requires_grad=True)
        cliff(weight).backward()
        g = weight.grad.item()
        torch.nn.utils.clip_grad_norm_([weight], 1.0)
        kept = weight.grad.item()
        np.testing.assert_allclose(
            ours, [cliff(w), g, kept, w - 0.01 * g, w - 0.01 * kept], rtol=1e-5
        )  # PyTorch adds 1e-6 to the norm


def test_the_next_character_is_drawn_as_in_python(bare):
    """Logits of the book's LSTM; temperature before the cuts as helpers.sampling has it, and
    after them; what is written, with NumPy's random numbers."""
    page = bare("sampling", "models/lstm")
    model, vocab, _ = read(MODELS["lstm"])
    prompt = "CORIOLANUS:\nMy h"
    page.evaluate("globalThis.model = charbook.engine.load(charbookModels.lstm)")
    ours = page.evaluate(
        "(p) => Array.from(charbook['live/sampling'].logitsAfter(model, p))", prompt
    )
    with evaluating(model):
        logits = predict(model, vocab.encode(prompt)[None])[0][0, -1]
    np.testing.assert_allclose(ours, logits, rtol=1e-5, atol=2e-5)
    for settings in (
        {"temperature": 2, "top_p": 0.9},
        {"temperature": 0.5, "min_p": 0.1},
        {"temperature": 1.4, "top_k": 5, "top_p": 0.8, "min_p": 0.02},
        {"temperature": 0, "top_k": 3},
        {"temperature": 1},
    ):
        heated, cut = page.evaluate(
            """([z, s]) => [true, false].map((first) => Array.from(
                charbook["live/sampling"].distribution(Float64Array.from(z), s, first)))""",
            [ours, {"top_k": None, "top_p": None, "min_p": None} | settings],
        )
        np.testing.assert_allclose(
            heated, next_distribution(np.array(ours), **settings), atol=1e-12
        )
        cuts = {name: value for name, value in settings.items() if name != "temperature"}
        kept = next_distribution(np.array(ours), temperature=1, **cuts)
        if settings["temperature"]:
            kept = kept ** (1 / settings["temperature"])
        else:
            kept = kept == kept.max()
        np.testing.assert_allclose(cut, kept / kept.sum(), atol=1e-12)
    written = page.evaluate(
        """(prompt) => new Promise((resolve) => {
            const settings = { temperature: 0.8, top_k: null, top_p: 0.9, min_p: null };
            charbook["live/sampling"].write(model, prompt, settings, true,
                (text) => text.length === 160 && resolve(text)); })""",
        prompt,
    )
    theirs = generate(model, vocab, prompt, 160, temperature=0.8, top_p=0.9, seed=1)
    assert prompt + written == theirs


def test_a_texts_statistics_are_pythons(bare, coriolanus):
    page = bare("statistics")
    for text in (coriolanus, "naïve 🙂🙂 Grüße\n", "aab", "\ue000🙂"):
        ours = page.evaluate("(t) => charbook['live/statistics'].statistics(t)", text)
        times = Counter(text)
        p = np.array(list(times.values())) / len(text)
        assert ours["count"] == len(text)
        assert ours["bytes"] == len(text.encode("utf-8"))
        assert ours["distinct"] == len(times)
        assert ours["entropy"] == pytest.approx(-(p * np.log2(p)).sum(), abs=1e-9)
        order = sorted(times, key=lambda c: (-times[c], c))
        assert ours["shares"] == [[c, times[c] / len(text)] for c in order]
    unknown = page.evaluate(
        "([a, b]) => charbook['live/statistics'].unknown(a, b)", ["bza🙂z", "ab"]
    )
    assert unknown == ["z", "🙂"]


def test_the_unrolled_network_is_the_lessons(bare):
    """Its weights are those that the lesson trains; it computes what the lesson's class does."""
    page, letters = bare("unrolled"), Vocabulary("hello")
    one_row = {name: torch.from_numpy(letters.encode(name))[None] for name in ("hell", "ello")}
    known = {"torch": torch, "F": torch.nn.functional, "letters": letters, **one_row}
    known["VanillaRNN"] = from_lesson("vanilla-rnn", "VanillaRNN", nn=torch.nn, torch=torch)
    toy, _ = from_lesson("vanilla-rnn", "learn_hello", **known)(0)
    weights = page.evaluate("charbook['live/unrolled'].WEIGHTS")
    toys = {
        "embedding": toy.embedding.weight, "W_x": toy.W_x.weight, "W_h": toy.W_h.weight,
        "b": toy.W_x.bias + toy.W_h.bias, "W_y": toy.output.weight, "b_y": toy.output.bias,
    }  # fmt: skip
    for name, weight in toys.items():
        np.testing.assert_allclose(weights[name], weight.detach().numpy(), atol=0.02)
    with torch.no_grad():
        toy.W_h.bias.zero_()
        toy.W_x.bias[:] = torch.tensor(weights["b"])
        for name, weight in toys.items():
            if name != "b":
                weight[:] = torch.tensor(weights[name])
        for word in ("hell", "hello", "oooehl"):
            states = toy.read(torch.from_numpy(letters.encode(word))[None])[0]
            p = torch.softmax(toy.output(states), dim=1)
            ours = page.evaluate(
                """(word) => { const { states, predicted } = charbook["live/unrolled"];
                    return [states(word), states(word).map(predicted)]; }""",
                word,
            )
            np.testing.assert_allclose(ours[0], states.numpy(), atol=1e-5)
            np.testing.assert_allclose(ours[1], p.numpy(), atol=1e-5)
    assert page.evaluate("charbook['live/unrolled'].LETTERS") == "".join(letters.chars)
