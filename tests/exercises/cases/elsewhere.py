"""Cases for the check of *The same model elsewhere*."""

import math

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


CASES = [
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
]
