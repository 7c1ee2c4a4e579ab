import numpy as np
import pytest

from helpers.gates import Gates, positions
from helpers.statistics import block_bootstrap
from helpers.studies.gate_claims import (
    Effect,
    claim_masks,
    gate_claims,
    gate_effect,
    half_lives,
    shifted_sums,
    verdict,
)
from tests.test_gates import PLAY, H, T


def test_shifted_sums_are_those_of_a_label_moved_round():
    rng = np.random.default_rng(0)
    values, label = rng.normal(size=(T, H)), rng.random(T) < 0.4
    sums = shifted_sums(values, label)
    assert sums.shape == (T, H)
    for s in range(T):
        np.testing.assert_allclose(sums[s], np.roll(label, s) @ values, atol=1e-12)


def made_up(n=600, effect=0.3, units=5, seed=0):
    """A gate (n, units) that is ``effect`` higher on one mask in all units but the last."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(3, size=n)
    values = 0.3 + 0.02 * rng.normal(size=(n, units))
    values[:, :-1] += effect * (kind == 0)[:, None]
    values[:, -1] -= effect / 4 * (kind == 0)
    return values, kind == 0, kind == 1


def test_an_effect_is_in_gate_units_and_the_interval_is_the_bootstraps():
    values, a, b = made_up()
    found = gate_effect(values, a, b, block=30, resamples=200)
    expected = values[a].mean() - values[b].mean()
    assert found.difference == pytest.approx(expected)
    assert expected == pytest.approx(0.3 * (4 - 0.25) / 5, abs=0.005)
    gate = values.mean(axis=1)
    same = block_bootstrap(
        lambda v, x, y: v[x].mean() - v[y].mean(), gate, a, b, block=30, resamples=200
    )
    assert (found.difference, found.low, found.high) == pytest.approx(same)
    assert found.units == 0.8
    together = [gate[a] - gate[a].mean(), gate[b] - gate[b].mean()]
    spread = np.sqrt((np.concatenate(together) ** 2).sum() / (a.sum() + b.sum() - 2))
    assert found.cohens_d == pytest.approx(expected / spread)


def test_an_effect_is_worked_out_in_double_precision_with_the_bootstraps_settings():
    values, a, b = made_up()
    single = values.astype("float32")
    settings = {"block": 200, "resamples": 1000, "seed": 0}
    assert gate_effect(single, a, b) == gate_effect(single.astype(float), a, b, **settings)


def test_the_circular_shifts_say_what_chance_gives():
    values, a, b = made_up(n=300)
    gate = values.mean(axis=1)
    shifts = [abs(gate[np.roll(a, s)].mean() - gate[np.roll(b, s)].mean()) for s in range(20, 281)]
    found = gate_effect(values, a, b, block=20, resamples=40)
    assert found.chance == pytest.approx(np.percentile(shifts, 95))
    assert found.chance < 0.5 * found.low


def test_without_an_effect_chance_is_seldom_passed():
    passed = 0
    for seed in range(60):
        values, a, b = made_up(n=200, effect=0.0, seed=seed)
        found = gate_effect(values, a, b, block=10, resamples=40)
        passed += abs(found.difference) > found.chance
    assert passed <= 8  # 3 are expected


def test_a_standardised_effect_is_large_where_a_gate_hardly_moves():
    """The reason why effects are told in gate units."""
    values, a, b = made_up()
    still = gate_effect(0.5 + (values - 0.5) / 1000, a, b, resamples=40)
    moving = gate_effect(values, a, b, resamples=40)
    assert still.cohens_d == pytest.approx(moving.cohens_d)
    assert 1000 * still.difference == pytest.approx(moving.difference)


@pytest.mark.parametrize(
    ("values", "a", "b", "message"),
    [
        (np.ones((9, 2)), np.ones(9), np.ones(9), "and 9 in common"),
        (np.ones((9, 2)), np.arange(9) < 1, np.arange(9) > 4, "they have 1 and 4, and 0 in common"),
        (np.ones(9), np.arange(9) < 3, np.arange(9) > 4, r"\(9,\), \(9,\) and \(9,\)"),
        (np.ones((9, 2)), np.arange(8) < 3, np.arange(9) > 4, r"\(9, 2\), \(8,\)"),
    ],
)
def test_masks_that_do_not_fit_are_refused(values, a, b, message):
    with pytest.raises(ValueError, match=message):
        gate_effect(values, a, b, block=2)


def test_the_sentences_are_about_these_characters():
    def characters(mask):
        return "".join(np.array(list(PLAY))[mask])

    said = {
        claim: (gate, characters(a), characters(b))
        for claim, (gate, a, b) in claim_masks(PLAY).items()
    }
    boundaries = ":\n , ' .\n-\n\n:\n!\n\n: "
    assert said["forget: inside words > boundaries"] == ("forget", "now'ielexi", boundaries)
    assert said["forget: line ends > sentence ends"] == ("forget", "\n" * 7, ".!")
    assert said["input: first letters > inside words"] == ("input", "IktsWmAeh", "now'ielexi")
    assert said["input: spaces > inside words"] == ("input", " " * 4, "now'ielexi")
    assert said["output: newlines > the rest"][1] == "\n" * 7
    assert said["output: colons > the rest"][:2] == ("output", ":::")
    assert len(said) == 6
    for claim, (gate, _, rest) in said.items():
        if "the rest" in claim:
            assert gate == "output"
            assert len(rest) + len(said[claim][1]) == len(PLAY)


def test_a_gate_made_to_do_what_is_said_is_found_to_do_it():
    text = PLAY * 12
    at, rng = positions(text), np.random.default_rng(0)
    nothing = np.full((len(text), H), 0.5) + 0.01 * rng.normal(size=(len(text), H))
    spike = nothing + 0.3 * at["first letter"][:, None]
    gates = Gates(spike, nothing, nothing, nothing - 0.2 * at["line end"][:, None], None, None)
    found = gate_claims(gates, text, block=60, resamples=60)
    assert found["input: first letters > inside words"].difference == pytest.approx(0.3, abs=0.01)
    assert found["output: newlines > the rest"].difference == pytest.approx(-0.2, abs=0.01)
    before = gate_claims(Gates(*[nothing] * 6), text, block=60, resamples=60)
    verdicts = {claim: verdict([found[claim]], [before[claim]]) for claim in found}
    assert verdicts["input: first letters > inside words"] == "holds"
    assert verdicts["output: newlines > the rest"] == "the opposite holds"
    assert verdicts["forget: inside words > boundaries"] == "does not hold"


def effect(difference, half_width=0.01, chance=0.0):
    return Effect(difference, difference - half_width, difference + half_width, chance, 1.0, 1.0)


@pytest.mark.parametrize(
    ("trained", "untrained", "word"),
    [
        ([0.1, 0.2], [0.01, -0.02], "holds"),
        ([-0.1, -0.2], [0.01, -0.02], "the opposite holds"),
        ([0.1, 0.2], [0.01, -0.2], "in some networks only"),
        ([0.1, -0.2], [0.0, 0.0], "in some networks only"),
        ([-0.1, 0.005], [0.0, 0.0], "does not hold"),
        ([0.1, 0.2], [0.05, 0.1], "does not hold"),
        ([0.005], [0.0], "does not hold"),
    ],
)
def test_verdicts_follow_the_rule(trained, untrained, word):
    assert verdict(list(map(effect, trained)), list(map(effect, untrained))) == word


def test_a_verdict_asks_for_more_than_chance_and_for_networks():
    assert verdict([effect(0.1, chance=0.08)], [effect(0.0)]) == "holds"
    assert verdict([effect(0.1, chance=0.095)], [effect(0.0)]) == "does not hold"
    for just in (0.25, -0.25):  # at the bar is not beyond it
        assert verdict([effect(just, 0.0, chance=0.25)], [effect(0.0)]) == "does not hold"
    with pytest.raises(ValueError, match="at least one network"):
        verdict([], [])
    with pytest.raises(ValueError, match="zip"):
        verdict([effect(0.1)], [])


def test_half_lives_are_those_of_the_product_of_gates():
    constant = np.tile([0.5, 0.5**0.1, 0.25], (T, 1))
    np.testing.assert_allclose(half_lives(constant), [1, 10, 0.5])
    forget = np.random.default_rng(0).uniform(0.2, 1, size=(T, H)).astype("float32")
    left = forget.astype(float).prod(axis=0)
    np.testing.assert_allclose(0.5 ** (T / half_lives(forget)), left)
