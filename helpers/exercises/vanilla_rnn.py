"""Checks of the chapter *A vanilla RNN*."""

import copy
import math

import numpy as np
import torch
from torch.nn import functional as F

from helpers.models import CharRNN

from .answers import NotRight, as_array, call, choice, compare, number, parts, whole
from .cells import rnn_states
from .inputs import normal, random_sizes
from .judging import register


@register("rnn-parameters", wants="value")
def rnn_parameters(answer):
    """V = 61, E = 32, H = 256, with PyTorch's two biases."""
    V, E, H = 61, 32, 256
    embedding, layer, output = V * E, H * (E + H + 2), V * (H + 1)
    right = embedding + layer + output
    slips = {
        "the layer has two biases": right - H,
        "do the biases of the layer count?": right - 2 * H,
        "does the bias of the output layer count?": right - V,
        "does the embedding count?": right - embedding,
        "that is the number for a state of 128": V * E + 128 * (E + 130) + V * 129,
    }
    number(answer, right, slips, rtol=1e-9, name="the number of parameters")


@register("first-loss-scaled", wants="value")
def first_loss_scaled(answer):
    """What becomes of an untrained model's loss with logits times ten, and times zero."""
    answer = parts(answer, 2, "a word and a number")
    why = {
        "lower": "what does it cost to be sure and wrong?",
        "the same": "multiplying changes how uneven the guess is",
    }
    choice(answer[0], "higher", ("lower", "the same", "higher"), why, "with logits times ten")
    number(answer[1], math.log(61), {"that is a perplexity": 61}, name="the loss with zeros")


@register("rnn-cell")
def rnn_cell(answer):
    """rnn_cell(x (B, E), h (B, H), W_xh (H, E), W_hh (H, H), b_h (H,)) -> new state (B, H)."""
    for _ in range(3):
        B, E, H = random_sizes(3)
        x, h, W_xh, W_hh, b_h = normal(B, E), normal(B, H), normal(H, E), normal(H, H), normal(H)
        W_xh, W_hh = W_xh / 2, W_hh / 2
        from_x, from_h = x @ W_xh.T, h @ W_hh.T
        slips = {
            "is tanh missing?": from_x + from_h + b_h,
            "does the old state take part?": np.tanh(from_x + b_h),
            "does the bias take part?": np.tanh(from_x + from_h),
            "is the recurrent matrix turned the right way?": np.tanh(from_x + h @ W_hh + b_h),
            "the old state has to go through its matrix": np.tanh(from_x + h + b_h),
        }
        got = call(answer, x, h, W_xh, W_hh, b_h)
        compare(got, np.tanh(from_x + from_h + b_h), "the new state", slips)


@register("rnn-layer")
def rnn_layer(answer):
    """rnn_layer(x (B, T, E), h_0 (B, H), the same weights) -> states (B, T, H), last (B, H)."""
    for _ in range(3):
        B, T, E, H = random_sizes(4, low=3)
        x, h_0 = normal(B, T, E), normal(B, H)
        weights = normal(H, E, scale=0.5), normal(H, H, scale=0.4), normal(H)
        states = rnn_states(x, h_0, *weights)
        from_zero = rnn_states(x, 0 * h_0, *weights)
        backwards = rnn_states(x[:, ::-1], h_0, *weights)
        late = np.concatenate([h_0[:, None], states[:, :-1]], axis=1)
        slips = {
            "does it begin with the state that is given?": (from_zero, from_zero[:, -1]),
            "is the text read from its first character on?": (backwards, backwards[:, -1]),
            "off by one: these are the states before each character": (late, late[:, -1]),
            "that is the state after the first character": (None, states[:, 0]),
            "that is the first state": (None, h_0),
        }
        got = call(answer, x, h_0, *weights)
        compare(got, (states, states[:, -1]), ("the states", "the last state"), slips)


