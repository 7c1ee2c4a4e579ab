"""Cases for the checks of the lesson *Attention*."""

import math

import numpy as np
import torch

from tests.exercises.cases import Case


def by_log(scores):
    """In torch, by logsumexp over the past."""
    scores = scores.masked_fill(torch.ones_like(scores).triu(1) > 0, -math.inf)
    return (scores - scores.logsumexp(dim=-1, keepdim=True)).exp()


def plain(diagonal=0, flip=False, keep=False):
    """Without a maximum, and with another mistake if wanted."""

    def weights(scores):
        past = np.tril(np.ones(scores.shape), diagonal)
        weights = np.exp(scores) * (past.T if flip else past)
        return weights / (np.exp(scores) if keep else weights).sum(axis=-1, keepdims=True)

    return weights


def hands(turns=0.5, length=1e4, back=1):
    """Two hands of clocks as complex numbers, in torch."""

    def look(T, k):
        turn = 2j * math.pi * turns / T * torch.arange(T)
        keys = turn.exp()
        queries = length * (turn - back * k * turn[1]).exp()
        return torch.view_as_real(queries), torch.view_as_real(keys)

    return look


CASES = [
    Case(
        "three-positions",
        other=[np.array([12.0, 4, 3]), (12, 6, 4.6667), torch.tensor(2)],
        wrong={
            "no mask": (((3, 3, 3), (12, 6, 14 / 3), 2), "later position"),
            "not scaled": (((12, 12 / 5, 30 / 14), (12, 6, 14 / 3), 2), "root of d"),
            "no sum": (((12, 12, 18), (12, 6, 14 / 3), 2), "sum to 1"),
            "nothing at 0": (((12, 4, 3), (0, 0, 0), 2), "times 0"),
            "sharp at the wrong place": (((12, 4, 3), (12, 6, 14 / 3), 12), "largest"),
        },
    ),
    Case(
        "breaking-scores",
        other=torch.tensor([[0.0, 0, 0], [0, 0, 500], [3, 1, 2]]),
        wrong={
            "the past is larger": ([[200, 0, 0], [0, 0, 0], [0, 0, 0]], "direction"),
            "not far enough": ([[0, 50, 0], [0, 0, 0], [0, 0, 0]], "not yet"),
            "infinite": ([[0, math.inf, 0], [0, 0, 0], [0, 0, 0]], "finite"),
            "two by two": ([[0, 200], [0, 0]], "shape"),
        },
    ),
    Case(
        "masked-weights",
        other=by_log,
        wrong={
            "breaks": (plain(), "which maximum"),
            "one more": (plain(1), "one more"),
            "the other side": (plain(flip=True), "rows are queries"),
            "after softmax": (plain(keep=True), "no longer sum"),
            "no mask": (lambda scores: scores.softmax(dim=-1) + 0 * torch.ones(1), "future"),
        },
    ),
    Case(
        "looks-back",
        other=hands(0.9, 3e4),
        wrong={
            "short queries": (hands(length=100), "how long"),
            "the other way": (hands(back=-1), "wrong way"),
            "two rounds": (hands(turns=2), "same key"),
            "keys all alike": (lambda T, k: (np.ones((T, 2)), np.ones((T, 2))), "same key"),
            "noise": (
                lambda T, k: np.sin(np.arange(1.0, 4 * T + 1) ** 2).reshape(2, T, 2),
                "elsewhere",
            ),
            "one-hot places": (lambda T, k: (np.eye(T), np.eye(T)), "shape"),
        },
    ),
]
