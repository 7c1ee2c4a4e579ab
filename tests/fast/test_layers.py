import contextvars

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from helpers.fast import layers as kernels
from helpers.models import CharRNN
from helpers.training import evaluate, fit

B, T, E, H, V = 3, 4, 5, 6, 7


@pytest.fixture(autouse=True)
def by_hand():
    with kernels.by_hand():
        yield


def pair(cell, num_layers=1, vocab_size=V):
    """The same float64 model twice: trained by hand, and through PyTorch's layer."""
    torch.manual_seed(0)
    by_hand = CharRNN(vocab_size, E, H, cell, num_layers).double()
    plain = CharRNN(vocab_size, E, H, cell, num_layers).double()
    plain.load_state_dict(by_hand.state_dict())
    plain.recurrent.by_hand = False
    return by_hand, plain


@pytest.mark.parametrize("cell", ["rnn", "gru"])
@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("vocab_size", [V, 40])  # 40: more characters than places, no table
def test_logits_state_and_every_gradient_equal_pytorchs(cell, num_layers, vocab_size):
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(vocab_size, (B, T), generator=generator)
    shape = (num_layers, B, H)
    start = torch.randn(shape, generator=generator, dtype=torch.float64)
    slopes = torch.randn(B, T, vocab_size, generator=generator, dtype=torch.float64)
    end_slopes = torch.randn(shape, generator=generator, dtype=torch.float64)
    found = []
    for model in pair(cell, num_layers, vocab_size):
        assert kernels.runs(model.recurrent, ids) == (not found), "the first by hand, only it"
        h = start.clone().requires_grad_()
        logits, end = model(ids, h)
        ((logits * slopes).sum() + (end * end_slopes).sum()).backward()
        gradients = {name: p.grad for name, p in model.named_parameters()}
        found.append({"logits": logits, "end": end, "state": h.grad, **gradients})
    for name, expected in found[1].items():
        torch.testing.assert_close(found[0][name], expected, atol=1e-12, rtol=0, msg=name)


@pytest.mark.parametrize("kind", [kernels.TanhLayer, kernels.GRULayer])
def test_the_layers_gradients_equal_differences(kind):
    blocks = 3 if kind is kernels.GRULayer else 1
    shapes = [(V, blocks * H), (blocks * H, H), (blocks * H,), (B, H)]
    generator = torch.Generator().manual_seed(2)
    rows, weight, bias, start = (
        torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True)
        for shape in shapes
    )
    places = torch.randint(V, (T, B), generator=generator)
    slopes = torch.randn(T, B, H, generator=generator, dtype=torch.float64)
    loss = (kind.apply(rows, places, weight, bias, start) * slopes).sum()
    found = torch.autograd.grad(loss, (rows, weight, bias, start))
    for value, slope in zip((rows, weight, bias, start), found, strict=True):
        flat, numeric = value.detach().view(-1), torch.empty(value.numel(), dtype=torch.float64)
        for k, kept in enumerate(flat.tolist()):
            both = []
            for moved in (kept + 1e-6, kept - 1e-6):
                flat[k] = moved
                with torch.no_grad():
                    hs = kind.apply(rows, places, weight, bias, start)
                both.append((hs * slopes).sum())
            flat[k] = kept
            numeric[k] = (both[0] - both[1]) / 2e-6
        torch.testing.assert_close(slope.flatten(), numeric, atol=1e-7, rtol=0)


@pytest.mark.parametrize("cell", ["rnn", "gru"])
@pytest.mark.parametrize("windows", ["disjoint", "stream"])
def test_training_by_hand_equals_pytorchs_layers_step_for_step(cell, windows):
    ids = torch.randint(V, (800,), generator=torch.Generator().manual_seed(3)).numpy()
    by_hand, plain = pair(cell)
    recipe = {"epochs": 5, "seq_len": 8, "batch_size": 5, "windows": windows, "lr": 1e-2}
    ours, theirs = (fit(model, ids, **recipe) for model in (by_hand, plain))
    assert len(ours.step_loss) >= 95
    assert ours.step_loss == pytest.approx(theirs.step_loss, abs=1e-9)
    assert ours.grad_norm == pytest.approx(theirs.grad_norm, abs=1e-8)
    assert evaluate(by_hand, ids) == pytest.approx(evaluate(plain, ids), abs=1e-9)


