"""What the gates of an LSTM did while it read a text, and where in the text."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from .corpus import character_kinds
from .models import evaluating
from .support.arguments import ids_below, whole_number


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
    layer = whole_number("layer", layer, 0, config["num_layers"] - 1)
    ids = ids_below(ids, config["vocab_size"])
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
    from_x = sequence @ w_x.T + b_x + b_h  # (T, 4 H), what does not wait for h
    h = c = sequence.new_zeros(lstm.hidden_size)
    rows = []
    for x in from_x:
        total = torch.addmv(x, w_h, h)  # (4 H,)
        (i, f, _, o), g = torch.sigmoid(total).chunk(4), torch.tanh(total.chunk(4)[2])
        c = f * c + i * g
        h = o * torch.tanh(c)
        rows.append((i, f, g, o, c, h))
    return [torch.stack(column) for column in zip(*rows, strict=True)]


# Letters of any alphabet; an apostrophe between two of them belongs to the word.
LETTER = r"[^\W\d_]"
POSITIONS = {
    "first letter": rf"(?<!{LETTER})(?<!{LETTER}'){LETTER}",
    "inside a word": rf"(?<={LETTER})(?:{LETTER}|'(?={LETTER}))+",
    "last letter": rf"(?:(?<={LETTER})|(?<={LETTER}')){LETTER}(?!'?{LETTER})",
    "space": r" ",
    "line end": r"\n",
    "label": r"(?:\A|(?<=\n\n))[^\n:]+(?=:\n)",  # after an empty line, up to the colon
}


def positions(text):
    """Where each character of a text stands: {name: mask (T,)}, true in exactly one of them.

    "first letter", "inside a word" and "last letter" of a word (a word of one letter has a
    first only); "space"; "line end"; "label", the speaker's name before its colon, as plays
    have it; "punctuation", which is all the rest.
    """
    return character_kinds(text, POSITIONS, rest="punctuation")
