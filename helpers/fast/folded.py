"""Trained models laid out anew for writing: one character at a time, in NumPy.

A model in training reads many characters in one call, and what the call itself costs does
not matter. When it writes, each call reads one character, and nearly all of its time goes
into calling. Here all that does not depend on the text is worked out once, before the first
character is written, and a step is then a few operations into arrays that are there already.

For the recurrent models
- embedding, input weights and input bias become one table with a row for each character;
- what a layer passes on, to itself for the next character and to the layer above (or the
  logits) for this one, is one matrix product;
- the halves of sigmoid(x) = 1/2 + tanh(x / 2) / 2 go into the weights (halving is exact), so
  that one call of tanh serves all gates.

For the Transformer
- all that is written into the residual stream loses its mean beforehand, so that what is
  left of the normalisation is a division by the root mean square; its gains go into the
  weights that read it;
- the keys are turned by their positions when they are stored, in a ring that holds the last
  ``context`` positions (attention does not mind their order);
- which numbers of a head make a pair is rearranged, so that turning them is one product of
  complex numbers;
- the factors in GELU(x) = x (1 + erf(x / sqrt 2)) / 2 go into the weights. NumPy has no erf:
  torch's works on the same memory.

The weights are copied, from whatever device, when ``fold`` is called: fold again after an
update. ``helpers.sampling`` folds anew for each text or batch of texts.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from ..models import CharTransformer
from ..numpy_lstm import NumpyCharLSTM
from . import is_plain

GATES = {"rnn": 1, "lstm": 4, "gru": 3}

# The cell of a recurrent layer, by its mode.
CELL = {"RNN_TANH": "rnn", "LSTM": "lstm", "GRU": "gru"}


def fold(model):
    """The machine that writes like ``model``, or None where there is none for it.

    There is one for a NumpyCharLSTM, and for a CharRNN or CharTransformer that ``is_plain``
    accepts: none for a subclass, a model with hooks or one with an exchanged part. A machine
    has one method:

    start(batch, groups) -> step
        groups : pairs (rows, state): which of the ``batch`` streams the model left in which
            state; every stream must be in one group
        step(ids) : an id (int) where batch is 1, else ids (batch,) -> logits (V,) or
            (batch, V). They are overwritten by the next step.
    """
    if type(model) is NumpyCharLSTM:
        return FoldedRNN(model.params, "lstm", num_layers=1)
    if not is_plain(model):
        return None
    weights = {name: p.detach().cpu().numpy() for name, p in model.named_parameters()}
    if type(model) is CharTransformer:
        return FoldedTransformer(weights, model.config, model.norm.eps)
    cell = CELL.get(model.recurrent.mode)
    return None if cell is None else FoldedRNN(weights, cell, model.recurrent.num_layers)


class FoldedRNN:
    """A recurrent network of any cell and depth, one character a step.

    weights : arrays by torch's parameter names
    cell : "rnn", "lstm" or "gru"

    Gates stand first in all arrays, (gates, …, H), so that each is one piece of memory.
    """

    def __init__(self, weights, cell, num_layers):
        self.cell = cell
        self.hidden_size = H = weights["recurrent.weight_hh_l0"].shape[1]
        layers = [_layer_weights(weights, cell, i) for i in range(num_layers)]
        below, _, bias, _ = layers[0]
        table = weights["embedding.weight"] @ below.T + bias  # (V, gates * H)
        self.table = table.reshape(len(table), -1, H)  # (V, gates, H)
        above = [(below, bias) for below, _, bias, _ in layers[1:]]
        above.append((weights["output.weight"], weights["output.bias"]))
        self.above = [len(up_bias) for _, up_bias in above]
        self.repeated = repeated_rows(*above[-1])
        self.matrices = [  # (H + 1, gates * H + above, and padding); the last row is a bias
            aligned(
                np.concatenate(
                    [
                        np.concatenate([own, own_bias[:, None]], axis=1),
                        np.concatenate([up, up_bias[:, None]], axis=1),
                    ]
                ).T,
                pad=True,
            )
            for (_, own, _, own_bias), (up, up_bias) in zip(layers, above, strict=True)
        ]

    def start(self, batch, groups):
        """See ``fold``. A state is torch's, (layers, B, H), or NumpyCharLSTM's, (B, H)."""
        lead = () if batch == 1 else (batch,)
        parts = self._gather(batch, groups).reshape(2, -1, *lead, self.hidden_size)
        top = len(self.matrices) - 1
        chain = [
            self._layer(i, h, c, is_top=i == top)
            for i, (h, c) in enumerate(zip(*parts, strict=True))
        ]
        table = self.table if batch == 1 else np.ascontiguousarray(self.table.swapaxes(0, 1))
        axis = 0 if batch == 1 else 1

        def step(ids):
            x = table[ids] if axis == 0 else table.take(ids, axis=1)  # (gates, …, H)
            for layer in chain:
                x = layer(x)
            return x  # (…, V)

        return step

    def _gather(self, batch, groups):
        """h and c of all streams, (2, layers, batch, H); c stays zero where there is none."""
        whole = np.zeros((2, len(self.matrices), batch, self.hidden_size), self.table.dtype)
        for rows, state in groups:
            for part, given in zip(whole, state if self.cell == "lstm" else (state,), strict=False):
                part[:, rows] = given.cpu() if torch.is_tensor(given) else given
        return whole

    def _layer(self, i, h, c, is_top):
        """A function: sums from below (gates, …, H) -> what is above; it carries h, c along."""
        H, matrix = self.hidden_size, self.matrices[i]
        G = GATES[self.cell] * H
        extended = np.ones((*h.shape[:-1], H + 1), h.dtype)  # the 1 is there for the bias
        extended[..., :H] = h
        sums = extended @ matrix  # those of the h before the next character
        own, above = sums[..., :G], sums[..., G : G + self.above[i]]
        move = MOVES[self.cell](extended[..., :H], c, _gates_first(own, H))
        above = above if is_top else _gates_first(above, H)
        dot = np.dot

        def layer(x):
            move(x)
            dot(extended, matrix, out=sums)
            return above

        return layer


def _layer_weights(weights, cell, i):
    """From below and from itself: below (G, E or H), own (G, H), and their biases (G,).

    Biases that are only ever added together are added here, to the first. The GRU's reset
    gate multiplies the last H of its own sums, their bias included: that one has to stay.
    """
    below, own, bias, own_bias = (
        arrange(weights[f"recurrent.{name}_l{i}"], cell)
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    stays = np.zeros(len(bias), bool)
    if cell == "gru":
        stays[-own.shape[1] :] = True
    return below, own, bias + np.where(stays, 0, own_bias), np.where(stays, own_bias, 0)


def arrange(weight, cell):
    """Gates in the order that a step wants, rows before a sigmoid halved: (G, …) -> (G, …)."""
    if cell == "lstm":
        i, f, g, o = np.split(weight, 4)
        return np.concatenate([i / 2, f / 2, o / 2, g])
    if cell == "gru":
        r, z, n = np.split(weight, 3)
        return np.concatenate([r / 2, z / 2, n])
    return weight


def _gates_first(sums, H):
    """A view (gates, …, H) of sums (…, gates * H)."""
    return np.moveaxis(sums.reshape(*sums.shape[:-1], -1, H), -2, 0)


# Each of the following takes arrays h and c (…, H), which it will overwrite, and own
# (gates, …, H), where the sums from the h before will stand, and returns a function of the
# sums from below, x (gates, …, H). Everything is written into arrays that are there: to
# make a new one would cost as much as the operation itself.


def _move_rnn(h, c, own):
    own = own[0]

    def move(x):
        np.add(x[0], own, out=h)
        np.tanh(h, out=h)

    return move


def _move_lstm(h, c, own):
    whole = np.empty((5, *h.shape), h.dtype)  # input, forget, output, candidate; then c
    whole[4] = c
    gates, sigmoids, o, c = whole[:4], whole[:3], whole[2], whole[4]
    first, second = whole[:2], whole[3:]  # i and f; candidate and c
    products = np.empty_like(second)
    new, kept = products
    half = np.full_like(sigmoids, 0.5)
    add, multiply, tanh = np.add, np.multiply, np.tanh

    def move(x):
        add(x, own, out=gates)
        tanh(gates, out=gates)
        multiply(sigmoids, half, out=sigmoids)
        add(sigmoids, half, out=sigmoids)
        multiply(first, second, out=products)
        add(new, kept, out=c)
        tanh(c, out=kept)
        multiply(kept, o, out=h)

    return move


def _move_gru(h, c, own):
    gates, n = np.empty((2, *h.shape), h.dtype), np.empty(h.shape, h.dtype)
    r, z = gates
    own_gates, own_n = own[:2], own[2]
    half = np.full_like(gates, 0.5)
    add, multiply, subtract, tanh = np.add, np.multiply, np.subtract, np.tanh

    def move(x):
        add(x[:2], own_gates, out=gates)
        tanh(gates, out=gates)
        multiply(gates, half, out=gates)
        add(gates, half, out=gates)
        multiply(r, own_n, out=n)
        add(n, x[2], out=n)
        tanh(n, out=n)
        subtract(h, n, out=r)  # (1 - z) n + z h = n + z (h - n)
        multiply(r, z, out=r)
        add(r, n, out=h)

    return move


MOVES = {"rnn": _move_rnn, "lstm": _move_lstm, "gru": _move_gru}


class FoldedTransformer:
    """A CharTransformer with its keys and values in a ring, one character a step.

    weights : arrays by torch's parameter names
    config : the model's
    eps : what its normalisation adds to the variance
    """

    def __init__(self, weights, config, eps):
        self.heads, self.context = config["num_heads"], config["context"]
        E = config["embed_size"]
        self.size = E // self.heads  # D
        self.eps = eps
        speed = 10_000.0 ** (-np.arange(0, self.size, 2) / self.size)
        self.speed = 1j * speed  # of ``rotations``, (D / 2,)
        self.embedding = centred(weights["embedding.weight"])  # (V, E)
        self.layers = [
            self._fold_block(weights, f"blocks.{i}.") for i in range(config["num_layers"])
        ]
        self.output = aligned((weights["output.weight"] * weights["norm.weight"]).T)  # (E, V)
        self.bias = weights["output.bias"].copy()
        self.repeated = repeated_rows(weights["output.weight"], self.bias)

    def _fold_block(self, weights, at):
        """(E, 3E), (E, E), (E, 4E), (4E, E): weights by which rows are multiplied."""
        qkv = weights[at + "attend.qkv.weight"] * weights[at + "norm_attend.weight"]
        qkv = qkv.reshape(3, self.heads, self.size, -1)
        pairs = np.arange(self.size).reshape(2, -1).T.ravel()  # 0, D/2, 1, D/2 + 1, …
        q, k, v = qkv[0][:, pairs] / math.sqrt(self.size), qkv[1][:, pairs], qkv[2]
        grow = weights[at + "grow.weight"] * weights[at + "norm_feed.weight"] / math.sqrt(2)
        return (
            aligned(np.concatenate([q, k, v]).reshape(-1, grow.shape[1]).T),
            aligned(centred(weights[at + "attend.out.weight"].T)),
            aligned(grow.T),
            aligned(centred(weights[at + "shrink.weight"].T / math.sqrt(2))),
        )

    def start(self, batch, groups):
        """See ``fold``. A state is that of ``CharTransformer.forward``."""
        lead = () if batch == 1 else (batch,)
        ring = Ring(self, lead, groups)
        dtype = self.embedding.dtype
        width = self.embedding.shape[1]
        x, y, z = (np.empty((*lead, width), dtype) for _ in range(3))
        logits = np.empty((*lead, len(self.bias)), dtype)
        halves = [
            half
            for layer, keys, values in zip(self.layers, ring.keys, ring.values, strict=True)
            for half in (
                _attend(y, z, *layer[:2], keys, values, ring),
                _feed(y, z, *layer[2:]),
            )
        ]
        normalise = _norm(x, y, self.eps)
        dot, add = np.dot, np.add

        def step(ids):
            np.take(self.embedding, ids, axis=0, out=x)
            ring.turn()
            for half in halves:
                normalise()  # x -> y
                half()  # y -> z
                add(x, z, out=x)
            normalise()
            dot(y, self.output, out=logits)
            add(logits, self.bias, out=logits)
            ring.position += 1
            return logits

        return step


class Ring:
    """Keys and values of the last ``context`` positions of every stream, for each layer.

    All streams stand at the same position. One that has read less than another has empty
    places before its first character, and ``hidden`` keeps attention away from them until
    they have been written over.
    """

    def __init__(self, machine, lead, groups):
        self.context, self.speed = machine.context, machine.speed
        streams = math.prod(lead)
        shape = (streams, machine.heads, self.context, machine.size)
        dtype = machine.embedding.dtype
        whole = np.zeros((len(machine.layers), 2, *shape), dtype)
        read = np.empty(streams, int)  # positions that each stream remembers
        self.position = max(state[0][0].shape[2] for _, state in groups)
        for rows, state in groups:
            read[rows] = past = state[0][0].shape[2]
            for layer, pair in zip(whole, state, strict=True):
                self._fill(layer, rows, past, *(part.cpu().numpy() for part in pair))
        whole = whole.reshape(len(machine.layers), 2, *lead, *shape[1:])
        self.keys, self.values = whole[:, 0], whole[:, 1]
        empty = np.arange(self.context) < self.position - read[:, None]  # (streams, context)
        self.hidden = None
        if empty.any():
            self.hidden = np.where(empty, -np.inf, 0).astype(dtype)[:, None]  # (B, 1, context)
        self.shape = (*lead, machine.heads, machine.size)
        self.complex = np.result_type(dtype, np.complex64)

    def _fill(self, layer, rows, past, keys, values):
        """Put a group's keys, which come not turned, and values before ``position``."""
        a, b = np.split(keys.astype(np.float64), 2, axis=3)
        places = np.arange(self.position - past, self.position)
        turned = (a + 1j * b) * np.exp(places[:, None] * self.speed)
        turned = turned.view(np.float64)  # pair beside pair
        for part, given in zip(layer, (turned, values), strict=True):
            part[rows, :, places[0] if past else 0 : self.position] = given

    def turn(self):
        """Get ready for the next position: its angles, its place, and who sees what."""
        # In float64 the angle is exact enough after any number of characters.
        self.angles = np.exp(self.position * self.speed).astype(self.complex)  # (D / 2,)
        self.place = self.position % self.context
        self.seen = min(self.position + 1, self.context)
        if self.hidden is not None:
            self.hidden[..., self.place] = 0
            if not self.hidden.any():
                self.hidden = None


