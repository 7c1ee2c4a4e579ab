"""Checks of the chapter *Your own text*."""

import math
import re

import numpy as np

from .answers import NotRight, as_array, call, choice, compare, number, parts
from .inputs import random_sizes
from .judging import register


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
