import pytest
import torch
from torch.nn import functional as F

from helpers.fast import layers
from helpers.training import evaluate, fit
from tests.small import H, V, numeric_gradient, random_ids, tiny

B, T = 3, 4


def pair(cell, **settings):
    """The same float64 model twice: trained by hand, and through PyTorch's layer."""
    by_hand, plain = (tiny(cell, **settings).double() for _ in range(2))
    plain.recurrent.by_hand = False
    return by_hand, plain


def read(model, ids, state=None):
    """By hand where that applies, as ``train_step`` does."""
    return layers.read(model, ids, state) if layers.applies(model, ids) else model(ids, state)


@pytest.mark.parametrize("cell", ["rnn", "gru"])
@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("vocab_size", [V, 40])  # 40: more characters than places, no table
def test_logits_state_and_every_gradient_equal_pytorchs(cell, num_layers, vocab_size):
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(vocab_size, (B, T), generator=generator)
    shape = (num_layers, B, H)
    start = torch.randn(shape, generator=generator, dtype=torch.float64)
    upstream = torch.randn(B, T, vocab_size, generator=generator, dtype=torch.float64)
    end_upstream = torch.randn(shape, generator=generator, dtype=torch.float64)
    found = []
    for model in pair(cell, num_layers=num_layers, vocab_size=vocab_size):
        assert layers.applies(model, ids) == (not found), "the first by hand, only it"
        h = start.clone().requires_grad_()
        logits, end = read(model, ids, h)
        ((logits * upstream).sum() + (end * end_upstream).sum()).backward()
        gradients = {name: p.grad for name, p in model.named_parameters()}
        found.append({"logits": logits, "end": end, "state": h.grad, **gradients})
    for name, expected in found[1].items():
        torch.testing.assert_close(found[0][name], expected, atol=1e-12, rtol=0, msg=name)


@pytest.mark.parametrize("kind", [layers.TanhLayer, layers.GRULayer])
def test_the_layers_gradients_equal_differences(kind):
    blocks = 3 if kind is layers.GRULayer else 1
    shapes = [(V, blocks * H), (blocks * H, H), (blocks * H,), (B, H)]
    generator = torch.Generator().manual_seed(2)
    rows, weight, bias, start = (
        torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True)
        for shape in shapes
    )
    places = torch.randint(V, (T, B), generator=generator)
    upstream = torch.randn(T, B, H, generator=generator, dtype=torch.float64)

    def loss():
        return (kind.apply(rows, places, weight, bias, start) * upstream).sum()

    values = (rows, weight, bias, start)
    for value, gradient in zip(values, torch.autograd.grad(loss(), values), strict=True):
        torch.testing.assert_close(
            gradient.numpy(), numeric_gradient(loss, value), atol=1e-7, rtol=0
        )


@pytest.mark.parametrize("cell", ["rnn", "gru"])
@pytest.mark.parametrize("windows", ["disjoint", "stream"])
def test_training_by_hand_equals_pytorchs_layers_step_for_step(cell, windows):
    ids = random_ids(800, seed=3)
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
            logits, _ = read(model, ids)
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
            F.cross_entropy(read(model, ids)[0].flatten(0, 1), ids.flatten())
            for ids in (first, second)
        ]
        for loss in open_losses:
            loss.backward()
    for (name, p), q in zip(by_hand.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad, atol=1e-12, rtol=0, msg=name)


def test_where_it_does_not_apply_pytorchs_layers_are_used():
    ids = torch.zeros(B, T, dtype=torch.long)
    model = tiny("gru")
    assert layers.applies(model, ids)
    assert not layers.applies(model, ids[0])
    assert not layers.applies(model, ids[:, :0])
    with torch.no_grad():
        assert not layers.applies(model, ids)
    with torch.autocast("cpu"):
        assert not layers.applies(model, ids)
    assert not layers.applies(model.eval(), ids)
    assert not layers.applies(tiny("lstm"), ids)
    assert not layers.applies(tiny("transformer"), ids)
    assert not layers.applies(tiny("gru", num_layers=2, dropout=0.1), ids)
    assert not layers.applies(tiny("gru").to("meta"), ids)
    assert not layers.applies(tiny("gru").bfloat16(), ids)


def test_weights_that_are_frozen_get_no_gradient():
    model = tiny("gru")
    model.recurrent.weight_hh_l0.requires_grad_(False)
    layers.read(model, torch.zeros(B, T, dtype=torch.long))[0].sum().backward()
    assert model.recurrent.weight_hh_l0.grad is None
    assert model.recurrent.weight_ih_l0.grad is not None


def test_going_back_twice_is_an_error_and_no_wrong_gradient():
    model = tiny("gru")
    loss = layers.read(model, torch.zeros(B, T, dtype=torch.long))[0].sum()
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="by_hand = False"):
        loss.backward()


def test_a_state_of_the_wrong_shape_is_named():
    with pytest.raises(ValueError, match=r"\(1, 3, 6\), not \(1, 2, 6\)"):
        layers.read(tiny(), torch.zeros(B, T, dtype=torch.long), torch.zeros(1, 2, H))


def test_buffer_that_was_given_back_is_used_again(monkeypatch):
    monkeypatch.setattr(layers, "_BUFFERS", {})
    first = layers.borrow("sums", torch.float32, (2, 3))
    layers.give_back("sums", first)
    assert layers.borrow("sums", torch.float32, (2, 3)) is first
    for dtype, shape in ((torch.float64, (2, 3)), (torch.float32, (3, 2))):
        layers.give_back("sums", first)
        other = layers.borrow("sums", dtype, shape)
        assert (other.dtype, other.shape) == (dtype, shape)
    for _ in range(6):
        layers.give_back("sums", first)
    assert len(layers._BUFFERS["sums"]) == 4
