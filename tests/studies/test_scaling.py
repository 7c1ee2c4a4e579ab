"""Power laws are recovered, and their intervals know of seeds as well as of text."""

import numpy as np
import pytest

from helpers.studies import scaling

SIZES = np.array([1e5, 3e5, 1e6, 3.8e6])


def test_a_power_law_is_recovered_from_its_losses():
    a, b = scaling.power_law(SIZES, np.stack([6 * SIZES**-0.1, 3 * SIZES**-0.05]))
    assert np.allclose(a, [6, 3])
    assert np.allclose(b, [0.1, 0.05])


def test_a_floor_is_recovered_where_there_is_one():
    floor, a, b = scaling.law_with_floor(SIZES, 0.8 + 40 * SIZES**-0.3)
    assert (floor, a, b) == pytest.approx((0.8, 40, 0.3))
    assert scaling.predicted(1e7, floor, a, b) == pytest.approx(0.8 + 40 * 1e7**-0.3)


def test_the_spread_of_seeds_is_pooled_over_models():
    deviation, df = scaling.pooled_spread([[1, 3], [10, 10, 13], [7]])
    assert (deviation, df) == (pytest.approx(np.sqrt((2 + 6) / 3)), 3)


def test_redrawn_losses_vary_as_blocks_and_seeds_do():
    play = np.random.default_rng(1).normal(2, 0.3, size=400)
    flat = [np.full(40, 2.0)]
    blocks = [[play], [play + 0.5]]
    drawn = scaling.redrawn(blocks, [1, 1], None)
    assert drawn.mean(axis=0) == pytest.approx([play.mean(), play.mean() + 0.5], abs=2e-3)
    assert drawn.std(axis=0) == pytest.approx([play.std() / 20] * 2, rel=0.1)
    assert np.ptp(drawn[:, 1] - drawn[:, 0]) < 1e-9  # the same passages for both
    noisy = scaling.redrawn([flat, flat], [1, 4], (0.1, 1000))
    assert noisy.std(axis=0) == pytest.approx([0.1, 0.05], rel=0.1)
    unsure = scaling.redrawn([flat], [1], (0.1, 2))
    assert np.ptp(scaling.between(unsure)) > 1.7 * np.ptp(scaling.between(noisy[:, 0]))


def experiment(rng, seeds=3, deviation=0.02):
    """Losses of a known power law, with seeds and blocks that differ: [size][seed][play]."""
    passages = [rng.normal(0, 0.1, size=80) for _ in range(2)]
    return [
        [[6 * N**-0.1 + rng.normal() * deviation + play for play in passages] for _ in range(seeds)]
        for N in SIZES
    ]


def covered(rng, knows_seeds):
    """Whether the interval of one experiment holds the exponent, 0.1."""
    by_seed = experiment(rng)
    losses = [[np.mean(plays) for plays in seeds] for seeds in by_seed]
    averaged = [np.mean(seeds, axis=0) for seeds in by_seed]
    spread = scaling.pooled_spread(losses) if knows_seeds else None
    drawn = scaling.redrawn(averaged, [3] * len(SIZES), spread, count=200, rng=rng)
    low, high = scaling.between(scaling.power_law(SIZES, drawn)[1])
    return low < 0.1 < high


def test_an_exponents_interval_holds_it_only_if_it_knows_of_seeds():
    rng = np.random.default_rng(3)
    share = {known: np.mean([covered(rng, known) for _ in range(60)]) for known in (True, False)}
    assert share[True] > 0.88
    assert share[False] < 0.6