def _norm(x, y, eps):
    """A function that writes x (…, E), whose mean is 0, over its standard deviation into y."""
    size = x.shape[-1]
    if x.ndim == 1:

        def normalise():
            np.multiply(x, 1 / math.sqrt(x.dot(x) / size + eps), out=y)

    else:

        def normalise():
            squares = np.einsum("be,be->b", x, x)
            np.multiply(x, (1 / np.sqrt(squares / size + eps))[:, None], out=y)

    return normalise


def _attend(y, z, read, write, keys, values, ring):
    """A function that looks up with y (…, E) among keys and values; the answer goes to z."""
    lead, (heads, size) = y.shape[:-1], ring.shape[-2:]
    qkv = np.empty((*lead, 3, heads, size), y.dtype)
    flat = qkv.reshape(*lead, -1)
    q, k, v = (qkv[..., i, :, :] for i in range(3))
    pairs = qkv[..., :2, :, :].view(ring.complex)  # (…, 2, heads, D / 2)
    question = q[..., None]  # (…, heads, D, 1)
    answer = np.empty((*lead, heads, 1, size), y.dtype)
    found = answer.reshape(*lead, -1)

    def attend():
        np.dot(y, read, out=flat)
        np.multiply(pairs, ring.angles, out=pairs)
        keys[..., ring.place, :] = k
        values[..., ring.place, :] = v
        seen = ring.seen
        scores = np.matmul(keys[..., :seen, :], question)[..., 0]  # (…, heads, seen)
        if ring.hidden is not None:
            scores += ring.hidden[..., :seen]
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=-1, keepdims=True)
        np.matmul(scores[..., None, :], values[..., :seen, :], out=answer)
        np.dot(found, write, out=z)

    return attend


