"""Recurrent layers of ``CharRNN`` with a backward pass written by hand, for training on a CPU.

PyTorch trains an LSTM on a CPU by a kernel of its own (oneDNN). For ``nn.RNN`` and ``nn.GRU``
autograd records the operations of each step, and the gradient of the weights is then a sum of
one product per step. Here nothing is recorded: the forward pass keeps what the backward pass
needs, back-propagation through time (Werbos 1990) is written out, and the gradient of a weight
matrix is one product over all steps. The input's part of each sum is looked up in a table with
a row for each character, so that the product with the input matrix has V rows instead of T * B.

``train_step``, and so ``fit``, calls ``read`` where ``applies`` says that it may stand in for the
model. Everything else (a GPU, evaluation, dropout between layers, a model that a reader has
changed) goes through PyTorch's own layers.
"""

from __future__ import annotations

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from ..models import CharRNN
from . import is_plain


def applies(model, ids):
    """Whether ``read`` may stand in for ``model`` on ids (B, T).

    ``model.recurrent.by_hand = False`` switches it off for a model.
    """
    if type(model) is not CharRNN or getattr(model.recurrent, "mode", None) not in LAYERS:
        return False
    layer = model.recurrent
    return (
        is_plain(model)
        and getattr(layer, "by_hand", True)
        and layer.training
        and (layer.dropout == 0 or layer.num_layers == 1)
        and torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and {ids.device.type, *(p.device.type for p in model.parameters())} == {"cpu"}
        and ids.dim() == 2
        and ids.numel() > 0
    )


def read(model, ids, state=None):
    """What ``model(ids, state)`` gives: logits (B, T, V) and the state after them."""
    hidden, state = run(model.embedding.weight, model.recurrent, ids, state)
    return model.output(hidden).transpose(0, 1), state


