"""Checks of the chapter *An LSTM in NumPy*."""

import numpy as np

from .answers import call, choice, compare, number, parts
from .cells import lstm_step_back, sigmoid
from .inputs import normal, random_sizes
from .judging import register


@register("unread-row", wants="value")
def unread_row(answer):
    """What an embedding row without gradient does: never read; read once, by Adam; by descent."""
    asked = (
        ("the row that is never read", "stays", "both running means are zero: what is moved by?"),
        ("the row that was read once, by Adam", "moves", "is a running mean zero at once?"),
        ("the row that was read once, by plain descent", "stays", "the move is -lr times what?"),
    )
    for got, (name, right, why) in zip(parts(answer, 3, "three words"), asked, strict=True):
        other = {"stays": "moves", "moves": "stays"}[right]
        choice(got, right, ("stays", "moves"), {other: why}, name=name)


@register("slope-along")
def slope_along(answer):
    """along(loss, w, v, size) -> (loss(w + size v) - loss(w - size v)) / (2 size)."""
    for _ in range(3):
        sizes = [(3, 2), (4,), (2, 3)]
        w = {name: normal(*size) for name, size in zip("abc", sizes, strict=True)}
        v = {name: normal(*value.shape) for name, value in w.items()}
        at = {k: cubes({name: w[name] + k * v[name] for name in w}) for k in (-0.1, 0, 0.1)}
        right = (at[0.1] - at[-0.1]) / 0.2
        first = {name: w[name] + (0.1 * v[name] if name == "a" else 0) for name in w}
        last = {name: w[name] - (0.1 * v[name] if name == "a" else 0) for name in w}
        slips = {
            "the difference goes to both sides": (at[0.1] - at[0]) / 0.1,
            "the difference goes to both sides of w": (at[0] - at[-0.1]) / 0.1,
            "is it divided by the size of the step?": at[0.1] - at[-0.1],
            "all arrays are moved at once": (cubes(first) - cubes(last)) / 0.2,
        }
        number(
            call(answer, cubes, w, v, 0.1), right, slips, rtol=3e-5, name="the derivative along v"
        )


def cubes(w):
    """A loss that is not quadratic, so that one-sided differences show; NumPy or torch."""
    return sum(float((value**3 + 2 * value**2 + value).sum()) for value in w.values())


@register("mended-back")
def mended_back(answer):
    """mended_step_back(d_h, d_c, kept, W_h) -> d_a (B, 4H), d_h and d_c of the step before."""
    for _ in range(3):
        B, H = random_sizes(2)
        i, f, o = (sigmoid(normal(B, H)) for _ in range(3))
        g, old_c, d_h, d_c = np.tanh(normal(B, H)), normal(B, H), normal(B, H), normal(B, H)
        W, tanh_c = normal(4 * H, H), np.tanh(f * old_c + i * g)
        kept = normal(B, 5), normal(B, H), old_c, i, f, g, o, tanh_c

        def back(d_c, d_h=d_h, gates=(i, f, g, o, old_c, tanh_c), W=W):
            d_sums, d_c = lstm_step_back(d_h, d_c, *gates)
            return d_sums, d_sums @ W, d_c

        slips = {
            "how does the gradient of h reach c?": back(d_c),
            "c's gradient from the next step is lost": back(d_h * o * (1 - tanh_c**2)),
            "h = o tanh(c): where is the derivative of tanh?": back(d_c + d_h * o),
            "h = o tanh(c): where is o?": back(d_c + d_h * (1 - tanh_c**2)),
        }
        names = (
            "the gradient of the sums",
            "the gradient of the old h",
            "the gradient of the old c",
        )
        right = back(d_c + d_h * o * (1 - tanh_c**2))
        compare(call(answer, d_h, d_c, kept, W), right, names, slips)
