"""Checks of the page *What we were told and what we measured*."""

import numpy as np

from .answers import call, number
from .inputs import normal, random_sizes
from .judging import register


@register("called-true")
def called_true(answer):
    """called_true(p, seeds, cases) -> the probability that all seeds agree in all cases."""
    rng = np.random.default_rng()
    for _ in range(3):
        p, (seeds, cases) = rng.uniform(0.7, 0.95), random_sizes(2, low=2, high=8)
        slips = {
            "in every case, not in one": p**seeds,
            "all seeds, not one": p**cases,
            "that is the probability that it is not called true": 1 - p ** (seeds * cases),
            "every comparison has to come out right": p ** (seeds + cases),
            "one case is enough for that": 1 - (1 - p**seeds) ** cases,
        }
        got = call(answer, p, seeds, cases)
        number(got, p ** (seeds * cases), slips, rtol=1e-4, name="the probability")


@register("share-clamped")
def share_clamped(answer):
    """share_clamped(gradients (updates, P), T) -> share of updates with an entry clamped."""
    rng = np.random.default_rng()
    for _ in range(3):
        updates, P = random_sizes(2, low=25, high=60)
        T = int(rng.integers(20, 40))
        sums = normal(updates, P, scale=0.3)  # of a window's losses
        sums[::2] = np.clip(5 * sums[::2], -4, 4)  # long, with no entry beyond the limit
        acts = rng.permutation(updates)[: updates // 3]
        sums[acts[::2], 3] = 6.5
        sums[acts[1::2], 2:4] = -7.5  # below the lower limit alone
        beyond = np.abs(sums) > 5
        norms = np.linalg.norm(sums, axis=1)
        slips = {
            "these are gradients of a mean, and the clamp has those of the sum": float(
                (np.abs(sums / T) > 5).any(axis=1).mean()
            ),
            "there is a limit on the other side, too": float((sums > 5).any(axis=1).mean()),
            "the clamp looks at entries, not at the norm": float((norms > 5).mean()),
            "the norm of the mean is neither": float((norms / T > 5).mean()),
            "the share of updates, not of entries": float(beyond.mean()),
            "the share of updates, not their number": float(beyond.any(axis=1).sum()),
        }
        right = float(beyond.any(axis=1).mean())
        number(call(answer, sums / T, T), right, slips, rtol=1e-4, name="the share")
