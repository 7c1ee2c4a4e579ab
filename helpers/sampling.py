"""From a model and a prompt to text: temperature, greedy, top-k, top-p, min-p.

One uniform number from a NumPy generator is used for each character, by inverse CDF over
the kept characters in vocabulary order, so that a faster path can give the same text.
"""

from __future__ import annotations

import math

import numpy as np
from tqdm import tqdm

from .models import evaluating, predict


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
):
    """The prompt and ``length`` characters that ``model`` continues it with.

    The prompt is read once and primes the state; its last character is not read twice.
    A list of prompts gives a list of texts; text i draws its random numbers from
    ``numpy.random.default_rng([seed, i])``, so the first is what the prompt alone gives.
    ``temperature``, ``top_k``, ``top_p`` and ``min_p`` are those of ``next_distribution``.

    Raises ValueError for an empty prompt, an unknown character, a vocabulary of another
    size than the model's, and settings out of range.
    """
    check_settings(temperature, top_k, top_p, min_p)
    if isinstance(length, bool) or int(length) != length or length < 0:
        raise ValueError(f"length must be a whole number of characters, 0 or more, not {length!r}")
    prompts = [prompt] if isinstance(prompt, str) else list(prompt)
    encoded = [_encode_prompt(vocab, p) for p in prompts]
    seed = np.random.SeedSequence().entropy if seed is None else seed
    texts = []
    with evaluating(model):
        for i, ids in enumerate(encoded):
            rng = np.random.default_rng([seed, i])
            new = _continue(model, ids, length, len(vocab), rng, temperature, top_k, top_p, min_p)
            texts.append(prompts[i] + vocab.decode(new))
    return texts[0] if isinstance(prompt, str) else texts


def _continue(model, ids, length, vocab_size, rng, *settings):
    """``length`` new ids after the prompt's ids (T,)."""
    new = []
    state, unread = None, ids[None, :]  # (1, T): the prompt first, then one id at a time
    for _ in tqdm(range(length), delay=2, leave=False, unit="char"):
        logits, state = predict(model, unread, state)
        if logits.shape[-1] != vocab_size:
            raise ValueError(
                f"the model knows {logits.shape[-1]} characters and the vocabulary has "
                f"{vocab_size}: they do not belong together"
            )
        probabilities = next_distribution(logits[0, -1], *settings)
        new.append(pick(probabilities, rng.random()))
        unread = np.array([[new[-1]]])
    return new


def next_distribution(logits, temperature=1.0, top_k=None, top_p=None, min_p=None):
    """Logits (V,) -> probabilities (V,), float64, summing to 1.

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
        return np.eye(len(logits))[logits.argmax()]
    scaled = (logits - logits.max()) / temperature
    p = np.exp(scaled)
    p /= p.sum()
    order = np.argsort(-p, kind="stable")  # most probable first
    if top_k is not None:
        p[order[top_k:]] = 0
        p /= p.sum()
    if top_p is not None:
        before = np.cumsum(p[order]) - p[order]  # mass of the more probable ones
        p[order[before >= top_p]] = 0
    if min_p is not None:
        p[p < min_p * p.max()] = 0
    return p / p.sum()


def pick(probabilities, u):
    """The index whose stretch of the cumulative sum holds u, a number in [0, 1)."""
    cdf = np.cumsum(probabilities)
    return int(np.searchsorted(cdf, u * cdf[-1], side="right"))


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
