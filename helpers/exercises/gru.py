"""Checks of the chapter *GRU*."""

import math

import numpy as np

from .answers import NotRight, as_array, call, choice, compare, number, parts, single
from .cells import gru_step, sigmoid
from .inputs import normal, random_sizes
from .judging import register


@register("open-gate", wants="value")
def open_gate(answer):
    """(share of the way with 5 added, share without, what happens to the first loss)."""
    share, before, first_loss = parts(answer, 3, "two shares and what happens to the loss")
    z = sigmoid(5.0)
    slips = {
        "that is the gate: at z = 1 nothing moves": z,
        "is the gate a sigmoid?": 1 - math.tanh(5),
    }
    number(share, 1 - z, slips, rtol=0.03, name="the share with 5 added")
    number(before, 0.5, {"what is the sigmoid of 0?": 0.0}, name="the share before")
    options = ("much higher", "much lower", "about the same")
    why = {
        "much higher": "what does a fresh output layer make of any state?",
        "much lower": "has anything been learned before the first update?",
    }
    choice(first_loss, "about the same", options, why, name="the first loss")


@register("reset-matrix")
def reset_matrix(answer):
    """special_matrix(H) -> W (H, H), b (H,): r * (W h + b) = W (r * h) + b for every r and h."""
    for H in random_sizes(3, low=3):
        W, b = parts(call(answer, H), 2, "the matrix and the bias")
        W, b = as_array(W, "W", (H, H)), as_array(b, "b", (H,))
        if np.allclose(W, W[0, 0] * np.eye(H)):
            raise NotRight("they agree, but the matrix is a multiple of the identity")
        r, h = sigmoid(normal(H)), normal(H)
        if np.abs(r * b - b).max() > 1e-6:
            raise NotRight("the bias stands under r in one form and outside of it in the other")
        apart = np.abs(r * (W @ h) - W @ (r * h)).max()
        if apart > 1e-5 * max(1, np.abs(W).max()):
            raise NotRight(
                f"for a random r and h the two differ by {apart:.2g}: which numbers of W "
                "meet an r_j in one form and another, r_k, in the other?"
            )


@register("reset-vector")
def reset_vector(answer):
    """special_reset(H) -> r (H,) in (0, 1): r * (W h) = W (r * h) for every W and h."""
    for H in random_sizes(3, low=3):
        r = as_array(call(answer, H), "r", (H,))
        if (r <= 0).any() or (r >= 1).any():
            raise NotRight("a gate lies between 0 and 1, and neither is allowed here")
        W, h = normal(H, H), normal(H)
        apart = np.abs(r * (W @ h) - W @ (r * h)).max()
        if apart > 1e-4:
            raise NotRight(
                f"for a random matrix and h the two differ by {apart:.2g}: "
                "when can r be pulled out of a sum over j?"
            )


@register("tied-gates")
def tied_gates(answer):
    """tied(stacked (4H, n) or (4H,)) -> the same with the rows of i = minus those of f."""
    for shape in ((5,), (), (3,)):
        (H,) = random_sizes(1)
        stacked = normal(4 * H, *shape)
        i, f, g, o = np.split(stacked, 4)
        slips = {
            "input gate and forget gate are equal now, and not opposite": [f, f, g, o],
            "that changes the forget gate, and the input gate was to be changed": [i, -i, g, o],
            "PyTorch's order is input, forget, candidate, output": [i, f, -o, o],
            "1 - f holds for gates, and this is what goes into their sigmoid": [1 - f, f, g, o],
        }  # fmt: skip
        slips = {slip: np.concatenate(wrong) for slip, wrong in slips.items()}
        right = np.concatenate([-f, f, g, o])
        got = call(answer, stacked, in_place=True)  # for parameters, one may well do so
        compare(got, right, "the changed array", slips)


@register("gru-step")
def one_step(answer):
    """gru_step(x, h, W_x (3H, E), W_h (3H, H), b_x, b_h (3H,), order) -> new h (B, H)."""
    for order in ("rzn", "zrn", "nrz"):
        B, E, H = random_sizes(3)
        x, h = normal(B, E), normal(B, H)
        weights = normal(3 * H, E) / 2, normal(3 * H, H) / 2, normal(3 * H), normal(3 * H)
        right, (_, z, n) = gru_step(x, h, *weights, order)
        slips = {
            "is the order taken into account?": gru_step(x, h, *weights)[0],
            "here z = 1 keeps the old state": z * n + (1 - z) * h,
            "the reset gate acts after the product": gru_step(x, h, *weights, order, True)[0],
            "the reset gate acts on the bias, too": self_reset(x, h, *weights, order),
            "is the candidate a tanh?": (1 - z) * np.arctanh(n) + z * h,
        }
        compare(call(answer, x, h, *weights, order), right, "the new state", slips)


def self_reset(x, h, W_x, W_h, b_x, b_h, order):
    """What comes out where b_h of the candidate is added outside of the reset gate."""
    H, place = h.shape[1], order.index("n") * h.shape[1]
    moved_x, moved_h = b_x.copy(), b_h.copy()
    moved_x[place : place + H] += moved_h[place : place + H]
    moved_h[place : place + H] = 0
    return gru_step(x, h, W_x, W_h, moved_x, moved_h, order)[0]


@register("half-lives")
def half_lives(answer):
    """half_lives(z (T, H)) -> half-life of each unit in characters (H,)."""
    for _ in range(3):
        T, H = random_sizes(2, low=4, high=12)
        z = sigmoid(2 * normal(T, H))
        mean_log = np.log(z).mean(axis=0)
        slips = {
            "the mean of log z is not the log of the mean": -math.log(2) / np.log(z.mean(axis=0)),
            "it is log 2 that the mean is compared with": -1 / mean_log,
            "the logarithms are averaged, not added": -math.log(2) / np.log(z).sum(axis=0),
            "the mean is over time, one number per unit": -math.log(2) / np.log(z).mean(),
        }
        compare(call(answer, z), -math.log(2) / mean_log, "the half-lives", slips)


@register("best-epoch")
def best_epoch(answer):
    """best_epoch(losses (seeds, epochs)) -> the epoch, from 1, of the lowest mean."""
    for _ in range(3):
        seeds, epochs = random_sizes(2, low=6, high=15)
        losses, best = normal(seeds, epochs), int(np.random.default_rng().integers(1, epochs - 3))
        losses[:, best] -= 9
        losses[:, best + 1] += 50  # for one seed this is the lowest of all
        losses[0, best + 1] -= 90
        slips = {
            "epochs count from 1": losses.mean(axis=0).argmin(),
            "the lowest loss of any one seed is an accident: take the mean first": (
                losses.argmin() % epochs + 1
            ),
        }
        right = losses.mean(axis=0).argmin() + 1
        got = single(call(answer, losses), "the epoch for all seeds")
        number(got, right, slips, rtol=1e-9, name="the epoch with the lowest mean")
