"""Checks of the chapter *A small Transformer*."""

import numpy as np

from .answers import NotRight, as_array, call, compare, number, parts
from .inputs import normal
from .judging import register


def rotated(x, sign=1.0, neighbours=False, first=0, exponent=2.0):
    T, d = x.shape
    at = slice(0, d, 2) if neighbours else slice(0, d // 2)
    beside = slice(1, d, 2) if neighbours else slice(d // 2, d)
    speed = 10_000.0 ** (-exponent * np.arange(d // 2) / d)
    angle = sign * (first + np.arange(T))[:, None] * speed
    new = np.empty_like(x)
    new[:, at] = x[:, at] * np.cos(angle) - x[:, beside] * np.sin(angle)
    new[:, beside] = x[:, at] * np.sin(angle) + x[:, beside] * np.cos(angle)
    return new


@register("rotated-pairs", wants="value")
def rotated_pairs(answer):
    """rotated(x (T, d)) -> (T, d), by complex numbers; and the distance confused with 0."""
    answer = parts(answer, 2, "a function and a number")
    for T, half in ((5, 3), (4, 5), (9, 2)):
        x = normal(T, 2 * half)
        slips = {
            "rotated in the other direction": rotated(x, -1),
            "the pairs are (i, i + d/2), not neighbours": rotated(x, neighbours=True),
            "positions are counted from 0": rotated(x, first=1),
            "frequencies fall too slowly: is there a 2 in the exponent?": rotated(x, exponent=1.0),
            "nothing is rotated": x,
        }
        compare(call(answer[0], x), rotated(x), "the result", slips)
    slips = {
        "that is one turn, and a whole distance fits it badly; go on": 6,
        "can a whole number of turns be nearer to a whole number?": 19,
        "and nearer still?": 25,
    }
    number(answer[1], 44, slips, rtol=1e-9, name="the distance")


@register("cache-and-cost", wants="value")
def cache_and_cost(answer):
    """Context of a cache as large as the LSTM's state; multiplications; where attention leads."""
    answer = parts(answer, 4, "four numbers")
    E, C = 60, 50
    slips = {
        "keys and values, in each of two layers": 5,
        "one position is the new one itself, and is not carried": 1,
    }
    number(answer[0], 2, slips, rtol=1e-9, name="the context")
    slips = {
        "that is queries, keys and values alone": 3 * E**2,
        "that is without the feed-forward layer": 4 * E**2,
        "that is the feed-forward layer alone": 8 * E**2,
        "that is two layers": 24 * E**2,
        "earlier positions are in the cache and cost nothing here": 12 * E**2 * C,
    }
    number(answer[1], 12 * E**2, slips, rtol=1e-9, name="in the matrices")
    slips = {
        "scores and the average of the values, both": C * E,
        "one new character has one row of the table": 2 * C * C * E,
        "that is two layers": 4 * C * E,
    }
    number(answer[2], 2 * C * E, slips, rtol=1e-9, name="in attention")
    slips = {
        "that counts scores or values, not both": 12 * E,
        "compare 2 C E with all matrices": 4 * E,
    }
    number(answer[3], 6 * E, slips, rtol=1e-2, name="the context at which they are equal")


@register("shuffled-past")
def shuffled_past(answer):
    """shuffled_past(windows (n, T), k, rng) -> (n, T): all but the last k of a row shuffled."""
    windows = np.arange(40 * 30).reshape(40, 30)  # all ids differ
    for k in (1, 4, 9):
        got = call(answer, windows, k, np.random.default_rng())
        got = as_array(got, "the result", windows.shape)
        far, near = got[:, : 30 - k], got[:, 30 - k :]
        if (near != windows[:, 30 - k :]).any():
            if (got[:, :k] == windows[:, :k]).all():
                raise NotRight("the first k stay, and it should be the last")
            if (got[:, 31 - k :] == windows[:, 31 - k :]).all():
                raise NotRight("one character too few stays where it is")
            raise NotRight("the last k characters do not stay as they are")
        if (np.sort(far, axis=1) != windows[:, : 30 - k]).any():
            if len(np.unique(got)) < windows.size:
                raise NotRight(
                    "drawn with replacement: each character should occur as often as before"
                )
            raise NotRight("characters move from one row to another")
        moved = far != windows[:, : 30 - k]
        if not moved.any():
            raise NotRight("nothing is shuffled")
        if (np.ptp(far - windows[:, :1], axis=0) == 0).all():
            raise NotRight("all rows are shuffled alike: each should have its own order")
        if not moved[:, -1].any():
            raise NotRight("one character too many stays where it is")
