"""Cases for the checks of *Inside the gates*."""

import math
import re

import numpy as np
import torch

from tests.exercises.cases import Case


def counted(text, pattern="[A-Za-z]+", first=1):
    """By a pattern for words."""
    counts = np.zeros(len(text))
    for word in re.finditer(pattern, text):
        counts[word.start() : word.end()] = np.arange(first, first + len(word.group()))
    return counts


def by_cell(hold="h", order=(0, 1, 2, 3)):
    """By PyTorch's own cell, with a mistake if wanted."""

    def step(x, h, c, W_ih, W_hh, b, unit, value):
        x, h, c, W_ih, W_hh, b = (
            torch.as_tensor(part).double() for part in (x, h, c, W_ih, W_hh, b)
        )
        cell = torch.nn.LSTMCell(x.shape[1], h.shape[1]).double()
        with torch.no_grad():
            for old, new in zip(cell.parameters(), (W_ih, W_hh, b, 0 * b), strict=True):
                new = torch.cat([new.chunk(4)[part] for part in order])
                old.copy_(new)
            if hold == "old":
                h = h.clone()
                h[:, unit] = value
            h, c = cell(x, (h, c))
        if hold == "h":
            h[:, unit] = value
        if hold == "c":
            c[:, unit] = value
        return h, c

    return step


def her_mean(values, mask):
    later = [v for v, m in zip(values[:-1], mask[1:], strict=True) if m]
    return sum(later) / len(later)


def by_numpy_sign(low, high, chance, before, moved=True, untrained=True):
    """The interval shrunk towards zero by the bar: is anything left of it?"""
    bar = np.max([0, moved and chance, untrained and 2 * abs(before)])
    near_zero = min(abs(low), abs(high)) if low * high > 0 else 0
    return np.sign(low) * (near_zero > bar)


def rule_with(ends=lambda low, high: (low, high), size=abs, twice=2, both=max):
    """The rule with a mistake."""

    def counts(low, high, chance, before, moved=True, untrained=True):
        bar = both(chance if moved else 0, twice * size(before) if untrained else 0)
        low, high = ends(low, high)
        return 1 if low > bar else -1 if high < -bar else 0

    return counts


CASES = [
    Case(
        "other-texts",
        other=["More than half", " more than half", "more than half"],
        wrong={
            "another author": (("more than half", "less than half", "more than half"), "Austen"),
            "shuffled": (("more than half",) * 2 + ("less than half",), "the character alone"),
            "a number": ((0.9, 0.8, 0.5), "one of"),
            "two": (("more than half", "more than half"), "three answers"),
        },
    ),
    Case(
        "kept-and-emptied",
        other=[5.14, torch.tensor(34.3)],
        wrong={
            "log of the mean": ((-math.log(2) / math.log(38.23 / 40), 34.3), "mean of the log"),
            "no newline": ((34.31, 34.31), "where is the newline"),
            "one e-th": ((-1 / -0.13484, 34.3), "1/e"),
            "a line": ((5.14, 39), "before the newline"),
            "linear": ((5.14, 25), "what is left"),
        },
    ),
    Case(
        "off-by-one-gate",
        other=("Space", her_mean),
        wrong={
            "takes her word": (("first letter", her_mean), "what is her mask"),
            "the right mean": (("space", lambda v, m: v[m].mean()), "hers is off by one"),
            "the other side": (("space", lambda v, m: v[1:][m[:-1]].mean()), "other direction"),
            "round the end": (
                ("space", lambda v, m: v[np.roll(np.asarray(m), -1)].mean()),
                "has no next one",
            ),
        },
    ),
    Case(
        "letters-so-far",
        other=counted,
        wrong={
            "from 0": (lambda text: counted(text, first=0), "number 1"),
            "any sign": (lambda text: counted(text, "[^ \n]+"), "only letters"),
            "before it": (lambda text: [0, *counted(text)[:-1]], "before each"),
            "all letters": (
                lambda text: np.cumsum([c.isalpha() for c in text]) * [c.isalpha() for c in text],
                "anew",
            ),
        },
    ),
    Case(
        "held-step",
        other=by_cell(),
        wrong={
            "none held": (by_cell("none"), "no unit"),
            "old h": (by_cell("old"), "old h"),
            "forget first": (by_cell(order=(1, 0, 2, 3)), "before forget"),
            "output before candidate": (by_cell(order=(0, 1, 3, 2)), "candidate, output"),
            "h alone": (lambda *inputs: by_cell()(*inputs)[0], "2 are expected"),
        },
    ),
    Case(
        "what-counts",
        other=by_numpy_sign,
        wrong={
            "middle": (rule_with(lambda low, high: ((low + high) / 2,) * 2), "middle"),
            "any end": (rule_with(lambda low, high: (high, low)), "one end"),
            "no size": (rule_with(size=lambda d: d), "below zero"),
            "once": (rule_with(twice=1), "twice"),
            "sum": (rule_with(both=lambda a, b: a + b), "sum"),
            "yes or no": (lambda *row: by_numpy_sign(*row) == 1, "minus the bar"),
            "switches ignored": (lambda *row: by_numpy_sign(*row[:4]), "switched off"),
        },
    ),
]
