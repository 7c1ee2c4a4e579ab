import time

import numpy as np
import pytest

from helpers.statistics import block_bootstrap
from tests.faults import planted


def autoregressive(n, phi, seed):
    """x_t = phi x_(t-1) + noise, mean 0: neighbours are alike, as on a page of text."""
    x = np.random.default_rng(seed).normal(size=n)
    x[0] /= np.sqrt(1 - phi**2)
    for t in range(1, n):
        x[t] += phi * x[t - 1]
    return x


def width(interval):
    return interval[2] - interval[1]


@pytest.mark.slow
def test_intervals_cover_the_truth_where_an_ordinary_bootstrap_is_too_narrow():
    covered = {1: 0, 60: 0}
    runs = 150
    for seed in range(runs):
        x = autoregressive(1500, 0.8, seed)
        for block in covered:
            _, low, high = block_bootstrap(np.mean, x, block=block, resamples=200, seed=seed)
            covered[block] += low <= 0 <= high
    # Of independent draws: 2 Phi(1.96 / 3) - 1 = 0.49, as the mean's error is 3 times theirs.
    assert 0.86 < covered[60] / runs <= 1
    assert covered[1] / runs < 0.65


def test_width_is_the_one_that_theory_gives():
    """Of the mean of an AR(1) process: 2 x 1.96 / ((1 - phi) sqrt(N))."""
    n, phi = 60_000, 0.5
    interval = block_bootstrap(np.mean, autoregressive(n, phi, 0), block=200)
    assert width(interval) == pytest.approx(2 * 1.96 / ((1 - phi) * np.sqrt(n)), rel=0.1)
    independent = np.random.default_rng(1).normal(size=n)
    for block in (1, 50):
        assert width(block_bootstrap(np.mean, independent, block=block)) == pytest.approx(
            2 * 1.96 / np.sqrt(n), rel=0.1
        )


def test_series_are_cut_at_the_same_places():
    x = np.arange(23.0)

    def pairs(a, b):
        np.testing.assert_array_equal(2 * a, b[:, 0])
        assert len(a) == len(b) == 23
        steps = np.diff(a)  # blocks of 5, the last one of 3, that run on from the end
        assert set(np.delete(steps, [4, 9, 14, 19])) <= {1.0, -22.0}
        return a.mean()

    assert block_bootstrap(pairs, x, np.stack([2 * x, x], 1), block=5, resamples=40)[0] == 11


def test_a_paired_difference_is_known_better_than_either_part():
    x = autoregressive(3000, 0.8, 0)
    y = x + 0.1 + 0.1 * np.random.default_rng(1).normal(size=3000)
    paired = block_bootstrap(lambda a, b: (b - a).mean(), x, y)
    apart = block_bootstrap(np.mean, y), block_bootstrap(np.mean, x, seed=1)
    assert paired[1] < 0.1 < paired[2]
    assert paired[0] == pytest.approx(apart[0][0] - apart[1][0])
    assert 10 * width(paired) < np.hypot(*map(width, apart))


def test_every_character_is_drawn_equally_often():
    """The ends of the text too: without the circle, the first would come a tenth as often."""
    counts = np.zeros(40)

    def count(positions):
        np.add.at(counts, positions, 1)
        return 0.0

    block_bootstrap(count, np.arange(40), block=10, resamples=4000)
    assert counts.sum() == 40 * 4001
    np.testing.assert_allclose(counts / 4001, 1, atol=0.1)


def test_the_same_seed_gives_the_same_interval():
    x = autoregressive(500, 0.5, 0)
    first = block_bootstrap(np.mean, x, block=20, seed=3)
    assert first == block_bootstrap(np.mean, x, block=20, seed=3)
    assert first != block_bootstrap(np.mean, x, block=20, seed=4)
    assert first[0] == x.mean()
    assert first[1] < first[0] < first[2]
    assert all(type(v) is float for v in first)


def test_the_interval_is_two_percentiles_of_what_was_drawn():
    x, drawn = autoregressive(500, 0.5, 0), []

    def mean(values):
        drawn.append(values.mean())
        return drawn[-1]

    found = block_bootstrap(mean, x)
    assert len(drawn) == 1000 + 1
    assert found[1:] == (np.percentile(drawn[:-1], 2.5), np.percentile(drawn[:-1], 97.5))
    assert found == block_bootstrap(np.mean, x, block=200, resamples=1000, seed=0)


def test_the_series_stay_as_they_are():
    x = autoregressive(50, 0.5, 0)
    before = x.copy()
    block_bootstrap(np.mean, x, block=7, resamples=40)
    np.testing.assert_array_equal(x, before)


def test_a_thousand_resamples_of_the_held_out_text_take_little_time():
    a, b = np.random.default_rng(0).random((2, 17_000))
    started = time.process_time()
    block_bootstrap(lambda a, b: a.mean() - b.mean(), a, b)
    assert time.process_time() - started < 3  # 0.3 s on the machine where this was written


@pytest.mark.parametrize(
    ("series", "more", "message"),
    [
        ([], {}, "at least one series"),
        ([3.0], {}, "at least one series"),
        ([np.ones(9), np.ones(8)], {"block": 2}, "they have 9, 8"),
        ([np.ones(9)], {"block": 0}, "at most half of the 9 characters, must be .* 1 to 4, not 0"),
        ([np.ones(9)], {"block": 5}, "at most half of the 9 characters, must be .* 1 to 4, not 5"),
        ([np.ones(9)], {"block": 2.5}, "not 2.5"),
        ([np.ones(9)], {"block": 2, "seed": None}, "seed must be .* from 0 .* not None"),
        ([np.ones(9)], {"block": 2, "resamples": 10}, "at least 40, not 10"),
    ],
)
def test_errors_say_what_would_be_right(series, more, message):
    with pytest.raises(ValueError, match=message):
        block_bootstrap(lambda *all_series: 0.0, *series, **more)


def test_a_block_may_be_half_of_the_text():
    assert block_bootstrap(np.mean, np.ones(9), block=4, resamples=40) == (1, 1, 1)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("top", [0.0, 1.0])  # 0 / 0 is "invalid", 1 / 0 is "divide"
def test_a_resample_without_the_label_warns_of_nothing(top):
    label = (np.arange(30) == 7).astype(float)
    with pytest.raises(ValueError, match="no finite number"):
        block_bootstrap(lambda m: top / m.sum(), label, block=3, resamples=100)


def test_a_label_too_rare_is_refused():
    values, label = np.arange(30.0), np.arange(30) == 7
    with pytest.raises(ValueError, match=r"no finite number on \d+ of 100 resamples\. A label"):
        block_bootstrap(lambda v, m: v @ m / m.sum(), values, label, block=3, resamples=100)
    with (
        pytest.warns(RuntimeWarning),
        pytest.raises(ValueError, match="nor on the text itself"),
    ):
        block_bootstrap(lambda v: v[:0].mean(), values, block=3, resamples=100)


@planted(block_bootstrap, test_width_is_the_one_that_theory_gives)
def test_fault_neighbours_taken_for_independent(right, *arguments, **settings):
    """The ordinary bootstrap: its intervals are too narrow on text."""
    return right(*arguments, **settings | {"block": 1})
