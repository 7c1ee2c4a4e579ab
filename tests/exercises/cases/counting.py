"""Cases for the checks of *Counting before learning*."""

import math

import numpy as np
import torch

from tests.exercises.cases import Case


def recursive(followers, context, char, size):
    """From the longest context down."""
    below = 1 / size if context == "" else recursive(followers, context[1:], char, size)
    seen = followers.get(context)
    return blend(seen, char, len(seen), below) if seen else below


def blend(seen, char, m, below):
    return (seen[char] + m * below) / (sum(seen.values()) + m)


def constant(followers, context, char, size):
    p = 1 / size
    for length in range(len(context) + 1):
        seen = followers.get(context[len(context) - length :])
        p = blend(seen, char, size, p) if seen else p
    return p


def slides(ids, T):
    return np.array([ids[i : i + T] for i in range(len(ids) - T + 1)])


def split(share, shuffle=False):
    def windows(ids, T):
        whole = slides(np.asarray(ids), T)
        if shuffle:
            whole = np.random.default_rng(0).permutation(whole)
        border = int(share * len(whole))
        return whole[:border], whole[border:]

    return windows


def in_order(ids, T):
    """One leap too short: the border lies between windows, not between characters."""
    return split(0.9)(ids, T)


def by_lists(ids, T):
    cut = len(ids) - len(ids) // 10
    return [slides(part, T).tolist() for part in (ids[:cut], ids[cut:])]


CASES = [
    Case(
        "two-spaces",
        other=["Falls", "falls ", "rises"],
        wrong={
            "loss": (("rises", "falls", "rises"), "loss per character: do the added"),
            "perplexity": (("falls", "rises", "rises"), "exponential"),
            "total": (("falls", "falls", "falls"), "the total: is there"),
            "another word": (("down", "down", "up"), "one of"),
        },
    ),
    Case(
        "two-spaces-price",
        other=torch.tensor(4.0).log(),
        wrong={
            "the space alone": (math.log(2), "the character after it"),
            "in bits": (2, "bits"),
            "nothing": (0, "certain"),
            "a guess": (3.0, "too large"),
        },
    ),
    Case(
        "witten-bell",
        other=recursive,
        wrong={
            "a constant": (constant, "number of different followers"),
            "the uniform distribution": (
                lambda f, c, s, size: blend(f[c], s, len(f[c]), 1 / size) if f.get(c) else 0.5,
                "not on the shorter",
            ),
            "unseen is zero": (
                lambda f, c, s, size: recursive(f, c, s, size) if f.get(c) else 0.0,
                "difference",
            ),
            "the longest alone": (
                lambda f, c, s, size: f.get(c)[s] / f.get(c).total(),
                "shorter contexts",
            ),
        },
    ),
    Case(
        "split-then-slide",
        other=by_lists,
        wrong={
            "shuffled first": (split(0.9, shuffle=True), "leaks"),
            "windows split": (in_order, "leaks"),
            "a half": (
                lambda ids, T: (slides(ids[: len(ids) // 2], T), slides(ids[len(ids) // 2 :], T)),
                "a tenth",
            ),
            "disjoint": (
                lambda ids, T: tuple(
                    slides(part, T)[::T] for part in np.split(ids, [int(0.9 * len(ids))])
                ),
                "too few",
            ),
            "first tenth": (lambda ids, T: by_lists(ids[::-1].copy(), T), "not a stretch"),
            "one table": (lambda ids, T: slides(ids, T), "two tables"),
        },
    ),
    Case(
        "word-perplexity",
        other=lambda p, characters, words: math.exp(math.log(p) * characters / words),
        wrong={
            "multiplied": (lambda p, characters, words: p * characters / words, "not a loss"),
            "turned round": (lambda p, characters, words: p ** (words / characters), "round"),
            "the loss": (
                lambda p, characters, words: characters * math.log(p) / words,
                "loss per word",
            ),
            "rounded": (lambda p, characters, words: p ** (characters // words), "difference"),
        },
    ),
    Case(
        "which-is-better",
        other="Words",
        wrong={
            "the smaller number": ("characters", "both per word"),
            "neither": ("neither", "one of"),
        },
    ),
]
