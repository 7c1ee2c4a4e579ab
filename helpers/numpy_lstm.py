"""A character LSTM with forward pass, backward pass and Adam written out in NumPy.

Parameters have PyTorch's names, shapes and gate order (input, forget, cell candidate,
output), both of its bias vectors included, so that losses, gradients, clipping and Adam
can be held against ``CharRNN(cell="lstm")`` number by number.
"""

from __future__ import annotations

import math

import numpy as np

from .support import arguments

DTYPES = ("float32", "float64")
CONVERTED = "only a CharRNN with cell='lstm' and one layer can be converted"


class NumpyCharLSTM:
    """Embedding, one LSTM layer, linear output layer; no framework.

    vocab_size, embed_size, hidden_size : V, E, H
    seed : of the NumPy generator that draws the first weights, from PyTorch's distributions
    dtype : "float32" to train; "float64" to check gradients

    Called like every model of the book: ids (B, T), state -> logits (B, T, V), state.
    The state is the pair (h, c), each (B, H), or None for zeros. Raises ValueError for ids
    outside the vocabulary, sizes that are not whole numbers and any other dtype.
    """

    def __init__(self, vocab_size, embed_size=32, hidden_size=128, seed=0, dtype="float32"):
        vocab_size = self.vocab_size = arguments.whole_number("vocab_size", vocab_size)
        embed_size = self.embed_size = arguments.whole_number("embed_size", embed_size)
        hidden_size = self.hidden_size = arguments.whole_number("hidden_size", hidden_size)
        name = getattr(dtype, "name", getattr(dtype, "__name__", dtype))  # of np.dtype, np.float32
        self.dtype = np.dtype(arguments.one_of("dtype", name, DTYPES))
        rng = np.random.default_rng(arguments.seed(seed))
        bound = 1 / math.sqrt(hidden_size)
        shapes = {
            "recurrent.weight_ih_l0": (4 * hidden_size, embed_size),
            "recurrent.weight_hh_l0": (4 * hidden_size, hidden_size),
            "recurrent.bias_ih_l0": (4 * hidden_size,),
            "recurrent.bias_hh_l0": (4 * hidden_size,),
            "output.weight": (vocab_size, hidden_size),
            "output.bias": (vocab_size,),
        }
        self.params = {"embedding.weight": rng.normal(size=(vocab_size, embed_size))}
        self.params |= {name: rng.uniform(-bound, bound, shape) for name, shape in shapes.items()}
        self.params = {name: p.astype(self.dtype) for name, p in self.params.items()}
        # Adam's two running means, each in one array, parameter after parameter
        self.moments = np.zeros((2, sum(p.size for p in self.params.values())), self.dtype)
        self.steps = 0
        self._buffers = {}

    def __call__(self, ids, state=None):
        """ids (B, T), state -> logits (B, T, V), state."""
        logits, state, _ = self._forward(self._checked(ids), state)
        return logits, state

    def loss_and_grads(self, x, y, state=None):
        """Inputs and targets (B, T) -> mean loss in nats, gradients by name, state after."""
        x, y = self._checked(x), self._checked(y)
        if x.shape != y.shape:
            raise ValueError(f"x and y must both be (batch, time), not {x.shape} and {y.shape}")
        logits, state, saved = self._forward(x, state)
        loss, d_logits = cross_entropy(logits, y)
        return loss, self._backward(d_logits, saved), state

    def train_step(self, x, y, lr=3e-3, clip=5.0, state=None):
        """One update by Adam with the gradient norm clipped at ``clip`` -> loss, state."""
        loss, grads, state = self.loss_and_grads(x, y, state)
        clip_norm(grads, clip)
        self._adam(grads, lr)
        return loss, state

    def _checked(self, ids):
        """The ids (B, T) as an array: the loops over them do not notice one that is wrong."""
        ids = arguments.ids_below(ids, self.vocab_size)
        if ids.ndim != 2:
            raise ValueError(f"ids must have the shape (batch, time), not {ids.shape}")
        return ids

    def _forward(self, ids, state):
        """Logits (B, T, V), the state after, and all that the backward pass needs.

        Two layouts: matrix products want the four gates side by side, (B, 4H); arithmetic
        on one gate runs at full speed where its B * H numbers lie without gaps, (4, B, H).
        """
        p, H = self.params, self.hidden_size
        batch, time = ids.shape
        ids = np.ascontiguousarray(ids.T)  # (T, B): time first, for the loop
        scale, shift = sigmoid_by_tanh(self.dtype)
        rows = np.repeat(scale.ravel(), H)  # (4H,)
        # There are only V different inputs: their part of the gates is a table, and each
        # character fetches its row. (The product with W_xh is done V times, not T * B times.)
        bias = p["recurrent.bias_ih_l0"] + p["recurrent.bias_hh_l0"]
        table = (p["embedding.weight"] @ p["recurrent.weight_ih_l0"].T + bias) * rows  # (V, 4H)
        recurrent = np.ascontiguousarray(p["recurrent.weight_hh_l0"].T) * rows  # (H, 4H)
        gates = self._buffer("gates", time, 4, batch, H)
        hs, cs = self._buffer("hs and cs", 2, time + 1, batch, H)
        tanh_cs = self._buffer("tanh_cs", time, batch, H)
        hs[0], cs[0] = (0, 0) if state is None else state
        sums, added = self._buffer("sums of one step", 2, batch, 4 * H)
        by_gate = sums.reshape(batch, 4, H).swapaxes(0, 1)  # (4, B, H), a view
        part = np.empty_like(hs[0])
        for t in range(time):
            # "clip" writes into ``out`` directly; "raise" would fill a copy of it first.
            np.take(table, ids[t], axis=0, out=sums, mode="clip")
            sums += np.matmul(hs[t], recurrent, out=added)
            np.tanh(sums, out=sums)
            np.multiply(by_gate, scale, out=gates[t])
            gates[t] += shift
            i, f, g, o = gates[t]
            np.multiply(f, cs[t], out=cs[t + 1])
            cs[t + 1] += np.multiply(i, g, out=part)
            np.tanh(cs[t + 1], out=tanh_cs[t])
            np.multiply(o, tanh_cs[t], out=hs[t + 1])
        logits = hs[1:].reshape(-1, H) @ p["output.weight"].T  # (T * B, V)
        logits += p["output.bias"]
        logits = logits.reshape(time, batch, self.vocab_size).swapaxes(0, 1)  # (B, T, V)
        return logits, (hs[-1].copy(), cs[-1].copy()), (ids, gates, hs, cs, tanh_cs)

    def _backward(self, d_logits, saved):
        """From the gradient in the logits (B, T, V) to the gradient in every parameter."""
        p, H = self.params, self.hidden_size
        ids, gates, hs, cs, tanh_cs = saved
        time, batch = ids.shape
        d_out = d_logits.swapaxes(0, 1).reshape(-1, self.vocab_size)  # (T * B, V)
        d_hs = self._buffer("d_hs", time, batch, H)  # from the loss at its own step
        np.matmul(d_out, p["output.weight"], out=d_hs.reshape(-1, H))
        d_sums = self._buffer("d_sums", time, batch, 4 * H)
        by_gate = d_sums.reshape(time, batch, 4, H).swapaxes(1, 2)  # (T, 4, B, H), a view
        d_h, d_c = np.zeros_like(hs[0]), np.zeros_like(hs[0])  # from the step after
        d_gates, part = np.empty_like(gates[0]), np.empty_like(d_c)
        for t in reversed(range(time)):
            i, f, g, o = gates[t]
            d_h += d_hs[t]
            # h = o * tanh(c)
            np.multiply(tanh_cs[t], tanh_cs[t], out=part)
            np.subtract(1, part, out=part)
            part *= o
            part *= d_h
            d_c += part
            # The derivative of a sigmoid is a - a * a, that of tanh 1 - a * a.
            np.multiply(gates[t], gates[t], out=d_gates)
            d_i, d_f, d_g, d_o = d_gates
            np.subtract(gates[t, :2], d_gates[:2], out=d_gates[:2])
            np.subtract(1, d_g, out=d_g)
            np.subtract(o, d_o, out=d_o)
            # c = f * c_before + i * g
            d_gates[:3] *= d_c
            d_i *= g
            d_f *= cs[t]
            d_g *= i
            d_o *= d_h
            d_o *= tanh_cs[t]
            d_c *= f
            by_gate[t] = d_gates
            np.matmul(d_sums[t], p["recurrent.weight_hh_l0"], out=d_h)
        # The weights are the same at every step: one product sums their gradients over time.
        flat = d_sums.reshape(-1, 4 * H)  # (T * B, 4H)
        one_hot = self._buffer("one_hot", ids.size, self.vocab_size)
        one_hot[:] = 0
        one_hot[np.arange(ids.size), ids.ravel()] = 1
        d_table = one_hot.T @ flat  # (V, 4H): for each character, the sum over its places
        d_bias = d_table.sum(axis=0)
        return {
            "embedding.weight": d_table @ p["recurrent.weight_ih_l0"],
            "recurrent.weight_ih_l0": d_table.T @ p["embedding.weight"],
            "recurrent.weight_hh_l0": flat.T @ hs[:-1].reshape(-1, H),
            "recurrent.bias_ih_l0": d_bias,
            "recurrent.bias_hh_l0": d_bias.copy(),
            "output.weight": d_out.T @ hs[1:].reshape(-1, H),
            "output.bias": d_out.sum(axis=0),
        }

    def _buffer(self, name, *shape):
        """An array that each update fills anew, kept between updates.

        Arrays of megabytes that are dropped and made again go back to the operating system
        each time, and come back from it page by page: a fifth of an update's time.
        """
        if name not in self._buffers or self._buffers[name].shape != shape:
            self._buffers[name] = np.empty(shape, self.dtype)
        return self._buffers[name]

    def _adam(self, grads, lr, beta1=0.9, beta2=0.999, eps=1e-8):
        """One step of Adam (Kingma and Ba 2015), in PyTorch's order of operations.

        All gradients lie end to end in one array, and so do both of Adam's means: a few
        long operations in place of many short ones.
        """
        self.steps += 1
        rate = lr / (1 - beta1**self.steps)
        root = math.sqrt(1 - beta2**self.steps)
        mean, square = self.moments
        grad = np.concatenate([grads[name].ravel() for name in self.params])
        step = grad * grad
        step *= 1 - beta2
        square *= beta2
        square += step
        grad -= mean
        grad *= 1 - beta1
        mean += grad
        np.sqrt(square, out=step)
        step /= root
        step += eps
        np.divide(mean, step, out=step)
        step *= rate
        start = 0
        for value in self.params.values():
            value -= step[start : start + value.size].reshape(value.shape)
            start += value.size

    @classmethod
    def from_torch(cls, model, dtype=None):
        """The same network from a one-layer ``CharRNN(cell="lstm")``.

        dtype : "float32" or "float64"; by default the precision of ``model``

        Raises ValueError for any other model: more layers, another cell, a subclass, parts
        that were exchanged.
        """
        sizes = _sizes_of(model)
        if dtype is None:
            dtype = str(model.output.weight.dtype).removeprefix("torch.")
        ours = cls(*sizes, dtype=dtype)
        weights = model.state_dict()
        if {name: p.shape for name, p in ours.params.items()} != {
            name: tuple(w.shape) for name, w in weights.items()
        }:
            raise ValueError(f"{CONVERTED}, not one with other parameters")
        for name, weight in weights.items():
            ours.params[name] = weight.cpu().double().numpy().astype(ours.dtype)
        return ours

    def to_torch(self):
        """The same network as a ``CharRNN``, on the CPU, in this network's precision."""
        import torch

        from .models import CharRNN

        model = CharRNN(self.vocab_size, self.embed_size, self.hidden_size, cell="lstm")
        model.to(torch.from_numpy(self.params["output.bias"]).dtype)
        # A copy: training one of the two must not move the other.
        model.load_state_dict({n: torch.from_numpy(p.copy()) for n, p in self.params.items()})
        return model


