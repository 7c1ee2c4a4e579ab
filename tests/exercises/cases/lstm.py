"""Cases for the checks of *LSTM*."""

import math

import numpy as np
import torch
from torch import nn

from helpers.models import CharRNN, count_parameters
from tests.exercises.cases import Case


def counter(step=0.01, keep=30.0, show=30.0, sign=1):
    """Weights of a unit that counts, made otherwise than in the solution: by biases."""
    W_x = torch.zeros(4, 2)
    W_x[0, 1] = W_x[1, 1] = -2 * keep  # shut by the line break alone
    b = torch.tensor([keep, keep, sign * math.atanh(step), show])
    return W_x, torch.zeros(4, 1), b


def counter_without(row):
    """The same without what one block's line-break weight does."""
    W_x, W_h, b = counter()
    W_x[row, 1] = 0
    return W_x, W_h, b


def step_by_torch(x, h, c, W_x, W_h, b, order="ifgo"):
    """nn.LSTMCell with its blocks brought into PyTorch's order."""
    blocks = torch.cat(
        [torch.arange(h.shape[1]) + order.index(gate) * h.shape[1] for gate in "ifgo"]
    )
    cell = nn.LSTMCell(x.shape[1], h.shape[1])
    with torch.no_grad():
        cell.weight_ih.copy_(W_x[blocks])
        cell.weight_hh.copy_(W_h[blocks])
        cell.bias_ih.copy_(b[blocks])
        cell.bias_hh.zero_()
        return cell(x, (h, c))


def step_with(shown=np.tanh, candidate=np.tanh, swapped=False, ordered=True):
    def step(x, h, c, W_x, W_h, b, order="ifgo"):
        sums = np.split(x @ W_x.T + h @ W_h.T + b, 4, axis=1)
        block = dict(zip(order if ordered else "ifgo", sums, strict=True))
        i, f, o = (1 / (1 + np.exp(-block[gate])) for gate in "ifo")
        c = f * c + i * candidate(block["g"])
        h = o * shown(c)
        return (c, h) if swapped else (h, c)

    return step


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def counted_by_the_model(V, E, H, layers):
    return count_parameters(CharRNN(V, E, H, cell="lstm", num_layers=layers))


CASES = [
    Case(
        "tank-counts",
        other=(torch.tensor(9.0), 0.99505, 4),
        wrong={
            "squeezed c": ((math.tanh(9), 0.995, 4), "nothing squeezes"),
            "h not squeezed": ((9, 3, 4), "through tanh"),
            "n too large": ((9, 0.995, 40), "too large"),
            "off by one": ((9, 0.995, 5), "one line per letter"),
            "two answers and a text": ((9, "large", 4), "a text"),
        },
    ),
    Case(
        "line-counter",
        other=counter,
        wrong={
            "not emptied": (lambda: counter_without(1), "forget gate do"),
            "adds at the line break": (lambda: counter_without(0), "input gate do"),
            "leaks": (lambda: counter(keep=3.0), "leaks"),
            "counts whole characters": (lambda: counter(step=0.9), "off by"),
            "downwards": (lambda: counter(sign=-1), "sign"),
            "hidden": (lambda: counter(show=0.0), "output gate"),
            "in columns": (
                lambda: tuple(w.T if w.ndim > 1 else w for w in counter()),
                "wrong shape",
            ),
        },
    ),
    Case(
        "lstm-step",
        other=step_by_torch,
        wrong={
            "c shown as it is": (step_with(shown=lambda c: c), "squeezed"),
            "a sigmoid candidate": (step_with(candidate=sigmoid), "candidate"),
            "c and h exchanged": (step_with(swapped=True), "other way round"),
            "always PyTorch's order": (step_with(ordered=False), "order"),
        },
    ),
    Case(
        "lstm-parameters",
        other=counted_by_the_model,
        wrong={
            "one bias": (
                lambda V, E, H, n: (
                    V * E + 4 * H * (E + H + 1) + (n - 1) * 4 * H * (2 * H + 1) + V * (H + 1)
                ),
                "two biases",
            ),
            "no embedding": (
                lambda V, E, H, n: counted_by_the_model(V, E, H, n) - V * E,
                "embedding",
            ),
            "further layers read E": (
                lambda V, E, H, n: V * E + n * 4 * H * (E + H + 2) + V * (H + 1),
                "reads H",
            ),
        },
    ),
    Case(
        "equal-widths",
        other=(
            max(H for H in range(1, 128) if counted_by_the_model(63, 32, H, 2) <= 93_087),
            max(H for H in range(1, 128) if counted_by_the_model(63, 32, H, 1) <= 30_879),
        ),
        wrong={
            "half": ((64, 60), "too small"),
            "too wide": ((100, 60), "too large"),
            "a quarter": ((78, 32), "too small"),
        },
    ),
]
