"""Cases for the checks of *Learning through time*."""

import math

import numpy as np
import torch

from tests.exercises.cases import Case

PAPER = ((14, 1), (10, 2), 4)

CASES = [
    Case(
        "zero-path",
        other=[torch.tensor(1), "No", "no"],
        wrong={
            "counted from 0": ((0, "no", "no"), "counted from 1"),
            "the last": ((3, "no", "no"), "too large"),
            "u as well": ((1, "yes", "no"), "the contribution to u"),
            "teaches": ((1, "no", "yes"), "the first character"),
        },
    ),
    Case(
        "bptt-on-paper",
        other=[[14.0, 1.0], (np.float64(10), 2), torch.tensor(4.0)],
        wrong={
            "the last step alone": (((4, 1), (10, 2), 4), "one loss, dL/dw: that is the path"),
            "no factor": (((8, 0), (10, 2), 4), "factor of w"),
            "the state after": (((29, 1), (10, 2), 4), "state before the step"),
            "sign": (((-14, -1), (10, 2), 4), "what is sent back"),
            "the last loss alone": (((14, 1), (14, 1), 4), "every step, dL/dw: that is the last"),
            "own losses alone": (((14, 1), (2, 4), 4), "later steps is missing"),
            "u": (((14, 9), (10, 2), 4), "dL/du is too large"),
            "not cut": (((14, 1), (10, 2), 14), "not truncated"),
        },
    ),
    Case(
        "adam-bound",
        other=torch.tensor(10.0).sqrt(),
        wrong={
            "no root": (100, "root"),
            "first update": (1, "first update"),
            "m divided": (31.6, "m is not divided"),
            "v divided": (0.1, "v is not divided"),
            "a guess": (5, "too large"),
        },
    ),
    Case(
        "saturated",
        other=lambda states, beyond: (torch.as_tensor(states) ** 2 > beyond**2).double().mean(),
        wrong={
            "one side": (lambda s, beyond: np.mean(s > beyond), "below -beyond"),
            "inside": (lambda s, beyond: np.mean(abs(s) < beyond), "inside"),
            "a count": (lambda s, beyond: np.sum(abs(s) > beyond), "not a share"),
            "fixed bound": (lambda s, beyond: np.mean(abs(s) > 0.9), "one that is given"),
            "per cent": (lambda s, beyond: 100 * np.mean(abs(s) > beyond), "percentage"),
            "mean": (lambda s, beyond: abs(s).mean(), "difference"),
        },
    ),
]
assert math.isclose(CASES[2].other, math.sqrt(10), rel_tol=1e-6)
