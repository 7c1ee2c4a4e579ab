"""Cases for the checks of *Carrying the state*."""

import itertools

import numpy as np

from tests.exercises.cases import Case


def each_row(order):
    return all(
        b == a + 1 for row in np.asarray(order).T.tolist() for a, b in itertools.pairwise(row)
    )


CASES = [
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
]
