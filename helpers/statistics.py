"""Intervals for a number that was measured on one text: the block bootstrap. NumPy alone."""

from __future__ import annotations

import math

import numpy as np

from .support import arguments
from .support.arguments import whole_number


def block_bootstrap(statistic, *series, block=200, resamples=1000, seed=0):
    """A statistic of a text with its 95 % interval: ``(estimate, low, high)``, floats.

    statistic : called with arrays like ``series``, returns one number
    series : one or more arrays (N,), or (N, ...), with one entry for each of the same N
        characters: the losses of two models, say, or a gate and a mask. All of them are cut
        at the same places, so what belongs to one character stays together (paired).
    block : characters in a block. It should be longer than the autocorrelation reaches, and
        N many times longer than it. block=1 is the ordinary bootstrap, which takes the
        characters for independent; on text its intervals are too narrow.
    resamples : texts drawn, 40 or more
    seed : the same seed draws the same texts

    Each resample is made of blocks that start anywhere, drawn with replacement and put one
    after the other until there are N characters. The blocks overlap, as Künsch (1989) has it,
    and run on from the end of the text to its beginning, as Politis and Romano (1992) have
    it, so that every character is drawn equally often. low and high are the 2.5th and 97.5th
    percentile of the statistic over the resamples. The interval says what another stretch of
    the same kind of text might give; it does not cover other networks.

    Raises ValueError for series of unequal length, a block that does not fit twice into the
    text, too few resamples, or a statistic that is no finite number on some resample (a mean
    over a label so rare that a resample may have none of it).
    """
    series = [np.asarray(values) for values in series]
    if not series or any(values.ndim == 0 for values in series):
        raise ValueError("there must be at least one series, an array with an entry a character")
    n = len(series[0])
    if any(len(values) != n for values in series):
        raise ValueError(
            "the series must have one length, an entry for each character; they have "
            f"{', '.join(str(len(values)) for values in series)}"
        )
    block = whole_number(f"block, at most half of the {n} characters,", block, 1, n // 2)
    # Fewer say nothing about the outermost twentieth.
    drawn = np.empty(whole_number("resamples", resamples, 40))
    rng = np.random.default_rng(arguments.seed(seed))
    blocks = [_blocks_by_start(values, block) for values in series]
    for k in range(len(drawn)):
        starts = rng.integers(n, size=math.ceil(n / block))  # the same for all series
        texts = (b[starts].reshape(-1, *b.shape[2:])[:n] for b in blocks)  # the last is cut
        # A resample without the label divides 0 by 0; what that means is said below.
        with np.errstate(invalid="ignore", divide="ignore"):
            drawn[k] = statistic(*texts)
    estimate = float(statistic(*series))
    broken = int((~np.isfinite(drawn)).sum())
    if broken or not math.isfinite(estimate):
        raise ValueError(
            f"the statistic is no finite number on {broken} of {len(drawn)} resamples"
            f"{'' if math.isfinite(estimate) else ', nor on the text itself'}. A label that is "
            "rare needs a longer text or a shorter block."
        )
    low, high = np.percentile(drawn, [2.5, 97.5])
    return estimate, float(low), float(high)


def _blocks_by_start(values, block):
    """The block that starts at each character of a circle: (N, ...) -> a view (N, block, ...)."""
    circle = np.concatenate([values, values[: block - 1]])
    return np.moveaxis(np.lib.stride_tricks.sliding_window_view(circle, block, axis=0), -1, 1)
