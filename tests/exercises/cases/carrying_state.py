"""Cases for the checks of *Carrying the state*."""

import itertools

import numpy as np
import torch

from tests.exercises.cases import Case


def rolled(step=1, first=True, dim=1, cut=True):
    """In torch, by roll; with a mistake if wanted."""

    def hand_on(state):
        new = [torch.as_tensor(part).roll(step, dims=dim) for part in state]
        if first:
            new = [part * (torch.arange(part.shape[1]) > 0)[:, None] for part in new]
        return [part.detach() if cut else part for part in new]

    return hand_on


def by_rows(state):
    """In NumPy."""
    return tuple(np.concatenate([0 * p[:, :1], p[:, :-1]], axis=1) for p in map(np.asarray, state))


def each_row(order):
    return all(
        b == a + 1 for row in np.asarray(order).T.tolist() for a, b in itertools.pairwise(row)
    )


CASES = [
    Case(
        "cold-starts",
        other=[3008.0, np.array(64), 15040, torch.tensor(320), 1],
        wrong={
            "one a batch": ((47, 64, 47, 320, 1), "many rows"),
            "first windows alone": ((64, 64, 320, 320, 1), "every window"),
            "streams start anew": ((3008, 3008, 15040, 15040, 47), "goes on"),
            "characters": ((150400, 64, 150400, 320, 1), "counts the characters"),
            "none": ((3008, 64, 15040, 320, 0), "somewhere"),
        },
    ),
    Case(
        "record-price",
        other=lambda n, T: [T * n, sum(T * i for i in range(1, n + 1)), T * n],
        wrong={
            "each through one": (lambda n, T: (T, n * T, n * T), "so far"),
            "all as the last": (lambda n, T: (n * T, n * n * T, n * T), "not all as long"),
            "from none": (
                lambda n, T: (n * T, T * n * (n - 1) / 2, n * T),
                "first update goes back",
            ),
            "windows": (lambda n, T: (n, n * (n + 1) / 2, n), "characters count"),
        },
    ),
    Case(
        "handed-on",
        other=by_rows,
        wrong={
            "backwards": (rolled(-1, first=False), "reversed"),
            "round the corner": (rolled(first=False), "no predecessor"),
            "units": (rolled(dim=2, first=False), "units"),
            "as it is": (lambda state: state, "nothing has moved"),
            "not detached": (rolled(cut=False), "detached"),
            "h alone": (lambda state: (by_rows(state)[0], state[1]), "c: nothing"),
        },
    ),
    Case(
        "loader-order",
        other=([np.int64(0), 64.0], each_row),
        wrong={
            "window 1": (((0, 1), each_row), "the next row"),
            "first row alone": (((0, 64), lambda o: bool((np.diff(o[:, 0]) == 1).all())), "passes"),
            "along the batch": (
                ((0, 64), lambda o: bool((np.diff(o, axis=1) == 1).all())),
                "refused",
            ),
            "rising": (((0, 64), lambda o: bool((np.diff(o, axis=0) > 0).all())), "passes"),
            "from 0 on": (((0, 64), lambda o: each_row(o) and o[0, 0] == 0), "need not begin"),
        },
    ),
    Case(
        "break-among",
        other=lambda read, k, line_break: np.array(
            [line_break in row[:k] for row in np.asarray(read).tolist()]
        ),
        wrong={
            "one more": (lambda r, k, n: (r[:, : k + 1] == n).any(1), "not been read"),
            "all": (lambda r, k, n: (r == n).any(1), "within k"),
            "the last": (lambda r, k, n: r[:, k - 1] == n, "last one alone"),
            "turned round": (lambda r, k, n: (r[:, :k] != n).all(1), "where there is"),
            "one for all": (lambda r, k, n: (r[:, :k] == n).any(), "shape"),
        },
    ),
    Case(
        "some-reset",
        other=lambda state, hit: [
            np.stack([0 * row if h else row for row, h in zip(part[0], hit, strict=True)])[None]
            for part in map(np.asarray, state)
        ],
        wrong={
            "the others": (
                lambda state, hit: [torch.as_tensor(p) * hit[:, None] for p in state],
                "not hit are zero",
            ),
            "h alone": (
                lambda state, hit: [torch.as_tensor(state[0]) * (hit == 0)[:, None], state[1]],
                "c: nothing is zero",
            ),
            "all": (lambda state, hit: [0 * part for part in state], "keep their state"),
        },
    ),
]
