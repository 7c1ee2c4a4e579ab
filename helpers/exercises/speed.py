"""Checks of the page *Where the time goes*."""

import numpy as np

from .answers import NotRight, call, choice, compare, parts
from .judging import register


@register("timed-in-turn")
def timed_in_turn(answer):
    """in_turn(plain, ours, pairs, clock) -> median of the pairs' ratios, the first not counted."""
    for pairs in (7, 9, 12):
        rng, log, now = np.random.default_rng(), [], [100.0]
        spent = rng.uniform(1, 2, (pairs + 1, 2)) * np.linspace(1, 4, pairs + 1)[:, None]
        spent[0] = 90.0, 0.5  # the first call of a program takes what it likes
        spent[rng.integers(1, pairs + 1), rng.integers(2)] *= 20  # somebody else wants the machine

        def program(which, log=log, now=now, spent=spent, pairs=pairs):
            def run():
                turn = min(log.count(which), pairs)
                log.append(which)
                now[0] += spent[turn, which]

            return run

        got = call(answer, program(0), program(1), pairs, lambda now=now: now[0])
        if log != [0, 1] * (pairs + 1):
            raise NotRight(order_of(log, pairs))
        counted = spent[1:]
        ratios = counted[:, 0] / counted[:, 1]
        slips = {
            "that is the mean, which one disturbed run can move": ratios.mean(),
            "take the median of the ratios, not the ratio of two medians": (
                np.divide(*np.median(counted, axis=0))
            ),
            "that is the ratio of the shortest times": np.divide(*counted.min(axis=0)),
            "inverted: how many times as fast is ours?": np.median(1 / ratios),
            "the first pair is not to be counted": np.median(spent[:, 0] / spent[:, 1]),
        }
        compare(got, np.median(ratios), "the ratio", slips)


def order_of(log, pairs):
    """What is wrong with the order of the calls."""
    if log == [0, 1] * pairs:
        return "a pair is missing: one before the others, which is not counted"
    if len(log) > 2 and log[0] == log[1]:
        return "they do not take turns: one program runs several times before the other does"
    if log and log[0] == 1:
        return "the plain program goes first"
    return f"{len(log)} calls for {pairs} pairs and one before them, or not in turn"


@register("remedies", wants="value")
def remedies(answer):
    """Which remedy helps against each of four disturbances."""
    answer = parts(answer, 4, "four words")
    options = ("taking turns", "the median", "a first run", "none")
    causes = {
        "the slower afternoon": "taking turns",
        "the mail": "the median",
        "the compiler": "a first run",
        "the other processor": "none",
    }
    why = {
        "the slower afternoon": "what must the two programs share to be compared?",
        "the mail": "one run in ten is hit, and it may be of either program",
        "the compiler": "when is it paid, and how often?",
        "the other processor": "can anything done on one machine speak for another?",
    }
    for given, (cause, right) in zip(answer, causes.items(), strict=True):
        reasons = {option: why[cause] for option in options}
        choice(given, right, options, reasons, name=cause)
