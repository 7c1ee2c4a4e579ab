"""Cases for the checks of *GRU*."""

import math

import numpy as np
import torch
from torch import nn

from tests.exercises.cases import Case


def step_by_torch(x, h, W_x, W_h, b_x, b_h, order="rzn"):
    """nn.GRUCell with its blocks brought into PyTorch's order."""
    size = h.shape[1]
    rows = torch.cat([torch.arange(size) + order.index(gate) * size for gate in "rzn"])
    cell = nn.GRUCell(x.shape[1], size)
    with torch.no_grad():
        cell.weight_ih.copy_(W_x[rows])
        cell.weight_hh.copy_(W_h[rows])
        cell.bias_ih.copy_(b_x[rows])
        cell.bias_hh.copy_(b_h[rows])
        return cell(x, h)


def step_with(flipped=False, before=False, ordered=True, squash=np.tanh):
    """A step by hand, in NumPy, with a mistake."""

    def step(x, h, W_x, W_h, b_x, b_h, order="rzn"):
        order, size = order if ordered else "rzn", h.shape[1]
        rows = {gate: slice(k * size, (k + 1) * size) for k, gate in enumerate(order)}
        of_x, of_h = x @ W_x.T + b_x, h @ W_h.T + b_h
        r, z = (1 / (1 + np.exp(-(of_x + of_h)[:, rows[gate]])) for gate in "rz")
        seen = of_h[:, rows["n"]]
        if before:
            seen = (r * h) @ W_h[rows["n"]].T + b_h[rows["n"]]
        n = squash(of_x[:, rows["n"]] + (seen if before else r * seen))
        return z * n + (1 - z) * h if flipped else (1 - z) * n + z * h

    return step


def tied_in_place(stacked):
    size = len(stacked) // 4
    stacked[:size] = -stacked[size : 2 * size]
    return stacked


def by_counting_down(z):
    """The half-life of a constant gate that leaves as much after T characters."""
    left = z.prod(0) ** (1 / len(z))
    return np.array([math.log(0.5, float(share)) for share in left])


CASES = [
    Case(
        "open-gate",
        other=(torch.tensor(0.0067), 0.5, "About the same"),
        wrong={
            "the gate": ((0.9933, 0.5, "about the same"), "nothing moves"),
            "tanh": ((1 - math.tanh(5), 0.5, "about the same"), "a sigmoid"),
            "shut before": ((0.0067, 0.0, "about the same"), "sigmoid of 0"),
            "higher": ((0.0067, 0.5, "much higher"), "output layer"),
            "other words": ((0.0067, 0.5, "higher"), "one of"),
        },
    ),
    Case(
        "reset-matrix",
        other=lambda H: (np.diag(np.arange(H) + 1.0), np.zeros(H)),
        wrong={
            "identity": (lambda H: (3 * np.eye(H), np.zeros(H)), "identity"),
            "a bias": (lambda H: (np.diag(np.arange(H)), np.ones(H)), "bias"),
            "symmetric": (lambda H: (np.ones((H, H)), np.zeros(H)), "differ"),
            "triangular": (lambda H: (np.triu(np.ones((H, H))), np.zeros(H)), "differ"),
        },
    ),
    Case(
        "reset-vector",
        other=lambda H: np.ones(H) / 2,
        wrong={
            "open": (np.ones, "neither is allowed"),
            "all different": (lambda H: np.arange(1, H + 1) / (H + 1), "differ"),
            "one number": (lambda H: 0.5, "shape"),
        },
    ),
    Case(
        "tied-gates",
        other=tied_in_place,
        wrong={
            "equal": (
                lambda w: np.concatenate([np.split(w, 4)[1], *np.split(w, 4)[1:]]),
                "not opposite",
            ),
            "the forget gate": (
                lambda w: np.concatenate(
                    [np.split(w, 4)[0], -np.split(w, 4)[0], *np.split(w, 4)[2:]]
                ),
                "was to be changed",
            ),
            "one less": (
                lambda w: np.concatenate([1 - np.split(w, 4)[1], *np.split(w, 4)[1:]]),
                "into their sigmoid",
            ),
        },
    ),
    Case(
        "gru-step",
        other=step_by_torch,
        wrong={
            "flipped": (step_with(flipped=True), "keeps"),
            "before": (step_with(before=True), "after the product"),
            "always PyTorch's order": (step_with(ordered=False), "order"),
            "no tanh": (step_with(squash=lambda a: a), "tanh"),
        },
    ),
    Case(
        "half-lives",
        other=by_counting_down,
        wrong={
            "log of the mean": (lambda z: -math.log(2) / np.log(z.mean(0)), "log of the mean"),
            "no log 2": (lambda z: -1 / np.log(z).mean(0), "log 2"),
            "over the units": (lambda z: -math.log(2) / np.log(z).mean(1), "shape"),
            "sign": (lambda z: math.log(2) / np.log(z).mean(0), "sign"),
        },
    ),
    Case(
        "best-epoch",
        other=lambda losses: 1 + min(range(len(losses[0])), key=lambda e: sum(losses[:, e])),
        wrong={
            "from 0": (lambda losses: losses.mean(0).argmin(), "from 1"),
            "of any seed": (lambda losses: losses.min(0).argmin() + 1, "accident"),
            "one for each": (
                lambda losses: losses.argmin(1) + 1,
                "for all seeds should be one number",
            ),
            "the last": (lambda losses: len(losses[0]), "lowest mean"),
        },
    ),
]
