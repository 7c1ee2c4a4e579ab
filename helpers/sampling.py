"""From a model and a prompt to text: temperature, greedy, top-k, top-p, min-p.

``_write`` is the whole of it: logits, probabilities, one random number, a character, again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np

from .models import evaluating, predict
from .support import arguments
from .support.progress import progress_bar

try:
    from .fast import writing as fast_writing
except ImportError:  # the folder of fast paths may be deleted
    fast_writing = None

NO_GUESS = "the model's guess is not a number (NaN): check its weights and its training losses"


def generate(model, vocab, prompt, length=200, temperature=1.0, top_k=None, top_p=None,
             min_p=None, seed=None, fast=True):  # fmt: skip
    """The prompt and ``length`` characters with which ``model`` continues it.

    ``temperature`` to ``min_p`` are those of ``SamplingSettings``. The prompt is read once and
    sets the state. A list of prompts gives a list of texts; text i draws its random numbers
    from ``numpy.random.default_rng([seed, i])``. Raises ValueError for a prompt that is empty
    or no text, an unknown character, a vocabulary of another size than the model's, settings
    out of range and logits that are not numbers.

    For a model that is exactly as this book defines it, ``helpers.fast`` copies the weights
    into NumPy and writes many texts side by side. ``fast=False`` calls the model for each
    character, as is done with every other model: the same text, except for rounding (a draw
    within 1e-6 of the border between two characters).
    """
    settings = SamplingSettings(temperature, top_k, top_p, min_p)
    length = arguments.whole_number("length", length, 0)
    several = isinstance(prompt, Iterable) and not isinstance(prompt, str)
    prompts = list(prompt) if several else [prompt]
    encoded = [_encode(vocab, p) for p in prompts]
    rngs = _generators(seed, len(prompts))
    read = partial(_read, model, len(vocab))
    folded = fast_writing.fold(model) if fast_writing and fast and length else None
    with evaluating(model):
        if folded:
            new = fast_writing.continue_texts(folded, read, encoded, rngs, settings, length)
        else:
            new = []
            for ids, rng in zip(encoded, rngs, strict=True):
                endless = _write(*read(ids[None]), read, settings, rng)
                new.append([*progress_bar(islice(endless, length), total=length, unit="char")])
    texts = [p + vocab.decode(ids) for p, ids in zip(prompts, new, strict=True)]
    return texts if several else texts[0]


def stream(model, vocab, prompt, length=None, temperature=1.0, top_k=None, top_p=None,
           min_p=None, seed=None, fast=True):  # fmt: skip
    """The new characters of ``generate``, yielded one by one; without end for length=None.

    A fast stream keeps the weights that the model had when it began. Between two characters
    the model is in the mode in which its owner left it. Raises ValueError where ``generate``
    does, before the first character.
    """
    settings = SamplingSettings(temperature, top_k, top_p, min_p)
    length = None if length is None else arguments.whole_number("length", length, 0)
    ids, rngs = _encode(vocab, prompt), _generators(seed, 1)
    read = partial(_read, model, len(vocab))
    folded = fast_writing.fold(model) if fast_writing and fast else None
    if folded:
        new = fast_writing.write(folded, read, [ids], rngs, settings)
    else:
        new = _write(*read(ids[None]), read, settings, *rngs)
    return (vocab.chars[i] for i in islice(new, length))


def _write(logits, state, read, settings, rng):
    """New ids without end, from the logits (1, V) and the state after a prompt."""
    while True:
        i = settings.draw(logits[0], rng.random())
        yield i
        logits, state = read([[i]], state)


def _read(model, vocab_size, ids, state=None):
    """Let the model read ids (B, T) -> logits (B, V) after the last of them, and its state."""
    with evaluating(model):
        logits, state = predict(model, ids, state)
    if logits.shape[-1] != vocab_size:
        sizes = f"the model knows {logits.shape[-1]} characters and the vocabulary has {vocab_size}"
        raise ValueError(f"{sizes}: they do not belong together")
    _largest(logits := logits[:, -1])  # refuses NaN
    return logits, state


# For each setting: what it must be, in words and as a test of a number, and its type.
ALLOWED = {
    "temperature": ("a finite number, 0 (greedy) or above", lambda t: 0 <= t < np.inf, float),
    "top_k": ("a whole number of at least 1", lambda k: k >= 1 and k % 1 == 0, int),
    "top_p": ("above 0 and at most 1", lambda p: 0 < p <= 1, float),
    "min_p": ("above 0 and at most 1", lambda p: 0 < p <= 1, float),
}


@dataclass(frozen=True)
class SamplingSettings:
    """From logits to the probabilities that a character is drawn from.

    temperature : divides the logits; 0 takes the largest (greedy), of equals the first
    top_k : keep the k most probable characters
    top_p : keep the fewest characters, most probable first, that together reach top_p of
        what top_k left (nucleus sampling: Holtzman et al. 2020)
    min_p : keep what is at least min_p times as probable as the most probable character
        (Nguyen et al. 2025)

    They act in that order; None switches one off. Of equally probable characters top_k and
    top_p keep those earlier in the vocabulary, even where their logits differ (by too little
    to change a probability). A logit of -inf is a character that is never drawn.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None

    def __post_init__(self):
        for name, (allowed, fits, kind) in ALLOWED.items():
            value = getattr(self, name)
            if value is None and name != "temperature":
                continue
            if not (arguments.is_number(value) and fits(value)):
                off = "" if name == "temperature" else ", or None to switch it off"
                error = ValueError(f"{name} must be {allowed}{off}, not {arguments.shown(value)}")
                error.name = name  # for the command line, which has options instead
                raise error
            object.__setattr__(self, name, kind(value))  # 4.0 becomes 4

    @property
    def cuts(self):
        """Whether any character can be left out."""
        return (self.top_k, self.top_p, self.min_p) != (None, None, None)

    def probabilities(self, logits):
        """Logits (V,) -> probabilities (V,), float64, summing to 1; of (B, V), row by row.

        Raises ValueError where the largest logit is not a finite number.
        """
        logits = np.asarray(logits, dtype=np.float64)
        largest = _largest(logits)
        if self.temperature == 0:
            return np.eye(logits.shape[-1])[logits.argmax(axis=-1)]
        with np.errstate(over="ignore"):  # divided by next to nothing: -inf, whose exp is 0
            p = np.exp((logits - largest) / self.temperature)
        p /= p.sum(axis=-1, keepdims=True)
        order = np.argsort(-p, axis=-1, kind="stable") if self.cuts else None  # the largest first
        if self.top_k is not None:
            np.put_along_axis(p, order[..., self.top_k :], 0, axis=-1)
            p /= p.sum(axis=-1, keepdims=True)
        if self.top_p is not None:
            falling = np.take_along_axis(p, order, axis=-1)
            before = np.cumsum(falling, axis=-1) - falling  # mass of the more probable ones
            np.put_along_axis(p, order, np.where(before >= self.top_p, 0, falling), axis=-1)
        if self.min_p is not None:
            p[p < self.min_p * p.max(axis=-1, keepdims=True)] = 0
        return p / p.sum(axis=-1, keepdims=True)

    def draw(self, logits, u):
        """Logits (V,), a number u in [0, 1) -> an id; (B, V), (B,) -> ids (B,)."""
        return pick(self.probabilities(logits), u)


