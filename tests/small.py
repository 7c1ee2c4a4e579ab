"""What many tests share: models small enough for a loop by hand, and gradients by differences."""

import numpy as np
import torch
from torch import nn

from helpers.models import CharRNN, CharTransformer

V, E, H = 7, 5, 6  # unequal, so that a swapped axis cannot pass


def tiny(cell="rnn", seed=0, vocab_size=V, **settings):
    """A CharRNN of V characters and widths E and H; cell="transformer" gives a CharTransformer."""
    torch.manual_seed(seed)
    if cell == "transformer":
        sizes = {"embed_size": 12, "num_heads": 3, "num_layers": 2, "context": 5}
        return CharTransformer(vocab_size, **(sizes | settings))
    return CharRNN(vocab_size, **({"embed_size": E, "hidden_size": H} | settings), cell=cell)


def random_ids(n, seed=0, vocab_size=V):
    """n ids, drawn evenly: (n,) int64."""
    return np.random.default_rng(seed).integers(vocab_size, size=n)


def weights(model):
    """All weights of a model as one vector on the CPU."""
    return nn.utils.parameters_to_vector(model.parameters()).detach().cpu()


def numeric_gradient(loss, value, step=1e-6):
    """The gradient of the number ``loss()`` by central differences, shaped as ``value``.

    ``value`` is a tensor or an array on which ``loss`` depends; it is changed in place and
    comes back as it was.
    """
    flat = value.detach().view(-1) if isinstance(value, torch.Tensor) else value.reshape(-1)
    gradient = np.empty(len(flat))
    for i, before in enumerate(flat.tolist()):
        both = []
        for moved in (before + step, before - step):
            flat[i] = moved
            with torch.no_grad():
                both.append(float(loss()))
        flat[i] = before
        gradient[i] = (both[0] - both[1]) / (2 * step)
    return gradient.reshape(value.shape)
