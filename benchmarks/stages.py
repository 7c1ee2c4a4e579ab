"""The LSTM in NumPy on its way from a loop over characters to the speed of a library.

Seven stages compute the same loss and the same gradients, each a little quicker than the one
before. The parameters have PyTorch's names and shapes, as in ``NumpyCharLSTM``, which is the
last stage.
"""

import numpy as np

W_E, W_I, W_R, W_O = (
    "embedding.weight", "recurrent.weight_ih_l0", "recurrent.weight_hh_l0", "output.weight",
)  # fmt: skip
B_I, B_R, B_O = "recurrent.bias_ih_l0", "recurrent.bias_hh_l0", "output.bias"


def step(sums, c):
    """Sums of the gates (B, 4H), c (B, H) -> h, c, a note for the way back."""
    i, f, g, o = np.split(sums, 4, axis=1)
    i, f, o = (1 / (1 + np.exp(-gate)) for gate in (i, f, o))
    g = np.tanh(g)
    new_c = f * c + i * g
    tanh_c = np.tanh(new_c)
    return o * tanh_c, new_c, (i, f, g, o, c, tanh_c)


def step_back(d_h, d_c, note):
    """Slopes in new h and c -> in the sums (B, 4H) and in the old c."""
    i, f, g, o, c, tanh_c = note
    d_c = d_c + d_h * o * (1 - tanh_c**2)
    d_i, d_f = d_c * g * i * (1 - i), d_c * c * f * (1 - f)
    d_g, d_o = d_c * i * (1 - g**2), d_h * tanh_c * o * (1 - o)
    return np.concatenate([d_i, d_f, d_g, d_o], axis=1), d_c * f


def output_layer(p, hs, y):
    """hs (T, B, H), targets (B, T) -> loss, slope in the logits (T, B, V)."""
    logits = hs @ p[W_O].T + p[B_O]
    logits -= logits.max(axis=2, keepdims=True)
    log_p = logits - np.log(np.exp(logits).sum(axis=2, keepdims=True))
    t, b = np.indices(y.T.shape)
    d_logits = np.exp(log_p)
    d_logits[t, b, y.T] -= 1
    return -log_p[t, b, y.T].mean(dtype=np.float64), d_logits / y.size


def four_products(p, ids):
    """For each gate a product with the input and one with the state."""
    gates = list(zip(np.split(p[W_I], 4), np.split(p[W_R], 4), strict=True))
    bias = p[B_I] + p[B_R]

    def sums(t, h):
        x = p[W_E][ids[:, t]]
        parts = [x @ W_x.T + h @ W_h.T for W_x, W_h in gates]
        return np.concatenate(parts, axis=1) + bias

    return sums


def one_product(p, ids):
    """The four gates' matrices on top of each other."""
    bias = p[B_I] + p[B_R]
    return lambda t, h: p[W_E][ids[:, t]] @ p[W_I].T + h @ p[W_R].T + bias


def inputs_first(p, ids):
    """The inputs of all steps in one product, before the loop."""
    from_inputs = p[W_E][ids.T] @ p[W_I].T + (p[B_I] + p[B_R])  # (T, B, 4H)
    return lambda t, h: from_inputs[t] + h @ p[W_R].T


def folded_table(p, ids):
    """The inputs of all characters there are; each step fetches rows."""
    table = p[W_E] @ p[W_I].T + (p[B_I] + p[B_R])  # (V, 4H)
    return lambda t, h: table[ids[:, t]] + h @ p[W_R].T


def at_each_step(p, ids, hs, d_sums):
    """The weights' slopes, added up step by step."""
    d = {name: np.zeros_like(p[name]) for name in (W_E, W_I, W_R, B_I)}
    for t, d_sum in enumerate(d_sums):
        d[W_R] += d_sum.T @ hs[t]
        d[W_I] += d_sum.T @ p[W_E][ids[:, t]]
        d[B_I] += d_sum.sum(axis=0)
        np.add.at(d[W_E], ids[:, t], d_sum @ p[W_I])
    return d


