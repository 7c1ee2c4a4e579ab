"""Checks of the chapter *Your own text*."""

import math
import re

import numpy as np

from .answers import NotRight, as_array, call, choice, compare, number, parts, single, whole
from .cells import lstm_parameters
from .inputs import random_sizes
from .judging import register


def largest(characters, V, E, left_out=0, biases=2):
    """The largest H with no more parameters, found by counting upwards; the rest are mistakes."""
    H = 0
    while lstm_parameters(V, E, H + 1, biases=biases) - left_out <= characters:
        H += 1
    return H


@register("largest-hidden")
def largest_hidden(answer):
    """largest_hidden(characters, V, E=32) -> the largest H with no more parameters than that."""
    random = np.random.default_rng()
    for E in (32, 24, 40):
        # So that no two slips give the same H: an embedding is worth more than two of H.
        V = int(random.integers(60, 90))
        H = int(random.integers(9, 50))
        exact = lstm_parameters(V, E, H)
        for characters in (exact, exact - 1, exact + 1, int(exact * random.uniform(1.01, 1.3))):
            inputs = (characters, V) if E == 32 else (characters, V, E)
            right = largest(characters, V, E)
            slips = {
                "PyTorch has two biases for each gate": largest(characters, V, E, biases=1),
                "the embedding counts, too": largest(characters, V, E, V * E),
                "the last layer has a bias for each character": largest(characters, V, E, V),
                "round down: with one more it is too large": right + 1,
                "equal is allowed": right - 1 if characters == exact else -1,
            }
            compare(whole(call(answer, *inputs), "H"), right, "H", slips, rtol=1e-9)
    if single(call(answer, 50, 60), "H") != 0:
        raise NotRight("50 characters are too few for any state: then it is 0")


def kept_by(losses, patience, equal=False, forget=True):
    """The lowest loss before ``patience`` evaluations without a gain; or with a mistake."""
    lowest, waiting = math.inf, 0
    for loss in losses:
        if loss < lowest or (equal and loss == lowest):
            lowest, waiting = loss, 0 if forget else waiting
        else:
            waiting += 1
        if waiting == patience:
            break
    return lowest


@register("patience")
def patience(answer):
    """kept(losses (N,), patience) -> the lowest loss seen before the loop stops."""
    for limit, losses in wiggling_curves():
        right = kept_by(losses, limit)
        slips = {
            "that is one evaluation more than the patience": kept_by(losses, limit + 1),
            "that is one evaluation less than the patience": kept_by(losses, limit - 1),
            "each new lowest loss resets the count": kept_by(losses, limit, forget=False),
            "an equal loss is no gain": kept_by(losses, limit, equal=True),
            "the lowest of all comes after the loop has stopped": losses.min(),
            "compare with the lowest loss, not with the last": by_neighbour(losses, limit),
            "that is the last loss, and the lowest is kept": last_before_stop(losses, limit),
        }
        compare(call(answer, losses, limit), right, "the loss that is kept", slips, rtol=1e-6)
    falling = 3 - np.arange(6) / 8
    compare(call(answer, falling, 2), falling[-1], "of a curve that only falls, the loss")


def wiggling_curves():
    """(patience, losses) that tell every mistake: one stops at its lowest but one, and so on."""
    random = np.random.default_rng()
    for limit in (1, 2, 3, 4):
        scale = random.integers(4, 9) / 4  # of which 2.5, 2 and 1.5 times stay exact
        above = lambda n, low: low + random.uniform(0.1, 0.4, size=max(n, 0))  # noqa: E731
        after = [2.0, *above(limit + 1, 2.0), 1.5]
        yield limit, scale * np.array([3, 2.5, *above(limit, 2.5), *after])
        if limit > 1:
            tie = [2.5, *above(1, 2.5), 2.5, *above(limit - 1, 2.5)]
            yield limit, scale * np.array([3, *tie, *after])
        waited = [*above(limit - 1, 3), 2.5, *above(min(1, limit - 1), 2.5)]
        yield limit, scale * np.array([3, *waited, *after])


def by_neighbour(losses, limit):
    """Waiting counted by rises from one evaluation to the next."""
    waiting = 0
    for i in range(1, len(losses)):
        waiting = 0 if losses[i] < losses[i - 1] else waiting + 1
        if waiting == limit:
            return min(losses[: i + 1])
    return min(losses)


