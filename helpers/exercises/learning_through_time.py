"""Checks of the chapter *Learning through time*."""

import math

import numpy as np

from .answers import NotRight, as_array, call, choice, compare, number, parts
from .cells import rnn_states
from .inputs import normal, random_sizes
from .judging import register


@register("zero-path", wants="value")
def zero_path(answer):
    answer = parts(answer, 3, "three answers")
    slips = {"steps are counted from 1, and states from 0": 0}
    number(answer[0], 1, slips, name="the step")
    why = {"yes": "what does u act on at that step?"}
    choice(answer[1], "no", ("yes", "no"), why, "the path to u")
    why = {"yes": "what does the recurrent matrix act on at that step?"}
    choice(answer[2], "no", ("yes", "no"), why, "the first character")


@register("bptt-on-paper", wants="value")
def bptt_on_paper(answer):
    """w = 2, u = 1, h_0 = 1, inputs 1, -2, 1: states 3, 4, 9."""
    answer = parts(answer, 3, "three answers, the first two of them pairs")
    weights = ("dL/dw", "dL/du")
    cases = {
        "one loss": (
            answer[0],
            (14, 1),
            {
                "that is the path through the last step alone": (4, None),
                "each step back costs a factor of w": (8, 0),
                "it is the state before the step that counts": (29, None),
                "what is sent back is h_3 - y": (-14, -1),
            },
        ),
        "a loss at every step": (
            answer[1],
            (10, 2),
            {
                "that is the last loss alone: the others count too": (14, 1),
                "what comes back from later steps is missing": (2, 4),
                "it is the state before the step that counts": (22, None),
            },
        ),
    }
    for case, (got, right, slips) in cases.items():
        got = parts(got, 2, "the pair of dL/dw and dL/du", case)
        for i, weight in enumerate(weights):
            mine = {slip: wrong[i] for slip, wrong in slips.items() if wrong[i] is not None}
            number(got[i], right[i], mine, name=f"{case}, {weight}")
    slips = {"that is uncut": 14, "what is left is a part of dL/dw, not of dL/du": 1}
    number(answer[2], 4, slips, rtol=1e-6, name="the cut gradient")


def sweep(x, states, own, W_hh, before=None, slope=True, back=None, only_last=False):
    """The gradients of a recurrent layer's weights; the options are mistakes."""
    T = x.shape[1]
    if before is None:
        before = np.concatenate([0 * states[:, :1], states[:, :-1]], axis=1)
    grads, later = [0, 0, 0], 0
    for t in range(T - 1, -1, -1):
        delta = (own[:, t] + later) * ((1 - states[:, t] ** 2) if slope else 1)
        grads = [
            grads[0] + delta.T @ x[:, t],
            grads[1] + delta.T @ before[:, t],
            grads[2] + delta.sum(0),
        ]
        later = delta @ W_hh if back is None else back(delta)
        if only_last:
            break
    return tuple(grads)


@register("rnn-backward")
def rnn_backward(answer):
    """rnn_backward(x (B, T, E), states, d_states (B, T, H), W_hh) -> d_W_xh, d_W_hh, d_b_h."""
    for _ in range(3):
        B, T, E, H = random_sizes(4, low=3)
        x, own, W_hh = normal(B, T, E), normal(B, T, H), normal(H, H, scale=0.4)
        states = rnn_states(x, np.zeros((B, H)), normal(H, E, scale=0.5), W_hh, normal(H))
        given = (x, states, own, W_hh)
        right = sweep(*given)
        turned = sweep(*given, back=lambda delta, W=W_hh: delta @ W.T)
        alone = sweep(*given, back=lambda delta: 0 * delta)
        slips = {
            "the derivative of tanh is missing": sweep(*given, slope=False),
            "the recurrent matrix is transposed on the way back": turned,
            "nothing comes back from the later steps": alone,
            "that is the last step alone: sum over all steps": sweep(*given, only_last=True),
            "W_hh acts on the state before the step": (None, sweep(*given, before=states)[1], None),
        }
        names = ("the gradient of W_xh", "the gradient of W_hh", "the gradient of b_h")
        compare(call(answer, *given), right, names, slips)


@register("adam-bound", wants="value")
def adam_bound(answer):
    slips = {
        "v is under a root": 0.1 / 0.001,
        "after many updates m is not divided any more": 1 / math.sqrt(0.001),
        "after many updates v is not divided any more": 0.1,
        "that is the first update, where the divisors with t count": 1,
    }
    number(answer, 0.1 / math.sqrt(0.001), slips, rtol=0.02, name="the largest step")


@register("loss-without-nan")
def loss_without_nan(answer):
    """mean_loss_mended(logits (N, V), targets (N,)) -> mean loss, for logits of any size."""
    for scale in (1, 3, 300, 3000):
        N, V = random_sizes(2, low=4, high=12)
        logits = normal(N, V)
        logits[0] -= 5
        logits *= scale
        targets = np.random.default_rng().integers(V, size=N)
        z = logits - logits.max(axis=1, keepdims=True)
        losses = np.log(np.exp(z).sum(axis=1)) - z[np.arange(N), targets]
        got = as_array(call(answer, logits, targets), "the loss")
        where = f" with logits up to {np.abs(logits).max():.0f}"
        if not np.isfinite(got).all():
            raise NotRight(f"the loss{where} is still infinite or not a number (NaN)")
        slips = {"is it a sum?": losses.sum()}
        compare(got, losses.mean(), "the loss", slips, where=where)


@register("saturated")
def saturated(answer):
    """saturated(states, beyond) -> the share of numbers above beyond or below -beyond."""
    for beyond in (0.9, 0.5, 0.7):
        sizes = random_sizes(3, low=4)
        states = np.tanh(2 * normal(*sizes) + 0.5)
        slips = {
            "are the numbers below -beyond counted?": (states > beyond).mean(),
            "that is the share inside": (abs(states) <= beyond).mean(),
            "that is a number, not a share": (abs(states) > beyond).sum(),
            "is the bound the one that is given?": (abs(states) > 0.9).mean(),
        }
        compare(call(answer, states, beyond), (abs(states) > beyond).mean(), "the share", slips)
