"""Where in a text a model's loss is: labels that depend on what was read, and sums by label."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

WORD = re.compile(r"[A-Za-z']+")

# Where a character stands, from what was read before it alone. The first five are beginnings.
PLACES = (
    "start of a speech", "start of a line", "after punctuation", "after a space", "1 letter read",
    "2 letters read", "3 letters read", "4 letters read", "5 letters read", "6 or more read",
    "in a speaker's name",
)  # fmt: skip
CLASSES = ("lower-case letter", "capital", "punctuation", "space", "line break")
BLOCK = 5000  # characters, for intervals
LAST_COLUMN = 70
FAR = 1000  # characters after which a word is no longer looked for


@dataclass(frozen=True)
class Labels:
    """Of each character of a text but the first, arrays (N - 1,): like the losses of a model."""

    place: np.ndarray  # index into PLACES
    column: np.ndarray  # characters of the line before it; -1 in a speaker's name
    kind: np.ndarray  # index into CLASSES


def labels(text):
    """The labels of a text that begins with a speaker's name."""
    place, column = (np.zeros(len(text), dtype=int) for _ in range(2))
    read, start, in_name = 0, 0, True  # letters of the word, start of the line, a speaker's line
    for i, char in enumerate(text):
        if i == start:
            where = "in a speaker's name" if in_name else "start of a line"
            if not in_name and text[i - 2 : i] == ":\n":
                where = "start of a speech"
        elif in_name:
            where = "in a speaker's name"
        elif read:
            where = PLACES[min(read, 6) + 3]
        else:
            where = "after a space" if text[i - 1] == " " else "after punctuation"
        place[i], column[i] = PLACES.index(where), -1 if in_name else i - start
        read = read + 1 if char.isalpha() or char == "'" else 0
        if char == "\n":
            in_name, start = i == start, i + 1  # after an empty line comes a name
    kind = np.array([CLASSES.index(class_of(char)) for char in text])
    return Labels(*(x[1:] for x in (place, column, kind)))


def class_of(char):
    """Which of CLASSES a character is."""
    if char.isalpha():
        return "capital" if char.isupper() else "lower-case letter"
    return {" ": "space", "\n": "line break"}.get(char, "punctuation")


def sums(values, label, n):
    """Sums of values (N,) over each of n labels (N,), in blocks: (n, whole blocks + 1).

    The last block is shorter.
    """
    block = np.arange(len(values)) // BLOCK
    found = np.zeros((n, block[-1] + 1))
    np.add.at(found, (label, block), values)
    return found


@dataclass(frozen=True)
class Repeat:
    """A word that the training text lacks, again: where it stood first and stands now, and how
    many characters after it stood last."""

    word: str
    first: int
    now: int
    distance: int


def repeats(text, training_text):
    """The words of speeches that the training text lacks and that come again within FAR."""
    known = {word.lower() for word in WORD.findall(training_text)}
    column = np.concatenate([[-1], labels(text).column])
    first, last, found = {}, {}, []
    for match in WORD.finditer(text):
        word, at = match.group(), match.start()
        if word.lower() in known or column[at] < 0 or len(word) < 2:
            continue
        if word in last and at - last[word] <= FAR:
            found.append(Repeat(word, first[word], at, at - last[word]))
        first.setdefault(word, at)
        last[word] = at
    return found


def word_cost(losses, at, word):
    """Summed loss of a word's letters that begins at character ``at``; loss k is of k + 1."""
    return float(losses[at - 1 : at - 1 + len(word)].sum())
