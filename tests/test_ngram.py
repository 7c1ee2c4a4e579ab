from collections import Counter

import numpy as np
import pytest

from helpers.models import predict
from helpers.ngram import NGram

V = 5


def random_ids(n, seed=0):
    """Ids with structure: the next one is likely one or two further on."""
    steps = np.random.default_rng(seed).choice([1, 2, 3], p=[0.6, 0.3, 0.1], size=n)
    return steps.cumsum() % V


def naive(ids, history, order):
    """The add-one distribution after ``history``, counted with a dictionary."""
    context = tuple(history[len(history) - min(order - 1, len(history)) :])
    n = len(context)
    counts = Counter(ids[i + n] for i in range(len(ids) - n) if tuple(ids[i : i + n]) == context)
    p = np.array([counts[c] + 1 for c in range(V)], dtype=float)
    return p / p.sum()


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_probabilities_equal_naive_counting(order):
    ids, text = random_ids(300), random_ids(12, seed=1)
    logits, _ = NGram(order, V).fit(ids)(text[None])
    expected = [naive(list(ids), list(text[: t + 1]), order) for t in range(len(text))]
    np.testing.assert_allclose(np.exp(logits[0]), expected)


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_every_distribution_sums_to_one(order):
    logits, _ = NGram(order, V).fit(random_ids(200))(random_ids(60, seed=2).reshape(3, 20))
    np.testing.assert_allclose(np.exp(logits).sum(axis=2), 1)


@pytest.mark.parametrize("order", [1, 2, 4])
def test_the_state_carries_the_context(order):
    model, ids = NGram(order, V).fit(random_ids(300)), random_ids(20, seed=3).reshape(2, 10)
    whole, _ = predict(model, ids)
    for cut in (1, 2, 7):
        first, state = predict(model, ids[:, :cut])
        second, _ = predict(model, ids[:, cut:], state)
        np.testing.assert_array_equal(np.concatenate([first, second], axis=1), whole)


def test_order_one_is_character_frequencies():
    ids = np.array([0, 0, 0, 1, 1, 4])
    logits, _ = NGram(1, V).fit(ids)(np.array([[2, 3]]))
    np.testing.assert_allclose(np.exp(logits[0, 0]), np.array([4, 3, 1, 1, 2]) / 11)
    np.testing.assert_array_equal(logits[0, 0], logits[0, 1])


def test_a_context_never_seen_gives_the_uniform_guess():
    logits, _ = NGram(2, V).fit(np.array([0, 1, 0, 1]))(np.array([[3]]))
    np.testing.assert_allclose(logits, np.log(1 / V))


@pytest.mark.parametrize("order", [0, -1, 1.5, True])
def test_an_order_that_is_none_is_refused(order):
    with pytest.raises(ValueError, match="order must be a whole number"):
        NGram(order, V)


def test_other_misuse_is_named():
    with pytest.raises(ValueError, match="smoothing must be one of 'add-one', not 'none'"):
        NGram(2, V, smoothing="none")
    with pytest.raises(ValueError, match="too large to count"):
        NGram(12, 61)
    with pytest.raises(ValueError, match="too short to count 3-grams"):
        NGram(3, V).fit([1, 2])
    with pytest.raises(RuntimeError, match="call fit"):
        NGram(3, V)(np.array([[1]]))