@register("two-biases", wants="value")
def two_biases(answer):
    """How far the sum of two biases moves, plainly and under Adam; one with twice the gradient."""
    answer = parts(answer, 3, "three numbers")
    one = {"so far moves each of the two; their sum is asked for": 1}
    number(answer[0], 2, one, name="plain descent")
    shrunk = {"what do the divisors make of the first step?": 0.2}
    number(answer[1], 2, one | shrunk, name="Adam, two biases")
    doubled = {"Adam divides by the size of the gradient, doubled or not": 2}
    number(answer[2], 1, doubled, name="Adam, one bias with twice the gradient")


@register("stuck-loss")
def stuck_loss(answer):
    """train_mended(model, x, y, updates) -> losses, on a batch that can be learned by heart."""
    V, updates = 6, 60
    x = torch.randint(V, (4, 5), generator=torch.Generator().manual_seed(1))
    y = x.roll(-1, dims=1)
    with torch.random.fork_rng(devices=[]):
        model = CharRNN(V, embed_size=16, hidden_size=64)
    fresh = copy.deepcopy(model)
    losses = call(answer, model, x, y, updates, in_place=True)
    losses = as_array(losses, "the list of losses, one for each update,", (updates,))
    if all(torch.equal(a, b) for a, b in zip(fresh.parameters(), model.parameters(), strict=True)):
        raise NotRight("the weights of the model that it is given do not move")
    if abs(losses[0] - math.log(V)) > 0.8:
        raise NotRight("the first loss is far from log V: is it a mean, in nats, over all targets?")
    if np.allclose(losses, trained(fresh, x, y, updates), atol=0.02):
        return
    if np.allclose(losses, trained(fresh, x, y, updates, zero=False), atol=0.02):
        raise NotRight("gradients add up from update to update: are they set to zero?")
    if losses[-1] > losses[0] + 0.1:
        raise NotRight("the loss rises")
    floor = math.log(math.e + V - 1) - 1
    if losses[-1] > 0.9 * floor:
        raise NotRight(
            "the loss still gets stuck: how large can the probability of the right character "
            "become in it?"
        )
    raise NotRight(
        "it learns, but not as the friend's program does without its mistake: is the "
        "optimiser hers, its learning rate, and the order of her lines?"
    )


def trained(model, x, y, updates, zero=True):
    """Losses of a copy of the model by the friend's program, mended; without ``zero_grad``."""
    model, losses = copy.deepcopy(model), []
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(updates):
        loss = F.cross_entropy(model(x)[0].flatten(0, 1), y.flatten())
        if zero:
            optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@register("unit-for-label")
def unit_for_label(answer):
    """unit_for(states (T, H), label (T,)) -> index of the unit that goes with the label most."""
    for sign in (1, -1, 1, -1):
        H = random_sizes(1, low=5, high=12)[0]
        T, rng = 400, np.random.default_rng()
        right, loud, steady, other, quiet = (int(i) for i in rng.permutation(H)[:5])
        label = (rng.random(T) < 0.2).astype(float)
        states = normal(T, H, scale=0.2)
        states[:, right] += sign * 0.4 * label + 1
        states[:, other] -= sign * 0.15 * label  # weaker, and of the other sign
        states[:, loud] = 3 * normal(T) + 1.0 * label  # a larger product, a smaller correlation
        states[:, steady] += 5  # a large mean
        states[:, quiet] = 0.02 * normal(T) + 0.01 * label  # a small variance
        together = label @ (states - states.mean(axis=0)) / T
        spread = states.std(axis=0)
        slips = {
            "the sign does not matter, and it takes a positive correlation alone": (
                int((together / spread).argmax())
            ),
            "it takes a unit whose numbers are large: divide by the spread": (
                int(abs(together).argmax())
            ),
            "it takes a unit whose numbers are close together: divide by the spread once": (
                int(abs(together / spread**2).argmax())
            ),
            "it takes a unit whose mean is large: subtract the mean": (
                int(abs(label @ states / spread).argmax())
            ),
        }
        got = whole(call(answer, states, label), "the unit")
        number(got, right, slips, name="the unit")
