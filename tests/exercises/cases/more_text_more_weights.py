"""Cases for the checks of *More text, more weights*."""

import numpy as np

from tests.exercises.cases import Case


def tried(A, alpha, B, beta, work):
    """The best of many splits, tried one by one."""
    weights = np.exp(np.linspace(0, np.log(work), 2_000_001))
    best = np.argmin(A * weights**-alpha + B * (work / weights) ** -beta)
    return weights[best], work / weights[best]


def solved(ratio=lambda A, a, B, b: a * A / (b * B), power=lambda a, b: b):
    """By the formula, or with a mistake."""

    def split(A, alpha, B, beta, work):
        both = alpha + beta
        weights = ratio(A, alpha, B, beta) ** (1 / both) * work ** (power(alpha, beta) / both)
        return weights, work / weights

    return split


CASES = [
    Case(
        "best-split",
        other=tried,
        wrong={
            "the other exponent": (solved(power=lambda a, b: a), "what still pays"),
            "no factors": (solved(ratio=lambda A, a, B, b: A / B), "as factors"),
            "upside down": (solved(ratio=lambda A, a, B, b: b * B / (a * A)), "upside down"),
            "exchanged": (lambda *given: solved()(*given)[::-1], "exchanged"),
            "halves": (lambda *given: (given[-1] ** 0.5,) * 2, "equal shares"),
            "weights alone": (lambda *given: solved()(*given)[0], "weights and characters"),
        },
    ),
    Case(
        "four-leaks",
        other=("Other units", "a peek ", "overlap", "training loss"),
        wrong={
            "exchanged": (("other units", "overlap", "a peek", "training loss"), "while it writes"),
            "units": (("training loss", "a peek", "overlap", "other units"), "uniform"),
            "other words": (("base 10", "a peek", "overlap", "training loss"), "one of"),
        },
    ),
]  # fmt: skip
