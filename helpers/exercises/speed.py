"""Checks of the chapter *Where the time goes*."""

import numpy as np

from .answers import NotRight, as_array, call, choice, compare, number, parts
from .cells import lstm_step_back
from .inputs import normal, random_sizes
from .judging import register

B, T, E, H, V = 64, 50, 32, 128, 61  # the reference batch of the chapter
LSTM, GRU = (gates * H * (E + H) + H * V for gates in (4, 3))  # products for one character


@register("gru-share", wants="value")
def gru_share(answer):
    """(operations of the LSTM in units of the GRU's, share of the state's products in the GRU)."""
    answer = parts(answer, 2, "two numbers")
    slips = {
        "the output layer is the same for both": 4 / 3,
        "that is the other way round": GRU / LSTM,
        "a GRU has three blocks of gates, not two": LSTM / (2 * H * (E + H) + H * V),
    }
    number(answer[0], LSTM / GRU, slips, name="the ratio")
    slips = {
        "the output layer counts too": H / (E + H),
        "that is the LSTM's": 4 * H * H / LSTM,
        "that is the product with the inputs": 3 * H * E / GRU,
        "that is all but the output layer": 3 * H * (E + H) / GRU,
    }
    number(answer[1], 3 * H * H / GRU, slips, name="the share")


@register("table-worth", wants="value")
def table_worth(answer):
    """(does it save work with 4,000 characters, where it is even, factor for the way forward)."""
    answer = parts(answer, 3, "a word and two numbers")
    why = {"yes": "how many rows has the table, and how many characters has a batch?"}
    choice(answer[0], "no", ("yes", "no"), why, name="whether it saves work")
    slips = {
        "that is the number of windows": B,
        "that is the length of a window": T,
        "does the state's size matter for the number of rows?": B * T * E / H,
    }
    number(answer[1], B * T, slips, rtol=1e-9, name="where it is even")
    inputs = 4 * H * E
    slips = {
        "that is how many times fewer rows there are; the other products stay": B * T / V,
        "the output layer stays too": (E + H) / (E * V / (B * T) + H),
        "that is the share that is saved, not the factor": inputs * (1 - V / (B * T)) / LSTM,
        "one divided by it": 1 - inputs * (1 - V / (B * T)) / LSTM,
        "the state's product does not go into the table": LSTM / (LSTM - 4 * H * H),
    }
    exact = LSTM / (LSTM - inputs * (1 - V / (B * T)))
    number(answer[2], exact, slips, rtol=5e-3, name="the factor")


@register("own-times")
def own_times(answer):
    """own_times(calls (name, start, stop), by their ends) -> name: seconds of its own."""
    for size in (5, 12, 30):
        calls = random_calls(size)
        slips = {
            "the time of what it called counts for those, not for it": charged(calls, 0),
            "subtract only its own calls, not what those called in turn": charged(calls, 99),
            "a function may be called more than once: add up": charged(calls, 1, add=False),
        }
        got = call(answer, calls)
        if not isinstance(got, dict):
            raise NotRight("a dict is expected, name -> time")
        right = charged(calls, 1)
        if set(got) != set(right):
            raise NotRight("the dict should have each function that was called, and no other")
        got, right, *slipped = (
            as_array([times[name] for name in right], "the times")
            for times in (got, right, *slips.values())
        )
        compare(got, right, "the times", dict(zip(slips, slipped, strict=True)))


def random_calls(size):
    """About so many calls, one inside another, in the order of their ends."""
    rng, calls, clock = np.random.default_rng(), [], 0.0

    def one(depth):
        nonlocal clock
        start = clock
        clock += rng.uniform(0.1, 1)
        for _ in range(rng.integers(1, 4) if depth < 3 else 0):
            one(depth + 1)
            clock += rng.uniform(0.1, 1)
        calls.append((str(rng.choice(list("abcd"))), start, clock))
        clock += rng.uniform(0.1, 1)

    while len(calls) < size:
        one(0)
    return calls


def charged(calls, levels, add=True):
    """Times by name: of each call, with what lies up to so many levels below it taken off."""
    found = {}
    for name, start, stop in calls:
        inside = [c for c in calls if start < c[1] and c[2] < stop]
        depth = [sum(d[1] < c[1] and c[2] < d[2] for d in inside) + 1 for c in inside]
        taken = sum(c[2] - c[1] for c, d in zip(inside, depth, strict=True) if d <= levels)
        found[name] = stop - start - taken + (found.get(name, 0) if add else 0)
    return found


class Counted(np.ndarray):
    """An array that counts the products it takes part in."""

    products = 0

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        Counted.products += ufunc is np.matmul
        inputs = [np.asarray(value) if isinstance(value, Counted) else value for value in inputs]
        return getattr(ufunc, method)(*inputs, **options)


