"""Trained models rearranged for writing one character at a time, in NumPy.

A model in training reads many characters in one call, and what the call itself costs does
not matter. When it writes, each call reads one character, and nearly all of its time goes
into calling. Here everything that does not depend on the text is computed once ("folded"
into the weights), before the first character is written, and a step is then a few operations
that write into arrays which exist already: allocating a new one would cost as much as the
operation itself.

For the recurrent models
- embedding, input weights and input bias become one table with a row for each character;
- the products of the state h, with its own layer's weights for the next character and with
  those of the layer above (or the output) for this one, are one matrix product;
- the halves of sigmoid(x) = 1/2 + tanh(x / 2) / 2 go into the weights (halving is exact), so
  that one call of tanh serves all gates.

For the Transformer
- all that is added to the residual stream loses its mean beforehand, so that what is left
  of the normalisation is a division by the root mean square; its gains go into the weights
  that read it;
- the keys are rotated by their positions when they are stored, in a rolling buffer of the
  last ``context`` positions (attention does not depend on their order);
- the numbers of a head are reordered so that those rotated together are neighbours: the
  rotation is then one product of complex numbers;
- the factors in GELU(x) = x (1 + erf(x / sqrt 2)) / 2 go into the weights. NumPy has no erf:
  torch's works on the same memory.

The weights are copied, from whatever device, when ``fold`` is called: fold again after an
update. ``helpers.sampling`` folds anew for each call.
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
    """The folded copy of ``model``, or None where there is none.

    There is one for a NumpyCharLSTM, and for a CharRNN or CharTransformer that ``is_plain``
    accepts: none for a subclass, a model with hooks or one with an exchanged part. It has

    start(batch, groups) -> step
        groups : pairs (rows, state): which of the ``batch`` texts the model left in which
            state; every text must be in one group
        step(ids) : an id (int) where batch is 1, else ids (batch,) -> logits (V,) or
            (batch, V). They are overwritten by the next step.
    repeated : see ``repeated_rows``
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
    """A recurrent network of any cell and depth, one character per step.

    weights : arrays by torch's parameter names
    cell : "rnn", "lstm" or "gru"

    "Sums" are the arguments of the gates' activations, W_x x + W_h h + b. Gates come first in
    all arrays, (gates, …, H), so that the numbers of each gate are contiguous.
    """

    def __init__(self, weights, cell, num_layers):
        self.cell = cell
        self.hidden_size = H = weights["recurrent.weight_hh_l0"].shape[1]
        layers = [_layer_weights(weights, cell, i) for i in range(num_layers)]
        w_x, _, b_x, _ = layers[0]
        table = weights["embedding.weight"] @ w_x.T + b_x  # (V, gates * H)
        self.table = table.reshape(len(table), -1, H)  # (V, gates, H)
        above = [(w_x, b_x) for w_x, _, b_x, _ in layers[1:]]
        above.append((weights["output.weight"], weights["output.bias"]))
        self.repeated = repeated_rows(*above[-1])
        self.above_sizes = [len(bias) for _, bias in above]
        # What layer i's (h, 1) is multiplied by. Columns: its own sums, those of the layer
        # above (of the top layer: the logits), padding. The last of H + 1 rows is the bias.
        self.matrices = [
            aligned(
                np.concatenate(
                    [
                        np.concatenate([w_h, b_h[:, None]], axis=1),
                        np.concatenate([w_above, b_above[:, None]], axis=1),
                    ]
                ).T,
                pad=True,
            )
            for (_, w_h, _, b_h), (w_above, b_above) in zip(layers, above, strict=True)
        ]

    def start(self, batch, groups):
        """See ``fold``. A state is torch's, (layers, B, H), or NumpyCharLSTM's, (B, H)."""
        lead = () if batch == 1 else (batch,)
        states = self._gather(batch, groups).reshape(2, -1, *lead, self.hidden_size)
        top = len(self.matrices) - 1
        layers = [
            self._layer(i, h, c, is_top=i == top)
            for i, (h, c) in enumerate(zip(*states, strict=True))
        ]
        table = self.table if batch == 1 else np.ascontiguousarray(self.table.swapaxes(0, 1))
        axis = 0 if batch == 1 else 1

        def step(ids):
            x = table[ids] if axis == 0 else table.take(ids, axis=1)  # (gates, …, H)
            for layer in layers:
                x = layer(x)
            return x  # (…, V)

        return step

    def _gather(self, batch, groups):
        """h and c of all texts, (2, layers, batch, H); c stays zero where there is none."""
        states = np.zeros((2, len(self.matrices), batch, self.hidden_size), self.table.dtype)
        for rows, state in groups:
            parts = state if self.cell == "lstm" else (state,)
            for part, given in zip(states, parts, strict=False):
                part[:, rows] = given.cpu() if torch.is_tensor(given) else given
        return states

    def _layer(self, i, h, c, is_top):
        """A function: sums from below (gates, …, H) -> what is above; it updates h and c.

        The memory, of which ``recurrent`` and ``above`` are views:

            h_and_1 (…, H + 1)   | h                  | 1 |
            sums (…, columns)    | recurrent, gates*H | above, gates*H or V | padding |
        """
        H, matrix = self.hidden_size, self.matrices[i]
        G = GATES[self.cell] * H
        h_and_1 = np.ones((*h.shape[:-1], H + 1), h.dtype)  # times the matrix: bias included
        h_and_1[..., :H] = h
        sums = h_and_1 @ matrix  # the recurrent part waits here for the next character
        recurrent, above = sums[..., :G], sums[..., G : G + self.above_sizes[i]]
        update = UPDATES[self.cell](h_and_1[..., :H], c, _gates_first(recurrent, H))
        above = above if is_top else _gates_first(above, H)
        dot = np.dot

        def layer(x):
            update(x)
            dot(h_and_1, matrix, out=sums)
            return above

        return layer


