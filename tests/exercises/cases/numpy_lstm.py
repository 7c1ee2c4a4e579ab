"""Cases for the checks of *An LSTM in NumPy*."""

import numpy as np
import torch
from torch.nn import functional as F

from tests.exercises.cases import Case


def norm_in_torch(a):
    a = torch.as_tensor(a)
    var, mean = torch.var_mean(a, dim=1, correction=0, keepdim=True)
    return (a - mean) * torch.rsqrt(var + 1e-5), torch.sqrt(var + 1e-5)


def norm_with(root):
    def norm(a):
        s = root(a.var(1, keepdims=True))
        return (a - a.mean(1, keepdims=True)) / s, s

    return norm


def norm_back_by_matrix(d_n, n, s):
    """The whole matrix of slopes, row by row."""
    size = n.shape[1]
    rows = []
    for d, row, spread in zip(d_n, n, s, strict=True):
        slopes = (np.eye(size) - 1 / size - np.outer(row, row) / size) / spread
        rows.append(slopes @ d)
    return np.array(rows)


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


def sigmoid_by_parts(a):
    """Never the exponential of a large number."""
    small = np.exp(-np.abs(a))
    return np.where(a >= 0, 1, small) / (1 + small)


def loss_in_torch(logits, y):
    return F.cross_entropy(torch.as_tensor(logits).flatten(0, 1), torch.as_tensor(y).flatten())


def loss_with_epsilon(logits, y):
    z = np.exp(logits - logits.max(axis=-1, keepdims=True))
    p = np.take_along_axis(z / z.sum(axis=-1, keepdims=True), y[..., None], axis=-1)
    return -np.log(p + 1e-10).mean()


def fragile_loss(logits, y):
    p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    return -np.log(np.take_along_axis(p, y[..., None], axis=-1)).mean()


def back_by_autograd(d_h, d_c, note, W_hh):
    """The same slopes from torch."""
    i, f, g, o, old_c, _ = (torch.as_tensor(part) for part in note)
    inner = (torch.logit(i), torch.logit(f), torch.atanh(g), torch.logit(o))
    sums = torch.cat(inner, dim=1).double().requires_grad_()
    old_c = old_c.double().requires_grad_()
    i, f, g, o = sums.chunk(4, dim=1)
    c = f.sigmoid() * old_c + i.sigmoid() * g.tanh()
    h = o.sigmoid() * c.tanh()
    told = [torch.as_tensor(d).double() for d in (d_h, d_c)]
    d_sums, d_old_c = torch.autograd.grad((h, c), (sums, old_c), told)
    return d_sums, d_sums @ torch.as_tensor(W_hh).double(), d_old_c


def back_with(told):
    """A step back by hand; ``told`` says what arrives at c."""

    def step_back(d_h, d_c, note, W_hh):
        i, f, g, o, old_c, tanh_c = note
        d_c = told(d_h, d_c, o, tanh_c)
        parts = d_c * g * i * (1 - i), d_c * old_c * f * (1 - f), d_c * i * (1 - g**2)
        d_sums = np.concatenate([*parts, d_h * tanh_c * o * (1 - o)], axis=1)
        return d_sums, d_sums @ W_hh, d_c * f

    return step_back


def blocks_in_order(value, found, wanted):
    blocks = value.reshape(4, -1, *value.shape[1:])
    return blocks[[found.index(gate) for gate in wanted]].reshape(value.shape)


