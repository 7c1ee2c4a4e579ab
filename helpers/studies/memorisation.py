"""How much of a text is copied word for word from another one. NumPy alone."""

from __future__ import annotations

import bisect
from functools import lru_cache

import numpy as np

from ..support.arguments import whole_number

FIRST_REACH = 32  # characters compared at first; most matches are shorter


def match_lengths(text, source):
    """How far the text can be followed in ``source``, from each of its N characters: (N,) int.

    Entry i is the length of the longest stretch that begins at ``text[i]`` and occurs
    somewhere in source, letter for letter; 0 where source does not have that character.
    A match may end in the middle of a word, and the matches of neighbours overlap.

    The source is sorted once (``sorted_suffixes``) and then looked up like a word in a
    dictionary: what begins most like the text stands next to where the text would stand.

    Raises ValueError for an empty source.
    """
    order = sorted_suffixes(source)
    lengths = np.zeros(len(text), dtype=int)
    for i in range(len(text)):
        reach = FIRST_REACH
        lengths[i] = _longest_start(text[i : i + reach], source, order)
        while lengths[i] == reach:  # all that was compared is there: compare more
            reach *= 4
            lengths[i] = _longest_start(text[i : i + reach], source, order)
    return lengths


def share_seen(text, source, length):
    """The share, from 0 to 1, of the stretches of ``length`` characters of text that occur in
    source. A text of N characters has N - length + 1 of them; repeated ones count each time.

    Raises ValueError for an empty source and a text that is shorter than the length.
    """
    length = whole_number("length", length)
    if len(text) < length:
        raise ValueError(
            f"a text of {len(text)} characters has no stretch of {length}: take a longer text or "
            "a smaller length"
        )
    complete = match_lengths(text, source)[: len(text) - length + 1]
    return float(np.mean(complete >= length))


def longest_match(text, source):
    """The longest stretch of text that occurs in source, a str; of equals the first.

    Empty where the two share no character. Raises ValueError for an empty source.
    """
    lengths = match_lengths(text, source)
    if not len(lengths):
        return ""
    start = int(lengths.argmax())
    return text[start : start + int(lengths[start])]


@lru_cache(maxsize=4)
def sorted_suffixes(source):
    """The suffix array: where each suffix of source starts, in alphabetical order; a tuple.

    Alphabetical means by code point, as Python compares strings. Made by doubling (Manber
    and Myers 1993): once the suffixes are sorted by their first k characters, the pair of
    the rank at i and the rank at i + k sorts them by their first 2k.
    """
    if not source:
        raise ValueError("the source is empty: there is nothing that could have been copied")
    codes = np.frombuffer(source.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    n = len(codes)
    rank = np.unique(codes, return_inverse=True)[1].astype(np.int64)
    k = 0  # the first round sorts by single characters
    while True:
        then = np.zeros(n, dtype=np.int64)  # 0 where the text has ended: before all others
        if k:
            then[:-k] = rank[k:] + 1
        pairs = rank * (n + 1) + then
        order = np.argsort(pairs, kind="stable")
        new = np.append(0, np.cumsum(np.diff(pairs[order]) > 0))
        if new[-1] == n - 1:  # all suffixes are told apart
            return tuple(order.tolist())
        rank[order] = new
        k = max(1, 2 * k)


def _longest_start(piece, source, order):
    """The length of the longest beginning of piece that occurs in source."""
    size = len(piece)
    at = bisect.bisect_left(order, piece, key=lambda start: source[start : start + size])
    neighbours = order[max(0, at - 1) : at + 1]
    return max(_agree(piece, source[s : s + size]) for s in neighbours)


def _agree(a, b):
    """How many characters two texts have in common from their beginnings."""
    for k, (x, y) in enumerate(zip(a, b, strict=False)):
        if x != y:
            return k
    return min(len(a), len(b))
