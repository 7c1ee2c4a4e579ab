"""The protocol of the experiments on the plays: what is scored, and how wide an interval is."""

import numpy as np
import pytest
import torch

import tools.runs.__main__  # noqa: F401, which declares all runs
from helpers.corpus import load_corpus
from helpers.models import CharRNN, CharTransformer
from helpers.ngram import NGram
from helpers.results import stored_run
from helpers.studies import protocol
from helpers.support.plays import TEST, VALIDATION
from helpers.training import Training, character_losses
from tools.runs import amount
from tools.runs.common import RUNS, repeated


@pytest.fixture(scope="module")
def corpus():
    return load_corpus("shakespeare")


def test_choices_are_made_on_validation_plays_and_the_table_on_test_plays(corpus):
    choosing, tests = protocol.validation_plays(corpus), protocol.test_plays(corpus)
    for name, ids in zip(VALIDATION, choosing, strict=True):
        assert load_corpus(name).text.startswith(corpus.vocab.decode(ids))
        assert len(ids) == protocol.CHOOSING
    assert [corpus.vocab.decode(ids) for ids in tests] == [load_corpus(name).text for name in TEST]


@pytest.mark.parametrize(
    "make",
    [
        lambda: CharRNN(63, 5, 7, "lstm"),
        lambda: CharRNN(63, 5, 7, "gru"),
        lambda: CharTransformer(63, 8, 2, 1, 10),
    ],
)
def test_plays_side_by_side_are_scored_as_each_alone(corpus, make):
    torch.manual_seed(0)
    model = make()
    texts = [
        ids[:n]
        for ids, n in zip(protocol.validation_plays(corpus), (1200, 30, 501, 2), strict=True)
    ]
    for ids, losses in zip(texts, protocol.play_losses(model, texts), strict=True):
        assert losses == pytest.approx(character_losses(model, ids, progress=False), abs=1e-5)


def test_blocks_are_whole_and_of_one_play():
    one, two = protocol.block_means([np.arange(2500.0), np.ones(999)])
    assert one.tolist() == [499.5, 1499.5]
    assert two.tolist() == []


def some(seeds, plays=(40, 60), seed=0):
    """Block means whose seeds differ by what is given, on plays of so many blocks."""
    rng = np.random.default_rng(seed)
    text = [rng.normal(1.5, 0.1, size) for size in plays]
    return [[play + shift for play in text] for shift in seeds]


def test_the_interval_is_about_the_mean_of_all_seeds_and_blocks():
    means = some([0.1, -0.1, 0.3])
    estimate, low, high = protocol.interval(means)
    assert estimate == pytest.approx(np.mean([np.concatenate(seed).mean() for seed in means]))
    assert low < estimate < high


def test_blocks_alone_give_the_interval_of_the_mean():
    means = some([0, 0, 0])
    _, low, high = protocol.interval(means)
    parts = [play.var(ddof=1) * len(play) for play in means[0]]  # of the sum, stratified
    assert high - low == pytest.approx(2 * 1.984 * np.sqrt(sum(parts)) / 100, rel=1e-3)  # t of 98


def test_seeds_that_differ_widen_the_interval():
    """An interval that treats the seeds as fixed is that of blocks alone."""
    _, low, high = protocol.interval(some([0, 0, 0]))
    _, wide_low, wide_high = protocol.interval(some([-0.1, 0, 0.1]))
    assert wide_high - wide_low > 5 * (high - low)


@pytest.mark.parametrize(("df", "value"), [(1, 12.706), (2, 4.303), (7, 2.365), (98, 1.984)])
def test_the_quantiles_are_those_of_the_tables(df, value):
    assert protocol.t_quantile(df) == pytest.approx(value, abs=2e-3)


def seeds_as_fixed(means):
    """One network in place of several, as an interval from blocks alone takes them."""
    return [[np.mean(play, axis=0) for play in zip(*means, strict=True)]]


@pytest.mark.parametrize("architectures", [1, 2])
def test_nineteen_of_twenty_intervals_have_the_truth_in_them(architectures):
    """Three seeds of each and a text of eighty blocks, drawn 400 times. With the seeds taken as
    fixed, many more intervals miss it."""
    rng, hits, fixed = np.random.default_rng(0), 0, 0
    for _ in range(400):
        text, sides = rng.normal(0, 0.05, 80), []
        for _ in range(architectures):
            own = text + rng.normal(0, 0.01, 80)
            networks = [own + shift for shift in rng.normal(0, 0.01, 3)]
            sides.append([[losses[:30], losses[30:]] for losses in networks])
        _, low, high = protocol.interval(*sides)
        hits += low < 0 < high
        _, low, high = protocol.interval(*map(seeds_as_fixed, sides))
        fixed += low < 0 < high
    assert 0.9 < hits / 400 <= 0.99
    assert fixed / 400 < 0.88


