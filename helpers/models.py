"""Character models in PyTorch: ids (B, T) -> logits (B, T, V) and the state after them."""

from __future__ import annotations

import math
import os
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from .support import arguments


@dataclass(frozen=True)
class Architecture:
    """A kind of model, and how every figure shows it."""

    label: str
    colour: str
    line: str | tuple  # matplotlib's; in grey the lines tell the architectures apart
    layer: type | None = None  # of a CharRNN; called and constructed as nn.LSTM is
    in_page: bool = False  # whether the live figures can run it


# The colours are Okabe and Ito's, which most colour-blind readers tell apart. A new recurrent
# cell is a line here and a choice of ``train --cell``.
ARCHITECTURES = {
    "rnn": Architecture("RNN", "#D55E00", "--", nn.RNN, in_page=True),
    "lstm": Architecture("LSTM", "#0072B2", "-", nn.LSTM, in_page=True),
    "gru": Architecture("GRU", "#009E73", "-.", nn.GRU, in_page=True),
    "transformer": Architecture("Transformer", "#AA4499", (0, (5, 1, 1, 1, 1, 1)), in_page=True),
    "ngram": Architecture("n-gram", "#8C6D1F", ":"),
    "text": Architecture("real text", "#4D4D4D", (0, (1, 1))),
}

# A long sequence is read in pieces of this many characters, or of `context` where that is
# more: time and memory then grow with T * context instead of T * T.
PIECE = 64


class CharRNN(nn.Module):
    """Embedding, recurrent layers, linear output layer: logits of the next character.

    vocab_size : V, the number of distinct characters
    embed_size : E, numbers per character going in
    hidden_size : H, numbers the network carries from one character to the next
    cell : "rnn" (tanh; Elman 1990), "lstm" (Hochreiter and Schmidhuber 1997, with the
        forget gate of Gers et al. 2000) or "gru" (Cho et al. 2014, as PyTorch has it:
        the reset gate acts after the matrix product)
    num_layers, dropout : recurrent layers, and dropout between them (none after the last)

    Weights start as PyTorch starts them; call ``torch.manual_seed`` first to fix them.
    Raises ValueError for a size, a cell or a dropout that cannot be.
    """

    def __init__(
        self, vocab_size, embed_size=32, hidden_size=128, cell="rnn", num_layers=1, dropout=0.0
    ):
        super().__init__()
        layers = {name: a.layer for name, a in ARCHITECTURES.items() if a.layer}
        self.config = config = {
            "vocab_size": arguments.whole_number("vocab_size", vocab_size),
            "embed_size": arguments.whole_number("embed_size", embed_size),
            "hidden_size": arguments.whole_number("hidden_size", hidden_size),
            "cell": arguments.one_of("cell", cell, layers),
            "num_layers": arguments.whole_number("num_layers", num_layers),
            "dropout": check_dropout(dropout),
        }
        E, H = config["embed_size"], config["hidden_size"]
        self.embedding = nn.Embedding(config["vocab_size"], E)
        self.recurrent = layers[cell](
            E, H, config["num_layers"], batch_first=True, dropout=config["dropout"]
        )
        self.output = nn.Linear(H, config["vocab_size"])

    def forward(self, ids, state=None):
        """ids (B, T) int64, state from an earlier call or None for zeros -> logits, state.

        The state is PyTorch's: h (layers, B, H), for the LSTM the pair (h, c).
        """
        if ids.dim() != 2:
            raise ValueError(f"ids must have the shape (batch, time), not {tuple(ids.shape)}")
        embedded = self.embedding(ids)  # (B, T, E)
        hidden, state = self.recurrent(embedded, state)  # (B, T, H)
        return self.output(hidden), state  # (B, T, V)


