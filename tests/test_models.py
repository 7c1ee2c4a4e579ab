from copy import deepcopy

import numpy as np
import pytest
import torch

from helpers.corpus import Vocabulary
from helpers.models import (
    CharRNN,
    CharTransformer,
    choose_device,
    count_parameters,
    detach,
    evaluating,
    predict,
    rotate,
    rotations,
    window_mask,
)
from helpers.sampling import generate
from helpers.training import evaluate, fit
from tests import small
from tests.faults import planted
from tests.small import E, H, V

B, T = 3, 4


def tiny(cell, **settings):
    return small.tiny(cell, **settings).double()


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


SIZES = {
    CharRNN: ("vocab_size", "embed_size", "hidden_size", "num_layers"),
    CharTransformer: ("vocab_size", "embed_size", "num_heads", "num_layers", "context"),
}


@pytest.mark.parametrize(("kind", "name"), [(kind, n) for kind in SIZES for n in SIZES[kind]])
def test_a_size_is_a_whole_number_of_any_kind(kind, name):
    sizes = {"vocab_size": 7, "embed_size": 16}
    for wrong in (0, -1, 2.5, None, np.inf, np.nan, True, "7", [7]):
        with pytest.raises(ValueError, match=f"^{name} must be a whole number of at least 1, not"):
            kind(**(sizes | {name: wrong}))
    value = sizes.get(name, 2)
    for given in (float(value), np.int64(value), np.float32(value), torch.tensor(value)):
        config = kind(**(sizes | {name: given})).config
        assert config == kind(**(sizes | {name: value})).config
        assert type(config[name]) is int


@pytest.mark.parametrize("share", [-0.1, 1, 1.5, np.nan, None, True, "0"])
def test_a_dropout_that_is_no_share_is_refused(share):
    for kind in SIZES:
        with pytest.raises(ValueError, match=r"^dropout must be at least 0 and below 1, not"):
            kind(V, num_layers=2, dropout=share)


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
    monkeypatch.setenv("CHARBOOK_DEVICE", "cpu:0")
    assert choose_device("cpu") == choose_device(torch.device("cpu")) == torch.device("cpu")
    assert choose_device() == torch.device("cpu:0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("CHARBOOK_DEVICE", "")  # as a .env file may have it
    assert choose_device() == torch.device("cpu")
    monkeypatch.delenv("CHARBOOK_DEVICE")
    assert choose_device() == torch.device("cpu")


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("xpu", "is 'xpu', and there is no XPU device here"),
        ("cuda:99", "is 'cuda:99', and there is no CUDA 99 device here"),
        ("hpu", "is 'hpu', and there is no HPU device here"),
        ("banana", "is 'banana', and must name a device: 'cpu' or 'cuda'"),
        ("meta", "is 'meta', and must name a device: 'cpu' or 'cuda'"),
    ],
)
def test_a_device_that_is_not_here_is_refused_by_the_name_of_who_asked(
    device, message, monkeypatch
):
    with pytest.raises(ValueError, match=f"^device {message}$"):
        choose_device(device)
    monkeypatch.setenv("CHARBOOK_DEVICE", device)
    with pytest.raises(ValueError, match=f"^CHARBOOK_DEVICE {message}$"):
        choose_device()


@pytest.mark.skipif(torch.cuda.is_available(), reason="here is CUDA")
def test_cuda_that_is_not_here_is_refused(monkeypatch):
    monkeypatch.setenv("CHARBOOK_DEVICE", "cuda")
    with pytest.raises(
        ValueError, match=r"^CHARBOOK_DEVICE is 'cuda', and there is no CUDA device"
    ):
        choose_device()


# The Transformer: width, heads and layers, and how far one layer sees.
WIDTH, HEADS, LAYERS, CONTEXT = 12, 2, 3, 5


def tiny_transformer(**more):
    torch.manual_seed(0)
    sizes = {"embed_size": WIDTH, "num_heads": HEADS, "num_layers": LAYERS, "context": CONTEXT}
    model = CharTransformer(V, **(sizes | more)).double()
    for parameter in model.parameters():  # so that no weight is 0, 1 or too small to matter
        torch.nn.init.normal_(parameter, std=0.5)
    return model


def ids_of(length, batch=B):
    return torch.randint(V, (batch, length), generator=torch.Generator().manual_seed(1))


