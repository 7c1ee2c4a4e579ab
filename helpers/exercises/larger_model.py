"""Checks of the chapter *More text, more weights*."""

import math

import numpy as np

from .answers import call, choice, compare, number, parts
from .inputs import normal
from .judging import register

AMOUNTS, LOSSES = (76_144, 152_289), (1.792, 1.700)  # order 6, the last two points of the figure


@register("next-doublings", wants="value")
def next_doublings(answer):
    """(loss of order 6 after 304,578 characters, after 1,003,854), by a ruler on the figure."""
    answer = parts(answer, 2, "two numbers")
    fall = LOSSES[0] - LOSSES[1]
    for given, amount in zip(answer, (304_578, 1_003_854), strict=True):
        doublings = math.log2(amount / AMOUNTS[1])
        slips = {
            "a doubling is a step to the right; this takes every character for one": (
                LOSSES[1] - fall * (amount - AMOUNTS[1]) / (AMOUNTS[1] - AMOUNTS[0])
            ),
            "the line is steeper at first: use its end": (
                LOSSES[1] - (2.313 - LOSSES[1]) / 5 * doublings
            ),
            "the next doubling lowers the loss as well": LOSSES[1],
            "how many doublings are there from the last point?": LOSSES[1] - fall,
        }
        right = LOSSES[1] - fall * doublings
        slips = {slip: wrong for slip, wrong in slips.items() if abs(wrong - right) > 0.03}
        number(given, right, slips, rtol=0.015, name=f"after {amount:,} characters")


@register("runs-needed")
def runs_needed(answer):
    """runs_needed(R, share) -> how many of R equally likely runs must be read."""
    for _ in range(3):
        R, share = (
            int(np.random.default_rng().integers(300, 3000)),
            np.random.default_rng().random(),
        )
        share = 0.2 + 0.3 * share if share < 0.5 else 0.9 + 0.1 * (share - 0.5)
        slips = {
            "it is the missing share that shrinks": math.log(share) / math.log(1 - 1 / R),
            "that would be so if no run came twice": R * share,
            "a natural logarithm": -R * math.log2(1 - share),
        }
        right = math.log(1 - share) / math.log(1 - 1 / R)
        compare(call(answer, R, share), right, "the number of runs", slips, rtol=5e-3)


@register("one-more-run")
def one_more_run(answer):
    """gain(p (R,), m) -> what one more run adds to the share that is known after m."""
    for m in (1, 7, 40):
        p = np.random.default_rng().dirichlet(np.ones(m % 5 + 6))
        missed = (1 - p) ** m
        slips = {
            "a frequent run counts twice: for being read and for occurring": (p * missed).sum(),
            "that is the share that is missing": missed.sum(),
            "that is the share that is known, not what is added": (p * (1 - missed)).sum(),
            "after m runs, not after m + 1": (p**2 * (1 - p) ** (m + 1)).sum(),
            "after m runs, not before": (p**2 * (1 - p) ** (m - 1)).sum(),
        }
        compare(call(answer, p, m), (p**2 * missed).sum(), "the gain", slips)


@register("mixture-loss")
def mixture_loss(answer):
    """mixture_loss(log_p (N,), log_q (N,), share) -> nats of share p + (1 - share) q."""
    for share in (0.15, 0.4, 0.8):
        log_p, log_q = -np.abs(normal(23, scale=2.0)), -np.abs(normal(23, scale=2.0))

        def of(a, b, share=share):
            return -np.log(share * np.exp(a) + (1 - share) * np.exp(b)).mean()

        slips = {
            "the share is the first model's": of(log_q, log_p),
            "mix probabilities, not losses": -(share * log_p + (1 - share) * log_q).mean(),
            "the mean of the logarithms, not the logarithm of the mean": (
                -np.log((share * np.exp(log_p) + (1 - share) * np.exp(log_q)).mean())
            ),
            "these are log-probabilities": of(np.log(-log_p), np.log(-log_q)),
            "the sum is not divided by the number of characters": 23 * of(log_p, log_q),
        }
        compare(call(answer, log_p, log_q, share), of(log_p, log_q), "the loss", slips)


@register("four-leaks", wants="value")
def four_leaks(answer):
    """What has gone wrong in each of four cases."""
    answer = parts(answer, 4, "four words")
    options = ("other units", "a peek", "overlap", "training loss")
    why = {
        "A": "what is the loss of the uniform distribution over 65 characters, in nats?",
        "B": "what can a model know while it is scored and not while it writes?",
        "C": "whose speeches does it recite?",
        "D": "has the model met these windows?",
    }
    for given, (case, reason), right in zip(answer, why.items(), options, strict=True):
        choice(given, right, options, dict.fromkeys(options, reason), name=case)


@register("stopped-at")
def patience(answer):
    """stopped(losses (n,), patience) -> evaluation that stops training, evaluation kept."""
    # The last one falls to the end, and one rises at once.
    turning = [5.0, 4, 3, 3.5, 2.9, 3.1, 3.0, 2.8, 3, 3.1, 3.2, 3.3, 2.0, 1.9]
    for losses in (turning, [1.0, 2, 3, 4, 5, 6], [6.0, 5, 4, 3, 2, 1]):
        losses = np.array(losses) + 0.001 * normal(len(losses))
        for limit in (1, 2, 4):
            right = halted(losses, limit)
            slips = {
                "nothing after the stop can be kept": (None, int(losses.argmin())),
                "the weights of the lowest loss are kept, not the last ones": (None, right[0]),
                "it stops one evaluation too late": (halted(losses, limit + 1)[0], None),
                "a single rise is not the end": (halted(losses, 1)[0], None),
                "compare with the lowest loss, not the last": (by_rises(losses, limit), None),
            }
            got = parts(call(answer, losses, limit), 2, "two places: where it stops, what is kept")
            names = "the evaluation at which it stops", "the evaluation that is kept"
            compare(got, right, names, slips, rtol=1e-9)


def halted(losses, limit):
    best = 0
    for k, loss in enumerate(losses):
        best = k if loss < losses[best] else best
        if k - best == limit:
            return k, best
    return len(losses) - 1, best


def by_rises(losses, limit):
    """The evaluation at which the loss has risen so many times in a row."""
    rises = 0
    for k in range(1, len(losses)):
        rises = rises + 1 if losses[k] > losses[k - 1] else 0
        if rises == limit:
            return k
    return len(losses) - 1