def last_before_stop(losses, limit):
    """The loss of the evaluation at which the loop stops."""
    lowest, waiting = math.inf, 0
    for loss in losses:
        lowest, waiting = (loss, 0) if loss < lowest else (lowest, waiting + 1)
        if waiting == limit:
            break
    return loss


def first_within(losses, spread):
    mean = losses.mean(axis=0)
    return int(np.argmax(mean <= mean.min() + spread))


@register("good-enough")
def good_enough(answer):
    """good_enough(losses (seeds, sizes)) -> the place of the smallest size good enough."""
    random = np.random.default_rng()
    for _ in range(40):  # few tables tell one spread from another
        seeds, sizes = random_sizes(2, low=3, high=8)
        losses = (
            2
            + np.cumsum(random.uniform(-0.3, 0.1, size=sizes))
            + random.normal(scale=0.1, size=(seeds, sizes))
        )
        mean = losses.mean(axis=0)
        best = int(mean.argmin())
        right = first_within(losses, np.ptp(losses[:, best]))
        slips = {
            "that is the lowest mean; a smaller one may be good enough": best,
            "take the best size's spread": first_within(losses, np.ptp(losses, axis=0).max()),
            "the spread is the range over the seeds": first_within(losses, losses[:, best].std()),
            "rows are seeds, columns are sizes": first_within(
                losses.T, np.ptp(losses.T[:, losses.mean(axis=1).argmin()])
            ),
            "take the mean first: the lowest single loss is luck": int(losses.min(axis=0).argmin()),
            "of those that are good enough, the smallest": int(
                np.flatnonzero(mean <= mean.min() + np.ptp(losses[:, best]))[-1]
            ),
        }
        got = as_array(call(answer, losses), "the place")
        compare(got, right, "the place", slips, rtol=1e-9)


@register("once-each")
def once_each(answer):
    """once_each(text) -> the text without paragraphs that stood there before."""
    random = np.random.default_rng()
    for _ in range(4):
        pool = [
            re.sub("\n+", "\n", "".join(random.choice(list("abc d\n"), size=12))) for _ in range(5)
        ]
        pool = [f"{i}{p.strip()}" for i, p in enumerate(pool)]
        # Two come once only; and sorting is neither the order of coming nor that of going.
        order = [3, 1, *(int(i) for i in random.permutation([0, 1, 2, 2, 2, 3, 3, 4])), 1]
        text = "\n\n".join(pool[i] for i in order)
        kept = list(dict.fromkeys(pool[i] for i in order))
        right = "\n\n".join(kept)
        got = call(answer, text)
        if not isinstance(got, str):
            raise NotRight("the mended text should be a text")
        if got == right:
            continue
        parts = got.split("\n\n")
        if got == text:
            raise NotRight("nothing has been dropped")
        if got.strip() == right:
            raise NotRight("nothing should be added at the ends")
        last = list(dict.fromkeys(pool[i] for i in reversed(order)))[::-1]
        if parts == last:
            raise NotRight("of each paragraph the first one is to be kept, not the last")
        if sorted(parts) == sorted(kept):
            raise NotRight("the paragraphs are right, and their order is another than before")
        single = [pool[i] for i in order if order.count(i) == 1]
        if parts == single:
            raise NotRight("a paragraph that comes twice is to be kept once")
        if "\n\n" not in got:
            raise NotRight("the empty lines between the paragraphs are gone")
        raise NotRight("the result is not the paragraphs, each once")


@register("sums", wants="value")
def sums(answer):
    """(kind learned first, kind that is never learned, its lowest mean loss in nats)."""
    first, never, floor = parts(answer, 3, "two words and a number")
    options = ("signs", "question", "answer")
    why = {
        "question": "who could know a random number in advance?",
        "answer": "which characters stand always at the same place?",
    }
    choice(first, "signs", options, why, name="what is learned first")
    why = {
        "answer": "the answer follows from the question: a network that adds would know it",
        "signs": "they stand at the same places in every line",
    }
    choice(never, "question", options, why, name="what is never learned")
    slips = {
        "the first digit of a number from 10 to 99 is never 0": math.log(10),
        "a number from 10 to 99 has two digits, and the mean is over digits": math.log(90),
        "only the first digit is one of nine": math.log(9),
        "the uniform distribution over the whole alphabet is not the best possible": math.log(13),
    }
    number(floor, math.log(90) / 2, slips, name="the lowest loss")
