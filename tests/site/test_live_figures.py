"""What each live figure of the first lessons computes, held equal to Python."""

import ast
from collections import Counter, defaultdict
from contextlib import ExitStack
from pathlib import Path

import nbformat
import numpy as np
import pytest

from helpers.corpus import load_corpus
from helpers.ngram import NGram
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
        if f"def {name}(" in cell.source or f"class {name}:" in cell.source:
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
    assert page.evaluate("charbook['live/ladder'].V") == len(vocab)
    for typed in ("the people", "MARCIUS:\n", "Qz\n zq", "e", "", text[-9:]):
        for longest in (0, 2, 7):
            ours = page.evaluate(
                """([text, typed, longest, characters]) => {
                    const { counter, ladder, probability } = charbook["live/ladder"];
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
            assert ours["p"] == [theirs.probability(contexts[-1], c) for c in vocab.chars]
    # The weights are those of add-one smoothing, so one rung is helpers.ngram's.
    ids = vocab.encode(text)
    one = NGram(1, len(vocab), smoothing="add-one").fit(ids)(ids[None, :1])[0][0, 0]
    ours = page.evaluate(
        """([text, characters]) => {
            const { counter, ladder, probability } = charbook["live/ladder"];
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
            """([text, ...more]) => { const { counter, write } = charbook["live/ladder"];
                return write(counter(text), ...more); }""",
            [text, prompt, length, 60, seed],
        )
        assert ours == python(prompt, length, 60, seed)
