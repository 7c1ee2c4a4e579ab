"""Cases for the checks of *Counting before learning*."""

import math

import numpy as np
import torch

from tests.exercises.cases import Case


def recursive(tables, context, char, m, size, shorter=None):
    """From the longest context down."""
    p = 1 / size if context == "" else recursive(tables, context[1:], char, m, size)
    return blend(tables, context, char, m, p)


def blend(tables, context, char, m, p):
    seen = tables[len(context)].get(context)
    return p if not seen else (seen[char] + m * p) / (sum(seen.values()) + m)


def witten_bell(tables, context, char, m, size):
    p = 1 / size
    for length in range(len(context) + 1):
        seen = tables[length].get(context[len(context) - length :])
        if seen:
            p = (seen[char] + len(seen) * p) / (seen.total() + len(seen))
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
        "read-backwards",
        other=["Yes", " yes", "no"],
        wrong={
            "order 3": (("no", "yes", "no"), "order 3: which counts"),
            "new text": (("yes", "no", "no"), "did the argument"),
            "Witten-Bell": (("yes", "yes", "yes"), "what are k"),
            "one word": (("yes",), "three words"),
        },
    ),
    Case(
        "fall-back",
        other=recursive,
        wrong={
            "Witten-Bell": (witten_bell, "with k"),
            "the even guess": (
                lambda t, c, s, m, size: blend(t, c, s, m, 1 / size),
                "not on the shorter",
            ),
            "unseen is zero": (
                lambda t, c, s, m, size: recursive(t, c, s, m, size) if t[len(c)].get(c) else 0.0,
                "difference",
            ),
            "m forgotten below": (
                lambda t, c, s, m, size: recursive(t, c, s, m, size) * (1 + m),
                "the probability after",
            ),
            "an unknown context": (
                lambda t, c, s, m, size: t[len(c)].get(c)[s] / t[len(c)].get(c).total(),
                "shorter contexts",
            ),
        },
    ),
    Case(
        "leak-probability",
        other=np.float32(50),
        wrong={
            "one window": (1, "one window"),
            "with its sign": (-50, "sign"),
            "a window too many": (51, "begin at most"),
            "half": (25, "factor of 2"),
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
