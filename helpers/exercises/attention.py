"""Checks of the chapter *Attention*."""

import numpy as np
import torch

from .answers import NotRight, as_array, call, compare, number, parts
from .inputs import normal, random_sizes
from .judging import register


@register("three-positions", wants="value")
def three_positions(answer):
    """What three positions find by hand; the same with even weights; the last one, sharp."""
    answer = parts(answer, 3, "three numbers, three numbers and one")
    found_first, evenly, sharply = answer
    found_first = as_array(found_first, "the numbers for three positions", (3,))
    evenly = as_array(evenly, "the numbers for three positions", (3,))
    values = np.array([12.0, 0, 2])
    weights = np.array([[1, 0, 0], [1, 2, 0], [1, 2, 3]])
    unscaled, unmasked = weights**2, np.array([[1, 2, 3]] * 3)

    def found(table, t):
        return table[t] @ values / table[t].sum()

    for t, given in enumerate(found_first):
        slips = {
            "can it see a later position?": found(unmasked, t),
            "are the scores divided by the root of d?": found(unscaled, t),
            "the weights should sum to 1": weights[t] @ values,
            "that is the plain mean over the past; the scores differ": values[: t + 1].mean(),
            "divide by the root of d, not d": found(np.sqrt(weights), t),
        }
        slips = {name: wrong for name, wrong in slips.items() if abs(wrong - found(weights, t)) > 1}
        number(given, found(weights, t), slips, name=f"position {t + 1}")
    for t, given in enumerate(evenly):
        slips = {"can it see a later position?": values.mean(), "the weights sum to 1": 0}
        slips = {name: wrong for name, wrong in slips.items() if t < 2 or wrong == 0}
        name = f"queries times 0, position {t + 1}"
        number(given, values[: t + 1].mean(), slips, name=name)
    slips = {"which of the scores is the largest?": 12, "softmax picks the largest score here": 3}
    number(sharply, 2, slips, name="queries times 1,000")


