"""A character LSTM with forward pass, backward pass and Adam written out in NumPy.

Parameters have PyTorch's names, shapes and gate order (input, forget, cell candidate,
output), both of its bias vectors included, so that losses, gradients, clipping and Adam
can be held against ``CharRNN(cell="lstm")`` number by number.
"""

from __future__ import annotations

import math

import numpy as np


class NumpyCharLSTM:
    """Embedding, one LSTM layer, linear output layer; no framework.

    vocab_size, embed_size, hidden_size : V, E, H
    seed : of the NumPy generator that draws the first weights, from PyTorch's distributions
    dtype : "float32" to train; "float64" to check gradients

    Called like every model of the book: ids (B, T), state -> logits (B, T, V), state.
    The state is the pair (h, c), each (B, H), or None for zeros.
    """

    def __init__(self, vocab_size, embed_size=32, hidden_size=128, seed=0, dtype="float32"):
        self.vocab_size, self.embed_size, self.hidden_size = vocab_size, embed_size, hidden_size
        self.dtype = np.dtype(dtype)
        if self.dtype not in (np.float32, np.float64):
            raise ValueError(f"dtype must be float32 or float64, not {dtype!r}")
        rng = np.random.default_rng(seed)
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
        self.moments = {
            name: (np.zeros_like(p), np.zeros_like(p)) for name, p in self.params.items()
        }
        self.steps = 0

    def __call__(self, ids, state=None):
        """ids (B, T), state -> logits (B, T, V), state."""
        logits, state, _ = self._forward(np.asarray(ids), state)
        return logits, state

    def loss_and_grads(self, x, y, state=None):
        """Inputs and targets (B, T) -> mean loss in nats, gradients by name, state after."""
        x, y = np.asarray(x), np.asarray(y)
        if x.shape != y.shape or x.ndim != 2:
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

    def _forward(self, ids, state):
        """Logits (B, T, V), the state after, and all that the backward pass needs."""
        p, H = self.params, self.hidden_size
        batch, time = ids.shape
        zeros = np.zeros((batch, H), self.dtype)
        h, c = (zeros, zeros) if state is None else state
        embedded = p["embedding.weight"][ids.T]  # (T, B, E): time first, for the loop
        bias = p["recurrent.bias_ih_l0"] + p["recurrent.bias_hh_l0"]
        # What the inputs add to the gates does not wait for the loop: one product for all.
        gates = embedded @ p["recurrent.weight_ih_l0"].T + bias  # (T, B, 4H)
        hs = np.empty((time + 1, batch, H), self.dtype)
        cs, tanh_cs = np.empty_like(hs), np.empty((time, batch, H), self.dtype)
        hs[0], cs[0] = h, c
        recurrent = p["recurrent.weight_hh_l0"].T
        for t in range(time):
            i, f, g, o = activate(gates[t] + hs[t] @ recurrent, out=gates[t])
            cs[t + 1] = f * cs[t] + i * g
            tanh_cs[t] = np.tanh(cs[t + 1])
            hs[t + 1] = o * tanh_cs[t]
        logits = hs[1:].swapaxes(0, 1) @ p["output.weight"].T + p["output.bias"]  # (B, T, V)
        return logits, (hs[-1].copy(), cs[-1].copy()), (ids, embedded, gates, hs, cs, tanh_cs)

    def _backward(self, d_logits, saved):
        """From the loss's slope in the logits (B, T, V) to its slope in every parameter."""
        p, H = self.params, self.hidden_size
        ids, embedded, gates, hs, cs, tanh_cs = saved
        d_out = d_logits.swapaxes(0, 1)  # (T, B, V)
        d_hs = d_out @ p["output.weight"]  # (T, B, H): what each h is told by its own loss
        d_gates = np.empty_like(gates)  # before the activations, (T, B, 4H)
        d_h, d_c = np.zeros_like(hs[0]), np.zeros_like(hs[0])  # from the step after
        for t in reversed(range(len(gates))):
            i, f, g, o = split(gates[t])
            d_h = d_h + d_hs[t]
            d_c = d_c + d_h * o * (1 - tanh_cs[t] ** 2)
            d_i, d_f, d_g, d_o = split(d_gates[t])  # views: the results go into d_gates
            d_i[:] = d_c * g * i * (1 - i)
            d_f[:] = d_c * cs[t] * f * (1 - f)
            d_g[:] = d_c * i * (1 - g**2)
            d_o[:] = d_h * tanh_cs[t] * o * (1 - o)
            d_c = d_c * f
            d_h = d_gates[t] @ p["recurrent.weight_hh_l0"]
        # The weights are the same at every step: their slopes are gathered in one product.
        flat = d_gates.reshape(-1, 4 * H)  # (T * B, 4H)
        d_embedding = np.zeros_like(p["embedding.weight"])
        np.add.at(d_embedding, ids.T.ravel(), flat @ p["recurrent.weight_ih_l0"])
        d_bias = flat.sum(axis=0)
        return {
            "embedding.weight": d_embedding,
            "recurrent.weight_ih_l0": flat.T @ embedded.reshape(len(flat), -1),
            "recurrent.weight_hh_l0": flat.T @ hs[:-1].reshape(-1, H),
            "recurrent.bias_ih_l0": d_bias,
            "recurrent.bias_hh_l0": d_bias.copy(),
            "output.weight": d_out.reshape(-1, self.vocab_size).T @ hs[1:].reshape(-1, H),
            "output.bias": d_out.sum(axis=(0, 1)),
        }

    def _adam(self, grads, lr, beta1=0.9, beta2=0.999, eps=1e-8):
        """One step of Adam (Kingma and Ba 2015), in PyTorch's order of operations."""
        self.steps += 1
        rate = lr / (1 - beta1**self.steps)
        root = math.sqrt(1 - beta2**self.steps)
        for name, grad in grads.items():
            mean, square = self.moments[name]
            mean += (1 - beta1) * (grad - mean)
            square *= beta2
            square += (1 - beta2) * grad * grad
            self.params[name] -= rate * mean / (np.sqrt(square) / root + eps)

    @classmethod
    def from_torch(cls, model, dtype="float32"):
        """The same network from a one-layer ``CharRNN(cell="lstm")``."""
        config = model.config
        if config["cell"] != "lstm" or config["num_layers"] != 1:
            raise ValueError(
                "only a CharRNN with cell='lstm' and one layer can be converted, not "
                f"cell={config['cell']!r} with {config['num_layers']} layers"
            )
        ours = cls(config["vocab_size"], config["embed_size"], config["hidden_size"], dtype=dtype)
        for name, value in model.state_dict().items():
            ours.params[name] = value.cpu().numpy().astype(ours.dtype)
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