CASES = [
    Case(
        "row-of-s",
        other=["Stays", " moves", "stays"],
        wrong={
            "moves at once": (("moves", "moves", "stays"), "never read"),
            "Adam forgets": (("stays", "stays", "stays"), "running mean"),
            "descent remembers": (("stays", "moves", "moves"), "plain descent"),
            "other words": (("yes", "moves", "stays"), "one of"),
        },
    ),
    Case(
        "layer-norm",
        other=norm_in_torch,
        wrong={
            "columns": (
                lambda a: ((a - a.mean(0)) / np.sqrt(a.var(0) + 1e-5), a.std(1, keepdims=True)),
                "column",
            ),
            "no root": (
                lambda a: (
                    (a - a.mean(1, keepdims=True)) / (a.var(1, keepdims=True) + 1e-5),
                    a.var(1, keepdims=True) + 1e-5,
                ),
                "root",
            ),
            "no 1e-5": (norm_with(np.sqrt), "where is the 1e-5"),
            "outside": (norm_with(lambda var: np.sqrt(var) + 1e-5), "under the root"),
            "1e-3": (norm_with(lambda var: np.sqrt(var + 1e-3)), "difference"),
            "mean not taken off": (
                lambda a: (a / norm_in_torch(a)[1].numpy(), norm_in_torch(a)[1]),
                "taken off",
            ),
            "one thing": (lambda a: norm_in_torch(a)[0], "2 are expected"),
        },
    ),
    Case(
        "layer-norm-back",
        other=norm_back_by_matrix,
        wrong={
            "directly alone": (lambda d, n, s: d / s, "too"),
            "not through s": (lambda d, n, s: (d - d.mean(1, keepdims=True)) / s, "through s"),
            "not divided": (lambda d, n, s: norm_back_by_matrix(d, n, s) * s, "divided"),
            "sums": (
                lambda d, n, s: (
                    (d - d.sum(1, keepdims=True) - n * (d * n).sum(1, keepdims=True)) / s
                ),
                "sums where",
            ),
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
        "mended-sigmoid",
        other=sigmoid_by_parts,
        wrong={
            "as it was": (lambda a: np.exp(a) / (1 + np.exp(a)), "NaN"),
            "tanh": (np.tanh, "tanh"),
            "the other way": (lambda a: (1 - np.tanh(a / 2)) / 2, "direction"),
            "cut off": (lambda a: 1 / (1 + np.exp(-np.clip(a, -10, 10))), "large negative"),
        },
    ),
    Case(
        "mended-loss",
        other=loss_in_torch,
        wrong={
            "as it was": (fragile_loss, "NaN"),
            "with an epsilon": (loss_with_epsilon, "bounds"),
            "a sum": (lambda z, y: loss_in_torch(z, y) * np.size(y), "sum"),
            "in bits": (lambda z, y: loss_in_torch(z, y) / np.log(2), "bits"),
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
            "no slope of tanh": (
                back_with(lambda d_h, d_c, o, tanh_c: d_c + d_h * o),
                "derivative of tanh",
            ),
            "no o": (
                back_with(lambda d_h, d_c, o, tanh_c: d_c + d_h * (1 - tanh_c**2)),
                "where is o",
            ),
        },
    ),
    Case(
        "gate-order",
        other=blocks_in_order,
        wrong={
            "exchanged": (lambda w, a, b: blocks_in_order(w, b, a), "exchanged"),
            "untouched": (lambda w, a, b: w, "nothing"),
            "single rows": (
                lambda w, a, b: w.reshape(-1, 4, *w.shape[1:])[:, [a.index(k) for k in b]].reshape(
                    w.shape
                ),
                "whole blocks",
            ),
        },
    ),
    Case(
        "numbers-kept",
        other=lambda B, T, H, V: sum(
            np.zeros(shape).size for shape in [(B, T, V), (B, T + 1, H), *[(B, H)] * (6 * T)]
        ),
        wrong={
            "no logits": (lambda B, T, H, V: B * (6 * T * H + (T + 1) * H), "logits"),
            "no first state": (lambda B, T, H, V: B * T * (7 * H + V), "one place more"),
            "four in a note": (
                lambda B, T, H, V: B * (4 * T * H + (T + 1) * H + T * V),
                "six arrays",
            ),
            "one window": (lambda B, T, H, V: 6 * T * H + (T + 1) * H + T * V, "batch"),
        },
    ),
]