def turned(vector, position):
    """A head's numbers rotated by their position, as complex numbers."""
    half = len(vector) // 2
    pairs = torch.complex(vector[:half], vector[half:])
    angles = [position * 10_000 ** (-2 * i / len(vector)) for i in range(half)]
    pairs = pairs * torch.exp(1j * torch.tensor(angles, dtype=torch.double))
    return torch.cat([pairs.real, pairs.imag])


def normed(x, weight):
    deviation = x - x.mean(dim=-1, keepdim=True)
    return deviation / (deviation.square().mean(dim=-1, keepdim=True) + 1e-5).sqrt() * weight


def slow_transformer(model, ids):
    """Logits (T, V) of one text (T,): a loop over layers, heads, positions and windows."""
    weights, size = dict(model.named_parameters()), WIDTH // HEADS
    x = weights["embedding.weight"][ids]
    for layer in range(LAYERS):
        w = {k.removeprefix(f"blocks.{layer}."): v for k, v in weights.items()}
        q, k, v = (normed(x, w["norm_attend.weight"]) @ w["attend.qkv.weight"].T).chunk(3, dim=1)
        rows = []
        for t in range(len(ids)):
            window = range(max(0, t - CONTEXT + 1), t + 1)
            row = []
            for head in range(HEADS):
                part = slice(head * size, (head + 1) * size)
                query = turned(q[t, part], t)
                scores = [query @ turned(k[s, part], s) / size**0.5 for s in window]
                shares = torch.stack(scores).exp() / torch.stack(scores).exp().sum()
                row.append(sum(a * v[s, part] for a, s in zip(shares, window, strict=True)))
            rows.append(w["attend.out.weight"] @ torch.cat(row))
        x = x + torch.stack(rows)
        inner = normed(x, w["norm_feed.weight"]) @ w["grow.weight"].T
        inner = inner * (1 + torch.erf(inner / 2**0.5)) / 2
        x = x + inner @ w["shrink.weight"].T
    return normed(x, weights["norm.weight"]) @ weights["output.weight"].T + weights["output.bias"]


@pytest.mark.parametrize("length", [T, CONTEXT, 17, 70])
def test_the_transformer_equals_a_loop_written_by_hand(length):
    model, ids = tiny_transformer(), ids_of(length)
    logits, _ = model(ids)
    assert logits.shape == (B, length, V)
    for row, text in zip(logits, ids, strict=True):
        torch.testing.assert_close(row, slow_transformer(model, text), rtol=0, atol=1e-10)


@pytest.mark.parametrize("parts", [[1] * 20, [3, 17], [16, 4], [5, 5, 5, 5], [70, 1, 64, 15, 2]])
def test_a_text_read_in_parts_gives_the_logits_of_the_text_read_at_once(parts):
    model, ids = tiny_transformer(), ids_of(sum(parts))
    whole, last = model(ids)
    state, pieces = None, []
    for part in ids.split(parts, dim=1):
        logits, state = model(part, state)
        pieces.append(logits)
    torch.testing.assert_close(torch.cat(pieces, dim=1), whole, rtol=0, atol=1e-10)
    for ours, theirs in zip(state, last, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)
    forgotten, _ = model(ids[:, -parts[-1] :])
    assert not torch.allclose(forgotten, pieces[-1])


def test_a_character_at_a_time_far_beyond_the_context_in_single_precision():
    torch.manual_seed(0)
    model, ids = CharTransformer(V, 16, 2, 2, context=8), ids_of(400, batch=1)
    with evaluating(model):
        whole, _ = predict(model, ids)
        state = None
        for t in range(400):
            logits, state = predict(model, ids[:, t : t + 1], state)
            np.testing.assert_allclose(logits[:, 0], whole[:, t], rtol=0, atol=1e-5)
            assert state[0][0].shape == (1, 2, min(t + 1, 7), 8)


