"""Cases for the checks of *Attention*."""

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


def turn_with(sign=1, first=0, neighbours=False):
    """In torch, by a matrix of 2 x 2 for each position and pair."""

    def turn(x):
        T, d = x.shape
        x = torch.as_tensor(x).double()
        pairs = x.view(T, d // 2, 2) if neighbours else torch.stack(x.chunk(2, dim=1), dim=2)
        speed = torch.tensor([10_000 ** (-2 * i / d) for i in range(d // 2)]).double()
        angle = sign * (torch.arange(T)[:, None] + first) * speed
        rows = [torch.stack([angle.cos(), -angle.sin()], -1)]
        rows += [torch.stack([angle.sin(), angle.cos()], -1)]
        new = (torch.stack(rows, -2) @ pairs[..., None])[..., 0]
        return new.flatten(1) if neighbours else torch.cat([new[..., 0], new[..., 1]], dim=1)

    return turn


def row_by_row(windows, k, rng):
    rows = [row.tolist() for row in np.asarray(windows)]
    return [list(rng.permutation(row[:-k])) + row[-k:] for row in rows]


def one_order(windows, k, rng):
    order = rng.permutation(windows.shape[1] - k)
    return np.concatenate([np.asarray(windows)[:, order], windows[:, -k:]], axis=1)


def repeated(windows, k, rng):
    n, T = windows.shape
    places = rng.integers(T - k, size=(n, T - k))
    far = np.take_along_axis(np.asarray(windows), places, axis=1)
    return np.concatenate([far, windows[:, -k:]], axis=1)


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
        "turned",
        other=[turn_with(), 44.0],
        wrong={
            "the other way": ((turn_with(-1), 44), "other direction"),
            "from 1 on": ((turn_with(first=1), 44), "from 0"),
            "neighbours": ((turn_with(neighbours=True), 44), "neighbours"),
            "one turn": ((turn_with(), 6), "one turn"),
            "not turned": ((lambda x: x, 44), "nothing"),
        },
    ),
    Case(
        "cache-cost",
        other=[2.0, np.array(43200), torch.tensor(6000), 360.0],
        wrong={
            "keys of one layer": ((5, 43200, 6000, 360), "each of two layers"),
            "attention's matrices": ((2, 4 * 3600, 6000, 360), "feed-forward"),
            "scores alone": ((2, 43200, 3000, 360), "both"),
            "the whole table": ((2, 43200, 300000, 360), "one row"),
            "twelve": ((2, 43200, 6000, 720), "not both"),
        },
    ),
    Case(
        "shuffled-beyond",
        other=row_by_row,
        wrong={
            "one order": (one_order, "shuffled alike"),
            "the first stay": (
                lambda w, k, rng: np.fliplr(row_by_row(np.fliplr(w), k, rng)),
                "first k",
            ),
            "with repetition": (repeated, "replacement"),
            "all rows together": (
                lambda w, k, rng: np.concatenate(
                    [rng.permutation(w[:, :-k].reshape(-1)).reshape(len(w), -1), w[:, -k:]], axis=1
                ),
                "another",
            ),
            "one too many": (lambda w, k, rng: row_by_row(w, k + 1, rng), "too many"),
        },
    ),
    Case(
        "attention-places",
        other=torch.tensor(3000.0),
        wrong={
            "a number each": (50, "a vector"),
            "one place": (60, "one place"),
            "in each layer": (6000, "once"),
        },
    ),
]
