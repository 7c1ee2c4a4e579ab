import time
from collections import Counter, defaultdict
from functools import cache

import numpy as np
import pytest

from helpers.corpus import Vocabulary, load_corpus
from helpers.models import predict
from helpers.ngram import SMOOTHINGS, NGram, discounts
from helpers.sampling import generate
from helpers.training import character_losses, evaluate
from tests.faults import planted

V = 5


def random_ids(n, seed=0):
    """Ids with structure: the next one is likely one or two further on."""
    steps = np.random.default_rng(seed).choice([1, 2, 3], p=[0.6, 0.3, 0.1], size=n)
    return steps.cumsum() % V


# A second counting of everything, slow and with dictionaries alone.


@cache
def counted(text, k, by_predecessor):
    """Each run of k in the text -> how often, or after how many different predecessors."""
    found = defaultdict(list)
    for i in range(len(text) - k + 1):
        found[text[i : i + k]].append(text[i - 1] if i else "the beginning")
    return {run: len(set(before) if by_predecessor else before) for run, before in found.items()}


@cache
def branch_and_discounts(text, k, by_predecessor):
    n = Counter(counted(text, k, by_predecessor).values())
    if n[1] == 0 or n[2] == 0:
        return "half", {1: 0.5, 2: 0.5, 3: 0.5}
    y = n[1] / (n[1] + 2 * n[2])
    if n[3] and n[4]:
        three = {i: i - (i + 1) * y * n[i + 1] / n[i] for i in (1, 2, 3)}
        if all(d > 0 for d in three.values()):
            return "three", three
    return "single", {1: y, 2: y, 3: y}


def slowly(text, context, vocab_size, smoothing, longest=True):
    """The distribution over the vocabulary after ``context`` (a tuple): a list."""
    by_predecessor = smoothing == "kneser-ney" and not longest
    k = len(context) + 1
    counts = counted(text, k, by_predecessor)
    here = [counts.get((*context, c), 0) for c in range(vocab_size)]
    n, different = sum(here), sum(count > 0 for count in here)
    if smoothing == "add-one":
        return [(count + 1) / (n + vocab_size) for count in here]
    lower = [1 / vocab_size] * vocab_size
    if context:
        lower = slowly(text, context[1:], vocab_size, smoothing, longest=False)
    if n == 0:
        return lower
    if smoothing == "witten-bell":
        return [(c + different * q) / (n + different) for c, q in zip(here, lower, strict=True)]
    _, d = branch_and_discounts(text, k, by_predecessor)
    taken = [d[min(count, 3)] if count else 0 for count in here]
    return [
        (count - t) / n + sum(taken) / n * q for count, t, q in zip(here, taken, lower, strict=True)
    ]


def contexts_of(text, order):
    """The context at each position of a text that is read from its beginning."""
    longest = order - 1
    ends = range(1, len(text) + 1)
    return [tuple(text[end - min(longest, end) : end]) for end in ends]


