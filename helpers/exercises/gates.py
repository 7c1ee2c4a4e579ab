"""Checks of the chapter *Inside the gates*."""

import numpy as np

from .answers import call, choice, compare, parts
from .inputs import normal, random_sizes
from .judging import register


@register("gates-at-zero", wants="value")
def gates_at_zero(answer):
    """The two gates that cost the same when held at 0, and the one that costs least."""
    answer = parts(answer, 2, "two gates of equal loss, and one gate")
    why = {
        "input and forget": "nothing is added, or nothing is kept: is the same left in the cell?",
        "forget and output": "without the forget gate h still depends on the character just read",
    }
    pairs = ("input and forget", "input and output", "forget and output")
    choice(answer[0], "input and output", pairs, why, "the same loss")
    why = dict.fromkeys(("input", "output"), "what does the output layer see then?")
    choice(answer[1], "forget", ("input", "forget", "output"), why, "costs least")


@register("off-by-one-gate", wants="value")
def off_by_one_gate(answer):
    """Where her first letters stand, and her_mean(values (T,), mask (T,))."""
    answer = parts(answer, 2, "a word and a function")
    options = ("space", "first letter", "last letter", "line end")
    why = {
        "first letter": "row t of the gates reads character t; what is her mask at t about?",
        "last letter": "what stands before a first letter?",
        "line end": "that happens, but mostly it is something else",
    }
    choice(answer[0], "space", options, why, "where it stands")
    for _ in range(3):
        values = normal(40)
        mask = np.random.default_rng().random(40) < 0.4
        mask[[0, 20, -1]] = True, True, True
        mask[[1, 21, -2]] = False
        slips = {
            "that is the right mean; hers is off by one": values[mask].mean(),
            "off by one in the other direction": values[1:][mask[:-1]].mean(),
            "the last character has no next one": values[np.roll(mask, -1)].mean(),
            "only the masked characters count in the mean": (
                (values[:-1] * mask[1:]).sum() / len(values[:-1])
            ),
        }
        compare(call(answer[1], values, mask), values[:-1][mask[1:]].mean(), "her mean", slips)


@register("letters-so-far")
def letters_so_far(answer):
    """letters_so_far(text) -> (T,): letters of the word read so far, 0 at no letter."""
    rng = np.random.default_rng()
    for _ in range(3):
        text = "Ay" + "".join(rng.choice(list("aabbcdE  .\n'"), 60)) + "end"
        right, before, all_of_it, from_zero, spaces, count, since = [], [], [], [], [], 0, 0
        for character in text:
            before.append(count)
            letter = character.isalpha()
            from_zero.append(count if letter else 0)
            count = count + 1 if letter else 0
            since = 0 if character in " \n" else since + 1
            right.append(count)
            spaces.append(since)
            all_of_it.append(sum(map(str.isalpha, text[: len(all_of_it) + 1])) if letter else 0)
        slips = {
            "these are the letters before each character": before,
            "the first letter of a word is number 1": from_zero,
            "it should begin anew with each word": all_of_it,
            "only letters count, and every other character sets it back": spaces,
        }
        compare(call(answer, text), right, "the counts", slips)


def constant_gate(W_x, W_h, b, gate, value, order="ifgo", inputs=True, logit=True, old=True):
    """Weights under which a gate is constant; or, with a mistake, nearly so."""
    H = W_h.shape[1]
    rows = slice(order.index(gate) * H, (order.index(gate) + 1) * H)
    W_x, W_h, b = W_x.copy(), W_h.copy(), b.copy()
    if inputs:
        W_x[rows] = 0
    if old:
        W_h[rows] = 0
    b[rows] = np.log(value / (1 - value)) if logit else value
    return W_x, W_h, b


@register("held-weights")
def held_weights(answer):
    """held_weights(W_x, W_h, b, gate, value) -> the three, with which that gate is constant."""
    for gate in "ifo":
        E, H = random_sizes(2, low=3)
        weights = normal(4 * H, E), normal(4 * H, H), normal(4 * H)
        inputs = *weights, gate, np.random.default_rng().uniform(0.1, 0.9, H)
        slips = {
            "the candidate comes before the output gate": constant_gate(*inputs, order="ifog"),
            "the input gate comes before the forget gate": constant_gate(*inputs, order="figo"),
            "the sigmoid of the bias is to be the value": constant_gate(*inputs, logit=False),
            "the old h still reaches the gate": constant_gate(*inputs, old=False),
            "the input x still reaches the gate": constant_gate(*inputs, inputs=False),
        }
        compare(call(answer, *inputs), constant_gate(*inputs), ("W_x", "W_h", "b"), slips)
