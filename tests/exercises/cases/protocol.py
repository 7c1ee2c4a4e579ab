"""Cases for the checks of *Counting or learning?*"""

import math

import torch

from tests.exercises.cases import Case


def cross(straight_in_log=True, swapped=False, logarithm=False):
    """By solving for the line's zero, or with a mistake."""

    def point(n, a, b):
        x = [math.log(v) for v in n] if straight_in_log else list(n)
        d = [float(a[k] - b[k]) for k in (0, 1)]
        if swapped:
            d = [-d[1], -d[0]]
        zero = x[0] - d[0] * (x[1] - x[0]) / (d[1] - d[0])
        return zero if logarithm or not straight_in_log else math.exp(zero)

    return point


def mix(of="probabilities", first=True, mean=True):
    def loss(one, other, weight):
        one, other = torch.as_tensor(one), torch.as_tensor(other)
        if not first:
            one, other = other, one
        if of == "losses":
            return (weight * one + (1 - weight) * other).mean()
        p = weight * (-one).exp() + (1 - weight) * (-other).exp()
        if of == "texts":
            return -p.mean().log()
        return -p.log().mean() if mean else -p.log().sum()

    return loss


CASES = [
    Case(
        "crossing-point",
        other=cross(),
        wrong={
            "straight in n": (cross(straight_in_log=False), "straight in log n"),
            "from the other end": (cross(swapped=True), "wrong end"),
            "its logarithm": (cross(logarithm=True), "logarithm of the size"),
        },
    ),
    Case(
        "mixture-of-losses",
        other=mix(),
        wrong={
            "losses": (mix(of="losses"), "not losses"),
            "the other way round": (mix(first=False), "first model"),
            "a sum": (mix(mean=False), "not the sum"),
            "whole texts": (mix(of="texts"), "before the mean"),
        },
    ),
]  # fmt: skip
