"""Cases for the checks of *Where the time goes*."""

import statistics

import numpy as np

from tests.exercises.cases import Case


def turns(middle=statistics.median, times=lambda a, b: a / b, warm=True, blocks=False, swap=False):
    """in_turn, or one with a mistake."""

    def in_turn(plain, ours, pairs, clock):
        def seconds(action):
            start = clock()
            action()
            return clock() - start

        if warm and not blocks:
            plain(), ours()
        if blocks:
            both = [[seconds(f) for _ in range(pairs + 1)][1:] for f in (plain, ours)]
            both = list(zip(*both, strict=True))
        else:
            both = [(seconds(plain), seconds(ours)) for _ in range(pairs)]
        if swap:
            both = [pair[::-1] for pair in both]
        return middle(times(*pair) for pair in both) if times else middle(both)

    return in_turn


def ratio_of_medians(pairs):
    return float(np.divide(*np.median(pairs, axis=0)))


CASES = [
    Case(
        "timed-in-turn",
        other=turns(),
        wrong={
            "the mean": (turns(statistics.mean), "mean"),
            "medians first": (turns(lambda p: ratio_of_medians(list(p)), lambda a, b: (a, b)),
                              "two medians"),
            "in blocks": (turns(blocks=True), "do not take turns"),
            "cold": (turns(warm=False), "pair is missing"),
            "the other way round": (turns(swap=True), "how many times as fast"),
        },
    ),
    Case(
        "remedies",
        other=("Taking turns", "the median", " a first run", "None"),
        wrong={
            "median of a drift": (("the median", "the median", "a first run", "none"), "share"),
            "turns for a mail": (("taking turns", "taking turns", "a first run", "none"), "mail"),
            "other words": (("turns", "the median", "a first run", "none"), "one of"),
            "turns everywhere": (
                ("taking turns", "the median", "a first run", "taking turns"), "one machine",
            ),
        },
    ),
]  # fmt: skip
