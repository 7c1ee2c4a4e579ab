"""Checks of the chapter *Learning through time*."""

import math

import numpy as np

from .answers import call, choice, compare, number, parts
from .inputs import normal, random_sizes
from .judging import register


@register("zero-path", wants="value")
def zero_path(answer):
    answer = parts(answer, 3, "three answers")
    slips = {"steps are counted from 1, and states from 0": 0}
    number(answer[0], 1, slips, name="the step")
    why = {"yes": "what does u act on at that step?"}
    choice(answer[1], "no", ("yes", "no"), why, "the contribution to u")
    why = {"yes": "what does the recurrent matrix act on at that step?"}
    choice(answer[2], "no", ("yes", "no"), why, "the first character")


@register("bptt-on-paper", wants="value")
def bptt_on_paper(answer):
    """w = 2, u = 1, h_0 = 1, inputs 1, -2, 1: states 3, 4, 9."""
    answer = parts(answer, 3, "three answers, the first two of them pairs")
    weights = ("dL/dw", "dL/du")
    cases = {
        "one loss": (
            answer[0],
            (14, 1),
            {
                "that is the path through the last step alone": (4, None),
                "each step back costs a factor of w": (8, 0),
                "it is the state before the step that counts": (29, None),
                "what is sent back is h_3 - y": (-14, -1),
            },
        ),
        "a loss at every step": (
            answer[1],
            (10, 2),
            {
                "that is the last loss alone: the others count too": (14, 1),
                "what comes back from later steps is missing": (2, 4),
                "it is the state before the step that counts": (22, None),
            },
        ),
    }
    for case, (got, right, slips) in cases.items():
        got = parts(got, 2, "the pair of dL/dw and dL/du", case)
        for i, weight in enumerate(weights):
            mine = {slip: wrong[i] for slip, wrong in slips.items() if wrong[i] is not None}
            number(got[i], right[i], mine, name=f"{case}, {weight}")
    slips = {"that is not truncated": 14, "what is left is a part of dL/dw, not of dL/du": 1}
    number(answer[2], 4, slips, rtol=1e-6, name="the truncated gradient")


@register("adam-bound", wants="value")
def adam_bound(answer):
    slips = {
        "v is under a root": 0.1 / 0.001,
        "after many updates m is not divided any more": 1 / math.sqrt(0.001),
        "after many updates v is not divided any more": 0.1,
        "that is the first update, where the divisors with t count": 1,
    }
    number(answer, 0.1 / math.sqrt(0.001), slips, rtol=0.02, name="the largest step")


@register("saturated")
def saturated(answer):
    """saturated(states, beyond) -> the share of numbers above beyond or below -beyond."""
    for beyond in (0.9, 0.5, 0.7):
        sizes = random_sizes(3, low=4)
        states = np.tanh(2 * normal(*sizes) + 0.5)
        slips = {
            "are the numbers below -beyond counted?": (states > beyond).mean(),
            "that is the share inside": (abs(states) <= beyond).mean(),
            "that is a number, not a share": (abs(states) > beyond).sum(),
            "is the bound the one that is given?": (abs(states) > 0.9).mean(),
        }
        compare(call(answer, states, beyond), (abs(states) > beyond).mean(), "the share", slips)
