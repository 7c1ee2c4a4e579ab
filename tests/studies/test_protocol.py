"""The protocol of the experiments on the plays: what is scored, and how wide an interval is."""

import numpy as np
import pytest
import torch

from helpers.corpus import load_corpus
from helpers.models import CharRNN, CharTransformer
from helpers.studies import protocol
from helpers.support.plays import TEST, VALIDATION
from helpers.training import character_losses
from tools.runs import amount


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


def test_nineteen_of_twenty_intervals_have_the_truth_in_them():
    """Three seeds and a text of eighty blocks, drawn four hundred times."""
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(400):
        seeds, text = rng.normal(0, 0.01, 3), rng.normal(0, 0.05, 80)
        means = [[text[:30] + s, text[30:] + s] for s in seeds]
        _, low, high = protocol.interval(means)
        hits += low < 0 < high
    assert 0.92 < hits / 400 <= 0.99


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
    monkeypatch.setattr(amount, "SIZES", {100_000: ("100k", 2e9, 0.1, 3)})
    monkeypatch.setattr(protocol, "test_plays", None)
    monkeypatch.setitem(amount.START, "lstm", (48, 3e-3))
    amount.chosen.cache_clear()
    (width, lr), trials = amount.chosen("lstm", 100_000)
    amount.chosen.cache_clear()
    assert (width, lr) in trials
    assert [wanted[0] for wanted in trials][:2] == [48, 64]
    _, training = amount.begin("lstm", 48, 3e-3, 100_000, 1)
    assert corpus.vocab.decode(training.ids.numpy()) == load_corpus("coriolanus").text[:100_000]
