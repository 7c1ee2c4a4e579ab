"""Checks of the chapter *Is it memorising?*."""

import math

import numpy as np

from .answers import NotRight, call, choice, compare, number, parts
from .inputs import normal, random_sizes
from .judging import register


@register("own-scene", wants="value")
def own_scene(answer):
    """A piece of the training text, looked up in the rest: its shares at 8 and at 12."""
    answer = parts(answer, 2, "two words, for 8 and for 12 characters")
    options = ("higher", "lower", "about the same")
    why = {
        "lower": "what stands before and after the piece, in the rest?",
        "about the same": "what have neighbouring pages in common that other scenes do not have?",
    }
    for n, given in zip((8, 12), answer, strict=True):
        choice(given, "higher", options, why, f"at {n} characters")


@register("chance-matches")
def chance_matches(answer):
    """chance_matches(p (V,), n, N) -> expected places of N where n drawn characters match."""
    for _ in range(3):
        (V,) = random_sizes(1, low=4)
        p = np.exp(normal(V))
        p /= p.sum()
        n, N = (int(k) for k in np.random.default_rng().integers((2, 500), (6, 5000)))
        same = (p * p).sum()
        slips = {
            "the probability is for one place; how many are there?": same**n,
            "characters are not uniformly distributed": N * V**-n,
            "any character may match, not only the commonest": N * p.max() ** n,
            "that is the entropy; two draws must agree": N * math.exp((p * np.log(p)).sum() * n),
            "all n have to match, one after the other": N * n * same,
            "is it the square of a sum?": N * p.sum() ** (2 * n),
        }
        number(call(answer, p, n, N), N * same**n, slips, name="the expected number")


def longest_with(text, source, errors):
    """The longest stretch of text that stands somewhere in source with so many errors."""
    allowed = [[0] * (len(source) + 1) for _ in range(errors + 1)]
    longest = 0
    for char in text:
        for k in range(errors, -1, -1):
            old = allowed[k]
            worse = allowed[k - 1] if k else None
            row = [0]
            for j, other in enumerate(source):
                if char == other:
                    row.append(old[j] + 1)
                else:
                    row.append(worse[j] + 1 if k else 0)
            allowed[k] = row
        longest = max(longest, *allowed[errors])
    return longest


@register("near-match")
def near_match(answer):
    """longest_near_match(text, source) -> characters of the longest stretch, one of them wrong."""
    rng = np.random.default_rng()
    for _ in range(4):
        text, source = ("".join(rng.choice(list(letters), 30)) for letters in ("abc", "bcd"))
        piece = "".join(rng.choice(list("abc"), 13))
        middle = int(rng.integers(4, 9))
        text += piece
        source += piece[:middle] + "e" + piece[middle + 1 :]
        if rng.random() < 0.5:
            text, source = text[::-1], source[::-1]
        exact, right, two = (longest_with(text, source, k) for k in range(3))
        slips = {
            "that is the longest match without any error": exact,
            "two wrong characters are one too many": two,
            "the wrong character is a part of the stretch": right - 1,
        }
        number(call(answer, text, source), right, slips, name="the length")
    tries = ("abcde", "xbcdy", 4, 3), ("abc", "abc", 3, 3), ("aaaa", "bb", 1, 0)
    for text, source, right, inside in tries:
        number(
            call(answer, text, source),
            right,
            {"the wrong character may stand at either end of the stretch": inside},
            name="the length",
            where=f" for {text!r} in {source!r}",
        )


@register("at-most-seen")
def at_most_seen(answer):
    """at_most_seen(text, length) -> share of its stretches without a line break."""
    rng = np.random.default_rng()
    for _ in range(4):
        lines = [rng.choice(list("ab "), size=int(size)) for size in rng.integers(3, 15, size=9)]
        text = "\n".join("".join(line) for line in lines)
        length = int(rng.integers(3, 7))
        cut = [text[i : i + length] for i in range(len(text) - length + 1)]
        whole = np.array(["\n" not in piece for piece in cut])
        tiles = np.array(["\n" not in text[i : i + length] for i in range(0, len(text), length)])
        slips = {
            "that is the share that cannot be found": 1 - whole.mean(),
            "a stretch begins at each place, not only where the last one has ended": tiles.mean(),
            "a text of N characters has N - length + 1 stretches": whole.sum() / len(text),
            "a share is asked for, not a number": whole.sum(),
            "a line break anywhere in the stretch counts": np.mean(
                [piece[0] != "\n" for piece in cut]
            ),
            "spaces are allowed": np.mean([not set(" \n") & set(piece) for piece in cut]),
        }
        compare(call(answer, text, length), whole.mean(), "the share", slips)


@register("first-above")
def first_above(answer):
    """first_above(epochs (n,), values (n,), mark) -> the first epoch above the mark, or None."""
    rng = np.random.default_rng()
    for _ in range(4):
        n = int(rng.integers(6, 10))
        epochs, values = 10 * np.arange(1, n + 1), 0.1 * rng.random(n)
        where = int(rng.integers(3, n - 1))
        values[where - 2] = 0.3  # the mark itself
        values[where] += 0.5  # it may fall again
        values[where + 1] += 0.9
        got = call(answer, epochs, values, 0.3, may_be_none=True)
        slips = {
            "where in the row it is, and not which epoch": where,
            "that is the place, counted from 1": where + 1,
            "the highest value is not the first one above the mark": int(epochs[where + 1]),
            "that is the last one below the mark": int(epochs[where - 1]),
            "an epoch at the mark is not above it": int(epochs[where - 2]),
            "the first epoch of all": int(epochs[0]),
        }
        if got is None:
            raise NotRight("there is an epoch above the mark, and it returns None")
        number(got, int(epochs[where]), slips, name="the epoch")
    low = np.array([10, 20]), np.array([0.1, 0.2])
    if call(answer, *low, 0.3, may_be_none=True) is not None:
        raise NotRight("where no value is above the mark, None is asked for")
