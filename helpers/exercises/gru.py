"""Checks of the chapter *GRU*."""

import numpy as np

from .answers import NotRight, as_array, call, compare, parts
from .cells import gru_step, sigmoid
from .inputs import normal, random_sizes
from .judging import register


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


@register("lifetimes")
def lifetimes(answer):
    """lifetimes(z (N, T, H)) -> characters with at least half of the value left (N, H)."""
    for _ in range(3):
        N, T, H = random_sizes(3, low=3, high=12)
        z = sigmoid(3 * normal(N, T, H) + 2)
        right = lasting(z)
        slips = {
            "what is left is a product over time, not the gate itself": (z >= 0.5).sum(axis=1),
            "the product runs over time, the second axis": lasting(z.swapaxes(0, 1)),
            "the characters are counted, not the share that is left": z.prod(axis=1),
            "where less than half is left, the character isn't counted": 1 + right,
        }
        compare(call(answer, z), right, "the lifetimes", slips)


def lasting(z):
    """For how many steps the product of gates (N, T, H) is at least one half: (N, H)."""
    return (np.cumprod(z, axis=1) >= 0.5).sum(axis=1)
