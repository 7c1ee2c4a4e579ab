"""Checks of the page *More text, more weights*."""

import numpy as np

from .answers import call, choice, compare, parts
from .judging import register


@register("best-split")
def best_split(answer):
    """best_split(A, alpha, B, beta, work) -> weights and characters, with the lowest loss of
    E + A / weights^alpha + B / characters^beta where weights times characters are ``work``."""
    rng = np.random.default_rng()
    for _ in range(3):
        A, B = rng.uniform(5, 40), rng.uniform(50, 400)
        alpha, beta = rng.uniform(0.25, 0.35), rng.uniform(0.4, 0.5)
        work = 10 ** rng.uniform(10, 13)

        def split(ratio, power, work=work, both=alpha + beta):
            weights = ratio ** (1 / both) * work ** (power / both)
            return weights, work / weights

        ratio = alpha * A / (beta * B)
        slips = {
            "more of a budget goes to what still pays: the other exponent": split(ratio, alpha),
            "the derivatives bring the exponents down as factors": split(A / B, beta),
            "weights and characters are exchanged": split(ratio, beta)[::-1],
            "the ratio is upside down": split(1 / ratio, beta),
            "equal shares are best only if both terms are alike": (work**0.5, work**0.5),
        }
        given = parts(call(answer, A, alpha, B, beta, work), 2, "weights and characters")
        names = "the number of weights", "the number of characters"
        compare(given, split(ratio, beta), names, slips, rtol=1e-3)


@register("four-leaks", wants="value")
def four_leaks(answer):
    """What has gone wrong in each of four cases."""
    answer = parts(answer, 4, "four words")
    options = ("other units", "a peek", "overlap", "training loss")
    why = {
        "A": "what is the loss of the uniform distribution over 65 characters, in nats?",
        "B": "what can a model know while it is scored and not while it writes?",
        "C": "whose speeches does it recite?",
        "D": "has the model met these windows?",
    }
    for given, (case, reason), right in zip(answer, why.items(), options, strict=True):
        choice(given, right, options, dict.fromkeys(options, reason), name=case)
