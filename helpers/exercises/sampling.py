"""Checks of the chapter *Sampling*."""

import itertools

import numpy as np
import torch

from helpers.models import CharRNN, evaluating, predict
from helpers.sampling import next_distribution, pick

from .answers import NotRight, as_array, call, choice, compare, parts, single
from .inputs import normal, random_sizes
from .judging import register


def at_temperature(logits, temperature):
    p = np.exp((logits - logits.max()) / temperature)
    return p / p.sum()


@register("entropy-slope")
def entropy_slope(answer):
    """entropy_slope(logits (V,), temperature) -> dH/dtau."""
    for temperature in (0.6, 1.7, 2.3):
        logits = normal(*random_sizes(1, low=3), scale=1.5)
        p = at_temperature(logits, temperature)
        own = at_temperature(logits, 1)
        variance = (p * (logits - p @ logits) ** 2).sum()
        of_model = (own * (logits - own @ logits) ** 2).sum()
        slips = {
            "the power of the temperature is missing": variance,
            "two powers of the temperature are missing": variance / temperature,
            "one power of the temperature is missing": variance / temperature**2,
            "there is one power of the temperature too many": variance / temperature**4,
            "the variance should be taken with the probabilities": logits.var() / temperature**3,
            "use the probabilities at that temperature": of_model / temperature**3,
            "that is the derivative by 1/temperature": -variance / temperature,
            "that is the mean of the squares, not the variance": (p @ logits**2) / temperature**3,
        }
        compare(
            call(answer, logits, temperature), variance / temperature**3, "the derivative", slips
        )


def cut_then_heat(logits, temperature, *cuts):
    kept = next_distribution(logits, 1, *cuts) ** (1 / temperature)
    return kept / kept.sum()


@register("cut-first")
def cut_first(answer):
    """cut_first(logits (V,), temperature, top_k, top_p, min_p) -> probabilities (V,)."""
    for cuts in ((None, 0.7, None), (None, None, 0.3), (4, None, None), (5, 0.8, 0.1)):
        for temperature in (2.5, 0.5):
            logits = normal(12, scale=2.0)
            expected = cut_then_heat(logits, temperature, *cuts)
            slips = {
                "in yours the temperature comes first": next_distribution(
                    logits, temperature, *cuts
                ),
                "where is the temperature?": next_distribution(logits, 1, *cuts),
                "where are the cuts?": at_temperature(logits, temperature),
                "reversed: this cools where it should heat": cut_then_heat(
                    logits, 1 / temperature, *cuts
                ),
            }
            for missing in (
                *itertools.combinations(range(3), 1),
                *itertools.combinations(range(3), 2),
            ):
                left = [None if i in missing else cut for i, cut in enumerate(cuts)]
                named = " and of ".join(("top-k", "top-p", "min-p")[i] for i in missing)
                slips[f"where is the cut of {named}?"] = cut_then_heat(logits, temperature, *left)
            got = as_array(call(answer, logits, temperature, *cuts), "the probabilities")
            if got.shape == (12,) and np.isfinite(got).all() and abs(got.sum() - 1) > 1e-3:
                raise NotRight("the probabilities do not sum to 1")
            compare(got, expected, "the probabilities", slips)


@register("order-matters", wants="value")
def order_matters(answer):
    """Three probabilities and a top_p: at temperature 2 one order leaves one, the other three."""
    answer = parts(answer, 2, "three probabilities and a top_p")
    p, share = (
        as_array(answer[0], "the list of three probabilities", (3,)),
        single(answer[1], "top_p"),
    )
    if (p <= 0).any() or abs(p.sum() - 1) > 1e-6:
        raise NotRight("three probabilities above 0 that sum to 1 are expected")
    if not 0 < share <= 1:
        raise NotRight("top_p should be one number above 0 and at most 1")
    cut = (cut_then_heat(np.log(p), 2, None, share) > 0).sum()
    heated = (next_distribution(np.log(p), 2, None, share) > 0).sum()
    if (cut, heated) != (1, 3):
        raise NotRight(f"cut first leaves {cut} and heated first {heated}")


@register("three-writers", wants="value")
def three_writers(answer):
    """Which of the programs a, b and c shows which of three symptoms."""
    answer = parts(answer, 3, "three letters")
    names = ("the line breaks", "the one that ignores the prompt", "the one that stumbles")
    why = {
        "a": "follow `last`: which character is read first after the prompt, and had it been read?",
        "b": "what are the shape of `p` and the numbers in `p.sum(axis=0)`?",
        "c": "follow `state`: what does the model know of the prompt at its second character?",
    }
    for name, given, right in zip(names, answer, "bca", strict=True):
        choice(given, right, ("a", "b", "c"), why, name)


def written(model, ids, uniforms, slip=None):
    """New ids, with a mistake if wanted."""
    new, (logits, state) = [], predict(model, ids[None])
    if slip in ("twice", "lost"):
        logits, state = predict(model, ids[None, -1:], state if slip == "twice" else None)
    for u in uniforms:
        p = np.exp(logits[0, -1].astype(float))
        new.append(int(p.argmax()) if slip == "greedy" else pick(p, u))
        logits, state = predict(model, [[new[-1]]], None if slip == "no state" else state)
    return new


@register("write-mended")
def write_mended(answer):
    """write_mended(model, ids (T,), uniforms (N,)) -> N new ids, by inverse CDF."""
    says = {
        "twice": "the last character of the prompt is read twice",
        "lost": "what was read of the prompt before its last character is lost",
        "no state": "the state is lost from character to character",
        "greedy": "this is greedy: does it use the random numbers?",
    }
    for cell in ("lstm", "rnn"):
        V, E, H = random_sizes(3, low=20, high=40)
        with torch.random.fork_rng(devices=[]):
            model = CharRNN(V, E, H, cell=cell)
        for weight in model.parameters():
            weight.data *= 2.5
        rng = np.random.default_rng()
        for _ in range(4):  # the first characters after a prompt tell most
            ids, uniforms = rng.integers(V, size=6), rng.random(8)
            with evaluating(model):
                got = as_array(call(answer, model, ids, uniforms), "the list of new ids")
                if got.shape == (14,) and (got[:6] == ids).all():
                    raise NotRight("the prompt is returned, too; the new ids alone are wanted")
                got = as_array(got, "the list of new ids", (8,))
                slips = {says[slip]: written(model, ids, uniforms, slip) for slip in says}
                slips["always the first: do the probabilities sum to 1 over V?"] = [0] * 8
                compare(got, written(model, ids, uniforms), "the list of new ids", slips)


@register("expected-stay")
def expected_stay(answer):
    """expected_stay(p (n,)) -> the mean number of loop characters before one is missed."""
    for _ in range(3):
        (n,) = random_sizes(1, low=3)
        p = np.random.default_rng().uniform(0.6, 0.98, n)
        through = p.cumprod()
        slips = {
            "what if the first round is survived?": through.sum(),
            "whole rounds alone are counted": n * through[-1] / (1 - through[-1]),
            "rounds are counted, and characters are asked for": through[-1] / (1 - through[-1]),
            "the probabilities differ: their mean will not do": p.mean() / (1 - p.mean()),
            "the one that leaves the loop is not counted": through.sum() / (1 - through[-1]) + 1,
        }
        compare(call(answer, p), through.sum() / (1 - through[-1]), "the expected number", slips)
