"""Cases for the checks of *Your own text*."""

import math

import numpy as np
import torch

from tests.exercises.cases import Case


def good_by_loop(losses):
    losses = [[float(x) for x in row] for row in losses]
    means = [sum(column) / len(column) for column in zip(*losses, strict=True)]
    best = [row[means.index(min(means))] for row in losses]
    limit = min(means) + max(best) - min(best)
    return next(i for i, mean in enumerate(means) if mean <= limit)


def good_with(spread):
    def good(losses):
        losses = np.asarray(losses)
        mean = losses.mean(axis=0)
        return int(np.argmax(mean <= mean.min() + spread(losses)))

    return good


def once_by_loop(text):
    kept = []
    for paragraph in text.split("\n\n"):
        if paragraph not in kept:
            kept.append(paragraph)
    return "\n\n".join(kept)


def last_each(text):
    return "\n\n".join(list(dict.fromkeys(text.split("\n\n")[::-1]))[::-1])


def only_single(text):
    parts = text.split("\n\n")
    return "\n\n".join(p for p in parts if parts.count(p) == 1)


CASES = [
    Case(
        "good-enough",
        other=good_by_loop,
        wrong={
            "the lowest": (lambda x: int(np.asarray(x).mean(0).argmin()), "smaller one"),
            "largest spread": (good_with(lambda x: np.ptp(x, axis=0).max()), "best size's spread"),
            "the whole table": (lambda x: int(torch.as_tensor(x).argmin()), "place"),
            "rows": (lambda x: good_by_loop(np.asarray(x).T), "rows are seeds"),
        },
    ),
    Case(
        "once-each",
        other=once_by_loop,
        wrong={
            "sorted": (lambda t: "\n\n".join(sorted(set(t.split("\n\n")))), "order"),
            "the last of each": (last_each, "not the last"),
            "those that come once": (only_single, "kept once"),
            "one line end": (lambda t: "\n".join(dict.fromkeys(t.split("\n\n"))), "empty lines"),
            "lines": (lambda t: t, "nothing has been dropped"),
        },
    ),
    Case(
        "sums",
        other=("Signs", "question", torch.tensor(2.2499)),
        wrong={
            "answer first": (("answer", "question", 2.25), "always at the same place"),
            "answer never": (("signs", "answer", 2.25), "adds would know"),
            "ten digits": (("signs", "question", math.log(10)), "never 0"),
            "a whole number": (("signs", "question", math.log(90)), "mean is over digits"),
            "in bits": (("signs", "question", math.log2(90) / 2), "bits"),
        },
        given={"math": math},
    ),
]
