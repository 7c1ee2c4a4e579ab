"""An LSTM of which a gate or a unit is held at a value, by a change of its weights."""

from __future__ import annotations

import torch

BLOCKS = {"input": 0, "forget": 1, "output": 3}  # in the stacked weights of nn.LSTM
BEYOND = 40.0  # of this sum, float32 has a sigmoid of exactly 1 and a slope of exactly 0


@torch.no_grad()
def hold_gate(model, gate, value):
    """Hold a gate of a ``CharRNN(cell="lstm")`` of one layer, in place, at value: (H,) or one.

    The gate's weights become 0, its bias the logit of the value. A gate that is held at 1 has
    no gradient and stays there in training.
    """
    lstm = model.recurrent
    rows = slice(BLOCKS[gate] * lstm.hidden_size, (BLOCKS[gate] + 1) * lstm.hidden_size)
    for weight in (lstm.weight_ih_l0, lstm.weight_hh_l0, lstm.bias_hh_l0):
        weight[rows] = 0
    lstm.bias_ih_l0[rows] = torch.as_tensor(value).float().logit().clamp(-BEYOND, BEYOND)
    return model


@torch.no_grad()
def hold_unit(model, unit, value):
    """Hold one unit's h at a number, in place, from the first character read.

    What reads the unit, the gates and the output layer, gets it as a part of its bias.
    """
    for weight, bias in (
        (model.recurrent.weight_hh_l0, model.recurrent.bias_hh_l0),
        (model.output.weight, model.output.bias),
    ):
        bias += value * weight[:, unit]
        weight[:, unit] = 0
    return model
