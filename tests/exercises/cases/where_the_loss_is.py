"""Cases for the checks of *Where is the loss?*."""

import math

import numpy as np
import torch

from tests.exercises.cases import Case


def louder_by_torch(p, which, factor):
    """In logits: the logarithm of the factor is added."""
    logits = p.log()
    logits[:, which] += math.log(factor)
    return torch.softmax(logits, dim=1)


def louder_with(axis=1, keep=True, power=False):
    """By hand, with a mistake."""

    def louder(p, which, factor):
        p = np.array(p)
        p[:, which] = p[:, which] ** factor if power else p[:, which] * factor
        return p / p.sum(axis=axis, keepdims=True) if keep else p

    return louder


def only_that_one(p, which, factor):
    new = louder_with()(p, which, factor)
    changed = np.array(p)
    changed[:, which] = new[:, which]
    return changed


def one_by_one(p, ends, came):
    """Position by position, without arrays."""
    first, second = [], []
    for row, c in zip(p, came, strict=True):
        same = sum(float(row[k]) for k in range(len(row)) if bool(ends[k]) == bool(ends[c]))
        first.append(-math.log(same))
        second.append(math.log(same) - math.log(float(row[c])))
    return first, second


def split_with(change):
    def split(p, ends, came):
        first, second = (np.array(part) for part in one_by_one(p, ends, came))
        return change(first, second, np.asarray(ends)[np.asarray(came)])

    return split


CASES = [
    Case(
        "louder",
        other=louder_by_torch,
        wrong={
            "not divided": (louder_with(keep=False), "no longer sum"),
            "columns": (louder_with(axis=0), "over its characters"),
            "all": (louder_with(axis=None), "a sum of its own"),
            "only that one": (only_that_one, "should shrink"),
            "a power": (louder_with(power=True), "multiply"),
        },
    ),
    Case(
        "end-and-which",
        other=one_by_one,
        wrong={
            "the whole": (split_with(lambda a, b, e: (a, a + b)), "whole loss"),
            "what came": (
                lambda p, ends, came: (
                    -np.log(np.asarray(p)[:, np.asarray(ends)].sum(axis=1)),
                    one_by_one(p, ends, came)[1],
                ),
                "what came",
            ),
            "no sign": (split_with(lambda a, b, e: (a, np.where(e, 0, b))), "which sign"),
            "order": (split_with(lambda a, b, e: (b, a)), "another order"),
            "one": (split_with(lambda a, b, e: a + b), "2 are expected"),
        },
    ),
]
