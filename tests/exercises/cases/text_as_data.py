"""Cases for the checks of *Text as data*."""

from collections import defaultdict

import numpy as np

from tests.exercises.cases import Case


class OnDemand:
    """Ids by first appearance, 0 for the unknown."""

    def __init__(self, text):
        self.known = list(dict.fromkeys(text))

    def encode(self, text):
        return np.array([self.known.index(c) + 1 if c in self.known else 0 for c in text])

    def decode(self, ids):
        return "".join("\ufffd" if i == 0 else self.known[i - 1] for i in ids)


class Skips(OnDemand):
    def encode(self, text):
        return super().encode([c for c in text if c in self.known])


class QuestionMark(OnDemand):
    def decode(self, ids):
        return super().decode(ids).replace("\ufffd", "?")


class Shared(OnDemand):
    def encode(self, text):
        return np.maximum(super().encode(text), 1)


class Growing(OnDemand):
    def encode(self, text):
        new = defaultdict(lambda: len(self.known) + len(new) + 1)
        return [self.known.index(c) + 1 if c in self.known else new[c] for c in text]


def loop(x, y):
    for row_x, row_y in zip(x.tolist(), y.tolist(), strict=True):
        for j in range(1, len(row_x)):
            if row_x[j] != row_y[j - 1]:
                return False
    return True


IDS = [1, 0, 3, 3, 0, 3, 3, 0, 2, 2, 0]
READS, SAYS = ["mis", "sis", "sip"], ["iss", "iss", "ipp"]

CASES = [
    Case(
        "mississippi",
        other=(["i", "m", "p", "s"], np.array(IDS)),
        wrong={
            "by appearance": (("misp", IDS), "alphabetical"),
            "with repeats": (("iiiimppssss", IDS), "twice"),
            "counted from 1": (("imps", [i + 1 for i in IDS]), "from 0"),
            "one missing": (("imps", IDS[:-1]), "wrong shape"),
            "a slip": (("imps", [1, 0, 3, 3, 0, 3, 3, 0, 3, 3, 0]), "differs from the ninth on"),
        },
    ),
    Case(
        "mississippi-windows",
        other=(tuple(READS), [list(row) for row in SAYS], np.int64(8)),
        wrong={
            "not shifted": ((READS, READS, 8), "shifted"),
            "a fourth window": (([*READS, "pi"], [*SAYS, "i"], 8), "one window too many"),
            "two windows": ((READS[:2], SAYS[:2], 8), "more windows"),
            "no target for the last": ((READS, SAYS, 9), "target for its last"),
            "a slip": ((["mis", "sis", "ssi"], SAYS, 8), "window 2"),
            "off by one": ((READS, SAYS, 7), "off by one"),
        },
    ),
    Case(
        "stride-windows",
        other=lambda N, T, s: sum(start + T < N for start in range(0, N, s)),
        wrong={
            "disjoint": (lambda N, T, s: (N - 1) // T, "what if s"),
            "no target": (lambda N, T, s: (N - T) // s + 1, "needs a target"),
            "one too few": (lambda N, T, s: (N - 1 - T) // s, "off by one"),
            "not rounded": (lambda N, T, s: (N - 1 - T) / s + 1, "difference"),
        },
    ),
    Case(
        "stride-targets",
        other=lambda T, s: (int(T / s), int(T / s) + (T % s > 0)),
        wrong={
            "one number": (lambda T, s: T // s, "2 are expected"),
            "always equal": (lambda T, s: (T // s, T // s), "does not divide"),
            "one more": (lambda T, s: (T // s, T // s + 1), "off by one"),
            "T": (lambda T, s: (T, T), "the least number of times for T="),
        },
    ),
    Case(
        "stand-in",
        other=OnDemand,
        wrong={
            "left out": (Skips, "for each unknown"),
            "a question mark": (QuestionMark, "encode and decode is wrong"),
            "an id that is taken": (Shared, "also that of a known"),
            "an id for each": (Growing, "different ids"),
            "an instance": (OnDemand("ab"), "class"),
        },
    ),
    Case(
        "windows-in-order",
        other=loop,
        wrong={
            "shapes": (lambda x, y: x.shape == y.shape, "colleague"),
            "never": (lambda x, y: False, "rejects"),
            "first row": (lambda x, y: bool((x[0, 1:] == y[0, :-1]).all()), "first row alone"),
            "the wrong way": (lambda x, y: bool((y[:, 1:] == x[:, :-1]).all()), "rejects"),
            "all places": (lambda x, y: x[:, 1:] == y[:, :-1], "one True or False"),
        },
    ),
]
