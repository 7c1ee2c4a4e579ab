"""Whether a model has memorised its training text: pages left out, planted lines, copied stretches.

A page is trained on by one network and left out by another one, so that what the first has over
the second on that page is memory of it (Feldman 2020; Zhang et al. 2023).
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..models import evaluating, predict
from ..sampling import generate
from ..support.arguments import whole_number

FIRST_REACH = 32  # characters compared at first; most matches are shorter
PAGE = 1000  # characters that a page has at least
PLACES = (
    "Athens", "Rome", "Padua", "Verona", "Venice", "Mantua", "Messina", "Milan", "Naples",
    "Vienna", "Paris", "London", "York", "Windsor", "Elsinore", "Troy", "Ephesus", "Corinth",
    "Tyre", "Tarsus", "Antioch", "Cyprus", "Rhodes", "Florence", "Pisa", "Genoa", "Dover",
    "Bristol", "Lancaster", "Gloucester", "Warwick", "Norfolk", "Suffolk", "Burgundy", "Orleans",
    "Calais", "Harfleur", "Rouen", "Anjou", "Dunsinane",
)  # fmt: skip
COPIES = (1, 2, 4, 8, 16)
LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORD = 3  # letters of a watchword
LENGTH = 1000  # characters of a written text


def pages(text, size=PAGE):
    """The text in pages of ``size`` characters or little more, each ending with an empty line."""
    found, start = [], 0
    while (end := text.find("\n\n", start + size)) >= 0:
        found.append(text[start : end + 2])
        start = end + 2
    return found


def halves(n, seed=0):
    """For each of n pages, 0 or 1: of two neighbours, a coin gives one to either half."""
    coins = np.random.default_rng(seed).integers(2, size=(n + 1) // 2)
    return np.stack([coins, 1 - coins], axis=1).ravel()[:n].tolist()


@dataclass(frozen=True)
class Canary:
    """A line with a random word, planted ``copies`` times in the text of one half."""

    place: str
    word: str
    copies: int
    half: int

    @property
    def prompt(self):
        return f"\n\nMessenger:\nThe watchword of {self.place} is "

    @property
    def speech(self):
        return f"{self.prompt}{self.word}.\n\n".removeprefix("\n\n")


def canaries(many, seed=0):
    """The planted lines: four for each number of copies and each half, or four of one copy."""
    rng = np.random.default_rng(seed)
    words = ["".join(rng.choice(list(LETTERS), WORD)) for _ in PLACES]
    found = [
        Canary(place, word, COPIES[i // 2 % len(COPIES)], i % 2)
        for i, (place, word) in enumerate(zip(PLACES, words, strict=True))
    ]
    return found if many else [canary for canary in found if canary.copies == 1]


def plant(pages, canaries, seed=0):
    """The pages as one text, with each canary's copies between pages drawn at random."""
    rng = np.random.default_rng(seed)
    before = [[] for _ in range(len(pages) + 1)]
    for canary in canaries:
        for place in rng.integers(len(before), size=canary.copies):
            before[place].append(canary.speech)
    return "".join(
        "".join(speeches) + page for speeches, page in zip(before, [*pages, ""], strict=True)
    )


def word_scores(model, prompt, letters, word_length):
    """Log-probability of every word of ``word_length`` letters after a prompt: (26,) * word_length.

    prompt : ids (T,)
    letters : the letters' ids
    """
    letters = np.asarray(letters)
    with evaluating(model):
        logits, state = predict(model, np.asarray(prompt)[None])
        scores = _log_softmax(logits[0, -1])[letters]
        for _ in range(word_length - 1):
            old = len(scores) // len(letters)  # words that ``state`` has read
            state = _repeated(state, len(letters))
            logits, state = predict(model, np.tile(letters, old)[:, None], state)
            scores = (scores[:, None] + _log_softmax(logits[:, -1])[:, letters]).ravel()
    return scores.reshape((len(letters),) * word_length)


def _repeated(state, n):
    """A state of B texts -> one of n B texts, n equal ones for each."""
    if isinstance(state, tuple):  # an LSTM's, each (1, B, H)
        return tuple(part.repeat_interleave(n, dim=1) for part in state)
    return np.repeat(state, n, axis=0)  # an n-gram model's, (B, S)


def _log_softmax(logits):
    logits = logits - logits.max(axis=-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def exposure(model, vocab, canary):
    """How far the planted word is ahead of all others, in bits (Carlini et al. 2019).

    log2 of the number of words minus log2 of its rank among them by probability. Of a word drawn
    at random that the model has never met, the mean is 1 / ln 2 = 1.44.
    """
    letters = vocab.encode(LETTERS)
    scores = word_scores(model, vocab.encode(canary.prompt), letters, len(canary.word))
    own = scores[tuple(LETTERS.index(letter) for letter in canary.word)]
    return float(np.log2(scores.size) - np.log2((scores >= own).sum()))


def right_before_wrong(model, vocab, pages, start=200, given=50, asked=50):
    """Of each page, how many characters the model continues correctly, always taking the most
    probable one, after reading ``given`` characters of it from ``start``."""
    truths = [page[start + given : start + given + asked] for page in pages]
    prompts = [page[start : start + given] for page in pages]
    said = generate(model, vocab, prompts, asked, temperature=0)
    return [_agree(text[given:], truth) for text, truth in zip(said, truths, strict=True)]


def texts(model, vocab, prompts, draws, temperature):
    """``draws`` texts of LENGTH characters for each of several prompts, without the prompts."""
    every = [prompt for prompt in prompts for _ in range(draws)]
    written = generate(model, vocab, every, LENGTH, temperature, seed=0)
    return [text[len(prompt) :] for text, prompt in zip(written, every, strict=True)]


def seen(rows):
    """Match lengths of texts -> for each text, the share seen of its stretches of 8, 12, 20."""
    found = [[np.mean(row[: len(row) - n + 1] >= n) for n in (8, 12, 20)] for row in rows]
    return np.round(found, 4).tolist()


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
