"""Cases for the checks of *Where the time goes*."""

import statistics

import numpy as np
import torch

from tests.exercises.cases import Case


def by_nesting(calls):
    """Each moment belongs to the call that began last of those that are going on."""
    events = sorted([(start, 1, i) for i, (_, start, _) in enumerate(calls)]
                    + [(stop, 0, i) for i, (_, _, stop) in enumerate(calls)])  # fmt: skip
    own, going_on, before = {name: 0.0 for name, _, _ in calls}, [], 0.0
    for now, begins, i in events:
        if going_on:
            own[calls[going_on[-1]][0]] += now - before
        going_on.append(i) if begins else going_on.pop()
        before = now
    return own


def whole_times(calls):
    found = {}
    for name, start, stop in calls:
        found[name] = found.get(name, 0) + stop - start
    return found


def all_below(calls):
    """Takes off what lies anywhere below, a second time for what lies deeper."""
    found = {}
    for name, start, stop in calls:
        inside = [c[2] - c[1] for c in calls if start < c[1] and c[2] < stop]
        found[name] = found.get(name, 0) + stop - start - sum(inside)
    return found


def last_call_only(calls):
    own = by_nesting([(i, start, stop) for i, (_, start, stop) in enumerate(calls)])
    return {name: own[i] for i, (name, _, _) in enumerate(calls)}


def go_back(first=False, unused=False, forgetful=False):
    """The way back by hand, with its products as np.matmul; or a mistake."""

    def lean(p, d_hs, notes):
        weight, T = p["recurrent.weight_hh_l0"], len(notes)
        d_sums = np.zeros((*d_hs.shape[:2], weight.shape[0]))
        d_c = 0.0
        for t in range(T - 1, -1, -1):
            i, f, g, o, c, tanh_c = notes[t]
            d_h = 0.0 if forgetful and t < T - 1 else d_hs[t]
            if t < T - 1 and not (first and t == T - 2):
                d_h = d_h + np.matmul(d_sums[t + 1], weight)
            d_c = d_c + d_h * o * (1 - tanh_c * tanh_c)
            parts = d_c * g * i * (1 - i), d_c * c * f * (1 - f), d_c * i * (1 - g * g)
            d_sums[t] = np.hstack([*parts, d_h * tanh_c * o * (1 - o)])
            d_c = d_c * f
        if unused or first:
            d_sums[0] @ weight
        return d_sums

    return lean


def turns(middle=statistics.median, times=lambda a, b: a / b, warm=True, blocks=False, swap=False):
    """in_turn, or one with a mistake."""

    def in_turn(plain, ours, pairs, clock):
        def seconds(action):
            start = clock()
            action()
            return clock() - start

        if warm and not blocks:
            plain(), ours()
        if blocks:
            both = [[seconds(f) for _ in range(pairs + 1)][1:] for f in (plain, ours)]
            both = list(zip(*both, strict=True))
        else:
            both = [(seconds(plain), seconds(ours)) for _ in range(pairs)]
        if swap:
            both = [pair[::-1] for pair in both]
        return middle(times(*pair) for pair in both) if times else middle(both)

    return in_turn


def ratio_of_medians(pairs):
    return float(np.divide(*np.median(pairs, axis=0)))


CASES = [
    Case(
        "gru-share",
        given={"V": 61},
        other=(torch.tensor(89728 / 69248), np.float64(49152 / 69248)),
        wrong={
            "four thirds": ((4 / 3, 0.7098), "output layer"),
            "the other way round": ((0.772, 0.7098), "other way round"),
            "without the output": ((1.2957, 0.8), "output layer"),
            "the LSTM's": ((1.2957, 0.7304), "LSTM's"),
        },
    ),
    Case(
        "table-worth",
        given={"V": 61},
        other=(" No ", np.int64(3200), 1.22),
        wrong={
            "yes": (("yes", 3200, 1.218), "rows"),
            "windows": (("no", 64, 1.218), "number of windows"),
            "rows": (("no", 3200, 52.46), "other products"),
            "no output layer": (("no", 3200, 160 / 128.61), "output layer"),
            "the share": (("no", 3200, 0.179), "share"),
        },
    ),
    Case(
        "own-times",
        other=by_nesting,
        wrong={
            "all of it": (whole_times, "what it called counts"),
            "taken off twice": (all_below, "only its own calls"),
            "only the last": (last_call_only, "add up"),
            "a list": (lambda calls: list(by_nesting(calls).values()), "dict"),
            "one is missing": (lambda calls: {"a": 1.0}, "each function"),
        },
    ),
    Case(
        "lean-way-back",
        given={"V": 61},
        other=(go_back(), 0.00487),
        wrong={
            "still there": ((go_back(unused=True), 0.00487), "products"),
            "the first one": ((go_back(first=True), 0.00487), "first product is left out"),
            "own losses": ((go_back(forgetful=True), 0.00487), "passed on"),
            "of the way back": ((go_back(), 0.0146), "not all of an update"),
            "two products": ((go_back(), 0.0073), "three products"),
        },
    ),
    Case(
        "timed-in-turn",
        other=turns(),
        wrong={
            "the mean": (turns(statistics.mean), "mean"),
            "medians first": (turns(lambda p: ratio_of_medians(list(p)), lambda a, b: (a, b)),
                              "two medians"),
            "in blocks": (turns(blocks=True), "do not take turns"),
            "cold": (turns(warm=False), "pair is missing"),
            "the other way round": (turns(swap=True), "how many times as fast"),
        },
    ),
    Case(
        "remedies",
        other=("Taking turns", "the median", " a first run", "None"),
        wrong={
            "median of a drift": (("the median", "the median", "a first run", "none"), "share"),
            "turns for a mail": (("taking turns", "taking turns", "a first run", "none"), "mail"),
            "other words": (("turns", "the median", "a first run", "none"), "one of"),
            "turns everywhere": (
                ("taking turns", "the median", "a first run", "taking turns"), "one machine",
            ),
        },
    ),
]  # fmt: skip