@pytest.mark.parametrize("side", [0, 1])
def test_the_seeds_of_either_side_widen_the_interval_of_a_difference(side):
    same, apart = some([0.05, 0.05, 0.05]), some([0, 0.05, 0.1])
    _, low, high = protocol.interval(same, same)
    pair = (apart, same) if side == 0 else (same, apart)
    _, wide_low, wide_high = protocol.interval(*pair)
    assert wide_high - wide_low > high - low + 2 * 4.3 * 0.05 / 3**0.5 - 0.001  # t of 2 seeds' df


def test_a_difference_on_the_same_text_has_none_of_the_texts_own_spread():
    ours, theirs = some([0, 0.001, 0.002]), some([0.05])
    estimate, low, high = protocol.interval(ours, theirs)
    assert estimate == pytest.approx(0.049)
    assert high - low == pytest.approx(2 * 4.303 * 0.001 / np.sqrt(3), rel=1e-3)  # t of 2


def test_multiplications_are_those_of_the_matrices():
    model = CharRNN(63, embed_size=5, hidden_size=7, cell="lstm")
    assert protocol.multiplications(model) == 4 * 7 * (5 + 7) + 7 * 63
    model = CharTransformer(63, embed_size=8, num_heads=2, num_layers=3, context=10)
    assert protocol.multiplications(model) == 3 * (12 * 8 * 8 + 2 * 10 * 8) + 8 * 63


def test_no_training_window_and_no_choice_touches_a_test_play(corpus, monkeypatch):
    """The runs train on a prefix of the training plays, and choose where test plays are locked."""
    monkeypatch.setattr(amount, "SIZES", {100_000: "100k"})
    monkeypatch.setattr(amount, "PER_CHARACTER", 2e4)
    monkeypatch.setattr(protocol, "test_plays", None)
    monkeypatch.setitem(amount.START, "lstm", (48, 3e-3))
    amount.chosen.cache_clear()
    (width, lr), trials = amount.chosen("lstm", 100_000)
    amount.chosen.cache_clear()
    assert (width, lr) in trials
    assert [wanted[0] for wanted in trials][:2] == [48, 64]
    _, training = amount.begin("lstm", 48, 3e-3, 100_000, 1)
    assert corpus.vocab.decode(training.ids.numpy()) == load_corpus("coriolanus").text[:100_000]


@pytest.mark.parametrize("best", [(192, 6e-3), (256, 1.2e-2), (192, 1.5e-3), (64, 6e-3)])
def test_a_search_ends_where_each_step_further_is_worse(monkeypatch, best):
    """On a loss with one minimum it is found, the widths and rates beside it are tried, and no
    trial is made twice."""
    tried = []

    def train(cell, width, lr, size, seed):
        tried.append((width, round(lr, 6)))
        away = np.log2(width / best[0]) ** 2 + np.log2(lr / best[1]) ** 2
        return None, {"validation": 2 + away}, []

    monkeypatch.setattr(amount, "train", train)
    amount.chosen.cache_clear()
    (width, lr), trials = amount.chosen("lstm", 100_000)  # begins with 128 units at 6e-3
    amount.chosen.cache_clear()
    assert (width, round(lr, 6)) == best
    at = amount.WIDTHS.index(width)
    beside = {
        (amount.WIDTHS[at + 1], 6e-3),
        (amount.WIDTHS[at - 1], 6e-3),
        (width, round(lr / 2, 6)),
        (width, round(lr * 2, 6)),
    }
    assert beside <= set(tried)
    assert len(tried) == len(set(tried)) == len(trials)


# The first model of each size of text of each stored run on the plays. One has a loop of its own,
# and the text of the run "reference", from the same function.
TRAINED = [
    pytest.param(name, model, id=f"{name}-{model['size']}" if "size" in model else name)
    for name, run in RUNS.items()
    if run.corpus == "shakespeare" and name != "carrying-state"
    for model in {m.get("size"): m for m in reversed(repeated(stored_run(name)))}.values()
]


class TrainingText(Exception):
    """The ids that a run was about to train on."""


def hand_over(self, *given, **named):
    raise TrainingText(given[1] if isinstance(self, Training) else given[0])


def passages(corpus, names, every=5000, length=60):
    """Passages at equal distances from the beginnings of some plays to their ends."""
    texts = (corpus.text[slice(*corpus.plays[name])] for name in names)
    return {text[at : at + length] for text in texts for at in range(0, len(text) - length, every)}


@pytest.mark.parametrize(("name", "model"), TRAINED)
def test_no_stored_run_was_trained_on_a_passage_of_a_test_play(corpus, monkeypatch, name, model):
    monkeypatch.setattr(Training, "__init__", hand_over)
    monkeypatch.setattr(NGram, "fit", hand_over)
    with pytest.raises(TrainingText) as caught:
        RUNS[name].first_losses(model)
    text = corpus.vocab.decode(np.asarray(caught.value.args[0]))
    assert [passage for passage in passages(corpus, TEST) if passage in text] == []
    assert len(text) > 1000
