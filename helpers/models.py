"""Character models in PyTorch: ids (B, T) -> logits (B, T, V) and the state after them."""

from __future__ import annotations

import os
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class CharRNN(nn.Module):
    """Embedding, recurrent layers, linear output layer: one next-character guess a position.

    vocab_size : V, the number of distinct characters
    embed_size : E, numbers per character going in
    hidden_size : H, numbers the network carries from one character to the next
    cell : "rnn" (tanh; Elman 1990), "lstm" (Hochreiter and Schmidhuber 1997, with the
        forget gate of Gers et al. 2000) or "gru" (Cho et al. 2014, as PyTorch has it:
        the reset gate acts after the matrix product)
    num_layers, dropout : recurrent layers, and dropout between them (none after the last)

    Weights start as PyTorch starts them; call ``torch.manual_seed`` first to fix them.
    """

    def __init__(
        self, vocab_size, embed_size=32, hidden_size=128, cell="rnn", num_layers=1, dropout=0.0
    ):
        super().__init__()
        if cell not in CELLS:
            raise ValueError(f"cell must be one of {', '.join(map(repr, CELLS))}, not {cell!r}")
        self.config = {
            "vocab_size": vocab_size,
            "embed_size": embed_size,
            "hidden_size": hidden_size,
            "cell": cell,
            "num_layers": num_layers,
            "dropout": dropout,
        }
        self.embedding = nn.Embedding(vocab_size, embed_size)
        self.recurrent = CELLS[cell](
            embed_size, hidden_size, num_layers, batch_first=True, dropout=dropout
        )
        self.output = nn.Linear(hidden_size, vocab_size)

    def forward(self, ids, state=None):
        """ids (B, T) int64, state from an earlier call or None for zeros -> logits, state.

        The state is PyTorch's: h (layers, B, H), for the LSTM the pair (h, c).
        """
        if ids.dim() != 2:
            raise ValueError(f"ids must have the shape (batch, time), not {tuple(ids.shape)}")
        embedded = self.embedding(ids)  # (B, T, E)
        hidden, state = self.recurrent(embedded, state)  # (B, T, H)
        return self.output(hidden), state  # (B, T, V)


def count_parameters(model):
    """The number of trainable numbers in a model."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def choose_device(device=None):
    """``device``, else what ``CHARBOOK_DEVICE`` names, else CUDA where present, else the CPU."""
    device = device or os.environ.get("CHARBOOK_DEVICE")
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(device)


def detach(state):
    """The same state, cut off from the graph that computed it: gradients stop here."""
    if state is None:
        return None
    if isinstance(state, torch.Tensor):
        return state.detach()
    return type(state)(detach(part) for part in state)


@contextmanager
def evaluating(model):
    """Evaluation mode (dropout off) without gradients; the model's mode is restored after.

    A model that is no torch module, such as an n-gram, has no mode and passes through.
    """
    was_training = getattr(model, "training", False)
    try:
        if was_training:
            model.eval()
        with torch.no_grad():
            yield model
    finally:
        if was_training:
            model.train()


def predict(model, ids, state=None):
    """Call any model of the book, torch or NumPy, on NumPy ids.

    ids (B, T) -> logits (B, T, V) as a float64 array, and the model's state. The caller
    says, with ``evaluating``, in which mode.
    """
    ids = np.asarray(ids)
    if isinstance(model, nn.Module):
        ids = torch.as_tensor(ids, device=next(model.parameters()).device)
    logits, state = model(ids, state)
    if isinstance(logits, torch.Tensor):
        logits = logits.cpu().numpy()
    return logits.astype(np.float64), state