def _layer_weights(weights, cell, i):
    """w_x (G, E or H), w_h (G, H) of layer i, and their biases b_x, b_h (G,).

    Biases that are only ever added together are added here, into b_x. The GRU's reset gate
    multiplies the last H of the recurrent sums, bias included: that part of b_h has to stay.
    """
    w_x, w_h, b_x, b_h = (
        arrange(weights[f"recurrent.{name}_l{i}"], cell)
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    stays = np.zeros(len(b_x), bool)
    if cell == "gru":
        stays[-w_h.shape[1] :] = True
    return w_x, w_h, b_x + np.where(stays, 0, b_h), np.where(stays, b_h, 0)


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


# Each of the following takes arrays h and c (…, H), which will be overwritten, and the array
# of the recurrent sums (gates, …, H), W_h h + b of the h before, and returns a function of x
# (gates, …, H), the sums from below. NumPy's functions get local names: looking up an
# attribute of np at each call would be felt.


def _update_rnn(h, c, recurrent):
    recurrent = recurrent[0]

    def update(x):
        np.add(x[0], recurrent, out=h)
        np.tanh(h, out=h)

    return update


def _update_lstm(h, c, recurrent):
    # memory, five arrays (…, H):   | i | f | o | g | c |
    # tanh of x + recurrent           ^   ^   ^   ^         one call for all; the first three
    #                                                       become sigmoids
    # products of i, f and g, c     | i * g | f * c |       one call; their sum is the new c
    memory = np.empty((5, *h.shape), h.dtype)
    memory[4] = c
    ifog, ifo, i_and_f, g_and_c = memory[:4], memory[:3], memory[:2], memory[3:]
    o, c = memory[2], memory[4]
    products = np.empty_like(g_and_c)
    i_times_g, f_times_c = products
    tanh_c = f_times_c  # used again: once it is added to c, nobody needs f * c
    half = np.full_like(ifo, 0.5)  # an array, which NumPy multiplies by sooner than a number
    add, multiply, tanh = np.add, np.multiply, np.tanh

    def update(x):
        add(x, recurrent, out=ifog)
        tanh(ifog, out=ifog)
        multiply(ifo, half, out=ifo)  # sigmoid(a) = 1/2 + tanh(a / 2) / 2
        add(ifo, half, out=ifo)
        multiply(i_and_f, g_and_c, out=products)
        add(i_times_g, f_times_c, out=c)
        tanh(c, out=tanh_c)
        multiply(o, tanh_c, out=h)

    return update


def _update_gru(h, c, recurrent):
    # memory, two arrays (…, H) in one:   | r | z |   and n apart
    r_and_z, n = np.empty((2, *h.shape), h.dtype), np.empty(h.shape, h.dtype)
    r, z = r_and_z
    change = r  # used again: once n is computed, nobody needs r
    recurrent_rz, recurrent_n = recurrent[:2], recurrent[2]
    half = np.full_like(r_and_z, 0.5)
    add, multiply, subtract, tanh = np.add, np.multiply, np.subtract, np.tanh

    def update(x):
        add(x[:2], recurrent_rz, out=r_and_z)
        tanh(r_and_z, out=r_and_z)
        multiply(r_and_z, half, out=r_and_z)  # sigmoid(a) = 1/2 + tanh(a / 2) / 2
        add(r_and_z, half, out=r_and_z)
        multiply(r, recurrent_n, out=n)
        add(n, x[2], out=n)
        tanh(n, out=n)
        subtract(h, n, out=change)  # the new h, (1 - z) n + z h, is n + z (h - n)
        multiply(change, z, out=change)
        add(change, n, out=h)

    return update


UPDATES = {"rnn": _update_rnn, "lstm": _update_lstm, "gru": _update_gru}


class FoldedTransformer:
    """A CharTransformer with a rolling buffer of keys and values, one character per step.

    weights : arrays by torch's parameter names
    config : the model's
    eps : what its normalisation adds to the variance
    """

    def __init__(self, weights, config, eps):
        self.heads, self.context = config["num_heads"], config["context"]
        E = config["embed_size"]
        self.head_size = E // self.heads  # D
        self.eps = eps
        frequencies = 10_000.0 ** (-np.arange(0, self.head_size, 2) / self.head_size)
        self.rotation = 1j * frequencies  # exp(position * rotation) turns a pair; (D / 2,)
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
        qkv = qkv.reshape(3, self.heads, self.head_size, -1)
        pairs = np.arange(self.head_size).reshape(2, -1).T.ravel()  # 0, D/2, 1, D/2 + 1, …
        q, k, v = qkv[0][:, pairs] / math.sqrt(self.head_size), qkv[1][:, pairs], qkv[2]
        grow = weights[at + "grow.weight"] * weights[at + "norm_feed.weight"] / math.sqrt(2)
        return (
            aligned(np.concatenate([q, k, v]).reshape(-1, grow.shape[1]).T),
            aligned(centred(weights[at + "attend.out.weight"].T)),
            aligned(grow.T),
            aligned(centred(weights[at + "shrink.weight"].T / math.sqrt(2))),
        )

    def start(self, batch, groups):
        """See ``fold``. A state is that of ``CharTransformer.forward``."""
        # Three arrays (…, E) pass the data on: x is the residual stream, y is x normalised,
        # z is what half a block adds to x.
        lead = () if batch == 1 else (batch,)
        cache = RollingCache(self, lead, groups)
        dtype = self.embedding.dtype
        width = self.embedding.shape[1]
        x, y, z = (np.empty((*lead, width), dtype) for _ in range(3))
        logits = np.empty((*lead, len(self.bias)), dtype)
        halves = [
            half
            for layer, keys, values in zip(self.layers, cache.keys, cache.values, strict=True)
            for half in (
                _attend(y, z, *layer[:2], keys, values, cache),
                _feed(y, z, *layer[2:]),
            )
        ]
        normalise = _norm(x, y, self.eps)
        dot, add = np.dot, np.add

        def step(ids):
            np.take(self.embedding, ids, axis=0, out=x)
            cache.advance()
            for half in halves:
                normalise()  # x -> y
                half()  # y -> z
                add(x, z, out=x)
            normalise()
            dot(y, self.output, out=logits)
            add(logits, self.bias, out=logits)
            cache.position += 1
            return logits

        return step


class RollingCache:
    """Keys and values of the last ``context`` positions of every text, for each layer.

    Position p is stored in slot p % context, over the one that has left the window:

        context 4, position 6:   slots | 4 | 5 | 2 | 3 |   6 goes where 2 is

    All texts stand at the same position. One that has read less than another has empty
    slots before its first character, and ``mask`` keeps attention away from them until
    they have been written over.
    """

    def __init__(self, folded, lead, groups):
        self.context, self.rotation = folded.context, folded.rotation
        texts = math.prod(lead)
        shape = (texts, folded.heads, self.context, folded.head_size)
        dtype = folded.embedding.dtype
        cache = np.zeros((len(folded.layers), 2, *shape), dtype)
        read = np.empty(texts, int)  # how many positions of each text are remembered
        self.position = max(state[0][0].shape[2] for _, state in groups)
        for rows, state in groups:
            read[rows] = past = state[0][0].shape[2]
            for layer, pair in zip(cache, state, strict=True):
                self._fill(layer, rows, past, *(part.cpu().numpy() for part in pair))
        cache = cache.reshape(len(folded.layers), 2, *lead, *shape[1:])
        self.keys, self.values = cache[:, 0], cache[:, 1]
        empty = np.arange(self.context) < self.position - read[:, None]  # (texts, context)
        self.mask = None
        if empty.any():
            self.mask = np.where(empty, -np.inf, 0).astype(dtype)[:, None]  # (B, 1, context)
        self.head_shape = (folded.heads, folded.head_size)
        self.complex = np.result_type(dtype, np.complex64)

    def _fill(self, layer, rows, past, keys, values):
        """Store a group's values and its keys, not yet rotated, just before ``position``."""
        a, b = np.split(keys.astype(np.float64), 2, axis=3)
        positions = np.arange(self.position - past, self.position)
        rotated = (a + 1j * b) * np.exp(positions[:, None] * self.rotation)
        rotated = rotated.view(np.float64)  # the numbers of a pair side by side
        for part, given in zip(layer, (rotated, values), strict=True):
            part[rows, :, positions[0] if past else 0 : self.position] = given

    def advance(self):
        """Prepare for the next position: its rotation, its slot, and what may be attended to."""
        # In float64 the angle is exact enough after any number of characters.
        self.rotor = np.exp(self.position * self.rotation).astype(self.complex)  # (D / 2,)
        self.slot = self.position % self.context
        self.filled = min(self.position + 1, self.context)
        if self.mask is not None:
            self.mask[..., self.slot] = 0
            if not self.mask.any():
                self.mask = None


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


def _attend(y, z, read, write, keys, values, cache):
    """A function: attention with queries from y (…, E) over keys and values; result in z."""
    # qkv holds queries, keys and values of this position; q, k, v and q_and_k are views of
    # it. The last sees each pair of numbers as one complex number, so that a product by the
    # rotor turns it. The same holds for answer, seen as (…, heads, 1, D) and as (…, E).
    lead, (heads, size) = y.shape[:-1], cache.head_shape
    qkv = np.empty((*lead, 3, heads, size), y.dtype)
    flat = qkv.reshape(*lead, -1)
    q, k, v = (qkv[..., i, :, :] for i in range(3))
    q_and_k = qkv[..., :2, :, :].view(cache.complex)  # (…, 2, heads, D / 2)
    query = q[..., None]  # (…, heads, D, 1)
    answer = np.empty((*lead, heads, 1, size), y.dtype)
    flat_answer = answer.reshape(*lead, -1)

    def attend():
        np.dot(y, read, out=flat)
        np.multiply(q_and_k, cache.rotor, out=q_and_k)
        keys[..., cache.slot, :] = k
        values[..., cache.slot, :] = v
        filled = cache.filled
        scores = np.matmul(keys[..., :filled, :], query)[..., 0]  # (…, heads, filled)
        if cache.mask is not None:
            scores += cache.mask[..., :filled]
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=-1, keepdims=True)
        np.matmul(scores[..., None, :], values[..., :filled, :], out=answer)
        np.dot(flat_answer, write, out=z)

    return attend


def _feed(y, z, grow, shrink):
    """A function: y (…, E) through the two layers with GELU between them; result in z."""
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
    buffer = np.zeros(rows * width + unit, matrix.dtype)
    first = -buffer.ctypes.data // matrix.itemsize % unit
    copy = buffer[first : first + rows * width].reshape(rows, width)
    copy[:, :columns] = matrix
    return copy
