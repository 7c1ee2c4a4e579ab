"""How a loss falls with text, weights and computing, and how surely: power laws and their doubt.

Sources: Hestness et al. (2017), Kaplan et al. (2020), Hoffmann et al. (2022).
"""

from __future__ import annotations

import numpy as np

FLOORS = np.linspace(0, 1.4, 141)  # nats, tried as what no amount of text removes


def power_law(x, losses):
    """Fit a straight line to the logarithms by least squares: L = a x^-b.

    x (n,), losses (..., n) -> a, b, each of shape (...)
    """
    logs = np.log(x)
    centred = logs - logs.mean()
    b = -(np.log(losses) @ centred) / (centred @ centred)
    return np.exp(np.log(losses).mean(axis=-1) + b * logs.mean()), b


def law_with_floor(x, losses):
    """Fit L = floor + a x^-b, with the floor of FLOORS that leaves the smallest squares.

    x (n,), losses (n,) -> floor, a, b
    """
    tried = [floor for floor in FLOORS if floor < min(losses)]
    fits = [(floor, *power_law(x, np.subtract(losses, floor))) for floor in tried]
    return min(fits, key=lambda fit: np.sum((predicted(x, *fit) - losses) ** 2))


def predicted(x, floor, a, b):
    """The loss at x by a law with a floor."""
    return floor + a * np.power(x, -b)


def pooled_spread(losses):
    """Losses of seeds, a list of (seeds,) -> their standard deviation, degrees of freedom.

    Whatever the number of seeds; those of a single one say nothing.
    """
    squares = sum(np.sum((np.array(seeds) - np.mean(seeds)) ** 2) for seeds in losses)
    df = sum(len(seeds) - 1 for seeds in losses)
    return float(np.sqrt(squares / df)), df


def redrawn(blocks, seeds, spread, count=2000, rng=0):
    """Mean losses as they could have been on other passages and with other seeds: (count, n).

    blocks : of each of n models the mean losses of its blocks, [model][play] arrays, the same
        blocks for all of them. They are drawn with replacement within plays.
    seeds : over how many seeds each model's losses are averaged, (n,)
    spread : standard deviation of a seed's loss and its degrees of freedom, from
        ``pooled_spread``; None for n-gram models, which have no seed
    """
    rng = np.random.default_rng(rng)
    plays = [np.stack([np.asarray(model[i]) for model in blocks]) for i in range(len(blocks[0]))]
    total = np.zeros((count, len(blocks)))
    for play in plays:  # (n, blocks of the play)
        number = play.shape[1]
        times = rng.multinomial(number, np.full(number, 1 / number), size=count)
        total += times @ play.T
    means = total / sum(play.shape[1] for play in plays)
    if spread is not None:
        deviation, df = spread
        # The deviation is itself an estimate: dividing by this makes the noise Student's.
        doubt = np.sqrt(rng.chisquare(df, size=(count, 1)) / df)
        means += rng.normal(size=means.shape) * deviation / np.sqrt(seeds) / doubt
    return means


def between(values):
    """The middle 95 per cent of some values: low, high."""
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
