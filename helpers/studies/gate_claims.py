"""What is said of an LSTM's gates, tested: an effect, its interval, and what chance gives."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..gates import positions
from ..statistics import block_bootstrap
from ..support.arguments import whole_number


def shifted_sums(values, label):
    """Sums of values (T, U) weighted with label (T,), the label moved by 0, 1, … T - 1.

    Row s of the result (T, U) is ``np.roll(label, s) @ values``, the text being closed to a
    circle. A moved label keeps its lengths and gaps and has lost its connection with the
    text: such sums show what chance gives. All T at once, by the Fourier transform.
    """
    columns = np.ascontiguousarray(np.asarray(values, dtype=float).T)  # (U, T), faster so
    moved = np.conj(np.fft.rfft(np.asarray(label, dtype=float)))
    return np.fft.irfft(np.fft.rfft(columns) * moved, len(label)).T


class Effect(NamedTuple):
    """A gate at some characters minus the same gate at others, averaged over all units."""

    difference: float  # in gate units: 1 is the whole way from shut to open
    low: float  # 95 % interval over other stretches of text, by the block bootstrap
    high: float
    chance: float  # 95 % of the circular shifts of the masks give a smaller difference
    cohens_d: float  # the difference over the spread within the two groups of characters
    units: float  # share of the units whose own difference has the sign of the mean


def gate_effect(values, mask_a, mask_b, block=200, resamples=1000, seed=0):
    """How far a gate differs between two kinds of position -> ``Effect``.

    values (T, H), one gate of ``Gates``; mask_a, mask_b (T,), which characters to compare.
    The interval is that of ``block_bootstrap``. ``chance`` comes from moving both masks
    together around the text by every distance of at least ``block``. ``cohens_d`` divides by
    the pooled standard deviation of the characters' mean gates (Cohen 1988): an untrained
    network, whose gates hardly move, may have a large one. Raises ValueError where a mask
    has fewer than two characters, the masks overlap, or shapes do not fit.
    """
    values = np.asarray(values, dtype=float)
    a, b = np.asarray(mask_a, dtype=bool), np.asarray(mask_b, dtype=bool)
    if values.ndim != 2 or not len(values) == len(a) == len(b):
        raise ValueError(
            f"values (T, H) and two masks (T,) must belong to one text; they have the shapes "
            f"{values.shape}, {a.shape} and {b.shape}"
        )
    if (a & b).any() or min(a.sum(), b.sum()) < 2:
        raise ValueError(
            f"the masks must have at least two characters each and none in common; they have "
            f"{a.sum()} and {b.sum()}, and {(a & b).sum()} in common"
        )
    block = whole_number("block", block)
    gate = values.mean(axis=1)  # (T,)
    sums = gate * a, a.astype(float), gate * b, b.astype(float)

    def difference(at_a, is_a, at_b, is_b):
        return at_a.sum() / is_a.sum() - at_b.sum() / is_b.sum()

    estimate, low, high = block_bootstrap(
        difference, *sums, block=block, resamples=resamples, seed=seed
    )
    shifted = shifted_sums(gate[:, None], a / a.sum() - b / b.sum())[block : len(a) - block + 1]
    of_units = values[a].mean(axis=0) - values[b].mean(axis=0)  # (H,)
    return Effect(
        difference=estimate,
        low=low,
        high=high,
        chance=float(np.percentile(np.abs(shifted), 95)),
        cohens_d=estimate / _pooled_deviation(gate[a], gate[b]),
        units=float((np.sign(of_units) == np.sign(estimate)).mean()),
    )


def _pooled_deviation(first, second):
    """Standard deviation within two groups, (n,) and (m,)."""
    squares = sum(((group - group.mean()) ** 2).sum() for group in (first, second))
    return np.sqrt(squares / (len(first) + len(second) - 2))


def claim_masks(text):
    """What popular sentences say: {sentence: (gate, mask, mask)}, the first to be higher.

    "Forget gates stay high inside words and drop at boundaries, at sentence ends most";
    "input gates spike at word onsets", where an onset may be the first letter or the space
    before it; "output gates show newlines and colons", taken as: they open there. A boundary
    is a space, a line end or punctuation; a sentence end is one of . ! ? and has to lie below
    the line ends, the lowest of the other boundaries, to be the lowest of all.
    """
    at = positions(text)
    characters = np.array(list(text), dtype="U1")
    boundary = at["space"] | at["line end"] | at["punctuation"]
    sentence_end = np.isin(characters, list(".!?"))
    colon = characters == ":"
    return {
        "forget: inside words > boundaries": ("forget", at["inside a word"], boundary),
        "forget: line ends > sentence ends": ("forget", at["line end"], sentence_end),
        "input: first letters > inside words": ("input", at["first letter"], at["inside a word"]),
        "input: spaces > inside words": ("input", at["space"], at["inside a word"]),
        "output: newlines > the rest": ("output", at["line end"], ~at["line end"]),
        "output: colons > the rest": ("output", colon, ~colon),
    }


def gate_claims(gates, text, **settings):
    """The ``Effect`` behind each sentence of ``claim_masks``, for one network's ``Gates``.

    ``settings`` are those of ``gate_effect``.
    """
    return {
        claim: gate_effect(getattr(gates, gate), a, b, **settings)
        for claim, (gate, a, b) in claim_masks(text).items()
    }


def verdict(trained, untrained):
    """What the effects of some networks, and of the same before training, say of a claim.

    An effect counts where its whole interval lies beyond two thresholds: the circular shifts'
    ``chance``, and twice the size of the untrained network's difference. "holds": it
    counts in every network. "the opposite holds": it counts in every network with the other
    sign. "in some networks only" and "does not hold": it counts in some, or in none.
    """
    signs = []
    for effect, before in zip(trained, untrained, strict=True):
        threshold = max(effect.chance, 2 * abs(before.difference))
        signs.append((effect.low > threshold) - (effect.high < -threshold))
    if not signs:
        raise ValueError("a verdict needs the effects of at least one network")
    if min(signs) == 1:
        return "holds"
    if max(signs) == -1:
        return "the opposite holds"
    return "in some networks only" if max(signs) == 1 else "does not hold"


def half_lives(forget):
    """Characters until half of a cell's content is lost, by its forget gates: (T, H) -> (H,).

    What is left after n characters is the product of n gates, so the typical loss a
    character is the mean of ln f, and the half-life -ln 2 / mean(ln f). It leaves out that
    content also acts on h, and through h on all gates and candidates; and a mean of
    logarithms is dominated by the few gates that are nearly 0.
    """
    return -np.log(2) / np.log(np.asarray(forget, dtype=float)).mean(axis=0)
