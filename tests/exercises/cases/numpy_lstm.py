"""Cases for the checks of *An LSTM in NumPy*."""

import numpy as np
import torch

from tests.exercises.cases import Case


def along_in_halves(loss, w, v, size=1e-5):
    steps = (size, -size)
    up, down = (loss({name: w[name] + k * v[name] for name in w}) for k in steps)
    return (up - down) / 2 / size


def one_sided(loss, w, v, size=1e-5):
    return (loss({name: w[name] + size * v[name] for name in w}) - loss(w)) / size


def leaves_moved(loss, w, v, size=1e-5):
    found = []
    for k in (size, -2 * size):
        for name in w:
            w[name] += k * v[name]
        found.append(loss(w))
    return (found[0] - found[1]) / (2 * size)


def one_array(loss, w, v, size=1e-5):
    first = next(iter(w))
    up, down = (loss(w | {first: w[first] + k * v[first]}) for k in (size, -size))
    return (up - down) / (2 * size)


def back_by_autograd(d_h, d_c, kept, W_h):
    """The same gradients from torch."""
    _, _, old_c, i, f, g, o, _ = (torch.as_tensor(part) for part in kept)
    inner = (torch.logit(i), torch.logit(f), torch.atanh(g), torch.logit(o))
    sums = torch.cat(inner, dim=1).double().requires_grad_()
    old_c = old_c.double().requires_grad_()
    i, f, g, o = sums.chunk(4, dim=1)
    c = f.sigmoid() * old_c + i.sigmoid() * g.tanh()
    h = o.sigmoid() * c.tanh()
    told = [torch.as_tensor(d).double() for d in (d_h, d_c)]
    d_sums, d_old_c = torch.autograd.grad((h, c), (sums, old_c), told)
    return d_sums, d_sums @ torch.as_tensor(W_h).double(), d_old_c


def back_with(told):
    """A step back by hand; ``told`` says what arrives at c."""

    def step_back(d_h, d_c, kept, W_h):
        _, _, old_c, i, f, g, o, tanh_c = kept
        d_c = told(d_h, d_c, o, tanh_c)
        parts = d_c * g * i * (1 - i), d_c * old_c * f * (1 - f), d_c * i * (1 - g**2)
        d_sums = np.concatenate([*parts, d_h * tanh_c * o * (1 - o)], axis=1)
        return d_sums, d_sums @ W_h, d_c * f

    return step_back


CASES = [
    Case(
        "unread-row",
        other=["Stays", " moves", "stays"],
        wrong={
            "moves at once": (("moves", "moves", "stays"), "never read"),
            "Adam forgets": (("stays", "stays", "stays"), "running mean"),
            "descent remembers": (("stays", "moves", "moves"), "plain descent"),
            "other words": (("yes", "moves", "stays"), "one of"),
        },
    ),
    Case(
        "slope-along",
        other=along_in_halves,
        wrong={
            "one side": (one_sided, "both sides"),
            "factor of two": (lambda *all_of: 2 * along_in_halves(*all_of), "factor of 2"),
            "left moved": (leaves_moved, "it changes its input w"),
            "one array": (one_array, "all arrays"),
            "not divided": (lambda *a: along_in_halves(*a) * 2 * a[3], "divided"),
        },
    ),
    Case(
        "mended-back",
        other=back_by_autograd,
        wrong={
            "as it was": (back_with(lambda d_h, d_c, o, tanh_c: d_c), "gradient of h reach"),
            "the step after lost": (
                back_with(lambda d_h, d_c, o, tanh_c: d_h * o * (1 - tanh_c**2)),
                "lost",
            ),
            "no derivative of tanh": (
                back_with(lambda d_h, d_c, o, tanh_c: d_c + d_h * o),
                "derivative of tanh",
            ),
            "no o": (
                back_with(lambda d_h, d_c, o, tanh_c: d_c + d_h * (1 - tanh_c**2)),
                "where is o",
            ),
        },
    ),
]
