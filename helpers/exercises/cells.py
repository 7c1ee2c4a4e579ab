"""Recurrent cells as the judges compute them, in NumPy and by the definition."""

import numpy as np


def sigmoid(a):
    return (1 + np.tanh(a / 2)) / 2


def blocks(stacked, order):
    """The blocks of an array (n blocks, one below another), by the letters of their order."""
    return dict(zip(order, np.split(stacked, len(order)), strict=True))


def rnn_states(x, h, W_xh, W_hh, b_h):
    """The states (B, T, H) of a tanh layer over x (B, T, E) from the state h (B, H)."""
    states = []
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ W_xh.T + h @ W_hh.T + b_h)
        states.append(h)
    return np.stack(states, axis=1)


def lstm_step(x, h, c, W_x, W_h, b, order="ifgo"):
    """One step of an LSTM whose blocks stand in this order -> h, c and the gates i, f, g, o."""
    sums = blocks((x @ W_x.T + h @ W_h.T + b).T, order)
    i, f, o = (sigmoid(sums[gate].T) for gate in "ifo")
    g = np.tanh(sums["g"].T)
    c = f * c + i * g
    return o * np.tanh(c), c, (i, f, g, o)


def lstm_step_back(d_h, d_c, i, f, g, o, c, tanh_c):
    """Gradients of the sums before the gates (B, 4H) and of the cell state c before the step.

    ``d_h`` and ``d_c`` are those of the new state; ``d_c`` with what comes through h.
    """
    d_i, d_f = d_c * g * i * (1 - i), d_c * c * f * (1 - f)
    d_g, d_o = d_c * i * (1 - g**2), d_h * tanh_c * o * (1 - o)
    return np.concatenate([d_i, d_f, d_g, d_o], axis=1), d_c * f


def gru_step(x, h, W_x, W_h, b_x, b_h, order="rzn", reset_first=False):
    """One step of a GRU whose blocks stand in this order -> new h, and r, z, n.

    ``reset_first``: the reset gate acts on h before its product with the matrix.
    """
    of_x, of_h = blocks((x @ W_x.T + b_x).T, order), blocks((h @ W_h.T + b_h).T, order)
    r, z = (sigmoid(of_x[gate] + of_h[gate]).T for gate in "rz")
    from_h = r * of_h["n"].T
    if reset_first:
        from_h = (r * h) @ blocks(W_h, order)["n"].T + blocks(b_h, order)["n"]
    n = np.tanh(of_x["n"].T + from_h)
    return (1 - z) * n + z * h, (r, z, n)


def lstm_parameters(V, E, H, layers=1, biases=2):
    """Parameters of a ``CharRNN(cell="lstm")``, with two biases for each gate as in PyTorch."""
    further = (layers - 1) * 4 * H * (2 * H + biases)
    return V * E + 4 * H * (E + H + biases) + further + V * (H + 1)
