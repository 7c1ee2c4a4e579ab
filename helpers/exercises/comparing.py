"""Checks of the page *Comparing architectures*."""

import numpy as np

from .answers import call, compare, number, parts
from .inputs import normal, random_sizes
from .judging import register


@register("comparing-seeds", wants="value")
def comparing_seeds(answer):
    """At least four of five, either way; the fewest seeds for one in a thousand."""
    answer = parts(answer, 2, "two numbers")
    slips = {
        "that is for one side; they may agree whichever way": 6 / 32,
        "that is for four and not five; all five agree as well": 10 / 32,
        "that is for exactly four on one side": 5 / 32,
        "that is for all five": 2 / 32,
    }
    number(answer[0], 12 / 32, slips, name="at least four of five")
    one_side = {"that is enough for one side; they may agree whichever way": 10}
    number(answer[1], 11, one_side, rtol=1e-9, name="the number of seeds")


@register("reported-loss")
def reported_loss(answer):
    """reported_and_honest(test (S, E), validation (E,)) -> lowest, mean at the best epoch."""
    for _ in range(3):
        S, E = random_sizes(2, low=3, high=12)
        test, validation = 2 + normal(S, E, scale=0.1), 2 + normal(E, scale=0.1)
        best, own = int(validation.argmin()), int(test.mean(axis=0).argmin())
        if own == best or test.argmin() % E == best:
            validation = np.roll(validation, 1)
            best = int(validation.argmin())
        slips = {
            "the epoch is to be chosen by the validation losses": (None, test.mean(axis=0).min()),
            "the mean of the seeds is asked for": (test.mean(axis=0).min(), test[:, best].min()),
            "that is the validation loss": (None, validation.min()),
        }
        got, right = call(answer, test, validation), (test.min(), test[:, best].mean())
        compare(got, right, ("the reported", "the honest loss"), slips)
