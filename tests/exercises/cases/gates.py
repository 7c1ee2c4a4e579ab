"""Cases for the checks of *Inside the gates*."""

import re

import numpy as np

from tests.exercises.cases import Case


def counted(text, pattern="[A-Za-z]+", first=1):
    """By a pattern for words."""
    counts = np.zeros(len(text))
    for word in re.finditer(pattern, text):
        counts[word.start() : word.end()] = np.arange(first, first + len(word.group()))
    return counts


def by_blocks(order="ifgo", bias=lambda v: -np.log(1 / v - 1), kept=()):
    """Block after block, with a mistake if wanted."""

    def held_weights(W_x, W_h, b, gate, value):
        parts = {"W_x": W_x, "W_h": W_h, "b": b[:, None]}
        for name, array in parts.items():
            new = [np.array(block) for block in np.split(array, 4)]
            if name not in kept:
                new[order.index(gate)][:] = bias(value)[:, None] if name == "b" else 0
            parts[name] = np.concatenate(new)
        return parts["W_x"], parts["W_h"], parts["b"][:, 0]

    return held_weights


def her_mean(values, mask):
    later = [v for v, m in zip(values[:-1], mask[1:], strict=True) if m]
    return sum(later) / len(later)


CASES = [
    Case(
        "gates-at-zero",
        other=["Input and output", " forget"],
        wrong={
            "input and forget": (("input and forget", "forget"), "left in the cell"),
            "forget and output": (("forget and output", "forget"), "just read"),
            "the rarely used gate": (("input and output", "input"), "output layer see"),
            "one word": ("input and output", "one gate"),
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
        "held-weights",
        other=by_blocks(),
        wrong={
            "forget first": (by_blocks("figo"), "before the forget"),
            "output third": (by_blocks("ifog"), "before the output"),
            "no logit": (by_blocks(bias=lambda v: v), "sigmoid"),
            "h remains": (by_blocks(kept=("W_h",)), "old h"),
            "x remains": (by_blocks(kept=("W_x",)), "input x"),
        },
    ),
]
