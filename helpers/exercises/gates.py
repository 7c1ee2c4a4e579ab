"""Checks of the chapter *Inside the gates*."""

import math

import numpy as np

from .answers import call, choice, compare, number, parts
from .cells import lstm_step
from .inputs import normal, random_sizes
from .judging import register


@register("other-texts", wants="value")
def other_texts(answer):
    """The difference on the training text, on another author's, on shuffled characters."""
    answer = parts(answer, 3, "three answers, one for each text")
    options = ("more than half", "less than half", "the other way round")
    names = ("the training text", "Austen", "shuffled")
    why = (
        "does a gate know in which part of the corpus it reads?",
        "are her spaces and letters other characters?",
        "how much of a forget gate did the character alone explain?",
    )
    for given, name, hint in zip(answer, names, why, strict=True):
        choice(given, "more than half", options, dict.fromkeys(options, hint), name)


@register("kept-and-emptied", wants="value")
def kept_and_emptied(answer):
    """The half-life by the formula, and that of a push right after a newline."""
    answer = parts(answer, 2, "two numbers")
    leak, shut = math.log(0.98), math.log(0.01)
    mean = (39 * leak + shut) / 40
    slips = {
        "take the mean of the logarithms, not the logarithm of the mean": (
            -math.log(2) / math.log((39 * 0.98 + 0.01) / 40)
        ),
        "where is the newline?": -math.log(2) / leak,
        "that is the time to 1/e; half of it is asked for": -1 / mean,
        "the sum of the logarithms, for their mean": -math.log(2) / (40 * mean),
        "the newline is one character in 40": -math.log(2) / ((leak + shut) / 2),
    }
    number(answer[0], -math.log(2) / mean, slips, rtol=1e-2, name="by the formula")
    slips = {
        "half is lost before the newline comes": 39,
        "half is lost before the line ends": 40,
        "that is the time to 1/e; half of it is asked for": -1 / leak,
        "the newline is not met before half is lost": -math.log(2) / mean,
        "a share is lost of what is left, not of what there was": 25,
    }
    number(answer[1], math.log(0.5) / leak, slips, rtol=2e-2, name="right after a newline")


@register("off-by-one-gate", wants="value")
def off_by_one_gate(answer):
    """Where her first letters stand, and her_mean(values (T,), mask (T,))."""
    answer = parts(answer, 2, "a word and a function")
    options = ("space", "first letter", "last letter", "line end")
    why = {
        "first letter": "row t of the gates reads character t; what is her mask at t about?",
        "last letter": "what stands before a first letter?",
        "line end": "that happens, but mostly it is something else",
    }
    choice(answer[0], "space", options, why, "where it stands")
    for _ in range(3):
        values = normal(40)
        mask = np.random.default_rng().random(40) < 0.4
        mask[[0, 20, -1]] = True, True, True
        mask[[1, 21, -2]] = False
        slips = {
            "that is the right mean; hers is off by one": values[mask].mean(),
            "off by one in the other direction": values[1:][mask[:-1]].mean(),
            "the last character has no next one": values[np.roll(mask, -1)].mean(),
            "only the masked characters count in the mean": (
                (values[:-1] * mask[1:]).sum() / len(values[:-1])
            ),
        }
        compare(call(answer[1], values, mask), values[:-1][mask[1:]].mean(), "her mean", slips)


@register("letters-so-far")
def letters_so_far(answer):
    """letters_so_far(text) -> (T,): letters of the word read so far, 0 at no letter."""
    rng = np.random.default_rng()
    for _ in range(3):
        text = "Ay" + "".join(rng.choice(list("aabbcdE  .\n'"), 60)) + "end"
        right, before, all_of_it, from_zero, spaces, count, since = [], [], [], [], [], 0, 0
        for character in text:
            before.append(count)
            letter = character.isalpha()
            from_zero.append(count if letter else 0)
            count = count + 1 if letter else 0
            since = 0 if character in " \n" else since + 1
            right.append(count)
            spaces.append(since)
            all_of_it.append(sum(map(str.isalpha, text[: len(all_of_it) + 1])) if letter else 0)
        slips = {
            "these are the letters before each character": before,
            "the first letter of a word is number 1": from_zero,
            "it should begin anew with each word": all_of_it,
            "only letters count, and every other character sets it back": spaces,
        }
        compare(call(answer, text), right, "the counts", slips)