def next_distribution(logits, temperature=1.0, top_k=None, top_p=None, min_p=None):
    """``SamplingSettings(temperature, top_k, top_p, min_p).probabilities(logits)``."""
    return SamplingSettings(temperature, top_k, top_p, min_p).probabilities(logits)


def pick(probabilities, u):
    """The index whose interval of the cumulative sum holds u, a number in [0, 1).

    Of (B, V), with u (B,): an index for each row. Raises ValueError for a sum of 0 or NaN.
    """
    cdf = np.add.accumulate(probabilities, axis=-1)
    if cdf.ndim == 1 and (i := int(cdf.searchsorted(u * cdf[-1], side="right"))) < len(cdf):
        return i
    above = cdf > (u * cdf[..., -1])[..., None]
    if not above[..., -1].all():  # NaN is above nothing
        raise ValueError(NO_GUESS)
    return above.argmax(axis=-1)


def _largest(logits):
    """The largest of logits (…, V) -> (…, 1); ValueError where it is not a finite number."""
    largest = logits.max(axis=-1, keepdims=True)  # NaN where one of them is NaN
    if not np.isfinite(largest).all():
        raise ValueError(NO_GUESS)
    return largest


def _encode(vocab, prompt):
    """The ids (T,) of a prompt, or a ValueError that says what is wrong with it."""
    if not isinstance(prompt, str):
        raise ValueError(f"a prompt must be a text, not {arguments.shown(prompt)}")
    if not prompt:
        needs = "the model continues a text and needs at least one character to start from"
        raise ValueError(rf"the prompt is empty: {needs}, for example '\n'")
    try:
        return vocab.encode(prompt)
    except ValueError as error:
        raise ValueError(f"the prompt cannot be read: {error}") from None


def _generators(seed, n):
    """A random number generator for each of n texts."""
    seed = np.random.SeedSequence().entropy if seed is None else arguments.seed(seed)
    return [np.random.default_rng([seed, i]) for i in range(n)]
