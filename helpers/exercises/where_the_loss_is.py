"""Checks of the chapter *Where is the loss?*."""

import numpy as np

from .answers import call, compare
from .inputs import probabilities, random_sizes
from .judging import register


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
