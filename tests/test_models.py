import numpy as np
import pytest
import torch

from helpers.models import CharRNN, choose_device, count_parameters, detach, evaluating, predict

# Unequal sizes throughout, so that a swapped axis cannot pass.
B, T, E, H, V = 3, 4, 5, 6, 7


def tiny(cell, **more):
    torch.manual_seed(0)
    return CharRNN(V, embed_size=E, hidden_size=H, cell=cell, **more).double()


def sigmoid(x):
    return 1 / (1 + torch.exp(-x))


def rnn_step(x, state, w_x, w_h, b_x, b_h):
    h = torch.tanh(x @ w_x.T + b_x + state[0] @ w_h.T + b_h)
    return (h,)


def lstm_step(x, state, w_x, w_h, b_x, b_h):
    h, c = state
    i, f, g, o = (x @ w_x.T + b_x + h @ w_h.T + b_h).chunk(4, dim=1)
    c = sigmoid(f) * c + sigmoid(i) * torch.tanh(g)
    return sigmoid(o) * torch.tanh(c), c


def gru_step(x, state, w_x, w_h, b_x, b_h):
    (h,) = state
    xr, xz, xn = (x @ w_x.T + b_x).chunk(3, dim=1)
    hr, hz, hn = (h @ w_h.T + b_h).chunk(3, dim=1)
    r, z = sigmoid(xr + hr), sigmoid(xz + hz)
    n = torch.tanh(xn + r * hn)  # the reset gate acts after the product
    return ((1 - z) * n + z * h,)


STEPS = {"rnn": (rnn_step, 1), "lstm": (lstm_step, 2), "gru": (gru_step, 1)}


@pytest.mark.parametrize("cell", STEPS)
def test_logits_equal_a_loop_written_by_hand(cell):
    model, ids = tiny(cell), torch.randint(V, (B, T))
    step, parts = STEPS[cell]
    state = tuple(torch.zeros(B, H, dtype=torch.double) for _ in range(parts))
    weights = [
        getattr(model.recurrent, n)
        for n in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    ]
    expected = []
    for t in range(T):
        state = step(model.embedding.weight[ids[:, t]], state, *weights)
        expected.append(state[0] @ model.output.weight.T + model.output.bias)
    logits, last = model(ids)
    assert logits.shape == (B, T, V)
    torch.testing.assert_close(logits, torch.stack(expected, dim=1), rtol=0, atol=1e-12)
    last = last if isinstance(last, tuple) else (last,)
    for ours, theirs in zip(state, last, strict=True):
        torch.testing.assert_close(ours, theirs[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("cell", STEPS)
def test_two_halves_with_the_state_passed_on_equal_one_pass(cell):
    model, ids = tiny(cell, num_layers=2), torch.randint(V, (B, T))
    whole, _ = model(ids)
    first, state = model(ids[:, :1])
    second, _ = model(ids[:, 1:], state)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole)
    forgotten, _ = model(ids[:, 1:])
    assert not torch.allclose(forgotten, second)


@pytest.mark.parametrize("cell", STEPS)
def test_no_logit_depends_on_a_later_character(cell):
    model, ids = tiny(cell), torch.randint(V, (B, T))
    changed = ids.clone()
    changed[:, -1] = (changed[:, -1] + 1) % V
    torch.testing.assert_close(model(ids)[0][:, :-1], model(changed)[0][:, :-1], rtol=0, atol=0)
    assert not torch.equal(model(ids)[0][:, -1], model(changed)[0][:, -1])


@pytest.mark.parametrize(
    ("cell", "published"), [("rnn", 30_557), ("lstm", 92_765), ("gru", 72_029)]
)
def test_the_reference_models_have_the_published_parameter_counts(cell, published):
    assert count_parameters(CharRNN(61, cell=cell)) == published


def test_frozen_parameters_do_not_count():
    model = tiny("rnn")
    model.embedding.weight.requires_grad_(False)
    assert count_parameters(model) == E * H + H * H + 2 * H + H * V + V


def test_a_misspelt_cell_and_a_missing_batch_axis_are_named():
    with pytest.raises(ValueError, match="'rnn', 'lstm', 'gru', not 'ltsm'"):
        CharRNN(V, cell="ltsm")
    with pytest.raises(ValueError, match=r"\(batch, time\), not \(4,\)"):
        tiny("rnn")(torch.zeros(T, dtype=torch.long))


def test_the_same_seed_gives_the_same_weights():
    for a, b in zip(tiny("gru").parameters(), tiny("gru").parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_evaluating_switches_dropout_off_and_restores_the_mode():
    model = tiny("lstm", num_layers=2, dropout=0.5).train()
    ids = np.zeros((1, T), dtype=np.int64)
    with evaluating(model):
        assert not model.training
        assert not torch.is_grad_enabled()
        np.testing.assert_array_equal(predict(model, ids)[0], predict(model, ids)[0])
    assert model.training
    assert torch.is_grad_enabled()
    assert not np.array_equal(
        model(torch.as_tensor(ids))[0].detach(), model(torch.as_tensor(ids))[0].detach()
    )


def test_evaluating_restores_the_mode_after_an_error():
    model = tiny("rnn").train()
    with pytest.raises(KeyError), evaluating(model):
        raise KeyError
    assert model.training


def test_predict_gives_numpy_and_takes_its_own_state_back():
    model, ids = tiny("lstm").eval(), np.arange(T)[None] % V
    with evaluating(model):
        whole, _ = predict(model, ids)
        first, state = predict(model, ids[:, :2])
        second, _ = predict(model, ids[:, 2:], state)
    assert whole.dtype == np.float64
    np.testing.assert_allclose(np.concatenate([first, second], axis=1), whole, atol=1e-12)


def test_a_detached_state_has_the_same_numbers_and_no_history():
    _, state = tiny("lstm")(torch.zeros(B, T, dtype=torch.long))
    cut = detach(state)
    assert isinstance(cut, tuple)
    for a, b in zip(state, cut, strict=True):
        assert a.requires_grad
        assert not b.requires_grad
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    assert detach(None) is None


def test_the_device_follows_argument_then_environment(monkeypatch):
    monkeypatch.setenv("CHARBOOK_DEVICE", "meta")
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device() == torch.device("meta")
    monkeypatch.delenv("CHARBOOK_DEVICE")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device() == torch.device("cpu")