class CharTransformer(nn.Module):
    """Decoder-only Transformer (Vaswani et al. 2017): logits of the next character.

    vocab_size : V, the number of distinct characters
    embed_size : E, numbers per position, from the embedding to the output layer
    num_heads : attention heads a layer, each of E / num_heads numbers (an even number,
        because rotary positions rotate pairs)
    num_layers : blocks of attention and a GELU layer of 4 E
    context : how many characters one layer sees: the one at its own position and the
        context - 1 before it (a sliding window: Beltagy et al. 2020). Layers stack, so the
        last one depends on the last num_layers * (context - 1) + 1 characters.
        Train in windows of at least this length (``fit(..., seq_len=context)`` or more):
        for distances that it never met in training a model's attention is arbitrary, and
        read as one stream it is then far worse than it need be (see the chapter).
    dropout : on the embedding and on what each half of a block adds

    Positions are rotary (Su et al. 2021): queries and keys are rotated by an angle that
    grows with the position, so that their dot product depends on the distance alone.
    Normalisation comes before each half of a block (Xiong et al. 2020: gradients are even
    from the start, and training needs no warm-up). It is LayerNorm without its bias, which
    PyTorch computes in one fused step on the CPU, unlike RMSNorm.
    Initial weights that write into the residual stream are divided by sqrt(2 num_layers), as
    in GPT-2 (Radford et al. 2019). GPT-2's standard deviation of 0.02 suits its width; here
    the embedding starts with 1 and the blocks with 1 / sqrt(numbers going in), which for
    widths of 60 and 128 learns faster and keeps gradients small, even at 3e-3.
    Call ``torch.manual_seed`` first to fix the weights.

    Raises ValueError where the sizes do not fit together.
    """

    def __init__(
        self, vocab_size, embed_size=128, num_heads=4, num_layers=4, context=64, dropout=0.0
    ):
        super().__init__()
        sizes = {
            "vocab_size": vocab_size, "embed_size": embed_size, "num_heads": num_heads,
            "num_layers": num_layers, "context": context,
        }  # fmt: skip
        sizes = {name: arguments.whole_number(name, value) for name, value in sizes.items()}
        dropout = check_dropout(dropout)
        self.config = sizes | {"dropout": dropout}
        vocab_size, embed_size, num_heads, num_layers, _ = sizes.values()
        if embed_size % num_heads:
            raise ValueError(
                f"embed_size must be a multiple of num_heads; {embed_size} does not divide "
                f"into {num_heads} heads"
            )
        if embed_size // num_heads % 2:
            raise ValueError(
                "rotary positions rotate pairs of numbers, so each head needs an even number of "
                f"them; {embed_size} / {num_heads} = {embed_size // num_heads} is odd"
            )
        self.embedding = nn.Embedding(vocab_size, embed_size)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(
            Block(embed_size, num_heads, dropout) for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(embed_size, bias=False)
        self.output = nn.Linear(embed_size, vocab_size)
        self._init_weights()

    def _init_weights(self):
        """Draw the initial weights; embedding and norms keep PyTorch's."""
        for name, weight in self.blocks.named_parameters():
            if weight.dim() == 2:
                into_residual = name.endswith(("attend.out.weight", "shrink.weight"))
                scale = math.sqrt(2 * len(self.blocks)) if into_residual else 1
                nn.init.normal_(weight, std=1 / math.sqrt(weight.shape[1]) / scale)
        nn.init.normal_(self.output.weight, std=0.02)  # the first predictions: nearly uniform
        nn.init.zeros_(self.output.bias)

    def forward(self, ids, state=None):
        """ids (B, T) int64, state from an earlier call or None -> logits (B, T, V), state.

        The state (also called key-value cache) holds for each layer the keys and values,
        each (B, heads, P, E / heads), of the last P <= context - 1 positions. The keys are
        kept as they are before rotation: no position is counted from the start of the
        text, so precision does not suffer however long it is. A text read in parts gives
        the logits of the text read at once.
        """
        if ids.dim() != 2:
            raise ValueError(f"ids must have the shape (batch, time), not {tuple(ids.shape)}")
        logits = []
        for piece in ids.split(max(PIECE, self.config["context"]), dim=1):
            part, state = self._forward_piece(piece, state)
            logits.append(part)
        return (logits[0] if len(logits) == 1 else torch.cat(logits, dim=1)), state

    def _forward_piece(self, ids, state):
        """One piece of ``forward``."""
        context, length = self.config["context"], ids.shape[1]
        past = 0 if state is None else state[0][0].shape[2]  # P
        x = self.dropout(self.embedding(ids))  # (B, T, E)
        size = self.config["embed_size"] // self.config["num_heads"]
        cos_sin = rotations(past + length, size, x.dtype, x.device)
        mask = window_mask(length, past, context, x.device)
        caches = []
        for block, cache in zip(self.blocks, state or [None] * len(self.blocks), strict=True):
            x, keys, values = block(x, cos_sin, mask, cache)
            start = max(0, past + length - (context - 1))
            caches.append((keys[:, :, start:], values[:, :, start:]))
        return self.output(self.norm(x)), tuple(caches)  # (B, T, V)


class Block(nn.Module):
    """x + attention(norm(x)), then x + feed-forward(norm(x)): (B, T, E) -> (B, T, E)."""

    def __init__(self, embed_size, num_heads, dropout):
        super().__init__()
        self.norm_attend = nn.LayerNorm(embed_size, bias=False)
        self.attend = Attention(embed_size, num_heads)
        self.norm_feed = nn.LayerNorm(embed_size, bias=False)
        self.grow = nn.Linear(embed_size, 4 * embed_size, bias=False)
        self.shrink = nn.Linear(4 * embed_size, embed_size, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, cos_sin, mask, cache=None):
        """x (B, T, E), and what ``Attention`` takes -> x, and its keys and values."""
        attended, keys, values = self.attend(self.norm_attend(x), cos_sin, mask, cache)
        x = x + self.dropout(attended)
        x = x + self.dropout(self.shrink(F.gelu(self.grow(self.norm_feed(x)))))
        return x, keys, values


class Attention(nn.Module):
    """Causal attention with several heads and rotary positions: (B, T, E) -> (B, T, E)."""

    def __init__(self, embed_size, num_heads):
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(embed_size, 3 * embed_size, bias=False)
        self.out = nn.Linear(embed_size, embed_size, bias=False)

    def forward(self, x, cos_sin, mask, cache=None):
        """x (B, T, E) -> attention's output (B, T, E), keys and values (B, heads, P + T, D).

        cos_sin : cosines and sines of ``rotations`` for the P + T positions
        mask : what ``window_mask`` gives
        cache : keys (not rotated) and values of the P positions before x, or None
        """
        heads = self.qkv(x).unflatten(2, (3, self.num_heads, -1))  # (B, T, 3, heads, D)
        queries, keys, values = heads.permute(2, 0, 3, 1, 4)  # each (B, heads, T, D)
        if cache is not None:
            keys = torch.cat([cache[0], keys], dim=2)  # (B, heads, P + T, D)
            values = torch.cat([cache[1], values], dim=2)
        past = keys.shape[2] - queries.shape[2]
        attended = F.scaled_dot_product_attention(
            rotate(queries, cos_sin, past), rotate(keys, cos_sin), values, **mask
        )  # (B, heads, T, D)
        return self.out(attended.transpose(1, 2).flatten(2)), keys, values


def rotations(length, size, dtype=None, device=None):
    """Cosines and sines (length, size / 2) by which rotary positions rotate each pair.

    Pair i rotates by 10000 ** (-2 i / size) radians a position (Su et al. 2021, section 3.2.2;
    the wavelengths of Vaswani et al. 2017). Computed in float64 whatever the ``dtype``.
    """
    frequencies = 10_000.0 ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)
    angles = torch.arange(length, dtype=torch.float64)[:, None] * frequencies
    return angles.cos().to(device, dtype), angles.sin().to(device, dtype)


