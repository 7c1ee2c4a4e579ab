"""Checks of the lesson *Attention*."""

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
            "the renormalised weights are all finite: "
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


@register("looks-back")
def looks_back(answer):
    """looks_back(T, k) -> queries (T, 2), keys (T, 2): position t looks at t - k."""
    for T, k in ((50, 1), (7, 3), (31, 12)):
        queries, keys = parts(call(answer, T, k), 2, "queries and keys")
        queries = as_array(queries, "the table of queries", (T, 2))
        keys = as_array(keys, "the table of keys", (T, 2))
        past = np.tril(np.ones((T, T))) > 0
        with np.errstate(invalid="ignore"):
            weights = masked(queries @ keys.T / np.sqrt(2), past)
        if not np.isfinite(weights).all():
            raise NotRight("some weights are infinite or not a number (NaN)")
        here = np.arange(k, T)
        if (weights[here, here - k] >= 0.9).all():
            continue
        if (weights.argmax(axis=1)[here] == here - k).all():
            raise NotRight(
                f"with T = {T} and k = {k} the right position has the largest weight, but less "
                "than 0.9: how long are the queries?"
            )
        ahead = here[here + k < T]
        if (masked(queries @ keys.T, past | True).argmax(axis=1)[ahead] == ahead + k).all():
            raise NotRight("the query is turned the wrong way: it fits the key k places ahead")
        if len({tuple(key) for key in keys.round(6)}) < T:
            raise NotRight(f"with T = {T} two positions have the same key")
        raise NotRight(f"with T = {T} and k = {k} some position looks elsewhere")
