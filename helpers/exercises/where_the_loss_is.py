"""Checks of the chapter *Where is the loss?*."""

import math

import numpy as np

from .answers import NotRight, as_array, call, choice, compare, number, parts, plural, single
from .inputs import probabilities, random_sizes
from .judging import register


@register("four-words", wants="value")
def four_words(answer):
    """Expected loss at each of the four places of a word: cab, cad, bad, dab, 1/4 each."""
    answer = parts(answer, 4, "four numbers, one for each place")
    log2 = math.log(2)
    slips = [
        {
            "the three letters are not equally likely": math.log(3),
            "how many of the four words begin with each letter?": 2 * log2,
        },
        {},
        {
            "after how many of the words is anything open here?": log2,
            "these are the old words": 0.75 * (math.log(3) - 2 / 3 * log2),
        },
        {},
    ]
    for place, (got, nats) in enumerate(zip(answer, (1.5 * log2, 0, 0.5 * log2, 0), strict=True)):
        name = f"after {plural(place, 'letter')}"
        if nats == 0 and np.abs(as_array(got, name)).max() > 1e-6:
            raise NotRight(f"{name}: what may come there?")
        number(got, nats, slips[place], name=name)


@register("louder")
def louder(answer):
    """louder(p (N, V), which, factor) -> p (N, V) with one column times factor, rows sum to 1."""
    for _ in range(3):
        N, V = random_sizes(2, low=3)
        p, which = probabilities(N, V), int(np.random.default_rng().integers(V))
        for factor in (10.0, 0.3):
            raised = p.copy()
            raised[:, which] *= factor
            right = raised / raised.sum(axis=1, keepdims=True)
            only, by_row = p.copy(), p.copy()
            only[:, which] = right[:, which]
            by_row[which % N] *= factor
            slips = {
                "the rows no longer sum to 1": raised,
                "the others should shrink, all by the same factor": only,
                "each position has a sum of its own": raised / raised.sum(),
                "each position sums to 1 over its characters": raised / raised.sum(axis=0),
                "a character is a column, not a row": by_row / by_row.sum(axis=1, keepdims=True),
                "multiply the probability, not its logarithm": powered(p, which, factor),
            }
            compare(call(answer, p, which, factor), right, "the probabilities", slips)


def powered(p, which, factor):
    raised = p.copy()
    raised[:, which] = raised[:, which] ** factor
    return raised / raised.sum(axis=1, keepdims=True)


@register("end-and-which")
def end_and_which(answer):
    """end_and_which(p (N, V), ends (V,) bool, came (N,)) -> two losses (N,) that add up."""
    rng = np.random.default_rng()
    for _ in range(3):
        N, V = random_sizes(2, low=5, high=12)
        p, came = probabilities(N, V), rng.integers(V, size=N)
        ends = np.arange(V) < V // 2
        rng.shuffle(ends)
        came[:2] = np.flatnonzero(ends)[0], np.flatnonzero(~ends)[0]
        of_end, ended, of_it = p[:, ends].sum(axis=1), ends[came], p[np.arange(N), came]
        p_first = np.where(ended, of_end, 1 - of_end)
        right = -np.log(p_first), -np.log(of_it / p_first)
        names = "the loss of the first question", "the loss of the second"
        slips = {
            "it counts what came: an end here, no end there": (-np.log(of_end), None),
            "end and no end are swapped": (-np.log(1 - p_first), None),
            "that is the whole loss: given the first answer, less is open": (None, -np.log(of_it)),
            "at an end it matters which sign comes": (None, np.where(ended, 0, right[1])),
            "divided by the other group's probability": (None, -np.log(of_it / (1 - p_first))),
            "these are in another order: first the end, then which": (right[1], right[0]),
        }
        compare(call(answer, p, ends, came), right, names, slips)


@register("best-weight")
def best_weight(answer):
    """best_weight(p (N,), q (N,)) -> w in [0, 1] with the lowest mean of -log(w p + (1-w) q)."""
    grid = np.linspace(0, 1, 1001)
    rng = np.random.default_rng()
    for wanted in (0.25, 0.7):
        # What came is drawn from the mixture itself, so that its weight is about the best.
        P, Q = probabilities(300, 6), probabilities(300, 6)
        mixed = (wanted * P + (1 - wanted) * Q).cumsum(axis=1)
        came = np.minimum((mixed < rng.random((300, 1))).sum(axis=1), 5)
        p, q = P[np.arange(300), came], Q[np.arange(300), came]
        w = single(call(answer, p, q), "the weight for all characters")
        if not 0 <= w <= 1:
            raise NotRight("a weight lies between 0 and 1")
        loss = -np.log(grid[:, None] * p + (1 - grid)[:, None] * q).mean(axis=1)
        logs = -(grid[:, None] * np.log(p) + (1 - grid)[:, None] * np.log(q)).mean(axis=1)
        best = float(grid[loss.argmin()])
        if abs(w - best) < 0.015:
            continue
        slips = {
            "that is the other model's weight": 1 - best,
            "the probabilities are mixed, not their logarithms": float(grid[logs.argmin()]),
            "one half is not always best": 0.5,
            "that is the share of characters at which the first is better": (p > q).mean(),
            "that is the highest loss, and the lowest is asked for": float(grid[loss.argmax()]),
            "that maximises the mean probability instead": float(p.mean() > q.mean()),
        }
        for slip, wrong in slips.items():
            if abs(w - wrong) < 0.015:
                raise NotRight(slip)
        raise NotRight("another weight has a lower loss; the grid may be finer than tenths")


PLACES = (
    "start of a line",
    "after a sign",
    "after a space",
    "early in a word",
    "later in a word",
    "in a name",
    "nowhere",
)


@register("small-letters", wants="value")
def small_letters(answer):
    """Where the loss falls most when all capitals are made small, and where it rises."""
    answer = parts(answer, 2, "two places")
    why = dict.fromkeys(PLACES, "measure it: `place_after` of the text as it was, both losses")
    choice(answer[0], "start of a line", PLACES, why, "where it falls most")
    choice(answer[1], "early in a word", PLACES, why, "where it rises")
