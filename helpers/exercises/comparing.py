"""Checks of the chapter *Comparing architectures*."""

import numpy as np

from helpers.results import stored_run

from .answers import call, choice, compare, number, parts
from .inputs import normal, random_sizes
from .judging import register

CELLS = ("rnn", "lstm", "gru", "transformer")


def mean_loss(result, cell):
    """Mean held-out loss over the seeds of a stored result's reference runs, (epochs,)."""
    runs = [
        run["val_loss"]
        for run in result["runs"]
        if run["cell"] == cell and run.get("condition", "reference") == "reference"
    ]
    return np.mean(runs, axis=0)


@register("comparing-stopping", wants="value")
def comparing_stopping(answer):
    """Who gains most when the epoch is chosen, how many gain nothing, how many reach counting."""
    answer = parts(answer, 3, "a word and two numbers")
    curves, choosing = stored_run("curves"), stored_run("choosing")
    gain = {}
    for cell in CELLS:
        losses, epoch = mean_loss(curves, cell), mean_loss(choosing, cell).argmin()
        gain[cell] = losses[-1] - losses[epoch]
    best = max(gain, key=gain.get)
    why = {cell: "does its curve rise most steeply at the end?" for cell in CELLS}
    choice(answer[0], best, CELLS, why, "who gains most")
    number(answer[1], sum(g == 0 for g in gain.values()), name="how many gain nothing")
    number(answer[2], 0, name="how many reach the n-gram")


@register("comparing-seeds", wants="value")
def comparing_seeds(answer):
    """At least four of five, either way; the fewest seeds for one in a thousand."""
    answer = parts(answer, 2, "two numbers")
    slips = {
        "that is for one side; they may agree whichever way": 6 / 32,
        "that is for four and not five; all five agree as well": 10 / 32,
        "that is for exactly four on one side": 5 / 32,
        "that is for all five": 2 / 32,
    }
    number(answer[0], 12 / 32, slips, name="at least four of five")
    one_side = {"that is enough for one side; they may agree whichever way": 10}
    number(answer[1], 11, one_side, rtol=1e-9, name="the number of seeds")


@register("block-bootstrap")
def block_bootstrap(answer):
    """drawn_differences(a (N,), b (N,), starts (R, K), block) -> mean of a - b on each (R,)."""
    for _ in range(3):
        R, K, block = random_sizes(3)
        N = 3 * block + 5
        a, b = normal(N), normal(N)
        starts = np.random.default_rng().integers(N, size=(R, K))
        starts[0, 0] = N - 1  # at least one block runs over the end
        places = starts[:, :, None] + np.arange(block)
        d = a - b
        padded = np.concatenate([d, np.zeros(block)])
        slips = {
            "a block that runs over the end goes on at the start": d[
                np.minimum(places, N - 1)
            ].mean(axis=(1, 2)),
            "what happens to a block that runs over the end?": padded[places].mean(axis=(1, 2)),
            "that is the first character of each block alone": d[starts].mean(axis=1),
            "are both models read at the same places?": a[places % N].mean(axis=(1, 2)) - b.mean(),
        }
        got = call(answer, a, b, starts, block)
        compare(got, d[places % N].mean(axis=(1, 2)), "the differences", slips)


@register("repeated")
def repeated(answer):
    """repeated(text, n) -> share of the stretches of n characters that stood earlier."""
    rng = np.random.default_rng()
    for _ in range(4):
        n = int(rng.integers(2, 5))
        text = "".join(rng.choice(list("abc"), size=60)) + "abcabcabc"
        pieces = [text[i : i + n] for i in range(len(text) - n + 1)]
        earlier = [text.find(piece) < i for i, piece in enumerate(pieces)]
        apart = [piece in text[:i] for i, piece in enumerate(pieces)]
        slips = {
            "the first of several does not count": np.mean(
                [pieces.count(piece) > 1 for piece in pieces]
            ),
            "that is the share that is new": 1 - np.mean(earlier),
            "how many stretches has a text, near its end?": sum(earlier) / len(text),
            "an earlier one may overlap with it": np.mean(apart),
        }
        got = call(answer, text, n)
        number(got, np.mean(earlier), slips, name="the share")


@register("reported-loss")
def reported_loss(answer):
    """reported_and_honest(val (S, E), chosen (E,)) -> lowest of val, mean at the best of chosen."""
    for _ in range(3):
        S, E = random_sizes(2, low=3, high=12)
        val, chosen = 2 + normal(S, E, scale=0.1), 2 + normal(E, scale=0.1)
        best, own = int(chosen.argmin()), int(val.mean(axis=0).argmin())
        if own == best or val.argmin() % E == best:
            chosen = np.roll(chosen, 1)
            best = int(chosen.argmin())
        slips = {
            "the epoch is to be chosen by the other text": (None, val.mean(axis=0).min()),
            "the mean of the seeds is asked for": (val.mean(axis=0).min(), val[:, best].min()),
            "that is the loss on the other text": (None, chosen.min()),
        }
        got = call(answer, val, chosen)
        compare(got, (val.min(), val[:, best].mean()), ("the reported", "the honest loss"), slips)


@register("paired-lead")
def paired_lead(answer):
    """paired_lead(one (S, E), other (S, E)) -> mean of other - one (E,), seeds where above 0."""
    for _ in range(3):
        S, E = random_sizes(2, low=4, high=12)
        one, other = 2 + normal(S, E, scale=0.1), 2 + normal(S, E, scale=0.1)
        mean, seeds = (other - one).mean(axis=0), (one < other).sum(axis=0)
        slips = {
            "a lead is positive where the first network is lower": (-mean, None),
            "lower is better: these are the seeds in which it is behind": (None, S - seeds),
            "that is the share of the seeds": (None, seeds / S),
            "seed s is paired with seed s": (None, (one.mean(axis=0) < other).sum(axis=0)),
        }
        names = ("the mean lead", "the number of seeds")
        compare(call(answer, one, other), (mean, seeds.astype(float)), names, slips)
