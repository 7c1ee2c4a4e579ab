"""What the gates of an LSTM did while it read a text."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from .models import evaluating


class Gates(NamedTuple):
    """Values after reading each of T characters, each an array (T, H).

    Gates lie between 0 and 1, ``cell`` (the candidate) and ``h`` between -1 and 1;
    ``c`` has no bounds. Row t belongs to the character at position t of the text.
    """

    input: np.ndarray
    forget: np.ndarray
    cell: np.ndarray
    output: np.ndarray
    c: np.ndarray
    h: np.ndarray


def record_gates(model, ids, layer=0):
    """Read ids (T,) with a ``CharRNN(cell="lstm")`` from a zero state -> ``Gates``.

    PyTorch returns states but no gates, so the recurrence is computed here step by step
    with the model's weights (equations: see the LSTM chapter). ``layer`` counts from 0.
    Evaluation mode, no gradients. Raises ValueError for another cell, layer or shape.
    """
    config = getattr(model, "config", {})
    if config.get("cell") != "lstm":
        raise ValueError(f"only an LSTM has these gates, not cell={config.get('cell')!r}")
    if not 0 <= layer < config["num_layers"]:
        raise ValueError(f"layer must be between 0 and {config['num_layers'] - 1}, not {layer}")
    ids = np.asarray(ids)
    if ids.ndim != 1 or ids.size == 0:
        raise ValueError(f"ids must be one text, of shape (T,), not {ids.shape}")
    with evaluating(model):
        device = next(model.parameters()).device
        sequence = model.embedding(torch.as_tensor(ids, device=device))  # (T, E)
        for k in range(layer + 1):
            values = _run_layer(model.recurrent, k, sequence)
            sequence = values[-1]  # (T, H): the layer above reads h
    return Gates(*(v.cpu().numpy() for v in values))


def _run_layer(lstm, k, sequence):
    """One layer over (T, inputs) -> six tensors (T, H), in the order of ``Gates``."""
    w_x, w_h, b_x, b_h = (
        getattr(lstm, f"{name}_l{k}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    h = c = sequence.new_zeros(lstm.hidden_size)
    rows = []
    for x in sequence:
        i, f, g, o = (w_x @ x + b_x + w_h @ h + b_h).chunk(4)
        i, f, g, o = torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)
        c = f * c + i * g
        h = o * torch.tanh(c)
        rows.append((i, f, g, o, c, h))
    return [torch.stack(column) for column in zip(*rows, strict=True)]
