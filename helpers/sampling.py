"""From a model and a prompt to text: temperature, greedy, top-k, top-p, min-p.

One uniform number from a NumPy generator is used for each character, by inverse CDF over
the kept characters in vocabulary order, so that a faster path can give the same text.
"""

from __future__ import annotations

import math
from itertools import islice

import numpy as np
from tqdm import tqdm

from .fast.folded import fold
from .models import evaluating, predict

TOGETHER = 64  # texts written side by side; more are written after them
READ_AT_ONCE = 2**16  # characters of prompts that the model reads in one call
NO_GUESS = (
    "the model's guess is not a number (nan): look at its weights and at the losses of its training"
)
SAFE = 600  # exp of a number this far from 0, or a sum of such, does not leave float64's range
BLOCK = 256  # random numbers drawn at once, for each text


def generate(
    model,
    vocab,
    prompt,
    length=200,
    temperature=1.0,
    top_k=None,
    top_p=None,
    min_p=None,
    seed=None,
    fast=True,
):
    """The prompt and ``length`` characters that ``model`` continues it with.

    The prompt is read once and primes the state; its last character is not read twice.
    A list of prompts gives a list of texts, written side by side; text i draws its random
    numbers from ``numpy.random.default_rng([seed, i])``, so the first is what the prompt
    alone gives. ``temperature``, ``top_k``, ``top_p`` and ``min_p`` are those of
    ``next_distribution``.

    A model that ``helpers.fast.folded`` knows reads the prompts itself and is then copied, with
    the weights that it has now, into NumPy on the CPU, wherever it lives. ``fast=False``
    calls the model for each character instead, as is done with every other model: the same
    text, but for rounding (a draw that falls within 1e-6 of the line between two characters).

    Raises ValueError for an empty prompt, an unknown character, a vocabulary of another
    size than the model's, and settings out of range.
    """
    check_settings(temperature, top_k, top_p, min_p)
    length = _whole_number(length)
    prompts = [prompt] if isinstance(prompt, str) else list(prompt)
    encoded = [_encode_prompt(vocab, p) for p in prompts]
    rngs = _generators(seed, len(prompts))
    machine = fold(model) if fast and length else None
    together = 1 if machine is None else TOGETHER
    texts = []
    with evaluating(model):
        for first in range(0, len(prompts), together):
            some = slice(first, first + together)
            ids = _continue(
                model, machine, encoded[some], vocab, rngs[some], temperature, top_k, top_p, min_p
            )
            new = [*tqdm(islice(ids, length), total=length, delay=2, leave=False, unit="char")]
            columns = np.reshape(new, (length, -1)).T if length else [[]] * len(encoded[some])
            texts += [p + vocab.decode(c) for p, c in zip(prompts[some], columns, strict=True)]
    return texts[0] if isinstance(prompt, str) else texts


def stream(
    model,
    vocab,
    prompt,
    length=None,
    temperature=1.0,
    top_k=None,
    top_p=None,
    min_p=None,
    seed=None,
    fast=True,
):
    """The new characters of ``generate``, one by one as they come; without end for None.

    They are those of ``generate(model, vocab, prompt, length, …)`` after the prompt. A fast
    stream goes on with the weights that the model had when it began. Between two characters
    the model is as its owner left it: no mode is changed.

    Raises ValueError at once, before the first character, where ``generate`` does.
    """
    check_settings(temperature, top_k, top_p, min_p)
    length = None if length is None else _whole_number(length)
    ids = _encode_prompt(vocab, prompt)
    machine = fold(model) if fast else None
    rngs = _generators(seed, 1)
    new = _continue(model, machine, [ids], vocab, rngs, temperature, top_k, top_p, min_p)
    return (vocab.chars[i] for i in islice(new, length))


def _generators(seed, n):
    """A random number generator for each of n texts."""
    seed = np.random.SeedSequence().entropy if seed is None else seed
    return [np.random.default_rng([seed, i]) for i in range(n)]


def _continue(model, machine, encoded, vocab, rngs, *settings):
    """New ids without end after prompts (T_i,), several with a machine: each (B,), or one int."""
    logits, groups = _read_prompts(model, encoded, len(vocab))
    step = machine.start(len(encoded), groups) if machine else _calling(model, groups[0][1])
    return _write(step, logits if len(encoded) > 1 else logits[0], rngs, settings)