def split(gates):
    """Views of the four gates (B, H) in (B, 4H): input, forget, candidate, output."""
    H = gates.shape[1] // 4
    return gates[:, :H], gates[:, H : 2 * H], gates[:, 2 * H : 3 * H], gates[:, 3 * H :]


def activate(sums, out):
    """Sigmoid on three gates and tanh on the candidate, written into ``out`` (B, 4H)."""
    H = sums.shape[1] // 4
    candidate = np.tanh(sums[:, 2 * H : 3 * H])
    # sigmoid(x) = (1 + tanh(x / 2)) / 2 cannot overflow, whatever x is
    np.tanh(sums / 2, out=out)
    out += 1
    out /= 2
    out[:, 2 * H : 3 * H] = candidate
    return split(out)


def cross_entropy(logits, targets):
    """Mean loss in nats of logits (B, T, V) for targets (B, T), and its slope in the logits.

    By log-softmax: the largest logit is taken off first, so that nothing overflows and no
    probability is rounded to 0 before its logarithm is taken.
    """
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    b, t = np.indices(targets.shape)
    loss = -log_p[b, t, targets].mean(dtype=np.float64)
    d_logits = np.exp(log_p)
    d_logits[b, t, targets] -= 1
    return float(loss), d_logits / targets.size


def clip_norm(grads, clip):
    """Scale all gradients together, in place, to a norm of at most ``clip``; returns the norm.

    ``clip=None`` leaves them as they are.
    """
    norm = math.sqrt(sum(float(np.vdot(g, g)) for g in grads.values()))
    if clip is not None and norm > clip:
        for grad in grads.values():
            grad *= clip / (norm + 1e-6)
    return norm