@pytest.mark.parametrize("cell", ["rnn", "gru"])
def test_a_batch_of_another_size_between_two_leaves_no_trace(cell):
    """Memory is used again from update to update: nothing of the last one may shine through."""
    by_hand, plain = pair(cell)
    generator = torch.Generator().manual_seed(4)
    for shape in [(B, T), (B, T), (2, 9), (B, T), (1, 1), (B, T)]:
        ids = torch.randint(V, shape, generator=generator)
        for model in (by_hand, plain):
            model.zero_grad()
            logits, _ = model(ids)
            F.cross_entropy(logits.flatten(0, 1), ids.flatten()).backward()
        for (name, p), q in zip(by_hand.named_parameters(), plain.parameters(), strict=True):
            torch.testing.assert_close(p.grad, q.grad, atol=1e-12, rtol=0, msg=name)


@pytest.mark.parametrize("cell", ["rnn", "gru"])
def test_two_losses_may_be_open_at_once(cell):
    by_hand, plain = pair(cell)
    generator = torch.Generator().manual_seed(5)
    first, second = torch.randint(V, (2, B, T), generator=generator)
    for model in (by_hand, plain):
        open_losses = [
            F.cross_entropy(model(ids)[0].flatten(0, 1), ids.flatten()) for ids in (first, second)
        ]
        for loss in open_losses:
            loss.backward()
    for (name, p), q in zip(by_hand.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad, atol=1e-12, rtol=0, msg=name)


def test_where_it_does_not_apply_pytorchs_layers_are_used():
    ids = torch.zeros(B, T, dtype=torch.long)
    model = CharRNN(V, E, H, "gru")
    assert kernels.runs(model.recurrent, ids)
    with torch.no_grad():
        assert not kernels.runs(model.recurrent, ids)
    assert not kernels.runs(model.eval().recurrent, ids)
    assert not kernels.runs(CharRNN(V, E, H, "lstm").recurrent, ids)
    assert not kernels.runs(CharRNN(V, E, H, "gru", num_layers=2, dropout=0.1).recurrent, ids)
    assert not kernels.runs(nn.RNN(E, H, nonlinearity="relu"), ids)
    with torch.autocast("cpu"):
        assert not kernels.runs(CharRNN(V, E, H, "rnn").recurrent, ids)


def test_only_train_step_switches_it_on():
    used = []
    for chosen in (contextvars.Context(), contextvars.copy_context()):
        layer = CharRNN(V, E, H, "gru").recurrent
        used.append(chosen.run(kernels.runs, layer, torch.zeros(B, T, dtype=torch.long)))
    assert used == [False, True]


def test_weights_that_are_frozen_get_no_gradient():
    model = CharRNN(V, E, H, "gru")
    model.recurrent.weight_hh_l0.requires_grad_(False)
    model(torch.zeros(B, T, dtype=torch.long))[0].sum().backward()
    assert model.recurrent.weight_hh_l0.grad is None
    assert model.recurrent.weight_ih_l0.grad is not None


def test_going_back_twice_is_an_error_and_no_wrong_gradient():
    model = CharRNN(V, E, H, "gru")
    loss = model(torch.zeros(B, T, dtype=torch.long))[0].sum()
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="by_hand = False"):
        loss.backward()


def test_a_state_of_the_wrong_shape_is_named():
    with pytest.raises(ValueError, match=r"\(1, 3, 6\), not \(1, 2, 6\)"):
        CharRNN(V, E, H, "rnn")(torch.zeros(B, T, dtype=torch.long), torch.zeros(1, 2, H))


def test_memory_that_was_given_back_is_taken_again(monkeypatch):
    monkeypatch.setattr(kernels, "_SPARE", {})
    first = kernels.take("sums", torch.float32, (2, 3))
    kernels.give("sums", first)
    assert kernels.take("sums", torch.float32, (2, 3)) is first
    for dtype, shape in ((torch.float64, (2, 3)), (torch.float32, (3, 2))):
        kernels.give("sums", first)
        other = kernels.take("sums", dtype, shape)
        assert (other.dtype, other.shape) == (dtype, shape)
    for _ in range(6):
        kernels.give("sums", first)
    assert len(kernels._SPARE["sums"]) == 4
