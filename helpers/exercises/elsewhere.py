"""Checks of the chapter *The same model elsewhere*; none of them needs another framework."""

import numpy as np

from .answers import call, choice, compare, number, parts
from .cells import blocks
from .inputs import normal, random_sizes
from .judging import register


@register("wrong-half", wants="value")
def wrong_half(answer):
    """(limit of |h|, limit of |c| after ten characters, an error?, first and second character)."""
    answer = parts(answer, 5, "two numbers and three words")
    slips = {
        "that is a value of tanh, and not its limit": np.tanh(1),
        "gates are between 0 and 1; what is multiplied by the gate?": 0.5,
    }
    number(answer[0], 1, slips, name="the limit of h")
    slips = {"the cell state is a sum over all characters": 1, "from zero, one each": 11}
    number(answer[1], 10, slips, name="the limit of c")
    why = {"yes": "which shapes have the two?", "no": ""}
    choice(answer[2], "no", ("yes", "no"), why, name="whether an error comes")
    options = ("right", "wrong")
    why = {"wrong": "from which state was the prompt read?", "right": "which state has it got?"}
    choice(answer[3], "right", options, why, name="the first character")
    choice(answer[4], "wrong", options, why, name="the second character")


@register("split-bias")
def split_bias(answer):
    """moved(slope (G,), rest, n, lr, limit) -> how far the sum of n equal biases moves, (G,)."""
    for limit in (1e9, 2.0, 2.0):
        (G,) = random_sizes(1, low=3)
        n, lr, slope = int(np.random.default_rng().integers(2, 6)), 0.1, normal(G)
        rest = 4.0
        own = (slope**2).sum()

        def step(parts, counted, limit=limit, lr=lr, slope=slope, own=own, rest=rest):
            length = np.sqrt(counted * own + rest**2)
            return -parts * lr * slope * min(1, limit / length)

        slips = {
            "each part moves, and the moves are added": step(1, n),
            "the gradient is not shared out: each part has all of it": step(1, 1),
            "the parts make the whole gradient longer": step(n, 1),
            "lengths are added as squares": step(n, n**2),
            "descent goes against the gradient": -step(n, n),
        }
        compare(call(answer, slope, rest, n, lr, limit), step(n, n), "the step", slips)


def torch_weights(V, E, H, layers):
    """Random arrays under the names of a ``CharRNN(cell="lstm")``."""
    found = {"embedding.weight": normal(V, E)}
    for k in range(layers):
        found[f"recurrent.weight_ih_l{k}"] = normal(4 * H, E if k == 0 else H)
        found[f"recurrent.weight_hh_l{k}"] = normal(4 * H, H)
        found[f"recurrent.bias_ih_l{k}"], found[f"recurrent.bias_hh_l{k}"] = normal(2, 4 * H)
    return found | {"output.weight": normal(V, H), "output.bias": normal(V)}


@register("keras-arrays")
def keras_arrays(answer):
    """keras_arrays(weights of a CharRNN of some layers, layers) -> list in Keras's order."""
    for layers in (2, 1, 3):
        V, E, H = random_sizes(3, low=3)
        weights = torch_weights(V, E, H, layers)
        names, right, slips = ["the embedding"], [weights["embedding.weight"]], [{}]
        for k in range(layers):
            ih, hh = (weights[f"recurrent.bias_{part}_l{k}"] for part in ("ih", "hh"))
            for name, array, slip in (
                ("kernel", weights[f"recurrent.weight_ih_l{k}"].T, {}),
                ("recurrent kernel", weights[f"recurrent.weight_hh_l{k}"].T, {}),
                ("bias", ih + hh, {"PyTorch has two of them": ih, "and the other one?": hh}),
            ):
                names.append(f"layer {k + 1}'s {name}")
                right.append(array)
                slips.append(slip | ({"nothing is added to the forget gate": plus_one(ih + hh, H)}
                                     if name == "bias" else {}))  # fmt: skip
        names += ["the output's kernel", "the output's bias"]
        right += [weights["output.weight"].T, weights["output.bias"]]
        slips += [{}, {}]
        arrays = f"{len(right)} arrays for {layers} layers"
        got = parts(call(answer, weights, layers), len(right), arrays)
        for one, expected, name, slip in zip(got, right, names, slips, strict=True):
            compare(one, expected, name, slip)


def plus_one(bias, H):
    changed = bias.copy()
    changed[H : 2 * H] += 1
    return changed


@register("onnx-order")
def gate_order(answer):
    """reordered(stacked (4H, n) or (4H,), order) -> the same in PyTorch's order, i f g o."""
    for order in ("iofg", "ifgo", "gofi", "fogi"):
        for shape in ((3,), ()):
            (H,) = random_sizes(1)
            stacked = normal(4 * H, *shape)
            right = np.concatenate([blocks(stacked, order)[gate] for gate in "ifgo"])
            there = np.concatenate([blocks(stacked, "ifgo")[gate] for gate in order])
            slips = {
                "that goes from PyTorch's order to the other one": there,
                "nothing has moved": stacked,
                "whole blocks of H should move, not single rows": np.concatenate(
                    [stacked[order.index(gate) :: 4] for gate in "ifgo"]
                ),
            }
            compare(call(answer, stacked, order), right, "the array", slips)
