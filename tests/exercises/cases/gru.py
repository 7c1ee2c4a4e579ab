"""Cases for the checks of *GRU*."""

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


def by_stepping(z):
    """Multiply step by step, and count while half is left."""
    left, lasting = np.ones(z[:, 0].shape), np.zeros(z[:, 0].shape, dtype=int)
    for t in range(z.shape[1]):
        left = left * np.asarray(z[:, t])
        lasting += left >= 0.5
    return lasting


CASES = [
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
        "lifetimes",
        other=by_stepping,
        wrong={
            "the gates": (lambda z: (z >= 0.5).sum(1), "not the gate itself"),
            "over the windows": (lambda z: (z.cumprod(0) >= 0.5).sum(0), "shape"),
            "the share": (lambda z: z.prod(1), "characters are counted"),
            "one too many": (lambda z: (z.cumprod(1) >= 0.5).sum(1) + 1, "isn't counted"),
        },
    ),
]
