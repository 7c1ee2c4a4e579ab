"""Recurrent layers of ``CharRNN`` with a backward pass written by hand, for training on a CPU.

PyTorch trains an LSTM on a CPU by a kernel of its own (oneDNN). For ``nn.RNN`` and ``nn.GRU``
it records the operations of each step and walks back through the records; the gradient of
the weights is then a sum of one product a step. Here nothing is recorded: what the way back
needs is kept, the way back is written out (back-propagation through time, Werbos 1990), and
the gradient of a weight matrix is one product over all steps. The input's part of the sums
is fetched from a table with a row for each character, so that the product with the input
matrix has V rows instead of T * B.

``train_step``, and so ``fit``, calls ``read`` where ``applies`` says that it may stand in for the
model. Everything else, a GPU, evaluation, dropout between layers, a model that a reader has
changed or calls, goes through PyTorch's own layers.
"""

from __future__ import annotations

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from ..models import CharRNN
from . import is_plain


def applies(model, ids):
    """Whether ``read`` may stand in for ``model`` on ids (B, T).

    ``model.recurrent.by_hand = False`` switches it off. Second derivatives need that.
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
        rows, turned, added = rows + bias, weight.t(), torch.empty_like(start)
        for at, h, new_h in zip(places, hs[:-1], hs[1:], strict=True):
            torch.index_select(rows, 0, at, out=added)
            torch.addmm(added, h, turned, out=new_h).tanh_()
        ctx.save_for_backward(places, weight, hs)
        ctx.rows = len(rows)
        return hs[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx, d_hs):
        places, weight, hs = ctx.saved_tensors
        d_sums = take("d_sums", hs.dtype, hs[1:].shape)
        torch.mul(hs[1:], hs[1:], out=d_sums)
        torch.sub(1, d_sums, out=d_sums)  # the slope of tanh is 1 - h * h
        through = torch.zeros_like(hs[0])  # from the step after
        for d_sum, d_h in zip(reversed(d_sums.unbind()), reversed(d_hs.unbind()), strict=True):
            d_sum *= through.add_(d_h)
            torch.mm(d_sum, weight, out=through)
        flat = d_sums.flatten(0, 1)  # (T * B, H)
        d_rows = gathered(flat, places, ctx.rows)
        d_weight = flat.t() @ hs[:-1].flatten(0, 1)
        give("d_sums", d_sums)
        return d_rows, None, d_weight, d_rows.sum(0), through


class GRULayer(torch.autograd.Function):
    """The step of PyTorch's nn.GRU, whose reset gate acts after the product:

    r, z = sigmoid(rows[places[t]] + W h + b), n = tanh(rows[places[t]] + r * (W h + b)),
    h = n + z * (h - n). rows (R, 3H), places (T, B), W (3H, H), b (3H,), the first h (B, H)
    -> every h, (T, B, H).

    Four blocks of H are kept of each step: m = W h + b of the candidate, r, z and n. On the
    way back their slopes are written over them, so that those in the products W h (m, r, z)
    and those in the rows (r, z, n) lie side by side.
    """

    @staticmethod
    def forward(ctx, rows, places, weight, bias, start):
        H = start.shape[1]
        hs = start.new_empty(len(places) + 1, *start.shape)
        hs[0] = start
        kept = take("kept", hs.dtype, (*places.shape, 4 * H))
        weight, bias = weight.roll(H, 0), bias.roll(H)  # m, r, z
        turned, added = weight.t().contiguous(), rows.new_empty(len(start), 3 * H)
        of_gates, of_n = added[:, : 2 * H], added[:, 2 * H :]
        products, gates = kept[:, :, : 3 * H], kept[:, :, H : 3 * H]
        each_step = (places, products, gates, *kept.split(H, dim=2), hs[:-1], hs[1:])
        for at, product, gate, m, r, z, n, h, new_h in zip(*each_step, strict=True):
            torch.addmm(bias, h, turned, out=product)
            torch.index_select(rows, 0, at, out=added)
            gate.add_(of_gates).sigmoid_()
            torch.addcmul(of_n, r, m, out=n).tanh_()
            torch.lerp(n, h, z, out=new_h)
        ctx.save_for_backward(places, weight, hs)
        ctx.rows, ctx.kept = len(rows), kept
        return hs[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx, d_hs):
        places, weight, hs = ctx.saved_tensors
        kept, ctx.kept = ctx.kept, None
        if kept is None:
            raise RuntimeError(
                "a GRU trained by hand goes back once: set model.recurrent.by_hand = False"
            )
        H = hs.shape[2]
        each_step = (kept[:, :, : 3 * H], *kept.split(H, dim=2), hs[:-1], d_hs)
        each_step = (reversed(block.unbind()) for block in each_step)
        d_h, d_n, part = torch.zeros_like(hs[0]), torch.empty_like(hs[0]), torch.empty_like(hs[0])
        for product, m, r, z, n, h, told in zip(*each_step, strict=True):
            d_h += told
            # h = n + z * (h_before - n), and n = tanh(.. + r * m)
            torch.addcmul(d_h, d_h, z, value=-1, out=part)  # d_h * (1 - z)
            torch.mul(n, n, out=d_n)
            torch.addcmul(part, part, d_n, value=-1, out=d_n)  # the slope of tanh is 1 - n * n
            part *= z  # d_h * z * (1 - z), the slope of the sigmoid in it
            d_h *= z
            torch.sub(h, n, out=z).mul_(part)  # from here on slopes, over what was kept
            n.copy_(d_n)
            torch.mul(d_n, r, out=part)
            d_n *= m
            m.copy_(part)
            d_n *= r
            torch.addcmul(d_n, d_n, r, value=-1, out=r)
            d_h.addmm_(product, weight)
        flat = kept.flatten(0, 1)  # (T * B, 4H), slopes
        d_rows = gathered(flat[:, H:].contiguous(), places, ctx.rows)
        d_weight = flat[:, : 3 * H].t() @ hs[:-1].flatten(0, 1)
        d_bias = torch.cat([d_rows.sum(0)[: 2 * H], flat[:, :H].sum(0)])
        give("kept", kept)
        return d_rows, None, d_weight.roll(-H, 0), d_bias, d_h


LAYERS = {"RNN_TANH": TanhLayer, "GRU": GRULayer}


def gathered(slopes, places, n_rows):
    """The slope of each row: the sum over the places at which it was fetched.

    slopes (T * B, G), places (T, B) -> (n_rows, G)
    """
    return slopes.new_zeros(n_rows, slopes.shape[1]).index_add_(0, places.flatten(), slopes)


_SPARE = {}


def take(name, dtype, shape):
    """Memory for a large array that each update fills anew; ``give`` it back after.

    Dropped and made again, such an array goes back to the operating system each time and
    comes from there page by page, which took a sixth of an update. What is never given back
    (a loss without a backward pass) is dropped as any other array.
    """
    spare = _SPARE.setdefault(name, [])
    found = spare.pop() if spare else None
    if found is None or found.shape != shape or found.dtype != dtype:
        return torch.empty(shape, dtype=dtype)
    return found


def give(name, array):
    """The array is not needed any more; at most four of a name are kept."""
    _SPARE[name] = [*_SPARE[name][-3:], array]