def run(embedding, layer, ids, state=None):
    """Rows (V, E), an nn.RNN or nn.GRU, ids (B, T), state (layers, B, H) or None -> hidden, state.

    What ``layer`` gives for ``embedding[ids]``, but time first: hidden (T, B, H).
    """
    ids = ids.t().contiguous()  # (T, B)
    kind, H = LAYERS[layer.mode], layer.hidden_size
    shape = (layer.num_layers, ids.shape[1], H)
    if state is None:
        state = embedding.new_zeros(shape)
    if state.shape != shape:
        raise ValueError(f"the state must have the shape {shape}, not {tuple(state.shape)}")
    hidden, ends = None, []
    for k, start in enumerate(state):
        weight_ih, weight_hh, bias_ih, bias_hh = (
            getattr(layer, f"{name}_l{k}")
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        if k > 0:
            rows, places = F.linear(hidden.flatten(0, 1), weight_ih, bias_ih), None
        elif len(embedding) <= ids.numel():
            rows, places = F.linear(embedding, weight_ih, bias_ih), ids
        else:  # an alphabet larger than the batch: no table
            rows = F.linear(F.embedding(ids.flatten(), embedding), weight_ih, bias_ih)
            places = None
        if places is None:  # a row for each place, fetched in order
            places = torch.arange(ids.numel()).view_as(ids)
        hidden = kind.apply(rows, places, weight_hh, bias_hh, start)  # (T, B, H)
        ends.append(hidden[-1])
    return hidden, torch.stack(ends)


class TanhLayer(torch.autograd.Function):
    """h = tanh(rows[places[t]] + W h + b) at every step of an nn.RNN.

    rows (R, H), places (T, B), W (H, H), b (H,), the first h (B, H) -> every h, (T, B, H).
    """

    @staticmethod
    def forward(ctx, rows, places, weight, bias, start):
        hs = start.new_empty(len(places) + 1, *start.shape)
        hs[0] = start
        rows, weight_t, from_input = rows + bias, weight.t(), torch.empty_like(start)
        for at, h, new_h in zip(places, hs[:-1], hs[1:], strict=True):
            torch.index_select(rows, 0, at, out=from_input)
            torch.addmm(from_input, h, weight_t, out=new_h).tanh_()
        ctx.save_for_backward(places, weight, hs)
        ctx.n_rows = len(rows)
        return hs[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_hs):
        places, weight, hs = ctx.saved_tensors
        grad_sums = borrow("grad_sums", hs.dtype, hs[1:].shape)
        torch.mul(hs[1:], hs[1:], out=grad_sums)
        torch.sub(1, grad_sums, out=grad_sums)  # the derivative of tanh is 1 - h * h
        from_next = torch.zeros_like(hs[0])  # the gradient that comes back from step t + 1
        steps = zip(reversed(grad_sums.unbind()), reversed(grad_hs.unbind()), strict=True)
        for grad_sum, grad_h in steps:
            grad_sum *= from_next.add_(grad_h)
            torch.mm(grad_sum, weight, out=from_next)
        flat = grad_sums.flatten(0, 1)  # (T * B, H)
        grad_rows = scatter(flat, places, ctx.n_rows)
        grad_weight = flat.t() @ hs[:-1].flatten(0, 1)
        give_back("grad_sums", grad_sums)
        return grad_rows, None, grad_weight, grad_rows.sum(0), from_next


class GRULayer(torch.autograd.Function):
    """The step of PyTorch's nn.GRU, whose reset gate acts after the product:

    r, z = sigmoid(rows[places[t]] + W h + b), n = tanh(rows[places[t]] + r * m) with the
    candidate's m = W h + b, and h = n + z * (h - n).
    rows (R, 3H), places (T, B), W (3H, H), b (3H,), the first h (B, H) -> every h, (T, B, H).

    One buffer (T, B, 4H) keeps m, r, z and n of every step, side by side. The backward pass
    writes the gradients of the sums over them, each in the block of its own sum:

        forward    |  m  |  r  |  z  |  n  |
        backward   | d_m | d_r | d_z | d_n |    m, r, z: products W h      r, z, n: rows

    so that what multiplies W, and what is added up into the rows, are slices of it.
    """

    @staticmethod
    def forward(ctx, rows, places, weight, bias, start):
        H = start.shape[1]
        hs = start.new_empty(len(places) + 1, *start.shape)
        hs[0] = start
        buffer = borrow("gru", hs.dtype, (*places.shape, 4 * H))
        weight, bias = weight.roll(H, 0), bias.roll(H)  # r, z, m -> m, r, z
        weight_t, from_input = weight.t().contiguous(), rows.new_empty(len(start), 3 * H)
        input_gates, input_n = from_input[:, : 2 * H], from_input[:, 2 * H :]
        products, gates = buffer[:, :, : 3 * H], buffer[:, :, H : 3 * H]
        steps = (places, products, gates, *buffer.split(H, dim=2), hs[:-1], hs[1:])
        for at, product, gate, m, r, z, n, h, new_h in zip(*steps, strict=True):
            torch.addmm(bias, h, weight_t, out=product)
            torch.index_select(rows, 0, at, out=from_input)
            gate.add_(input_gates).sigmoid_()
            torch.addcmul(input_n, r, m, out=n).tanh_()
            torch.lerp(n, h, z, out=new_h)
        ctx.save_for_backward(places, weight, hs)
        ctx.n_rows, ctx.buffer = len(rows), buffer
        return hs[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_hs):
        places, weight, hs = ctx.saved_tensors
        buffer, ctx.buffer = ctx.buffer, None
        if buffer is None:
            raise RuntimeError(
                "a GRU trained by hand goes back once: set model.recurrent.by_hand = False"
            )
        H = hs.shape[2]
        steps = (buffer[:, :, : 3 * H], *buffer.split(H, dim=2), hs[:-1], grad_hs)
        steps = (reversed(block.unbind()) for block in steps)
        d_h, d_n, scratch = (f(hs[0]) for f in (torch.zeros_like, *[torch.empty_like] * 2))
        for d_products, m, r, z, n, h, grad_h in zip(*steps, strict=True):
            d_h += grad_h
            # h_new = n + z * (h - n), n = tanh(.. + r * m); z' = z (1 - z), n' = 1 - n * n
            torch.addcmul(d_h, d_h, z, value=-1, out=scratch)  # d_h (1 - z)
            torch.mul(n, n, out=d_n)
            torch.addcmul(scratch, scratch, d_n, value=-1, out=d_n)  # d_h (1 - z) n'
            scratch *= z  # d_h z'
            d_h *= z
            # From here on each name of a block stands for the gradient of its sum.
            torch.sub(h, n, out=z).mul_(scratch)  # d_z = d_h (h - n) z'
            n.copy_(d_n)
            torch.mul(d_n, r, out=scratch)
            d_n *= m
            m.copy_(scratch)  # d_m = d_n r
            d_n *= r
            torch.addcmul(d_n, d_n, r, value=-1, out=r)  # d_r = d_n m r (1 - r)
            d_h.addmm_(d_products, weight)
        flat = buffer.flatten(0, 1)  # (T * B, 4H)
        grad_rows = scatter(flat[:, H:].contiguous(), places, ctx.n_rows)
        grad_weight = flat[:, : 3 * H].t() @ hs[:-1].flatten(0, 1)
        grad_bias = torch.cat([grad_rows.sum(0)[: 2 * H], flat[:, :H].sum(0)])
        give_back("gru", buffer)
        return grad_rows, None, grad_weight.roll(-H, 0), grad_bias, d_h


LAYERS = {"RNN_TANH": TanhLayer, "GRU": GRULayer}


def scatter(gradients, places, n_rows):
    """The gradient of each row: the sum over the places at which it was looked up.

    gradients (T * B, G), places (T, B) -> (n_rows, G)
    """
    rows = gradients.new_zeros(n_rows, gradients.shape[1])
    return rows.index_add_(0, places.flatten(), gradients)


_BUFFERS = {}


def borrow(name, dtype, shape):
    """A large array that each update fills anew; ``give_back`` returns it.

    Dropped and made again, such an array goes back to the operating system each time and
    comes from there page by page, which took a sixth of an update. What is never given back
    (a loss without a backward pass) is dropped as any other array.
    """
    spare = _BUFFERS.setdefault(name, [])
    buffer = spare.pop() if spare else None
    if buffer is None or buffer.shape != shape or buffer.dtype != dtype:
        return torch.empty(shape, dtype=dtype)
    return buffer


def give_back(name, buffer):
    """The buffer is not needed any more; at most four of a name are kept."""
    _BUFFERS[name] = [*_BUFFERS[name][-3:], buffer]
