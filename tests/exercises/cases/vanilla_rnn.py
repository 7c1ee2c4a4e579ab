"""Cases for the checks of *A vanilla RNN*."""

import math

import numpy as np
import torch
from torch.nn import functional as F

from tests.exercises.cases import Case


def cell_as_one_product(x, h, W_x, W_h, b):
    both = torch.cat([x, h], dim=1)
    return torch.addmm(b, both, torch.cat([W_x, W_h], dim=1).T).tanh()


def training(loss_of, step=True, sign=1, keep=lambda loss: loss.item(), lr=3e-3, zero=True):
    """A training loop with something changed."""

    def train(model, x, y, updates=40):
        losses = []
        optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0)
        for _ in range(updates):
            loss = loss_of(model(x)[0], y)
            if zero:
                model.zero_grad()
            (sign * loss).backward()
            if step:
                optimizer.step()
            losses.append(keep(loss))
        return losses

    return train


def right_loss(logits, y):
    return -F.log_softmax(logits, dim=2).gather(2, y[..., None]).mean()


def squashed_twice(logits, y):
    return F.cross_entropy(F.softmax(logits, dim=2).flatten(0, 1), y.flatten())


def best(score):
    return lambda states, label: int(np.argmax(score(np.asarray(states), np.asarray(label))))


def correlations(states, label):
    return np.corrcoef(states.T, label)[-1, :-1]


CASES = [
    Case(
        "rnn-parameters",
        other=torch.tensor(92447.0),
        wrong={
            "one bias": (92447 - 256, "two biases"),
            "no output bias": (92447 - 63, "output layer"),
            "no embedding": (92447 - 63 * 32, "embedding"),
            "state of 128": (30879, "128"),
            "twice": (2 * 92447, "factor of 2"),
        },
        given={"V": 63},
    ),
    Case(
        "first-loss-scaled",
        other=["Higher", np.log(63.0)],
        wrong={
            "lower": (("lower", math.log(63)), "sure and wrong"),
            "no such word": (("more", math.log(63)), "one of"),
            "in bits": (("higher", math.log2(63)), "bits"),
            "perplexity": (("higher", 63), "perplexity"),
            "nothing left": (("higher", 0), "too small"),
        },
        given={"V": 63},
    ),
    Case(
        "rnn-cell",
        other=cell_as_one_product,
        wrong={
            "no tanh": (lambda x, h, W, U, b: x @ W.T + h @ U.T + b, "tanh"),
            "no memory": (lambda x, h, W, U, b: torch.tanh(x @ W.T + b), "old state"),
            "matrix not transposed": (
                lambda x, h, W, U, b: torch.tanh(x @ W.T + h @ U + b),
                "turned",
            ),
            "columns for rows": (
                lambda x, h, W, U, b: torch.tanh(W @ x.T + U @ h.T + b[:, None]),
                "transposed",
            ),
            "an exception": (lambda x, h, W, U, b: torch.tanh(torch.matmul(W, x)), "RuntimeError"),
        },
    ),
    Case(
        "stuck-loss",
        other=training(right_loss, keep=lambda loss: loss),
        wrong={
            "softmax twice": (training(squashed_twice), "stuck"),
            "no step": (training(right_loss, step=False), "do not move"),
            "uphill": (training(right_loss, sign=-1), "rises"),
            "sum": (training(lambda z, y: 20 * right_loss(z, y)), "far from log V"),
            "gradients pile up": (training(right_loss, zero=False), "add up"),
            "another rate": (training(right_loss, lr=0.1), "learning rate"),
            "slower": (training(right_loss, lr=1e-3), "learning rate"),
            "last loss alone": (lambda *a: training(right_loss)(*a)[-1], "list of"),
        },
    ),
    Case(
        "unit-for-label",
        other=best(lambda s, x: abs(correlations(s, x))),
        wrong={
            "sign matters": (best(correlations), "the sign does not matter"),
            "no spread": (best(lambda s, x: abs((x - x.mean()) @ (s - s.mean(0)))), "spread"),
            "no means": (best(lambda s, x: abs(x @ s) / s.std(0)), "mean"),
            "variance": (best(lambda s, x: abs((x - x.mean()) @ s) / s.var(0)), "once"),
            "no return": (lambda states, label: None, "it returns None: is a `return` missing?"),
            "all of them": (lambda s, x: correlations(np.asarray(s), np.asarray(x)), "one number"),
        },
    ),
]
