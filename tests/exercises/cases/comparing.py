"""Cases for the checks of *Comparing architectures*."""

import numpy as np
import torch

from tests.exercises.cases import Case


def one_text_at_a_time(a, b, starts, block, wrap=True, sign=1, same=True):
    """In loops, with something changed."""
    a, b = np.asarray(a), np.asarray(b)
    found = []
    for row in np.asarray(starts):
        texts = []
        for losses in (a, b) if same else (a,):
            ring = np.concatenate([losses, losses if wrap else np.zeros(block)])
            texts.append(np.concatenate([ring[s : s + block] for s in row]))
        found.append(texts[0].mean() - (texts[1] if same else b).mean())
    return sign * np.array(found)


def stood_before(text, n, count=lambda piece, i, text: text.find(piece) < i, over=0):
    seen = [count(text[i : i + n], i, text) for i in range(len(text) - n + 1)]
    return sum(seen) / (len(seen) + over)


CASES = [
    Case(
        "comparing-stopping",
        other=["GRU", torch.tensor(2), 0.0],
        wrong={
            "Transformer": (("transformer", 2, 0), "steeply"),
            "everybody gains": (("gru", 0, 0), "gain nothing"),
            "one reaches it": (("gru", 2, 1), "reach the n-gram"),
            "no such network": (("n-gram", 2, 0), "one of"),
        },
    ),
    Case(
        "comparing-seeds",
        other=(torch.tensor(0.375), 11.0),
        wrong={
            "one side": ((6 / 32, 11), "whichever way"),
            "exactly four": ((10 / 32, 11), "all five agree as well"),
            "ten": ((0.375, 10), "one side"),
            "a percentage": ((37.5, 11), "percentage"),
        },
    ),
    Case(
        "block-bootstrap",
        other=one_text_at_a_time,
        wrong={
            "no ring": (lambda *i: one_text_at_a_time(*i, wrap=False), "over the end"),
            "the other way": (lambda *i: one_text_at_a_time(*i, sign=-1), "sign"),
            "unpaired": (lambda *i: one_text_at_a_time(*i, same=False), "same places"),
            "starts alone": (lambda a, b, s, n: (a - b)[s].mean(1), "first character"),
            "sums": (lambda a, b, s, n: n * one_text_at_a_time(a, b, s, n), "a sum for a mean"),
        },
    ),
    Case(
        "repeated",
        other=stood_before,
        wrong={
            "all that are not alone": (
                lambda text, n: stood_before(text, n, lambda p, i, t: t.find(p) != t.rfind(p)),
                "the first of several",
            ),
            "the new ones": (
                lambda text, n: stood_before(text, n, lambda p, i, t: t.find(p) == i),
                "new",
            ),
            "by the length": (lambda text, n: stood_before(text, n, over=n - 1), "near its end"),
            "without overlap": (
                lambda text, n: stood_before(text, n, lambda p, i, t: p in t[:i]),
                "overlap",
            ),
        },
    ),
    Case(
        "reported-loss",
        other=lambda val, chosen: [
            min(map(min, val.tolist())),
            float(sum(row[int(np.argmin(np.asarray(chosen)))] for row in val) / len(val)),
        ],
        wrong={
            "chosen by itself": (
                lambda val, chosen: (val.min(), val.mean(0).min()),
                "by the other text",
            ),
            "one seed": (
                lambda val, chosen: (val.min(), val[:, int(chosen.argmin())].min()),
                "mean of the seeds",
            ),
            "means alone": (
                lambda val, chosen: (val.mean(0).min(), val[:, int(chosen.argmin())].mean()),
                "the reported",
            ),
            "one number": (lambda val, chosen: val.min(), "2 are expected"),
        },
    ),
    Case(
        "paired-lead",
        other=lambda one, other: (
            np.mean(other, 0) - np.mean(one, 0),
            [
                sum(a < b for a, b in zip(*pair, strict=True))
                for pair in zip(one.T, other.T, strict=True)
            ],
        ),
        wrong={
            "turned round": (
                lambda one, other: ((one - other).mean(0), (one < other).sum(0)),
                "positive",
            ),
            "behind": (
                lambda one, other: ((other - one).mean(0), (one > other).sum(0)),
                "is behind",
            ),
            "along the epochs": (
                lambda one, other: ((other - one).mean(1), (one < other).sum(1)),
                "wrong shape",
            ),
            "against the mean": (
                lambda one, other: ((other - one).mean(0), (one.mean(0) < other).sum(0)),
                "paired with",
            ),
        },
    ),
]