def held(x, h, c, W_ih, W_hh, b, unit, value, order="ifgo", place="after"):
    """An LSTM step in which one unit of h is held; or, by mistake, of c or none."""
    h, c, (_, _, _, o) = lstm_step(x, h, c, W_ih, W_hh, b, order)
    if place == "cell":
        c[:, unit] = value
        h = o * np.tanh(c)
    if place == "after":
        h[:, unit] = value
    return h, c


@register("held-step")
def held_step(answer):
    """held_step(x, h, c, W_ih, W_hh, b, unit, value) -> new h with one column held, new c."""
    for _ in range(3):
        B, E, H = random_sizes(3, low=3)
        x, h, c = normal(B, E), normal(B, H), normal(B, H)
        weights = normal(4 * H, E), normal(4 * H, H), normal(4 * H)
        unit, value = int(np.random.default_rng().integers(H)), 0.3
        inputs = (x, h, c, *weights, unit, value)
        right = held(*inputs)
        late = h.copy()
        late[:, unit] = value
        slips = {
            "no unit is held": held(*inputs, place="no"),
            "the cell is held, and h follows; h itself is to be held": held(*inputs, place="cell"),
            "the old h is changed, not the new one": held(
                x, late, c, *weights, unit, value, place="no"
            ),
            "the gates' order is input, forget, candidate, output": held(*inputs, order="ifog"),
            "the order of the gates: input comes before forget": held(*inputs, order="figo"),
        }
        compare(call(answer, *inputs), right, ("h", "c"), slips)


@register("what-counts")
def what_counts(answer):
    """counts(low, high, chance, before, moved, untrained) -> 1, -1 or 0."""
    rng = np.random.default_rng()
    for moved, untrained in ((True, True), (True, False), (False, True), (False, False)):
        middle, half = rng.uniform(-0.3, 0.3, 80), rng.uniform(0, 0.06, 80)
        chance, before = rng.uniform(0, 0.15, 80), rng.uniform(-0.1, 0.1, 80)
        rows = [
            (*map(float, row), moved, untrained)
            for row in zip(middle - half, middle + half, chance, before, strict=True)
        ]
        got = [call(answer, *row) for row in rows]
        slips = {
            "the whole interval should lie beyond the bar, not its middle": {"edges": (1, 1)},
            "one end of the interval beyond the bar is too little": {"edges": (2, 0)},
            "the untrained difference may be below zero; its size counts": {"size": float},
            "twice the untrained difference is the bar": {"twice": 1},
            "an interval that lies wholly below minus the bar counts too": {"below": 0},
            "the higher of two bars counts, not their sum": {"both": sum},
            "beyond both bars, not beyond either": {"both": min},
            "a bar that is switched off is still there": {"on": (True, True)},
        }

        wrong = {slip: [counted(*row, **rule) for row in rows] for slip, rule in slips.items()}
        compare(got, [counted(*row) for row in rows], "the row of verdicts", wrong)


def counted(
    low, high, chance, before, moved, untrained,
    edges=(0, 2), size=abs, twice=2, below=-1, both=max, on=None,
):  # fmt: skip
    """The rule of the chapter, with a mistake if wanted."""
    moved, untrained = on or (moved, untrained)
    bar = max(0, both([chance] * moved + [twice * size(before)] * untrained or [0]))
    ends = low, (low + high) / 2, high
    if ends[edges[0]] > bar:
        return 1
    return below if ends[edges[1]] < -bar else 0