@pytest.mark.parametrize("length", [T, 20, 150])
def test_no_output_of_the_transformer_depends_on_a_later_input(length):
    model, ids = tiny_transformer(), ids_of(length)
    for t in (0, length // 2, length - 2):
        changed = ids.clone()
        changed[:, t + 1 :] = (changed[:, t + 1 :] + 1) % V
        before, after = model(ids)[0], model(changed)[0]
        torch.testing.assert_close(before[:, : t + 1], after[:, : t + 1], rtol=0, atol=1e-12)
        assert (before[:, t + 1] != after[:, t + 1]).any(dim=1).all()


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_an_output_depends_on_exactly_the_positions_its_layers_can_reach(layers):
    model, ids = tiny_transformer(num_layers=layers), ids_of(30, batch=1)
    embedded = []
    model.embedding.register_forward_hook(lambda *call: embedded.append(call[2]))
    logits, _ = model(ids)
    for t in (0, 3, 20, 29):
        gradient = torch.autograd.grad(logits[0, t].sum(), embedded[0], retain_graph=True)[0]
        matters = gradient[0].abs().sum(dim=1) > 0
        reach = layers * (CONTEXT - 1)
        assert matters.nonzero().flatten().tolist() == list(range(max(0, t - reach), t + 1))


def test_a_context_of_one_sees_only_its_own_position():
    model, ids = tiny_transformer(context=1), ids_of(6)
    logits, state = model(ids)
    alone = torch.cat([model(ids[:, t : t + 1])[0] for t in range(6)], dim=1)
    torch.testing.assert_close(logits, alone, rtol=0, atol=1e-12)
    again, _ = model(ids, state)
    torch.testing.assert_close(again, logits, rtol=0, atol=1e-12)
    assert state[0][0].shape == (B, HEADS, 0, WIDTH // HEADS)


def test_shifting_both_positions_leaves_the_dot_product_alone():
    q, k = torch.randn(2, 1, 1, 1, 6, dtype=torch.double)
    turns = rotations(1000, 6, torch.double)
    products = torch.stack(
        [(rotate(q, turns, s + 9) * rotate(k, turns, s)).sum() for s in (0, 1, 40, 990)]
    )
    torch.testing.assert_close(products, products[:1].expand(4), rtol=0, atol=1e-12)
    other = (rotate(q, turns, 8) * rotate(k, turns, 0)).sum()
    assert abs(other - products[0]) > 1e-3


def test_the_mask_shows_each_position_itself_and_its_window():
    assert window_mask(1, 4, 5) == {}
    assert window_mask(5, 0, 5) == {"is_causal": True}
    expected = [[0, 1, 1, 1, 0, 0], [0, 0, 1, 1, 1, 0], [0, 0, 0, 1, 1, 1]]
    assert window_mask(3, 3, 3)["attn_mask"].int().tolist() == expected


@pytest.mark.parametrize(
    ("vocab", "width", "heads", "layers"), [(7, 12, 2, 3), (61, 60, 3, 2), (65, 128, 4, 4)]
)
def test_the_transformer_has_the_parameters_of_the_formula(vocab, width, heads, layers):
    model = CharTransformer(vocab, width, heads, layers, context=9)
    blocks = layers * (12 * width**2 + 2 * width)  # qkv 3, out 1, feed-forward 4 + 4; norms
    assert count_parameters(model) == 2 * vocab * width + blocks + width + vocab
    assert sum(v.numel() for v in model.state_dict().values()) == count_parameters(model)


def test_every_weight_of_the_transformer_has_a_gradient():
    model = tiny_transformer()
    model(ids_of(9))[0].square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"num_heads": 5}, "12 does not divide into 5 heads"),
        ({"num_heads": 4}, "12 / 4 = 3 is odd"),
        ({"context": 0}, "context must be a whole number of at least 1, not 0"),
        ({"num_layers": 0}, "num_layers must be a whole number of at least 1, not 0"),
        ({"num_heads": 0}, "num_heads must be a whole number of at least 1, not 0"),
    ],
)
def test_sizes_that_do_not_fit_together_are_named(sizes, message):
    with pytest.raises(ValueError, match=message):
        tiny_transformer(**sizes)


def test_a_text_without_a_batch_axis_is_named_by_the_transformer():
    with pytest.raises(ValueError, match=r"\(batch, time\), not \(4,\)"):
        tiny_transformer()(torch.zeros(T, dtype=torch.long))


def test_dropout_of_the_transformer_acts_in_training_alone():
    model, ids = tiny_transformer(dropout=0.5), ids_of(9)
    assert not torch.equal(model(ids)[0], model(ids)[0])
    with evaluating(model):
        assert torch.equal(model(ids)[0], model(ids)[0])


