"""Cases for the checks of *Where is the loss?*."""

import math

import numpy as np
import torch

from tests.exercises.cases import Case

LOG2 = math.log(2)


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


def by_steps(p, q, rounds=400):
    """The weight by expectation and maximisation."""
    w = 0.5
    for _ in range(rounds):
        w = float((w * p / (w * p + (1 - w) * q)).mean())
    return w


CASES = [
    Case(
        "four-words",
        other=[math.log(2 * math.sqrt(2)), 0, torch.tensor(0.34657), 0],
        wrong={
            "even letters": ((math.log(3), 0, 0.5 * LOG2, 0), "not equally likely"),
            "no mean": ((1.5 * LOG2, 0, LOG2, 0), "how many of the words"),
            "something at a": ((1.5 * LOG2, 0.1, 0.5 * LOG2, 0), "what may come"),
            "in bits": ((1.5, 0, 0.5, 0), "bits"),
            "the sum": (math.log(4), "four numbers"),
        },
    ),
    Case(
        "small-letters",
        other=["Start of a line", " early in a word "],
        wrong={
            "a space": (("after a space", "early in a word"), "falls most: measure"),
            "nowhere": (("start of a line", "nowhere"), "rises: measure"),
            "later": (("start of a line", "later in a word"), "rises: measure"),
            "another word": (("line", "nowhere"), "one of"),
        },
    ),
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
    Case(
        "best-weight",
        other=by_steps,
        wrong={
            "the other": (lambda p, q: 1 - by_steps(p, q), "other model"),
            "half": (lambda p, q: 0.5, "one half"),
            "for each": (lambda p, q: p / (p + q), "for all characters should be one number"),
            "more than one": (lambda p, q: 2.0, "between 0 and 1"),
            "wins": (lambda p, q: (p > q).mean(), "share of characters"),
        },
    ),
]