TEXTS = {
    "structured": random_ids(300),
    "short": random_ids(20),
    "as short as can be": np.array([3, 0, 1, 1, 0, 3, 2]),
    "all alike": np.full(30, 2),
    "its beginning never comes again": np.array([4, 3, *np.tile([0, 1, 2], 40)]),
    # 0 comes again and again, but after 1 alone.
    "one way in": np.array([*np.tile([1, 0], 30), *random_ids(80) % 4 + 1]),
}


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@pytest.mark.parametrize("order", range(1, 8))
@pytest.mark.parametrize("name", TEXTS)
def test_probabilities_equal_slow_counting(name, order, smoothing):
    ids, text = TEXTS[name], random_ids(25, seed=1)
    read = np.concatenate([text, ids[:10], ids[-10:]])  # unseen contexts, and seen ones
    logits, _ = NGram(order, V, smoothing).fit(ids)(read[None])
    counted_ids = tuple(ids.tolist())
    expected = [slowly(counted_ids, c, V, smoothing) for c in contexts_of(read.tolist(), order)]
    np.testing.assert_allclose(np.exp(logits[0]), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(np.exp(logits[0]).sum(axis=1), 1, rtol=0, atol=1e-12)


def test_the_texts_above_reach_every_way_to_the_discounts():
    ways = {
        branch_and_discounts(tuple(ids.tolist()), k, by_predecessor)[0]
        for ids in TEXTS.values()
        for k in range(1, 8)
        for by_predecessor in (False, True)
    }
    assert ways == {"half", "single", "three"}


@pytest.fixture(scope="module")
def play():
    """Counted and unseen ids of the corpus, and the vocabulary's size."""
    corpus = load_corpus("coriolanus")
    return *corpus.split(), len(corpus.vocab)


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@pytest.mark.parametrize("order", range(1, 8))
def test_the_corpus_as_well(play, order, smoothing):
    train_ids, val_ids, size = play
    train_ids, val_ids = train_ids[:8000], val_ids[:400]
    logits, _ = NGram(order, size, smoothing).fit(train_ids)(val_ids[None])
    np.testing.assert_allclose(np.exp(logits[0]).sum(axis=1), 1, rtol=0, atol=1e-12)
    text, contexts = tuple(train_ids.tolist()), contexts_of(val_ids.tolist(), order)
    for t in (0, 1, 2, 3, 4, 5, 6, 100, 200, 300):
        expected = slowly(text, contexts[t], size, smoothing)
        np.testing.assert_allclose(np.exp(logits[0, t]), expected, rtol=0, atol=1e-12)


def test_the_largest_order_takes_seconds_at_most(play):
    train_ids, val_ids, size = play
    started = time.perf_counter()
    model = NGram(7, size).fit(train_ids)
    assert evaluate(model, val_ids) < evaluate(NGram(3, size).fit(train_ids), val_ids)
    assert time.perf_counter() - started < 5  # measured: 0.2


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@pytest.mark.parametrize("order", [1, 2, 4])
def test_the_state_carries_the_context(order, smoothing):
    ids = random_ids(20, seed=3).reshape(2, 10)
    model = NGram(order, V, smoothing).fit(random_ids(300))
    whole, _ = predict(model, ids)
    for cut in (1, 2, 7):
        first, state = predict(model, ids[:, :cut])
        second, _ = predict(model, ids[:, cut:], state)
        np.testing.assert_array_equal(np.concatenate([first, second], axis=1), whole)


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_at_a_beginning_the_guess_is_that_of_the_order_that_fits(smoothing):
    ids, text = random_ids(300), random_ids(4, seed=5)
    long, _ = NGram(6, V, smoothing).fit(ids)(text[None])
    for t in range(4):
        fits, _ = NGram(t + 2, V, smoothing).fit(ids)(text[None])
        np.testing.assert_array_equal(long[0, t], fits[0, t])


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_scored_and_sampled_like_every_model(smoothing):
    vocab = Vocabulary("abcde")
    model, text = NGram(3, V, smoothing).fit(random_ids(300)), random_ids(50, seed=6)
    losses = character_losses(model, text)
    p = [
        slowly(tuple(random_ids(300).tolist()), c, V, smoothing)[s]
        for c, s in zip(contexts_of(text.tolist(), 3), text[1:], strict=False)
    ]
    np.testing.assert_allclose(losses, -np.log(p))
    model.fit(np.arange(100) % V)
    assert generate(model, vocab, "ab", length=5, temperature=0) == "abcdeab"


def test_order_one_is_character_frequencies():
    ids = np.array([0, 0, 0, 1, 1, 4])
    logits, _ = NGram(1, V, "add-one").fit(ids)(np.array([[2, 3]]))
    np.testing.assert_allclose(np.exp(logits[0, 0]), np.array([4, 3, 1, 1, 2]) / 11)
    np.testing.assert_array_equal(logits[0, 0], logits[0, 1])
    logits, _ = NGram(1, V, "witten-bell").fit(ids)(np.array([[2, 3]]))
    np.testing.assert_allclose(np.exp(logits[0, 0]), (np.array([3, 2, 0, 0, 1]) + 3 / 5) / 9)


def test_a_context_never_seen_gives_the_uniform_guess():
    logits, _ = NGram(2, V, "add-one").fit(np.array([0, 1, 0, 1]))(np.array([[3]]))
    np.testing.assert_allclose(logits, np.log(1 / V))


def test_kneser_ney_asks_before_how_many_characters_and_not_how_often():
    """0 comes twenty times, after 1 alone; 2 comes three times, after three characters."""
    ids = np.array([1, 0] * 20 + [1, 2, 3, 2, 4, 2, 1])
    assert (ids == 0).sum() == 20
    assert (ids == 2).sum() == 3
    unseen = np.array([[2, 2]])  # 2 after 2 never came, so the guess is that of order 1
    kneser_ney, _ = NGram(3, V).fit(ids)(unseen)
    witten_bell, _ = NGram(3, V, "witten-bell").fit(ids)(unseen)
    lower = slowly(tuple(ids.tolist()), (2,), V, "kneser-ney", longest=False)
    np.testing.assert_allclose(np.exp(kneser_ney[0, 1]), lower, rtol=0, atol=1e-12)
    assert kneser_ney[0, 1, 2] > kneser_ney[0, 1, 0]
    assert witten_bell[0, 1, 2] < witten_bell[0, 1, 0]


def counts_of(n1, n2, n3, n4, more=1):
    return np.repeat([1, 2, 3, 4, 9], [n1, n2, n3, n4, more])


def test_discounts_by_hand():
    # Y = 6 / (6 + 2 * 3) = 1/2; then 1 - 1/2, 2 - 3/2 * 2/3 and 3 - 2 * 1/2.
    np.testing.assert_allclose(discounts(counts_of(6, 3, 2, 1)), [0, 0.5, 1, 2])


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        ((2, 3, 0, 1), 0.25),  # a number of counts is zero: the single discount, 2 / (2 + 6)
        ((2, 3, 2, 0), 0.25),
        ((2, 3, 0, 0), 0.25),
        ((2, 3, 9, 1), 0.25),  # D2 = 2 - 9/4
        ((2, 3, 8, 1), 0.25),  # D2 = 0 would leave nothing for the unseen
        ((2, 3, 1, 3), 0.25),  # D3 = 0
        ((2, 3, 1, 4), 0.25),  # D3 = -1
        ((0, 3, 2, 1), 0.5),  # the single discount would be 0
        ((6, 0, 2, 1), 0.5),  # and here 1
        ((0, 0, 0, 0), 0.5),
    ],
)
def test_discounts_where_a_formula_fails(n, expected):
    np.testing.assert_allclose(discounts(counts_of(*n)), [0, expected, expected, expected])