def _feed(y, z, grow, shrink):
    """A function that sends y (…, E) through the GELU layer, into z."""
    wide = np.empty((*y.shape[:-1], grow.shape[1]), y.dtype)
    erf = np.empty_like(wide)
    source, target = torch.from_numpy(wide), torch.from_numpy(erf)  # the same memory

    def feed():
        np.dot(y, grow, out=wide)
        torch.erf(source, out=target)
        np.add(erf, 1, out=erf)
        np.multiply(erf, wide, out=erf)
        np.dot(erf, shrink, out=z)

    return feed


def repeated_rows(weight, bias):
    """Output rows that repeat an earlier one: lists of their indices and of the earlier ones.

    Both logits are the same number, but BLAS may round them differently: it adds the products
    of the last few columns of a matrix in another order.
    """
    first, later, earlier = {}, [], []
    for i, row in enumerate(np.column_stack([weight, bias])):
        at = first.setdefault(row.tobytes(), i)
        if at != i:
            later.append(i)
            earlier.append(at)
    return later, earlier


def centred(rows):
    """Rows (…, E) without their mean."""
    return rows - rows.mean(axis=-1, keepdims=True)


def aligned(matrix, pad=False):
    """A copy of a matrix that begins at a multiple of 64 bytes.

    With ``pad`` it is made wider with zeros until every row does. A vector times a matrix of
    300 kB is a third of a step's time, and was measured to take 5.1 microseconds where rows
    begin anywhere and 3.6 where they begin with a line of the processor's cache.
    """
    unit = 64 // matrix.itemsize
    rows, columns = matrix.shape
    width = -(-columns // unit) * unit if pad else columns
    memory = np.zeros(rows * width + unit, matrix.dtype)
    first = -memory.ctypes.data // matrix.itemsize % unit
    whole = memory[first : first + rows * width].reshape(rows, width)
    whole[:, :columns] = matrix
    return whole