def _sizes_of(model):
    """V, E and H of a CharRNN that is a one-layer LSTM and nothing else; ValueError if not."""
    from torch import nn

    from .models import CharRNN

    if type(model) is not CharRNN:
        raise ValueError(f"{CONVERTED}, not a {type(model).__name__}")
    config = model.config
    if config["cell"] != "lstm" or config["num_layers"] != 1:
        raise ValueError(
            f"{CONVERTED}, not cell={config['cell']!r} with {config['num_layers']} layers"
        )
    parts = {"embedding": nn.Embedding, "recurrent": nn.LSTM, "output": nn.Linear}
    for name, kind in parts.items():
        part = getattr(model, name)
        if type(part) is not kind or "forward" in vars(part) or "forward" in vars(model):
            raise ValueError(f"{CONVERTED}, not one whose {name} layer was exchanged")
    return config["vocab_size"], config["embed_size"], config["hidden_size"]


def sigmoid_by_tanh(dtype):
    """Two columns (4, 1, 1), for input, forget, candidate, output: one tanh serves them all.

    sigmoid(x) = 1/2 + 1/2 tanh(x / 2), which cannot overflow. So the weights of three gates
    are halved before the tanh, and after it its values are halved and 1/2 is added. The
    candidate is multiplied by 1, and 0 is added. Halving is exact.
    """
    scale = np.array([0.5, 0.5, 1, 0.5], dtype).reshape(4, 1, 1)
    return scale, 1 - scale


def cross_entropy(logits, targets):
    """Mean loss in nats of logits (B, T, V) for targets (B, T), and its gradient in the logits.

    By log-softmax: the largest logit is taken off first, so that nothing overflows and no
    probability is rounded to 0 before its logarithm is taken.
    """
    b, t = np.indices(targets.shape)
    shifted = logits - logits.max(axis=-1, keepdims=True)
    at_target = shifted[b, t, targets]
    p = np.exp(shifted, out=shifted)
    total = p.sum(axis=-1, keepdims=True)
    loss = (np.log(total[..., 0]) - at_target).mean(dtype=np.float64)
    p /= total
    p[b, t, targets] -= 1
    p /= targets.size
    return float(loss), p


def clip_norm(grads, clip):
    """Scale all gradients together, in place, to a norm of at most ``clip``; returns the norm.

    ``clip=None`` leaves them as they are.
    """
    norm = math.sqrt(sum(float(np.vdot(g, g)) for g in grads.values()))
    if clip is not None and norm > clip:
        for grad in grads.values():
            grad *= clip / (norm + 1e-6)
    return norm