def test_other_misuse_is_named():
    with pytest.raises(ValueError, match="one of 'kneser-ney', 'witten-bell', 'add-one', not 'n"):
        NGram(2, V, smoothing="none")
    with pytest.raises(ValueError, match="too large to count"):
        NGram(12, 61)
    with pytest.raises(ValueError, match="too large to count"):
        NGram(10**12, 2)  # and says so at once
    with pytest.raises(ValueError, match="whole numbers, not float64"):
        NGram(2, V).fit([1, 2.5, 3])
    assert NGram(62, 2).vocab_size == 2
    with pytest.raises(ValueError, match="too short to count 3-grams"):
        NGram(3, V).fit([1, 2])
    with pytest.raises(RuntimeError, match="call fit"):
        NGram(3, V)(np.array([[1]]))
    with pytest.raises(ValueError, match="id 5 is outside the vocabulary's 0 to 4"):
        NGram(2, V).fit([1, 2, 5])
    with pytest.raises(ValueError, match="id -1 is outside"):
        NGram(2, V).fit([1, 2, 3])(np.array([[-1, 1]]))


@planted(NGram._mixed, test_kneser_ney_asks_before_how_many_characters_and_not_how_often)
def test_fault_shorter_contexts_by_their_counts(right, model, length):
    """Absolute discounting with plain counts below: not yet Kneser-Ney."""
    return list(enumerate(model._tables[: length + 1]))


@planted(discounts, test_probabilities_equal_slow_counting, "structured", 3, "kneser-ney")
def test_fault_the_discount_of_one_count_more(right, counts):
    """D(2) taken from a count of 1, D(3) from one of 2."""
    return right(counts)[[0, 2, 3, 3]]
