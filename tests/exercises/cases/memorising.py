"""Cases for the checks of *Is it memorising?*."""

from fractions import Fraction
from math import log2

import numpy as np

from tests.exercises.cases import Case


def near_by_pairs(text, source, errors=1, count_wrong=True):
    """Every pair of places, followed until one character too many is wrong."""
    best = 0
    for i in range(len(text)):
        for j in range(len(source)):
            wrong, k = 0, 0
            while i + k < len(text) and j + k < len(source):
                wrong += text[i + k] != source[j + k]
                if wrong > errors:
                    break
                k += 1
            best = max(best, k if count_wrong else k - min(wrong, errors))
    return best


def near_inside(text, source):
    """The wrong character only between two right ones."""
    best = 0
    for i in range(len(text)):
        for j in range(len(source)):
            same = [a == b for a, b in zip(text[i:], source[j:], strict=False)]
            first = same.index(False) if False in same else len(same)
            rest = same[first + 1 :]
            more = rest.index(False) if False in rest else len(rest)
            best = max(best, first + 1 + more if first and more else first)
    return best


def one_by_one(p, n, N):
    same = sum(float(x) ** 2 for x in p)
    for _ in range(n):
        N = N * same
    return N


def share_by_lines(text, length):
    """Counted line by line."""
    whole = sum(max(0, len(line) - length + 1) for line in text.split("\n"))
    return Fraction(whole, len(text) - length + 1)


def crossing(epochs, values, mark):
    for i in range(len(values)):
        if values[i] > mark:
            return int(epochs[i])
    return None


CASES = [
    Case(
        "own-scene",
        other=["Higher", " higher "],
        wrong={
            "lower": (("lower", "higher"), "before and after"),
            "the same": (("higher", "about the same"), "at 12 characters: what have"),
            "one": ("higher", "two words"),
            "a number": ((0.35, 0.07), "one of"),
        },
    ),
    Case(
        "chance-matches",
        other=one_by_one,
        wrong={
            "one place": (lambda p, n, N: (p**2).sum() ** n, "how many are there"),
            "even": (lambda p, n, N: N * len(p) ** -float(n), "uniformly"),
            "commonest": (lambda p, n, N: N * max(p) ** n, "commonest"),
            "entropy": (
                lambda p, n, N: N * 2 ** (n * sum(float(x) * log2(float(x)) for x in p)),
                "two draws",
            ),
            "n times": (lambda p, n, N: N * n * (p**2).sum(), "one after the other"),
        },
    ),
    Case(
        "near-match",
        other=near_by_pairs,
        wrong={
            "exact": (lambda t, s: near_by_pairs(t, s, errors=0), "without any error"),
            "two": (lambda t, s: near_by_pairs(t, s, errors=2), "too many"),
            "right ones": (lambda t, s: near_by_pairs(t, s, count_wrong=False), "part of"),
            "never at an end": (near_inside, "either end"),
            "the stretch": (lambda t, s: t[: near_by_pairs(t, s)], "text"),
        },
    ),
    Case(
        "at-most-seen",
        other=share_by_lines,
        wrong={
            "the lost ones": (lambda t, n: 1 - share_by_lines(t, n), "cannot be found"),
            "tiles": (
                lambda t, n: np.mean(["\n" not in t[i : i + n] for i in range(0, len(t), n)]),
                "each place",
            ),
            "by all characters": (
                lambda t, n: share_by_lines(t, n) * (len(t) - n + 1) / len(t),
                "N - length + 1",
            ),
            "a number": (lambda t, n: share_by_lines(t, n) * (len(t) - n + 1), "share is asked"),
        },
    ),
    Case(
        "first-above",
        other=crossing,
        wrong={
            "highest": (lambda e, v, mark: e[np.argmax(np.asarray(v))], "highest"),
            "place": (lambda e, v, mark: int(np.argmax(np.asarray(v) > mark)), "not which"),
            "never": (lambda e, v, mark: crossing(e, v, mark) or e[-1], "None"),
            "below": (lambda e, v, mark: crossing(e, -v, -mark), "first epoch of all"),
        },
    ),
]
