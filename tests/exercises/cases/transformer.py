"""Cases for the checks of *A small Transformer*."""

import numpy as np
import torch

from tests.exercises.cases import Case


def rotate_with(sign=1, first=0, neighbours=False):
    """In torch, by a matrix of 2 x 2 for each position and pair."""

    def rotate(x):
        T, d = x.shape
        x = torch.as_tensor(x).double()
        pairs = x.view(T, d // 2, 2) if neighbours else torch.stack(x.chunk(2, dim=1), dim=2)
        speed = torch.tensor([10_000 ** (-2 * i / d) for i in range(d // 2)]).double()
        angle = sign * (torch.arange(T)[:, None] + first) * speed
        rows = [torch.stack([angle.cos(), -angle.sin()], -1)]
        rows += [torch.stack([angle.sin(), angle.cos()], -1)]
        new = (torch.stack(rows, -2) @ pairs[..., None])[..., 0]
        return new.flatten(1) if neighbours else torch.cat([new[..., 0], new[..., 1]], dim=1)

    return rotate


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
        "rotated-pairs",
        other=[rotate_with(), 44.0],
        wrong={
            "the other way": ((rotate_with(-1), 44), "other direction"),
            "from 1 on": ((rotate_with(first=1), 44), "from 0"),
            "neighbours": ((rotate_with(neighbours=True), 44), "neighbours"),
            "one turn": ((rotate_with(), 6), "one turn"),
            "not rotated": ((lambda x: x, 44), "nothing"),
        },
    ),
    Case(
        "cache-and-cost",
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
        "shuffled-past",
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
]
