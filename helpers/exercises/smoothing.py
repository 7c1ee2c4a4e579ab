"""Checks of the page *Smoothing*."""

import numpy as np

from .answers import call, compare, number
from .judging import register


@register("three-discounts")
def three_discounts(answer):
    """three_discounts(counts (K,), above 0) -> D_1, D_2, D_3+ of Chen and Goodman."""
    rng = np.random.default_rng()
    for _ in range(3):
        n = [0, *(rng.integers(low, 2 * low) for low in (60, 30, 20, 12))]
        counts = np.repeat([1, 2, 3, 4, 7], [*n[1:], 9])
        rng.shuffle(counts)

        def by(share, n=n):
            return tuple(r - (r + 1) * share * n[r + 1] / n[r] for r in (1, 2, 3))

        Y = n[1] / (n[1] + 2 * n[2])
        totals = [r * n_r for r, n_r in enumerate(n)]
        slips = {
            "n_r is how many runs have the count r, not how many characters these are": tuple(
                r - (r + 1) * Y * totals[r + 1] / totals[r] for r in (1, 2, 3)
            ),
            "Y has 2 n_2 below, not n_2": by(n[1] / (n[1] + n[2])),
            "that is Y for all three": (Y, Y, Y),
            "the numerator has n_(r + 1), the denominator n_r": tuple(
                r - (r + 1) * Y * n[r] / n[r + 1] for r in (1, 2, 3)
            ),
            "that is what is left of a count, not what is taken": tuple(
                r - D for r, D in enumerate(by(Y), start=1)
            ),
        }
        compare(call(answer, counts.tolist()), by(Y), ("D_1", "D_2", "D_3+"), slips)


@register("slope-of-sharpening")
def slope_of_sharpening(answer):
    """slope(log_p (N, V), targets (N,)) -> d loss / d beta at beta = 1: loss minus entropy."""
    rng = np.random.default_rng()
    for _ in range(3):
        p = rng.dirichlet(np.full(7, 0.6), 30).clip(min=1e-4)
        log_p = np.log(p / p.sum(axis=1, keepdims=True))
        targets = rng.integers(0, 7, 30)
        loss = -log_p[np.arange(30), targets].mean()
        expected = -(np.exp(log_p) * log_p).sum(axis=1).mean()
        slips = {
            "the sign is reversed": expected - loss,
            "that is the loss": loss,
            "that is the expected surprise": expected,
            "the mean over characters, not the sum": 30 * (loss - expected),
            "the two are added": loss + expected,
        }
        number(call(answer, log_p, targets), loss - expected, slips, rtol=1e-4, name="the slope")
