"""Checks of the chapter *Text as data*."""

import numpy as np

from .answers import NotRight, as_array, call, compare, kind_of, number, parts, same_text, truth
from .inputs import random_sizes
from .judging import register


def joined(characters, name):
    """A text, or a list of characters as a text."""
    if not isinstance(characters, (str, tuple, list)):
        raise NotRight(f"{name} should be characters, and this is {kind_of(characters)}")
    if not all(isinstance(c, str) for c in characters):
        raise NotRight(f"{name} should hold nothing but characters")
    return "".join(characters)


@register("mississippi", wants="value")
def mississippi(answer):
    letters, ids = parts(answer, 2, "the vocabulary and the row of ids")
    letters = joined(letters, "the vocabulary")
    if len(letters) != len(set(letters)):
        raise NotRight("the vocabulary has a character twice: only the distinct ones are listed")
    if sorted(letters) == sorted("imps") and letters != "imps":
        raise NotRight("the vocabulary is not in alphabetical order")
    same_text(letters, "imps", "the vocabulary")
    right = ["imps".index(c) for c in "mississippi"]
    slips = {"ids are counted from 0": [i + 1 for i in right]}
    compare(ids, np.array(right), "the row of ids", slips)


@register("mississippi-windows", wants="value")
def mississippi_windows(answer):
    reads, says, sliding = parts(answer, 3, "two lists of windows and a number")
    for got, first, name in ((reads, 0, "what is read"), (says, 1, "what should be predicted")):
        right = ["mississippi"[i + first : i + first + 3] for i in (0, 3, 6)]
        if not isinstance(got, (tuple, list)):
            raise NotRight(f"{name} should be a list of windows, and it is {kind_of(got)}")
        got = [joined(row, f"{name}, a window,") for row in got]
        if len(got) > 3:
            raise NotRight(f"{name}: one window too many: each needs a target for its last")
        if len(got) < 3:
            raise NotRight(f"{name}: there are more windows than that")
        if first and got == ["mis", "sis", "sip"]:
            raise NotRight(f"{name}: the targets are shifted by one place")
        for i, row in enumerate(got):
            same_text(row, right[i], f"{name}, window {i}")
    slips = {"does the last window have a target for its last character?": 9}
    number(sliding, 8, slips, name="the number of sliding windows")


@register("stride-windows")
def stride_windows(answer):
    """count_windows(N, T, s) -> windows at 0, s, 2s, ... whose last character has a target."""
    tries = [(50, 5, 5), (51, 5, 5), (52, 5, 1), (8, 8, 3), (9, 8, 3)]
    tries += [tuple(np.random.default_rng().integers((20, 2, 1), (90, 12, 9))) for _ in range(60)]
    for N, T, s in (tuple(map(int, sizes)) for sizes in tries):
        right = len(range(0, N - T, s))
        slips = {
            "the last character of a window needs a target": len(range(0, N - T + 1, s)),
            "what if s is not T?": (N - 1) // T,
        }
        where = f" for N={N}, T={T}, s={s}"
        compare(call(answer, N, T, s), right, "the number", slips, where=where)


@register("stride-targets")
def stride_targets(answer):
    """times_target(T, s) -> the least and the largest number of times, far from the ends."""
    for T in range(2, 14):
        for s in range(1, T + 1):
            times = np.zeros(6 * T, dtype=int)
            for start in range(0, 5 * T, s):
                times[start + 1 : start + T + 1] += 1
            inside = times[2 * T : 4 * T]
            right = (int(inside.min()), int(inside.max()))
            slips = {"what if s does not divide T?": (None, right[0])}
            names = "the least number of times", "the largest"
            compare(call(answer, T, s), right, names, slips, where=f" for T={T}, s={s}")


@register("stand-in", wants="class")
def stand_in(answer):
    """A class made from a text, with encode (unknown -> one extra id) and decode (-> U+FFFD)."""
    rng = np.random.default_rng()
    for _ in range(3):
        letters = rng.permutation(list("abcdefghijklmnop\n ,:"))
        known, unknown = "".join(letters[:12]), "".join(letters[12:])
        vocabulary = call(answer, "".join(rng.choice(list(known), 60)) + known)
        for method in ("encode", "decode"):
            if not callable(getattr(vocabulary, method, None)):
                raise NotRight(f"the class should have a method {method}")
        ids = as_array(call(vocabulary.encode, known), "what encode returns")
        if ids.shape != (len(known),):
            raise NotRight("encode has to give one id for each character")
        ids = ids.tolist()
        if len(set(ids)) != len(known):
            raise NotRight("two known characters share an id")
        other = as_array(call(vocabulary.encode, unknown), "what encode returns")
        if other.shape != (len(unknown),):
            raise NotRight("encode has to give one id for each unknown character too")
        other = other.tolist()
        if len(set(other)) != 1:
            raise NotRight("unknown characters have different ids")
        if set(other) & set(ids):
            raise NotRight("the id of the unknown is also that of a known character")
        mixed = "".join(rng.choice(letters, 40))
        wanted = "".join(c if c in known else "\ufffd" for c in mixed)
        back = call(vocabulary.decode, call(vocabulary.encode, mixed))
        same_text(back, wanted, "the text after encode and decode")


@register("windows-in-order")
def windows_in_order(answer):
    """in_order(x, y) -> whether the rows are stretches of text, y one place further on."""
    for _ in range(4):
        n, T = random_sizes(2, low=4, high=12)
        ids = np.random.default_rng().integers(60, size=n * T + 1)
        right = ids[:-1].reshape(n, T), ids[1:].reshape(n, T)
        jumping = ids[:-1].reshape(T, n).T, ids[1:].reshape(T, n).T
        shuffled = right[0].copy(), right[1].copy()
        shuffled[0][-1, -2:] = (shuffled[0][-1, -2:] + 1) % 60
        cases = {
            "it rejects windows that are as they should be": (*right, True),
            "it does not see the colleague's mistake": (*jumping, False),
            "it does not see that the targets are not shifted": (right[0], right[0], False),
            "it does not see that the targets come before": (right[1], right[0], False),
            "it looks at the first row alone, or misses a single wrong place": (*shuffled, False),
        }
        for mistake, (x, y, wanted) in cases.items():
            if truth(call(answer, x, y), "the answer for all windows together") != wanted:
                raise NotRight(mistake)
