import numpy as np
import pytest
import torch
from torch import nn

from helpers.fast.folded import RollingCache, aligned, fold, repeated_rows
from helpers.models import CharRNN
from helpers.ngram import NGram
from helpers.numpy_lstm import NumpyCharLSTM
from tests import small
from tests.small import V

CELLS = ["rnn", "lstm", "gru"]
MODELS = [(cell, layers) for cell in CELLS for layers in (1, 2, 3)]
MODELS += [("transformer", 1), ("transformer", 3)]


def tiny(kind, layers=1, dtype=torch.float32):
    """Weights, and biases even more, larger than at the start of a training."""
    context = {"context": 4} if kind == "transformer" else {}
    model = small.tiny(kind, layers, num_layers=layers, **context)
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(p * 2 + (torch.randn(p.shape) if "bias" in name or "norm" in name else 0))
    return model.to(dtype).eval()


def read(model, ids):
    """Logits (T, V) of one text (T,) read at once, and the state after it."""
    with torch.no_grad():
        logits, state = model(torch.as_tensor(ids)[None])
    return logits[0].numpy(), state


def largest_difference(model, starts, steps=20):
    """Between a folded model's logits and the model's, for texts that have read ``starts``."""
    texts = np.random.default_rng(3).integers(V, size=(len(starts), max(starts) + steps))
    groups = [
        ([i], read(model, text[:n])[1])
        for i, (text, n) in enumerate(zip(texts, starts, strict=True))
    ]
    step = fold(model).start(len(starts), groups)
    at_once = [read(model, text)[0] for text in texts]
    worst = 0
    for k in range(steps):
        ids = np.array([text[n + k] for text, n in zip(texts, starts, strict=True)])
        logits = step(ids if len(starts) > 1 else int(ids[0])).reshape(len(starts), V)
        assert logits.dtype == at_once[0].dtype  # nothing is worked out in another precision
        wanted = np.stack([all_[n + k] for all_, n in zip(at_once, starts, strict=True)])
        worst = max(worst, np.abs(logits - wanted).max())
    return worst


@pytest.mark.parametrize("starts", [[2], [5], [2, 2, 2], [6, 1, 3]], ids=str)
@pytest.mark.parametrize(("kind", "layers"), MODELS)
def test_a_folded_model_gives_the_models_logits(kind, layers, starts):
    """Far beyond the Transformer's context of 4, for texts that are not equally far."""
    assert largest_difference(tiny(kind, layers), starts) < 3e-5
    assert largest_difference(tiny(kind, layers, torch.float64), starts) < 1e-12


def test_texts_that_start_in_one_group_or_in_several_are_the_same():
    model = tiny("gru", 2)
    with torch.no_grad():
        state = model(torch.tensor([[0, 1], [2, 3], [4, 5]]))[1]
    together = fold(model).start(3, [(np.arange(3), state)])
    apart = fold(model).start(3, [([2, 0], state[:, [2, 0]]), ([1], state[:, [1]])])
    ids = np.array([6, 0, 3])
    np.testing.assert_allclose(together(ids), apart(ids), atol=1e-6)


def test_the_numpy_lstm_is_folded_as_the_torch_lstm():
    model = tiny("lstm")
    ours = NumpyCharLSTM.from_torch(model)
    ids = np.array([[1, 2, 3]])
    steps = [
        fold(m).start(1, [([0], m(i)[1])])
        for m, i in ((ours, ids), (model.requires_grad_(False), torch.as_tensor(ids)))
    ]
    for i in (4, 0, 6):
        np.testing.assert_allclose(steps[0](i), steps[1](i), atol=1e-5)


class Late(RollingCache):
    """As if the characters read so far had come a million positions later."""

    def __init__(self, *args):
        super().__init__(*args)
        later = 1_000_000  # a multiple of the context, so that slots stay
        self.keys.view(self.complex)[:] *= np.exp(later * self.rotation).astype(self.complex)
        self.position += later


def test_a_transformer_is_as_exact_far_from_the_start(monkeypatch):
    model = tiny("transformer", 3)
    groups = [([0], read(model, [1, 2, 3])[1])]
    early = fold(model).start(1, groups)
    monkeypatch.setattr("helpers.fast.folded.RollingCache", Late)
    late = fold(model).start(1, groups)
    for i in (4, 0, 6, 2, 1, 5):
        np.testing.assert_allclose(late(i), early(i), atol=3e-5)


@pytest.mark.parametrize("kind", [*CELLS, "transformer"])
def test_a_folded_model_keeps_the_weights_that_it_was_made_of(kind):
    model = tiny(kind)
    state = read(model, [1, 2])[1]
    before = fold(model)
    first = before.start(1, [([0], state)])(3).copy()
    with torch.no_grad():
        for p in model.parameters():
            p *= 0.5
    again = before.start(1, [([0], state)])(3)
    np.testing.assert_array_equal(again, first)
    assert np.abs(fold(model).start(1, [([0], state)])(3) - first).max() > 0.1


class Louder(CharRNN):
    def forward(self, ids, state=None):
        logits, state = super().forward(ids, state)
        return 2 * logits, state


def with_hook():
    model = tiny("rnn")
    model.recurrent.register_forward_hook(lambda *_: None)
    return model


def with_other_part():
    model = tiny("rnn")
    model.output = nn.Sequential(model.output)
    return model


def with_relu():
    model = tiny("rnn")
    model.recurrent = nn.RNN(5, 6, nonlinearity="relu", batch_first=True)
    return model


def with_own_forward():
    model = tiny("rnn")
    model.forward = lambda ids, state=None: CharRNN.forward(model, ids, None)
    return model


@pytest.mark.parametrize(
    "make",
    [
        lambda: Louder(V, 5, 6),
        lambda: tiny("lstm").bfloat16(),
        lambda: NGram(2, V),
        with_hook,
        with_other_part,
        with_relu,
        with_own_forward,
    ],
)
def test_what_is_not_known_is_not_folded(make):
    assert fold(make()) is None


def test_rows_that_repeat_an_earlier_one_are_found():
    """Also of two pairs and of three alike; a row is its weights and its bias."""
    weight = np.array([[1.0, 2], [3, 4], [1, 2], [3, 4], [1, 2], [1, 2]], np.float32)
    bias = np.array([0, 1, 0, 1, 0, 5], np.float32)
    assert repeated_rows(weight, bias) == ([2, 3, 4], [0, 1, 0])
    assert repeated_rows(weight[:2], bias[:2]) == ([], [])


def test_aligned_rows_begin_with_a_cache_line():
    matrix = np.arange(5 * 19, dtype=np.float32).reshape(5, 19)
    padded = aligned(matrix, pad=True)
    assert padded.shape == (5, 32)
    assert all(row.ctypes.data % 64 == 0 for row in padded)
    np.testing.assert_array_equal(padded[:, :19], matrix)
    assert not padded[:, 19:].any()
    np.testing.assert_array_equal(aligned(matrix), matrix)
