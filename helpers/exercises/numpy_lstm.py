"""Checks of the chapter *An LSTM in NumPy*."""

import numpy as np

from .answers import call, choice, compare, number, parts
from .cells import blocks, lstm_step_back, sigmoid
from .inputs import normal, random_sizes
from .judging import register


@register("row-of-s", wants="value")
def row_of_s(answer):
    """What an embedding row without gradient does: never read; read once, by Adam; by descent."""
    asked = (
        ("the row that is never read", "stays", "both running means are zero: what is moved by?"),
        ("the row that was read once, by Adam", "moves", "is a running mean zero at once?"),
        ("the row that was read once, by plain descent", "stays", "the move is -lr times what?"),
    )
    for got, (name, right, why) in zip(parts(answer, 3, "three words"), asked, strict=True):
        other = {"stays": "moves", "moves": "stays"}[right]
        choice(got, right, ("stays", "moves"), {other: why}, name=name)


def normalised(a, eps=1e-5):
    s = np.sqrt(a.var(axis=1, keepdims=True) + eps)
    return (a - a.mean(axis=1, keepdims=True)) / s, s


@register("layer-norm")
def layer_norm(answer):
    """normalise(a (B, H)) -> n (B, H), s (B, 1)."""
    for size in (2, 3e-3, 2):  # of rows that are nearly constant, the 1e-5 decides
        B, H = random_sizes(2, low=3, high=12)
        a = size * normal(B, H) + normal(B, 1)
        n, s = normalised(a)
        off, of_columns = a - a.mean(axis=1, keepdims=True), np.sqrt(a.var(axis=0) + 1e-5)
        plain = a.std(axis=1, keepdims=True)
        corrected = np.sqrt(a.var(axis=1, keepdims=True, ddof=1) + 1e-5)
        slips = {
            "each row by itself, not each column": ((a - a.mean(axis=0)) / of_columns, None),
            "is the mean taken off?": (a / s, None),
            "that is divided by the mean square and not by its root": (off / s**2, s**2),
            "divided by H, not by H - 1": (off / corrected, corrected),
            "is it divided by the standard deviation?": (off, None),
            "where is the 1e-5?": (off / plain, plain),
            "the 1e-5 belongs under the root": (off / (plain + 1e-5), plain + 1e-5),
            "s is the root with the 1e-5 under it": (None, plain),
        }
        compare(call(answer, a), (n, s), ("n", "s"), slips)


@register("layer-norm-back")
def layer_norm_back(answer):
    """normalise_back(d_n (B, H), n (B, H), s (B, 1)) -> d_a (B, H)."""
    for _ in range(3):
        B, H = random_sizes(2, low=4, high=12)
        n, s = normalised(normal(B, H) * 2)
        d_n = normal(B, H)
        mean = d_n.mean(axis=1, keepdims=True)
        along = n * (d_n * n).mean(axis=1, keepdims=True)
        slips = {
            "a acts through the mean and through s too": d_n / s,
            "does a act through s?": (d_n - mean) / s,
            "does a act through the mean?": (d_n - along) / s,
            "is it divided by s?": d_n - mean - along,
            "sums where means should be": (d_n - H * mean - H * along) / s,
        }
        compare(call(answer, d_n, n, s), (d_n - mean - along) / s, "the gradient of a", slips)


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


@register("mended-sigmoid")
def mended_sigmoid(answer):
    """mended_sigmoid(a) -> 1 / (1 + exp(-a)), for numbers of any size."""
    (size,) = random_sizes(1, low=3)
    a = np.concatenate([3 * normal(size), [-1000.0, 1000.0, 0.0]])
    slips = {"that is tanh": np.tanh(a), "in which direction does it rise?": sigmoid(-a)}
    compare(call(answer, a), sigmoid(a), "the sigmoid", slips)
    a = np.array([-12.0, -15.0])
    got = call(answer, a)
    compare(got, np.exp(a), "the sigmoid of large negative numbers", rtol=1e-2)


@register("mended-loss")
def mended_loss(answer):
    """mended_loss(logits (B, T, V), y (B, T)) -> mean loss in nats."""
    for lead in (0.0, 30.0, 1000.0, -1000.0):
        B, T, V = random_sizes(3)
        logits, y = normal(B, T, V), np.random.default_rng().integers(V, size=(B, T))
        logits[0, 0, (y[0, 0] + 1) % V] += lead
        z = logits - logits.max(axis=-1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))
        at_y = np.take_along_axis(log_p, y[..., None], axis=-1)
        bounded = -np.log(np.exp(at_y) + 1e-10).mean()
        slips = {
            "the mean over all targets, not the sum": -at_y.sum(),
            "a small number added to p bounds the loss": bounded,
        }
        number(call(answer, logits, y), -at_y.mean(), slips, name="the loss")


@register("mended-back")
def mended_back(answer):
    """mended_step_back(d_h, d_c, note, W_hh) -> d_sums (B, 4H), d_h and d_c of the step before."""
    for _ in range(3):
        B, H = random_sizes(2)
        i, f, o = (sigmoid(normal(B, H)) for _ in range(3))
        g, old_c, d_h, d_c = np.tanh(normal(B, H)), normal(B, H), normal(B, H), normal(B, H)
        W, tanh_c = normal(4 * H, H), np.tanh(f * old_c + i * g)
        note = i, f, g, o, old_c, tanh_c

        def back(d_c, d_h=d_h, note=note, W=W):
            d_sums, d_c = lstm_step_back(d_h, d_c, *note)
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
        compare(call(answer, d_h, d_c, note, W), right, names, slips)


@register("gate-order")
def gate_order(answer):
    """reordered(value (4H, n) or (4H,), found, wanted) -> the same blocks in another order."""
    for found, wanted, tail in (
        ("gofi", "ifgo", (3,)),
        ("ifgo", "fogi", ()),
        ("iofg", "gifo", (2,)),
    ):
        (H,) = random_sizes(1)
        value = normal(4 * H, *tail)
        right, back = reordered(value, found, wanted), reordered(value, wanted, found)
        slips = {
            "the two orders are exchanged": back,
            "nothing was moved": value,
            "whole blocks of H rows move, not single rows": interleaved(value, found, wanted),
        }
        compare(call(answer, value, found, wanted), right, "the array", slips)


def reordered(value, found, wanted):
    return np.concatenate([blocks(value, found)[gate] for gate in wanted])


def interleaved(value, found, wanted):
    order = [found.index(gate) for gate in wanted]
    return value.reshape(-1, 4, *value.shape[1:])[:, order].reshape(value.shape)


@register("numbers-kept")
def numbers_kept(answer):
    """numbers_kept(B, T, H, V) -> numbers in the logits, the states and the notes of read."""
    for _ in range(3):
        B, T, H = random_sizes(3, low=3, high=20)
        V = 2 * H + B + T  # so that no two slips give the same number
        logits, states, notes = B * T * V, B * (T + 1) * H, 6 * B * T * H
        slips = {
            "are the logits counted?": states + notes,
            "are the states counted?": logits + notes,
            "the states have one place more than there are characters": logits
            + notes
            + states
            - B * H,
            "a note has six arrays": logits + states + notes * 4 / 6,
            "a note has six arrays, c before the step and tanh of c among them": logits
            + states
            + notes * 5 / 6,
            "is it for the whole batch?": (logits + states + notes) / B,
        }
        got = call(answer, B, T, H, V)
        number(got, logits + states + notes, slips, rtol=1e-6, name="the number")