def test_the_cache_can_be_cut_off_from_its_history():
    _, state = tiny_transformer()(ids_of(9))
    cut = detach(state)
    for ours, theirs in zip(cut, state, strict=True):
        for part, whole in zip(ours, theirs, strict=True):
            assert whole.requires_grad
            assert not part.requires_grad
            torch.testing.assert_close(part, whole, rtol=0, atol=0)


@pytest.mark.parametrize("windows", ["disjoint", "stream"])
def test_the_transformer_learns_is_evaluated_and_writes(windows):
    vocab = Vocabulary("abcdefg")
    text = "abcadefg" * 100  # what follows an a depends on what came before it
    ids = vocab.encode(text)
    torch.manual_seed(0)
    model = CharTransformer(len(vocab), 16, 2, 2, context=6)
    assert evaluate(model, ids) == pytest.approx(np.log(V), abs=0.1)
    fit(model, ids, steps=60, seq_len=20, batch_size=8, windows=windows, lr=1e-2)
    assert evaluate(model, ids) < 0.05
    assert evaluate(model, ids) < evaluate(model, ids, window=2)
    assert generate(model, vocab, "gabc", length=20, temperature=0) == "gabc" + text[3:23]


def test_the_first_weights_of_the_transformer_have_the_spread_that_is_meant():
    """1 / sqrt(inputs); what is added to the stream less, by sqrt(2 L); small guesses."""
    torch.manual_seed(0)
    model = CharTransformer(V, embed_size=64, num_heads=2, num_layers=8)
    for name, weight in model.named_parameters():
        if name.startswith("blocks.") and weight.dim() == 2:
            smaller = 4 if name.endswith(("attend.out.weight", "shrink.weight")) else 1
            expected = weight.shape[1] ** -0.5 / smaller
            assert weight.std().item() == pytest.approx(expected, rel=0.05), name
    assert model.output.weight.std().item() == pytest.approx(0.02, rel=0.15)
    assert not model.output.bias.any()


@planted(CharRNN.forward, test_logits_equal_a_loop_written_by_hand, "lstm")
def test_fault_forget_gate_first(right, model, ids, *state):
    """The four gates in another library's order."""
    model = deepcopy(model)
    for weight in model.recurrent.parameters():
        i, f, g, o = weight.data.chunk(4)
        weight.data = torch.cat([f, i, g, o])
    return right(model, ids, *state)


@planted(CharRNN.forward, test_logits_equal_a_loop_written_by_hand, "gru")
def test_fault_reset_before_the_product(right, model, ids, *state):
    """W_n (r * h), as Cho et al. (2014) have it, and not r * (W_n h), as PyTorch has it."""
    h, logits = torch.zeros(len(ids), H, dtype=torch.double), []
    w_x, w_h, b_x, b_h = model.recurrent.parameters()
    for x in model.embedding(ids).unbind(1):
        xr, xz, xn = (x @ w_x.T + b_x).chunk(3, dim=1)
        hr, hz, _ = (h @ w_h.T + b_h).chunk(3, dim=1)
        r, z = sigmoid(xr + hr), sigmoid(xz + hz)
        n = torch.tanh(xn + (r * h) @ w_h.chunk(3)[2].T + b_h.chunk(3)[2])
        h = (1 - z) * n + z * h
        logits.append(model.output(h))
    return torch.stack(logits, dim=1), h[None]


@planted(window_mask, test_no_output_of_the_transformer_depends_on_a_later_input, 20)
def test_fault_the_next_character_is_seen(right, length, past, context, *device):
    """A mask with -1 in place of 0."""
    distance = torch.arange(past, past + length)[:, None] - torch.arange(past + length)
    return {"attn_mask": (distance >= -1) & (distance < context)}


@planted(rotate, test_a_text_read_in_parts_gives_the_logits_of_the_text_read_at_once, [3, 17])
def test_fault_positions_counted_from_the_part(right, x, cos_sin, *start):
    """Queries turned as if nothing stood before them in the cache."""
    return right(x, cos_sin)


@planted(evaluating, test_evaluating_switches_dropout_off_and_restores_the_mode)
def test_fault_dropout_left_on(right, model):
    """Evaluation without gradients, but in training mode."""
    return torch.no_grad()