def after_the_loop(p, ids, hs, d_sums):
    """The same in one product over all steps."""
    flat = d_sums.reshape(-1, d_sums.shape[2])  # (T * B, 4H)
    d_E = np.zeros_like(p[W_E])
    np.add.at(d_E, ids.T.ravel(), flat @ p[W_I])
    d_R = flat.T @ hs[:-1].reshape(len(flat), -1)
    d_I = flat.T @ p[W_E][ids.T.ravel()]
    return {W_E: d_E, W_I: d_I, W_R: d_R, B_I: flat.sum(axis=0)}


def through_the_table(p, ids, hs, d_sums):
    """The slopes in the table first; all that was folded into it follows."""
    flat = d_sums.reshape(-1, d_sums.shape[2])
    one_hot = np.eye(len(p[W_E]), dtype=flat.dtype)[ids.T.ravel()]
    d_table = one_hot.T @ flat  # (V, 4H)
    d_R = flat.T @ hs[:-1].reshape(len(flat), -1)
    d_E, d_I = d_table @ p[W_I], d_table.T @ p[W_E]
    return {W_E: d_E, W_I: d_I, W_R: d_R, B_I: d_table.sum(axis=0)}


def read(p, x, prepare):
    """Ids (B, T) -> states (T + 1, B, H), and each step's note."""
    sums, notes = prepare(p, x), []
    hs = np.zeros((x.shape[1] + 1, x.shape[0], p[W_R].shape[1]), p[W_R].dtype)
    c = hs[0]
    for t in range(x.shape[1]):
        hs[t + 1], c, note = step(sums(t, hs[t]), c)
        notes.append(note)
    return hs, notes


def go_back(p, d_hs, notes):
    """Slopes from each own loss (T, B, H) -> in the sums (T, B, 4H)."""
    d_h = d_c = np.zeros_like(d_hs[0])
    d_sums = [None] * len(notes)
    for t in reversed(range(len(notes))):
        d_sums[t], d_c = step_back(d_h + d_hs[t], d_c, notes[t])
        d_h = d_sums[t] @ p[W_R]
    return np.stack(d_sums)


def loss_and_grads(p, x, y, prepare=folded_table, gather=through_the_table):
    """Inputs and targets (B, T) -> loss, gradients by name."""
    hs, notes = read(p, x, prepare)
    loss, d_logits = output_layer(p, hs[1:], y)
    d_sums = go_back(p, d_logits @ p[W_O], notes)
    grads = gather(p, x, hs, d_sums)
    d_O = d_logits.reshape(-1, len(p[W_O])).T @ hs[1:].reshape(-1, hs.shape[2])
    others = {B_R: grads[B_I].copy(), W_O: d_O, B_O: d_logits.sum(axis=(0, 1))}
    return loss, grads | others


def window_by_window(p, x, y):
    """One window after the other; the mean of their losses and gradients."""
    loss, total = 0.0, {name: 0 * value for name, value in p.items()}
    for one_x, one_y in zip(x, y, strict=True):
        window = one_x[None], one_y[None]
        one, grads = loss_and_grads(p, *window, four_products, at_each_step)
        loss += one / len(x)
        for name, grad in grads.items():
            total[name] += grad / len(x)
    return loss, total


STAGES = {
    "window by window": window_by_window,
    "a batch": lambda p, x, y: loss_and_grads(p, x, y, four_products, at_each_step),
    "one product for the gates": lambda p, x, y: loss_and_grads(p, x, y, one_product, at_each_step),
    "all inputs first": lambda p, x, y: loss_and_grads(p, x, y, inputs_first, at_each_step),
    "gathered gradients": lambda p, x, y: loss_and_grads(p, x, y, inputs_first, after_the_loop),
    "folded table": loss_and_grads,
}
