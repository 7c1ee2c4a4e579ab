"""Checks of the chapter *LSTM*."""

import math

import numpy as np

from .answers import NotRight, as_array, call, compare, number, parts, plural, single, whole
from .cells import lstm_parameters, lstm_step, sigmoid
from .inputs import normal, random_sizes
from .judging import register


@register("tank-counts", wants="value")
def tank_counts(answer):
    """(c after nine letters, h after three, largest n whose h differs from that at n + 1)."""
    cell, hidden, last = parts(answer, 3, "c, h and n")
    slips = {"each letter adds i * g = 1, and nothing squeezes c": math.tanh(9)}
    number(cell, 9, slips | {"is it kept at a letter?": 1}, name="c after nine letters")
    slips = {"it is shown through tanh": 3, "c is larger than 1 after three letters": math.tanh(1)}
    number(hidden, math.tanh(3), slips, name="h after three letters")
    shown = [f"{math.tanh(n):.3f}" for n in range(9)]
    right = max(n for n in range(8) if shown[n] != shown[n + 1])
    last = single(last, "n")
    if last > 8:
        raise NotRight("n is too large: tanh is 1 to three decimals long before")
    if last != right:
        raise NotRight("n is not that: write down h to three decimals, one line per letter")


@register("line-counter")
def line_counter(answer):
    """line_counter() -> W_x (4, 2), W_h (4, 1), b (4,): c = characters since the break / 100."""
    weights = parts(call(answer), 3, "W_x, W_h and b")
    shapes = {"W_x": (4, 2), "W_h": (4, 1), "b": (4,)}
    W_x, W_h, b = (
        as_array(got, name, shape)
        for got, (name, shape) in zip(weights, shapes.items(), strict=True)
    )
    h, c, count = np.zeros(1), np.zeros(1), 0
    is_break = np.random.default_rng().random(150) < 0.1
    is_break[[40, 110]] = True
    is_break[:3] = is_break[41:110] = False  # a few characters first, and one long line
    for t, broken in enumerate(is_break):
        old = c
        h, c, (_, f, g, _) = lstm_step(np.array([not broken, broken], float), h, c, W_x, W_h, b)
        count = 0 if broken else count + 1
        if abs(c[0] - count / 100) > count * 1e-4 + 1e-5:
            raise NotRight(counting_slip(broken, count, t, c[0], old[0], f[0], g[0]))
        if abs(h[0] - np.tanh(c[0])) > 0.01 * abs(np.tanh(c[0])) + 1e-5:
            raise NotRight("c is right, and h does not show it: look at the output gate")


def counting_slip(broken, count, t, c, old, f, g):
    if broken and f > 0.01:
        return "after a line break c is not 0: what must the forget gate do there?"
    if broken:
        return "at a line break something is added: what must the input gate do there?"
    if f < 0.99:
        return f"the forget gate is only {f:.2g} at a character: c leaks"
    if g < 0:
        return "the candidate has the wrong sign: c counts downwards"
    if math.isclose(c - old, math.tanh(0.01) / 2, rel_tol=0.02):
        return "a character adds half of what it should: how open is the input gate?"
    return (
        f"after {plural(count, 'character')} c is off by {c - count / 100:.2g} "
        "(it should grow by a hundredth with each)"
    )


@register("lstm-step")
def one_step(answer):
    """lstm_step(x, h, c, W_x (4H, E), W_h (4H, H), b (4H,), order) -> new h and c (B, H)."""
    for order in ("ifgo", "iofg", "gofi"):
        B, E, H = random_sizes(3)
        x, h, c = normal(B, E), normal(B, H), normal(B, H)
        weights = normal(4 * H, E) / 2, normal(4 * H, H) / 2, normal(4 * H)
        new_h, new_c, (i, f, g, o) = lstm_step(x, h, c, *weights, order)
        slips = {
            "is the order taken into account?": lstm_step(x, h, c, *weights)[:2],
            "the two states are the other way round": (new_c, new_h),
            "is the candidate a tanh?": both(o, f * c + i * sigmoid(np.arctanh(g))),
            "are input and forget gate the right way round?": both(o, i * c + f * g),
            "c is squeezed before it is shown": (o * new_c, None),
            "h is made from the new c": (o * np.tanh(c), None),
            "c itself is not squeezed": (None, np.tanh(new_c)),
        }
        got = call(answer, x, h, c, *weights, order)
        compare(got, (new_h, new_c), ("the new h", "the new c"), slips)


def both(o, c):
    return o * np.tanh(c), c


@register("lstm-parameters")
def parameters(answer):
    """lstm_parameters(V, E, H, layers) -> the number of parameters of a CharRNN(cell="lstm")."""
    for layers in (1, 2, 3):
        V, E = random_sizes(2, low=5, high=15)
        H = V * E // 2 + layers  # so that no two mistakes give the same number
        first, further, more = 4 * H * (E + H + 2), 4 * H * (2 * H + 2), layers - 1
        ends = V * E + V * (H + 1)
        slips = {
            "PyTorch keeps two biases in each block": ends
            + first - 4 * H + more * (further - 4 * H),
            "are there four blocks in a layer?": ends + (first + more * further) / 4,
            "a further layer reads H numbers, not E": ends + layers * first,
            "does the output layer have a bias?": ends - V + first + more * further,
            "is the embedding counted?": ends - V * E + first + more * further,
            "is the output layer counted?": V * E + first + more * further,
        }  # fmt: skip
        right = ends + first + more * further
        got = as_array(call(answer, V, E, H, layers), "the number")
        where = " with one layer" if layers == 1 else ""
        compare(got, right, "the number of parameters", slips, rtol=1e-6, where=where)


@register("equal-widths", wants="value")
def equal_widths(answer):
    """(largest H of two layers within one layer of 128, largest H within the RNN of 128)."""
    names = "the width of two layers", "the width that equals the RNN"
    limits = 93_087, 30_879  # one layer of 128; the RNN of 128
    widths = parts(answer, 2, "two widths")
    for got, name, layers, limit in zip(widths, names, (2, 1), limits, strict=True):
        H = whole(got, name)
        if lstm_parameters(63, 32, H, layers) > limit:
            raise NotRight(f"{name} is too large: that network has more parameters")
        if lstm_parameters(63, 32, H + 1, layers) <= limit:
            raise NotRight(f"{name} is too small: there is room for one more")
