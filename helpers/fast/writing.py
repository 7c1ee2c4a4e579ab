"""What ``helpers.sampling`` writes, sooner: by a folded model, and many texts side by side.

One text and 64 texts cost nearly the same, since a step's time goes into calling and not
into arithmetic. The arguments come from ``helpers.sampling``: ``read`` (ids (B, T) -> logits
(B, V) after the last of them, and the model's state), a random generator for each text, and
a ``SamplingSettings``.
"""

from __future__ import annotations

import math
import sys
from itertools import islice

import numpy as np

from ..support.progress import progress_bar
from .folded import fold

__all__ = ["continue_texts", "fold", "write"]

TOGETHER = 64  # texts written side by side; more are written after them
READ_AT_ONCE = 2**16  # characters of prompts that the model reads in one call
BLOCK = 256  # random numbers drawn at once, for each text
SAFE = 600  # exp of a number this far from 0, or a sum of such, stays within float64's range


def continue_texts(folded, read, prompts, rngs, settings, length):
    """``length`` new ids after each of the prompts (T_i,): a list of arrays (length,)."""
    texts = []
    for first in range(0, len(prompts), TOGETHER):
        group = slice(first, first + TOGETHER)
        ids = write(folded, read, prompts[group], rngs[group], settings)
        new = [*progress_bar(islice(ids, length), total=length, unit="char")]
        texts += [*np.reshape(new, (length, -1)).T]
    return texts


def write(folded, read, prompts, rngs, settings):
    """New ids without end after prompts (T_i,): one int for a single prompt, else (B,)."""
    logits, groups = _read_prompts(read, prompts)
    step = folded.start(len(prompts), groups)
    return _continuation(step, logits if len(prompts) > 1 else logits[0], rngs, settings, folded)


def _read_prompts(read, prompts):
    """Logits (B, V) after each prompt; and pairs (rows, state), in each prompts of one length."""
    lengths = np.array([len(ids) for ids in prompts])
    logits, groups = [None] * len(prompts), []
    for length in np.unique(lengths):
        same = np.flatnonzero(lengths == length)
        at_once = max(1, READ_AT_ONCE // length)
        for rows in (same[i : i + at_once] for i in range(0, len(same), at_once)):
            last, state = read(np.stack([prompts[row] for row in rows]))
            groups.append((rows, state))
            for row, row_logits in zip(rows, last, strict=True):
                logits[row] = row_logits
    return np.stack(logits), groups


def _continuation(step, logits, rngs, settings, folded):
    """Ids without end: an int for logits (V,), an array (B,) for logits (B, V)."""
    draw = _drawing(logits.shape, settings)
    later, earlier = folded.repeated
    while True:
        # As many calls for one number each would give the same ones.
        uniforms = np.stack([rng.random(BLOCK) for rng in rngs], axis=1)  # (BLOCK, B)
        for u in uniforms if logits.ndim == 2 else uniforms[:, 0].tolist():
            if later:  # equal by definition, but BLAS may add in another order for each
                logits[..., later] = logits[..., earlier]
            ids = draw(logits, u)
            yield ids
            logits = step(ids)


def _drawing(shape, settings):
    """A function: logits of that shape, u in [0, 1) -> ``pick(settings.probabilities(…), u)``.

    Without cuts the probabilities need not sum to 1, so that one pass of exp suffices.
    """
    if settings.temperature == 0:

        def greedy(logits, u):
            ids = logits.argmax(axis=-1)  # NaN counts as the largest
            if logits.ndim == 1:
                finite = math.isfinite(logits[ids])
            else:
                finite = np.isfinite(logits.max(axis=-1)).all()
            return ids if finite else settings.draw(logits, u)  # which raises

        return greedy
    if settings.cuts:
        return settings.draw
    temperature = settings.temperature
    limit = min(SAFE * temperature, sys.float_info.max)
    weights = np.empty(shape)
    flat = weights.reshape(-1)

    def draw(logits, u):
        weights[...] = logits
        # argmax finds the largest of a few numbers sooner than max does. NaN is not <= limit.
        if not (flat[flat.argmax()] <= limit and flat[flat.argmin()] >= -limit):
            return settings.draw(logits, u)
        if temperature != 1:
            np.divide(weights, temperature, out=weights)
        np.exp(weights, out=weights)
        cdf = np.add.accumulate(weights, axis=-1)
        if cdf.ndim == 1:
            return int(cdf.searchsorted(u * cdf[-1], side="right"))
        return (cdf <= (u * cdf[:, -1])[:, None]).sum(axis=1)

    return draw
