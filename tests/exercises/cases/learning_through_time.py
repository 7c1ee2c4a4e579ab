"""Cases for the checks of *Learning through time*."""

import math

import numpy as np
import torch
from torch.nn import functional as F

from tests.exercises.cases import Case


def backward_at_once(x, states, d_states, W_hh):
    """All deltas first, then one product for each weight."""
    B, T, H = states.shape
    deltas, later = np.empty((B, T, H)), np.zeros((B, H))
    for t in reversed(range(T)):
        deltas[:, t] = (d_states[:, t] + later) * (1 - states[:, t] ** 2)
        later = (W_hh.T @ deltas[:, t].T).T
    before = np.concatenate([np.zeros((B, 1, H)), states[:, :-1]], axis=1)
    d_W_xh = np.einsum("bth,bte->he", deltas, x)
    return d_W_xh, np.einsum("bth,btk->hk", deltas, before), deltas.sum((0, 1))


def spoilt(change):
    return lambda *given: change(*backward_at_once(*given))


def sweep(x, states, d_states, W_hh, slope=True, back=None, old=True):
    W, U, b, later = 0, 0, 0, 0
    for t in reversed(range(x.shape[1])):
        delta = (d_states[:, t] + later) * (1 - states[:, t] ** 2 if slope else 1)
        here = states[:, t] if not old else (states[:, t - 1] if t else 0 * states[:, 0])
        W, U, b = W + delta.T @ x[:, t], U + delta.T @ here, b + delta.sum(0)
        later = delta @ (W_hh if back is None else back(W_hh))
    return W, U, b


def naive(logits, targets):
    p = torch.softmax(logits, dim=1)
    return -torch.log(p[torch.arange(len(targets)), targets]).mean()


PAPER = ((14, 1), (10, 2), 4)

CASES = [
    Case(
        "zero-path",
        other=[torch.tensor(1), "No", "no"],
        wrong={
            "counted from 0": ((0, "no", "no"), "counted from 1"),
            "the last": ((3, "no", "no"), "too large"),
            "u as well": ((1, "yes", "no"), "the path to u"),
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
            "not cut": (((14, 1), (10, 2), 14), "uncut"),
        },
    ),
    Case(
        "rnn-backward",
        other=backward_at_once,
        wrong={
            "no slope": (lambda *g: sweep(*g, slope=False), "derivative of tanh"),
            "matrix turned": (lambda *g: sweep(*g, back=lambda W: W.T), "transposed"),
            "nothing later": (lambda *g: sweep(*g, back=lambda W: 0 * W), "later steps"),
            "state after": (lambda *g: sweep(*g, old=False), "gradient of W_hh: W_hh acts"),
            "transposed": (spoilt(lambda W, U, b: (W.T, U, b)), "W_xh is transposed"),
            "W_hh transposed": (spoilt(lambda W, U, b: (W, U.T, b)), "W_hh is transposed"),
            "sign": (spoilt(lambda W, U, b: (W, U, -b)), "b_h has the wrong sign"),
            "order": (spoilt(lambda W, U, b: (U, W, b)), "W_xh has the wrong shape"),
            "mean": (
                lambda x, *g: tuple(d / len(x) for d in backward_at_once(x, *g)),
                "a sum for a mean",
            ),
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
        "loss-without-nan",
        other=lambda logits, targets: F.cross_entropy(logits, targets),
        wrong={
            "softmax, then log": (naive, "infinite"),
            "a little added": (
                lambda z, y: -torch.log(torch.softmax(z, 1)[range(len(y)), y] + 1e-9).mean(),
                "difference",
            ),
            "clamped logits": (lambda z, y: naive(z.clamp(-50, 50), y), "difference"),
            "a sum": (lambda z, y: F.cross_entropy(z, y, reduction="sum"), "sum"),
            "sign": (lambda z, y: -F.cross_entropy(z, y), "sign"),
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
assert math.isclose(CASES[3].other, math.sqrt(10), rel_tol=1e-6)
