"""Checks of the chapter *A vanilla RNN*."""

import copy
import math

import numpy as np
import torch
from torch.nn import functional as F

from helpers.models import CharRNN

from .answers import NotRight, as_array, call, choice, compare, number, parts, whole
from .inputs import normal, random_sizes
from .judging import register


@register("rnn-parameters", wants="value")
def rnn_parameters(answer):
    """V = 63, E = 32, H = 256, with two biases in the cell."""
    V, E, H = 63, 32, 256
    embedding, layer, output = V * E, H * (E + H + 2), V * (H + 1)
    right = embedding + layer + output
    slips = {
        "the cell has two biases": right - H,
        "do the biases of the cell count?": right - 2 * H,
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
    number(answer[1], math.log(63), {"that is a perplexity": 63}, name="the loss with zeros")


@register("rnn-cell")
def rnn_cell(answer):
    """rnn_cell(x (B, E), h (B, H), W_x (H, E), W_h (H, H), b (H,)) -> new state (B, H)."""
    for _ in range(3):
        B, E, H = random_sizes(3)
        x, h, W_x, W_h, b = normal(B, E), normal(B, H), normal(H, E), normal(H, H), normal(H)
        W_x, W_h = W_x / 2, W_h / 2
        from_x, from_h = x @ W_x.T, h @ W_h.T
        slips = {
            "is tanh missing?": from_x + from_h + b,
            "does the old state take part?": np.tanh(from_x + b),
            "does the bias take part?": np.tanh(from_x + from_h),
            "is the recurrent matrix turned the right way?": np.tanh(from_x + h @ W_h + b),
            "the old state has to go through its matrix": np.tanh(from_x + h + b),
        }
        got = call(answer, x, h, W_x, W_h, b)
        compare(got, np.tanh(from_x + from_h + b), "the new state", slips)


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