def masked(scores, past):
    allowed = np.where(past, scores, -np.inf)
    weights = np.exp(allowed - allowed.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


@register("breaking-scores", wants="value")
def breaking_scores(answer):
    """Finite scores (3, 3) for which zeros after softmax, divided again, give NaN."""
    scores = torch.tensor(as_array(answer, "the scores", (3, 3)), dtype=torch.float32)
    if not scores.isfinite().all():
        raise NotRight("the scores should be finite")
    past = torch.ones(3, 3).tril()
    weights = scores.softmax(dim=-1) * past
    if (weights / weights.sum(dim=-1, keepdim=True)).isfinite().all():
        above = (scores - scores.masked_fill(past == 0, -torch.inf).amax(1, keepdim=True)).amax()
        raise NotRight(
            "the friend's weights are all finite: "
            + (
                "in which direction must future and past differ?"
                if above <= 0
                else "the future is not yet far enough above the past"
            )
        )


@register("masked-weights")
def masked_weights(answer):
    """masked_weights(scores (T, T)) -> weights (T, T), for any finite scores."""
    for large in (False, False, True):
        (T,) = random_sizes(1, low=3)
        scores, past = normal(T, T, scale=2.0), np.tril(np.ones((T, T))) > 0
        if large:
            scores = scores + 2000.0 * ~past - 1500.0 * (np.arange(T) % 2 == 0)[:, None]
        whole = masked(scores, past | True)
        slips = {
            "the future gets weight": whole,
            "the zeros come after softmax, and the rows no longer sum to 1": whole * past,
            "the mask lets one more position through": masked(scores, np.tril(past | True, 1)),
            "rows are queries, columns are keys: the mask is transposed": masked(scores, past.T),
        }
        got = as_array(call(answer, scores), "the weights")
        if large and got.shape == (T, T) and not np.isfinite(got).all():
            raise NotRight(
                "right for small scores, not finite for large ones: which maximum is subtracted?"
            )
        compare(got, masked(scores, past), "the table of weights", slips)


def rotated(x, sign=1.0, neighbours=False, first=0, exponent=2.0):
    T, d = x.shape
    at = slice(0, d, 2) if neighbours else slice(0, d // 2)
    beside = slice(1, d, 2) if neighbours else slice(d // 2, d)
    speed = 10_000.0 ** (-exponent * np.arange(d // 2) / d)
    angle = sign * (first + np.arange(T))[:, None] * speed
    new = np.empty_like(x)
    new[:, at] = x[:, at] * np.cos(angle) - x[:, beside] * np.sin(angle)
    new[:, beside] = x[:, at] * np.sin(angle) + x[:, beside] * np.cos(angle)
    return new


@register("turned", wants="value")
def turned(answer):
    """turned(x (T, d)) -> (T, d), by complex numbers; and the distance confused with 0."""
    answer = parts(answer, 2, "a function and a number")
    for T, half in ((5, 3), (4, 5), (9, 2)):
        x = normal(T, 2 * half)
        slips = {
            "rotated in the other direction": rotated(x, -1),
            "the pairs are (i, i + d/2), not neighbours": rotated(x, neighbours=True),
            "positions are counted from 0": rotated(x, first=1),
            "frequencies fall too slowly: is there a 2 in the exponent?": rotated(x, exponent=1.0),
            "nothing is rotated": x,
        }
        compare(call(answer[0], x), rotated(x), "the result", slips)
    slips = {
        "that is one turn, and whole characters fit it badly; go on": 6,
        "can a whole number of turns be nearer to a whole number?": 19,
        "and nearer still?": 25,
    }
    number(answer[1], 44, slips, rtol=1e-9, name="the distance")


@register("cache-cost", wants="value")
def cache_cost(answer):
    """Context of a cache as large as the LSTM's state; multiplications; where attention leads."""
    answer = parts(answer, 4, "four numbers")
    E, C = 60, 50
    slips = {
        "keys and values, in each of two layers": 5,
        "one position is the new one itself, and is not carried": 1,
    }
    number(answer[0], 2, slips, rtol=1e-9, name="the context")
    slips = {
        "that is queries, keys and values alone": 3 * E**2,
        "that is without the feed-forward layer": 4 * E**2,
        "that is the feed-forward layer alone": 8 * E**2,
        "that is two layers": 24 * E**2,
        "earlier positions are in the cache and cost nothing here": 12 * E**2 * C,
    }
    number(answer[1], 12 * E**2, slips, rtol=1e-9, name="in the matrices")
    slips = {
        "scores and the average of the values, both": C * E,
        "one new character has one row of the table": 2 * C * C * E,
        "that is two layers": 4 * C * E,
    }
    number(answer[2], 2 * C * E, slips, rtol=1e-9, name="in attention")
    slips = {
        "that counts scores or values, not both": 12 * E,
        "compare 2 C E with all matrices": 4 * E,
    }
    number(answer[3], 6 * E, slips, rtol=1e-2, name="from which context on")


@register("shuffled-beyond")
def shuffled_beyond(answer):
    """shuffled_beyond(windows (n, T), k, rng) -> (n, T): all but the last k of a row shuffled."""
    windows = np.arange(40 * 30).reshape(40, 30)  # all ids differ
    for k in (1, 4, 9):
        got = call(answer, windows, k, np.random.default_rng())
        got = as_array(got, "the result", windows.shape)
        far, near = got[:, : 30 - k], got[:, 30 - k :]
        if (near != windows[:, 30 - k :]).any():
            if (got[:, :k] == windows[:, :k]).all():
                raise NotRight("the first k stay, and it should be the last")
            if (got[:, 31 - k :] == windows[:, 31 - k :]).all():
                raise NotRight("one character too few stays where it is")
            raise NotRight("the last k characters do not stay as they are")
        if (np.sort(far, axis=1) != windows[:, : 30 - k]).any():
            if len(np.unique(got)) < windows.size:
                raise NotRight(
                    "drawn with replacement: each character should occur as often as before"
                )
            raise NotRight("characters move from one row to another")
        moved = far != windows[:, : 30 - k]
        if not moved.any():
            raise NotRight("nothing is shuffled")
        if (np.ptp(far - windows[:, :1], axis=0) == 0).all():
            raise NotRight("all rows are shuffled alike: each should have its own order")
        if not moved[:, -1].any():
            raise NotRight("one character too many stays where it is")


@register("attention-places", wants="value")
def attention_places(answer):
    """Parameters that a learned vector for each of 50 places adds, at E = 60."""
    slips = {
        "a place has a vector, and not one number": 50,
        "that is one place": 60,
        "they are added to the embedding once, and not in each layer": 6000,
    }
    number(answer, 3000, slips, rtol=1e-9, name="the number of parameters")
