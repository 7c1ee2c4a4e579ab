"""Cases for the checks of *Sampling*."""

import math

import numpy as np
import torch

from helpers.models import evaluating
from helpers.sampling import next_distribution
from tests.exercises.cases import Case


def slope_by_difference(logits, temperature, step=1e-3):
    """In torch, by two entropies."""

    def entropy(t):
        return torch.distributions.Categorical(logits=logits.double() / t).entropy()

    return (entropy(temperature + step) - entropy(temperature - step)) / (2 * step)


def slope(power, weighted=True, centred=True):
    def answer(logits, t):
        p = np.exp(logits / t) / np.exp(logits / t).sum()
        if not weighted:
            p = np.full(len(logits), 1 / len(logits))
        mean = p @ logits if centred else 0
        return p @ (logits - mean) ** 2 / t**power

    return answer


def by_masking(logits, temperature, top_k=None, top_p=None, min_p=None):
    """In torch, one cut after the other on the logits."""
    z = logits.double()
    if top_k is not None:
        z = z.where(z >= z.topk(top_k).values[-1], torch.tensor(-math.inf))
    if top_p is not None:
        p, order = z.softmax(0).sort(descending=True)
        z[order[p.cumsum(0) - p >= top_p]] = -math.inf
    if min_p is not None:
        z = z.where(z.softmax(0) >= min_p * z.softmax(0).max(), torch.tensor(-math.inf))
    return (z / temperature).softmax(0)


def writer(greedy=False, state=True, twice=False, prompt=False, ones=False):
    """A writer in torch, with a mistake if wanted."""

    def write(model, ids, uniforms):
        new, ids = [], torch.as_tensor(np.asarray(ids))
        with torch.no_grad(), evaluating(model):
            logits, kept = model(ids[None])
            if twice or not state:
                logits, kept = model(ids[None, -1:], kept if state else None)
            for u in uniforms:
                p = logits[0, -1].double().softmax(0)
                ends = (torch.ones_like(p) if ones else p).cumsum(0)
                i = p.argmax() if greedy else (ends < float(u)).sum()
                new.append(i)
                logits, kept = model(i[None, None], kept)
        return [*ids, *new] if prompt else new

    return write


def stay_by_running(p):
    """By the equation of one step, solved: E_j = p_j (1 + E_{j+1}), round and round."""
    p = [float(x) for x in p]
    expected = 0.0
    for _ in range(3000):
        for x in reversed(p):
            expected = x * (1 + expected)
    return expected


CASES = [
    Case(
        "entropy-slope",
        other=slope_by_difference,
        wrong={
            "squared": (slope(2), "one power of the temperature is missing"),
            "no power": (slope(0), "the power of"),
            "one power": (slope(1), "two powers of the temperature are missing"),
            "four powers": (slope(4), "too many"),
            "not weighted": (slope(3, weighted=False), "with the probabilities"),
            "not centred": (slope(3, centred=False), "mean of the squares"),
        },
    ),
    Case(
        "cut-first",
        other=by_masking,
        wrong={
            "as the helper": (lambda z, t, *cuts: next_distribution(z, t, *cuts), "in yours"),
            "no top-k": (lambda z, t, k, p, m: by_masking(z, t, None, p, m), "the cut of top-k?"),
            "top-k alone": (lambda z, t, k, p, m: by_masking(z, t, k), "top-p and of min-p"),
            "no cut": (lambda z, t, *cuts: by_masking(z, t), "where are the cuts?"),
            "not heated": (lambda z, t, *cuts: next_distribution(z, 1, *cuts), "temperature"),
            "no sum": (lambda z, t, *cuts: next_distribution(z, 1, *cuts) ** (1 / t), "do not sum"),
            "a power, not a root": (
                lambda z, t, *cuts: (q := next_distribution(z, 1, *cuts) ** t) / q.sum(),
                "cools",
            ),
        },
    ),
    Case(
        "order-matters",
        other=[torch.tensor([0.02, 0.02, 0.96], dtype=torch.float64), 0.93],
        wrong={
            "no difference": (((0.4, 0.3, 0.3), 0.5), "leaves"),
            "two of three": (((0.8, 0.1, 0.1), 0.75), "heated first 2"),
            "no sum": (((9, 1, 1), 0.85), "sum to 1"),
            "four": (((0.7, 0.1, 0.1, 0.1), 0.65), "three"),
        },
    ),
    Case(
        "three-writers",
        other=["B", "C", "A"],
        wrong={
            "turned round": (("b", "a", "c"), "follow"),
            "axis not seen": (("c", "b", "a"), "state"),
            "names": (("write_b", "write_c", "write_a"), "one of"),
        },
    ),
    Case(
        "write-mended",
        other=writer(),
        wrong={
            "read twice": (writer(twice=True), "twice"),
            "prompt lost": (writer(state=False), "lost"),
            "greedy": (writer(greedy=True), "greedy"),
            "ones": (writer(ones=True), "sum to 1"),
            "with the prompt": (writer(prompt=True), "ids alone"),
        },
    ),
    Case(
        "expected-stay",
        other=stay_by_running,
        wrong={
            "one round": (lambda p: p.cumprod(0).sum(), "first round"),
            "in rounds": (lambda p: p.prod() / (1 - p.prod()), "rounds are counted"),
            "mean": (lambda p: p.mean() / (1 - p.mean()), "differ"),
            "one more": (lambda p: 1 + p.cumprod(0).sum() / (1 - p.prod()), "leaves the loop"),
        },
    ),
]