def rotate(x, cos_sin, start=0):
    """Rotate x (B, heads, T, D), whose first position is ``start``, by its positions.

    Number i of a head is paired with number i + D / 2. Which two numbers make a pair does
    not matter, as the weights before them are learned; halves are quicker to take apart
    than neighbours.
    """
    cos, sin = (part[start : start + x.shape[2]] for part in cos_sin)  # (T, D / 2)
    a, b = x.chunk(2, dim=3)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=3)


def window_mask(length, past, context, device=None):
    """Which of ``past`` + ``length`` keys each of the last ``length`` positions may see.

    As keyword arguments of ``scaled_dot_product_attention``: ``attn_mask``, True (length,
    past + length) for a key at the position itself or at one of the context - 1 before it;
    ``is_causal`` where the window hides nothing but the future; nothing where nothing is
    hidden at all. Attention is quicker without a mask.
    """
    if length == 1 and past < context:
        return {}
    if past == 0 and length <= context:
        return {"is_causal": True}
    here = torch.arange(past, past + length, device=device)[:, None]
    distance = here - torch.arange(past + length, device=device)
    return {"attn_mask": (distance >= 0) & (distance < context)}


def check_dropout(share):
    """A share of numbers to drop, from 0 up to but not 1; else ValueError."""
    if not (arguments.is_number(share) and 0 <= share < 1):
        raise ValueError(f"dropout must be at least 0 and below 1, not {share!r}")
    return float(share)