def _read_prompts(model, encoded, vocab_size):
    """Logits (B, V) after each prompt; and pairs (rows, state), a group for each length."""
    lengths = np.array([len(ids) for ids in encoded])
    logits, groups = np.empty((len(encoded), vocab_size)), []
    for length in np.unique(lengths):
        same = np.flatnonzero(lengths == length)
        at_once = max(1, READ_AT_ONCE // length)
        for rows in (same[i : i + at_once] for i in range(0, len(same), at_once)):
            with evaluating(model):
                guesses, state = predict(model, np.stack([encoded[row] for row in rows]))
            if guesses.shape[-1] != vocab_size:
                raise ValueError(
                    f"the model knows {guesses.shape[-1]} characters and the vocabulary has "
                    f"{vocab_size}: they do not belong together"
                )
            if not np.isfinite(guesses[:, -1].max(axis=1)).all():
                raise ValueError(NO_GUESS)
            logits[rows] = guesses[:, -1]
            groups.append((rows, state))
    return logits, groups


def _calling(model, state):
    """A step as a machine's, for one text, that calls the model for each character."""

    def step(i):
        nonlocal state
        with evaluating(model):
            logits, state = predict(model, [[i]], state)
        return logits[0, 0]

    return step


def _write(step, logits, rngs, settings):
    """Ids without end: one for logits (V,), an array (B,) for logits (B, V)."""
    draw = _drawing(logits.shape, *settings)
    while True:
        # As many calls for one number each would give the same ones.
        uniforms = np.stack([rng.random(BLOCK) for rng in rngs], axis=1)  # (BLOCK, B)
        for u in uniforms if logits.ndim == 2 else uniforms[:, 0].tolist():
            ids = draw(logits, u)
            yield ids
            logits = step(ids)


def _drawing(shape, temperature, top_k, top_p, min_p):
    """A function: logits of that shape, numbers u in [0, 1) -> what ``pick`` takes of them.

    Where nothing is cut off, the probabilities need not be made to sum to 1.
    """
    if temperature == 0:
        return lambda logits, u: logits.argmax(axis=-1)
    if (top_k, top_p, min_p) != (None, None, None):
        return lambda logits, u: pick(
            next_distribution(logits, temperature, top_k, top_p, min_p), u
        )
    weights = np.empty(shape)
    flat = weights.reshape(-1)

    def draw(logits, u):
        weights[...] = logits
        if temperature != 1:
            np.divide(weights, temperature, out=weights)
        # argmax finds the largest of a few numbers sooner than max does.
        if flat[flat.argmax()] > SAFE or flat[flat.argmin()] < -SAFE:
            np.subtract(weights, weights.max(axis=-1, keepdims=True), out=weights)
        return pick(np.exp(weights, out=weights), u)

    return draw


def next_distribution(logits, temperature=1.0, top_k=None, top_p=None, min_p=None):
    """Logits (V,) -> probabilities (V,), float64, summing to 1; of (B, V), row by row.

    temperature divides the logits; 0 puts everything on the largest (greedy)
    top_k keeps the k most probable characters (of equals, those earlier in the vocabulary)
    top_p keeps the fewest characters, most probable first, that together reach top_p of
        what top_k left (nucleus sampling: Holtzman et al. 2020)
    min_p keeps what is at least min_p times as probable as the most probable character
        (Nguyen et al. 2024)

    They act in that order; None switches one off.
    """
    check_settings(temperature, top_k, top_p, min_p)
    logits = np.asarray(logits, dtype=np.float64)
    if temperature == 0:
        return np.eye(logits.shape[-1])[logits.argmax(axis=-1)]
    scaled = (logits - logits.max(axis=-1, keepdims=True)) / temperature
    p = np.exp(scaled)
    p /= p.sum(axis=-1, keepdims=True)
    if top_k is not None or top_p is not None:
        order = np.argsort(-p, axis=-1, kind="stable")  # most probable first
    if top_k is not None:
        np.put_along_axis(p, order[..., int(top_k) :], 0, axis=-1)
        p /= p.sum(axis=-1, keepdims=True)
    if top_p is not None:
        falling = np.take_along_axis(p, order, axis=-1)
        before = np.cumsum(falling, axis=-1) - falling  # mass of the more probable ones
        np.put_along_axis(p, order, np.where(before >= top_p, 0, falling), axis=-1)
    if min_p is not None:
        p[p < min_p * p.max(axis=-1, keepdims=True)] = 0
    return p / p.sum(axis=-1, keepdims=True)


def pick(probabilities, u):
    """The index whose stretch of the cumulative sum holds u, a number in [0, 1).

    The probabilities (V,) need not sum to 1. Of (B, V), with u (B,): an index for each row.
    Raises ValueError where they are no numbers.
    """
    cdf = np.add.accumulate(probabilities, axis=-1)
    if cdf.ndim == 1:
        i = int(cdf.searchsorted(u * cdf[-1], side="right"))
        if i == len(cdf):  # NaN is greater than all
            raise ValueError(NO_GUESS)
        return i
    if np.isnan(cdf[:, -1]).any():
        raise ValueError(NO_GUESS)
    return (cdf <= (u * cdf[:, -1])[:, None]).sum(axis=1)


def check_settings(temperature=1.0, top_k=None, top_p=None, min_p=None):
    """Raise ValueError, naming what would be right, for a setting out of range."""
    if not (_is_number(temperature) and math.isfinite(temperature) and temperature >= 0):
        raise ValueError(
            f"temperature must be a finite number, 0 (greedy) or above, not {temperature!r}"
        )
    if top_k is not None and not (_is_number(top_k) and int(top_k) == top_k and top_k >= 1):
        raise ValueError(
            f"top_k must be a whole number of at least 1, or None to switch it off, not {top_k!r}"
        )
    for name, value in {"top_p": top_p, "min_p": min_p}.items():
        if value is not None and not (_is_number(value) and 0 < value <= 1):
            raise ValueError(
                f"{name} must be above 0 and at most 1, or None to switch it off, not {value!r}"
            )


def _whole_number(length):
    if isinstance(length, bool) or int(length) != length or length < 0:
        raise ValueError(f"length must be a whole number of characters, 0 or more, not {length!r}")
    return int(length)


def _is_number(value):
    is_real = isinstance(value, int | float | np.integer | np.floating)
    return is_real and not isinstance(value, bool) and not math.isnan(value)


def _encode_prompt(vocab, prompt):
    if not prompt:
        raise ValueError(
            "the prompt is empty: the model continues a text and needs at least one character "
            r"to start from, for example '\n'"
        )
    try:
        return vocab.encode(prompt)
    except ValueError as error:
        raise ValueError(f"the prompt cannot be read: {error}") from None
