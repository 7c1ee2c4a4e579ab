"""Cases for the checks of *The same model elsewhere*."""

import math

import numpy as np
import torch

from tests.exercises.cases import Case


def step_by_sgd(slope, rest, n, lr, limit):
    """The sum of n biases after one step of torch's own clipping and descent."""
    parts = [torch.zeros(len(slope), dtype=torch.float64, requires_grad=True) for _ in range(n)]
    other = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    for part in parts:
        part.grad = torch.as_tensor(slope, dtype=torch.float64).clone()
    other.grad = torch.full((1,), float(rest), dtype=torch.float64)
    torch.nn.utils.clip_grad_norm_([*parts, other], limit)
    torch.optim.SGD(parts, lr=lr).step()
    return sum(parts).detach()


def step(moving=True, counted=True, squares=True, sign=-1):
    """The same by a formula, or with a mistake."""

    def moved(slope, rest, n, lr, limit):
        parts = (n if squares else n * n) if counted else 1
        length = math.sqrt(parts * float((slope**2).sum()) + rest**2)
        return sign * (n if moving else 1) * lr * slope * min(1, limit / length)

    return moved


def arrays(turned=True, both=True, one=0.0, output=True):
    """The arrays that Keras wants, or with a mistake."""

    def convert(weights, layers):
        found = [weights["embedding.weight"]]
        for k in range(layers):
            for name in ("ih", "hh"):
                array = weights[f"recurrent.weight_{name}_l{k}"]
                found.append(array.T if turned else array)
            bias = weights[f"recurrent.bias_ih_l{k}"] + 0
            bias = bias + weights[f"recurrent.bias_hh_l{k}"] if both else bias
            H = len(bias) // 4
            bias[H : 2 * H] += one
            found.append(bias)
        return [*found, weights["output.weight"].T, weights["output.bias"]][
            : None if output else -2
        ]

    return convert


def by_rows(stacked, order):
    """Every row's place, one after the other."""
    H = len(stacked) // 4
    rows = [order.index(gate) * H + k for gate in "ifgo" for k in range(H)]
    return stacked[rows]


def other_way(stacked, order):
    blocks = dict(zip("ifgo", np.split(stacked, 4), strict=True))
    return np.concatenate([blocks[gate] for gate in order])


CASES = [
    Case(
        "wrong-half",
        other=(torch.tensor(1.0), 10.0, "No", "right", " wrong"),
        wrong={
            "c is bounded": ((1, 1, "no", "right", "wrong"), "sum over all"),
            "an error": ((1, 10, "yes", "right", "wrong"), "shapes"),
            "from the first": ((1, 10, "no", "wrong", "wrong"), "prompt"),
            "never": ((1, 10, "no", "right", "right"), "which state has it"),
        },
    ),
    Case(
        "split-bias",
        other=step_by_sgd,
        wrong={
            "one part": (step(moving=False), "each part moves"),
            "not counted": (step(counted=False), "longer"),
            "lengths": (step(squares=False), "as squares"),
            "uphill": (step(sign=1), "against the gradient"),
        },
    ),
    Case(
        "keras-arrays",
        other=arrays(),
        wrong={
            "not turned": (arrays(turned=False), "transposed"),
            "one bias": (arrays(both=False), "two of them"),
            "a forget bias": (arrays(one=1.0), "nothing is added"),
            "no output": (arrays(output=False), "should be 9 arrays for 2 layers"),
        },
    ),
    Case(
        "onnx-order",
        other=by_rows,
        wrong={
            "there": (other_way, "from PyTorch's order"),
            "not at all": (lambda stacked, order: stacked, "nothing has moved"),
            "rows": (
                lambda stacked, order: np.concatenate(
                    [stacked[order.index(gate) :: 4] for gate in "ifgo"]
                ),
                "whole blocks",
            ),
        },
    ),
]
