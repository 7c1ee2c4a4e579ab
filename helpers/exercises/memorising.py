"""Checks of the chapter *Is it memorising?*."""

import math

import numpy as np

from .answers import call, number
from .inputs import normal, random_sizes
from .judging import register


@register("membership")
def membership(answer):
    """probability_of_order(trained (m,), left_out (n,)) -> share of pairs with trained lower."""
    rng = np.random.default_rng()
    for _ in range(4):
        m, n = (int(k) for k in rng.integers(4, 9, size=2))
        trained = rng.integers(10, 20, size=m + 1) / 10
        left_out = rng.integers(15, 26, size=n) / 10
        left_out[0] = trained[0]  # at least one tie
        lower = np.mean(trained[:, None] < left_out)
        equal = np.mean(trained[:, None] == left_out)
        slips = {
            "a low loss is the sign of a trained page": 1 - lower - equal / 2,
            "a pair with equal losses counts one half": lower,
            "a pair with equal losses counts only one half": lower + equal,
            "a share of all pairs is asked for, not their number": (lower + equal / 2)
            * (m + 1)
            * n,
        }
        number(call(answer, trained, left_out), lower + equal / 2, slips, name="the share")


@register("chance-matches")
def chance_matches(answer):
    """chance_matches(p (V,), n, N) -> expected places of N where n drawn characters match."""
    for _ in range(3):
        (V,) = random_sizes(1, low=4)
        p = np.exp(normal(V))
        p /= p.sum()
        n, N = (int(k) for k in np.random.default_rng().integers((2, 500), (6, 5000)))
        same = (p * p).sum()
        slips = {
            "the probability is for one place; how many are there?": same**n,
            "characters are not uniformly distributed": N * V**-n,
            "any character may match, not only the commonest": N * p.max() ** n,
            "that is the entropy; two draws must agree": N * math.exp((p * np.log(p)).sum() * n),
            "all n have to match, one after the other": N * n * same,
            "is it the square of a sum?": N * p.sum() ** (2 * n),
        }
        number(call(answer, p, n, N), N * same**n, slips, name="the expected number")