@register("lean-way-back", wants="value")
def lean_way_back(answer):
    """(go_back without the product that nobody uses, the share of the operations it was)."""
    answer = parts(answer, 2, "a function and a number")
    for _ in range(2):
        steps, rows, width = random_sizes(3, low=3)
        weight = normal(4 * width, width)
        d_hs = normal(steps, rows, width)
        notes = [tuple(np.tanh(normal(6, rows, width))) for _ in range(steps)]
        right = gone_back(weight, d_hs, notes)
        slips = {
            "the first product is left out, and not the last": gone_back(
                weight, d_hs, notes, skipped=steps - 1
            ),
            "only the last step's gradients are passed on": gone_back(weight, d_hs, notes, True),
        }
        Counted.products = 0
        given = {"recurrent.weight_hh_l0": weight.view(Counted)}
        compare(call(answer[0], given, d_hs, notes), right, "the gradients", slips)
        if Counted.products != steps - 1:
            raise NotRight(f"right, but with {Counted.products} products for {steps} steps")
    each = H * 4 * H / LSTM
    slips = {
        "the way back is not all of an update": each / T,
        "it is one step of many": each / 3,
        "forwards and backwards are three products, not two": each / (2 * T),
        "the output layer counts too": H / (E + H) / (3 * T),
        "that is what is left": 1 - each / (3 * T),
    }
    number(answer[1], each / (3 * T), slips, rtol=0.02, name="the share")


def gone_back(weight, d_hs, notes, last_only=False, skipped=None):
    """Slopes in the sums (T, B, 4H), with a product left out or the own losses forgotten."""
    d_h = d_c = np.zeros_like(d_hs[0])
    d_sums = []
    for t in reversed(range(len(notes))):
        o, tanh_c = notes[t][3], notes[t][5]
        d_h = d_h + (0 if last_only and t < len(notes) - 1 else d_hs[t])
        step, d_c = lstm_step_back(d_h, d_c + d_h * o * (1 - tanh_c**2), *notes[t])
        d_sums.append(step)
        d_h = 0 * d_h if t == skipped else step @ weight
    return np.stack(d_sums[::-1])


@register("timed-in-turn")
def timed_in_turn(answer):
    """in_turn(plain, ours, pairs, clock) -> median of the pairs' ratios, the first not counted."""
    for pairs in (7, 9, 12):
        rng, log, now = np.random.default_rng(), [], [100.0]
        spent = rng.uniform(1, 2, (pairs + 1, 2)) * np.linspace(1, 4, pairs + 1)[:, None]
        spent[0] = 90.0, 0.5  # the first call of a program takes what it likes
        spent[rng.integers(1, pairs + 1), rng.integers(2)] *= 20  # somebody else wants the machine

        def program(which, log=log, now=now, spent=spent, pairs=pairs):
            def run():
                turn = min(log.count(which), pairs)
                log.append(which)
                now[0] += spent[turn, which]

            return run

        got = call(answer, program(0), program(1), pairs, lambda now=now: now[0])
        if log != [0, 1] * (pairs + 1):
            raise NotRight(order_of(log, pairs))
        counted = spent[1:]
        ratios = counted[:, 0] / counted[:, 1]
        slips = {
            "that is the mean, which one disturbed run can move": ratios.mean(),
            "take the median of the ratios, not the ratio of two medians": (
                np.divide(*np.median(counted, axis=0))
            ),
            "that is the ratio of the shortest times": np.divide(*counted.min(axis=0)),
            "inverted: how many times as fast is ours?": np.median(1 / ratios),
            "the first pair is not to be counted": np.median(spent[:, 0] / spent[:, 1]),
        }
        compare(got, np.median(ratios), "the ratio", slips)


def order_of(log, pairs):
    """What is wrong with the order of the calls."""
    if log == [0, 1] * pairs:
        return "a pair is missing: one before the others, which is not counted"
    if len(log) > 2 and log[0] == log[1]:
        return "they do not take turns: one program runs several times before the other does"
    if log and log[0] == 1:
        return "the plain program goes first"
    return f"{len(log)} calls for {pairs} pairs and one before them, or not in turn"


@register("remedies", wants="value")
def remedies(answer):
    """Which remedy helps against each of four disturbances."""
    answer = parts(answer, 4, "four words")
    options = ("taking turns", "the median", "a first run", "none")
    causes = {
        "the slower afternoon": "taking turns",
        "the mail": "the median",
        "the compiler": "a first run",
        "the other processor": "none",
    }
    why = {
        "the slower afternoon": "what must the two programs share to be compared?",
        "the mail": "one run in ten is hit, and it may be of either program",
        "the compiler": "when is it paid, and how often?",
        "the other processor": "can anything done on one machine speak for another?",
    }
    for given, (cause, right) in zip(answer, causes.items(), strict=True):
        reasons = {option: why[cause] for option in options}
        choice(given, right, options, reasons, name=cause)