def check_ids(ids, model, at_least=1):
    """Ids (N,) as an array of whole numbers that ``model`` knows.

    Types of one or two bytes stay as they are, so that a large text on disk is not read into
    memory; all others become int64. Raises ValueError for another shape, fewer than
    ``at_least``, fractions, and an id outside the vocabulary.
    """
    ids = np.asarray(ids)
    if ids.ndim != 1 or len(ids) < at_least:
        least = "two characters, one to read and one to predict" if at_least > 1 else "a character"
        raise ValueError(f"a text must have at least {least}, as ids (N,), not {ids.shape}")
    config = getattr(model, "config", None)
    known = config.get("vocab_size", math.inf) if isinstance(config, dict) else math.inf
    ids = arguments.ids_below(ids, known)
    return ids if ids.dtype in (np.uint8, np.uint16) else ids.astype(np.int64, copy=False)


def context_warning(model, seq_len, windows):
    """A warning, or None, where windows are shorter than the context of a Transformer."""
    context = model.config["context"] if isinstance(model, CharTransformer) else 0
    if windows == "stream" or context <= seq_len:  # a stream carries keys and values on
        return None
    return (
        f"the model looks at {context} characters but is trained in windows of {seq_len}: what it "
        f"makes of those further away is left to chance. A seq_len of {context} trains it on all, "
        f"a context of {seq_len} leaves them out"
    )


def count_parameters(model):
    """The number of trainable numbers in a model."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def choose_device(device=None):
    """``device``, else what ``CHARBOOK_DEVICE`` names, else CUDA where present, else the CPU.

    Raises ValueError for what names no device, or one that is not here. A variable that is set
    and empty counts as not set.
    """
    source = "device"
    if device is None:
        source, device = "CHARBOOK_DEVICE", os.environ.get("CHARBOOK_DEVICE") or None
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
    except (RuntimeError, TypeError):
        found = torch.device("meta")
    if found.type == "meta":  # sizes without numbers
        raise ValueError(f"{source} is {str(device)!r}, and must name a device: 'cpu' or 'cuda'")
    try:
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError, ImportError, NotImplementedError):
        name = found.type.upper() + ("" if found.index is None else f" {found.index}")
        raise ValueError(
            f"{source} is {str(device)!r}, and there is no {name} device here"
        ) from None
    return found


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
