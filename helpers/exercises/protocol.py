"""Checks of the chapter *Counting or learning?*"""

import numpy as np

from .answers import call, number
from .judging import register


@register("crossing-point")
def crossing_point(answer):
    """crossing_point(n (2,), a (2,), b (2,)) -> the size where two straight lines in log n meet."""
    rng = np.random.default_rng()
    for _ in range(3):
        n = np.sort(rng.uniform(1e4, 1e6, 2)) * (1, 3)
        before, after = rng.uniform(0.02, 0.3, 2)
        a = np.array([2.0, 1.7]) - rng.uniform(0, 0.1)
        b = a + np.array([before, -after])
        share = before / (before + after)
        right = n[0] * (n[1] / n[0]) ** share
        slips = {
            "the lines are straight in log n, not in n": n[0] + share * (n[1] - n[0]),
            "counted from the wrong end": n[1] * (n[0] / n[1]) ** share,
            "that is the logarithm of the size": np.log(right),
        }
        number(call(answer, n, a, b), right, slips, rtol=1e-4, name="the size")


@register("mixture-of-losses")
def mixture_of_losses(answer):
    """mixture_loss(first (N,), second (N,), weight) -> mean loss of the mixture, in nats."""
    rng = np.random.default_rng()
    for weight in (0.2, 0.7, 0.55):
        first, second = rng.exponential(1.5, (2, 40))
        p, q = np.exp(-first), np.exp(-second)
        each = -np.log(weight * p + (1 - weight) * q)
        slips = {
            "probabilities are averaged, not losses": (
                weight * first + (1 - weight) * second
            ).mean(),
            "the weight belongs to the first model": -np.log((1 - weight) * p + weight * q).mean(),
            "the mean over characters, not the sum": each.sum(),
            "the logarithm comes before the mean": -np.log(np.exp(-each).mean()),
        }
        number(call(answer, first, second, weight), each.mean(), slips, rtol=1e-4, name="the loss")
