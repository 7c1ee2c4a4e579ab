import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from helpers.models import CharRNN, CharTransformer
from helpers.numpy_lstm import NumpyCharLSTM, clip_norm, cross_entropy, sigmoid_by_tanh
from helpers.training import evaluate, train_step
from tests.faults import planted
from tests.small import E, H, V, numeric_gradient

B, T = 3, 4


def pair(dtype="float64"):
    """The same weights in NumPy and in torch, with two biases that differ."""
    ours = NumpyCharLSTM(V, E, H, seed=1, dtype=dtype)
    return ours, ours.to_torch()


def batch(seed=0):
    return np.random.default_rng(seed).integers(V, size=(2, B, T))


def states(seed=3):
    h, c = np.random.default_rng(seed).normal(size=(2, B, H))
    return (h, c), tuple(torch.as_tensor(s[None]) for s in (h, c))


def test_logits_and_state_equal_torch():
    ours, theirs = pair()
    (x, _), (state, torch_state) = batch(), states()
    logits, (h, c) = ours(x, state)
    expected, (torch_h, torch_c) = theirs(torch.as_tensor(x), torch_state)
    np.testing.assert_allclose(logits, expected.detach(), atol=1e-12)
    np.testing.assert_allclose(h, torch_h[0].detach(), atol=1e-12)
    np.testing.assert_allclose(c, torch_c[0].detach(), atol=1e-12)


def test_loss_and_every_gradient_equal_torch():
    ours, theirs = pair()
    (x, y), (state, torch_state) = batch(), states()
    loss, grads, _ = ours.loss_and_grads(x, y, state)
    logits, _ = theirs(torch.as_tensor(x), torch_state)
    expected = F.cross_entropy(logits.flatten(0, 1), torch.as_tensor(y).flatten())
    expected.backward()
    assert loss == pytest.approx(expected.item(), abs=1e-12)
    assert set(grads) == {name for name, _ in theirs.named_parameters()}
    for name, p in theirs.named_parameters():
        np.testing.assert_allclose(grads[name], p.grad, atol=1e-10, err_msg=name)


@pytest.mark.parametrize("name", NumpyCharLSTM(V, E, H).params)
def test_gradients_equal_finite_differences(name):
    ours, _ = pair()
    (x, y), (state, _) = batch(), states()
    _, grads, _ = ours.loss_and_grads(x, y, state)
    numeric = numeric_gradient(lambda: ours.loss_and_grads(x, y, state)[0], ours.params[name])
    np.testing.assert_allclose(grads[name], numeric, atol=1e-8)


@pytest.mark.parametrize("clip", [5.0, 0.01, None])
def test_training_equals_torch_step_for_step(clip):
    ours, theirs = pair()
    adam = torch.optim.Adam(theirs.parameters(), lr=1e-2)
    for step in range(30):
        x, y = batch(step)
        loss, _ = ours.train_step(x, y, lr=1e-2, clip=clip)
        expected, _, _ = train_step(theirs, torch.as_tensor(x), torch.as_tensor(y), adam, clip)
        assert loss == pytest.approx(expected, abs=1e-9)
    for name, value in theirs.state_dict().items():
        np.testing.assert_allclose(ours.params[name], value, atol=1e-8, err_msg=name)


def test_training_in_float32_stays_with_torch_for_a_hundred_steps():
    ours, theirs = pair("float32")
    adam = torch.optim.Adam(theirs.parameters(), lr=3e-3)
    for step in range(100):
        x, y = batch(step)
        loss, _ = ours.train_step(x, y)
        expected, _, _ = train_step(theirs, torch.as_tensor(x), torch.as_tensor(y), adam)
        assert loss == pytest.approx(expected, abs=1e-4)
    assert all(p.dtype == np.float32 for p in ours.params.values())


def test_the_state_is_passed_on():
    ours, _ = pair()
    (x, _), (state, _) = batch(), states()
    whole, _ = ours(x, state)
    first, middle = ours(x[:, :1], state)
    second, _ = ours(x[:, 1:], middle)
    np.testing.assert_allclose(np.concatenate([first, second], axis=1), whole, atol=1e-12)


def test_an_update_starts_from_the_state_that_it_is_given():
    ours, _ = pair()
    (x, y), (state, _) = batch(), states()
    expected, _, after = ours.loss_and_grads(x, y, state)
    assert abs(expected - ours.loss_and_grads(x, y)[0]) > 1e-3
    loss, carried = ours.train_step(x, y, state=state)
    assert loss == expected
    np.testing.assert_array_equal(carried, after)


@pytest.mark.parametrize("precision", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_conversion_has_the_precision_that_is_asked_for(dtype, precision):
    ours = NumpyCharLSTM.from_torch(CharRNN(V, E, H, cell="lstm").to(precision), dtype)
    assert {p.dtype.name for p in ours.params.values()} == {dtype}
    assert ours([[0, 1]])[0].dtype == dtype


def test_a_conversion_keeps_the_precision_of_the_model():
    theirs = CharRNN(V, E, H, cell="lstm").double()
    ours = NumpyCharLSTM.from_torch(theirs)
    for name, weight in theirs.state_dict().items():
        np.testing.assert_array_equal(ours.params[name], weight)  # no digit lost
    assert NumpyCharLSTM.from_torch(theirs.float()).dtype == np.float32
    with pytest.raises(ValueError, match="dtype must be one of"):
        NumpyCharLSTM.from_torch(theirs.half())


def test_the_usual_sizes_are_those_of_the_torch_model():
    shapes = {name: p.shape for name, p in CharRNN(V, cell="lstm").named_parameters()}
    assert {name: p.shape for name, p in NumpyCharLSTM(V).params.items()} == shapes


def test_there_and_back_gives_the_same_network():
    torch.manual_seed(0)
    theirs = CharRNN(V, E, H, cell="lstm")
    back = NumpyCharLSTM.from_torch(theirs).to_torch()
    for a, b in zip(theirs.state_dict().values(), back.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    ids = np.random.default_rng(0).integers(V, size=40)
    ours = NumpyCharLSTM.from_torch(theirs)
    assert evaluate(ours, ids) == pytest.approx(evaluate(theirs, ids), abs=1e-6)


def test_a_conversion_is_a_copy():
    ours, theirs = pair()
    before = theirs.output.bias.clone()
    ours.train_step(*batch())
    torch.testing.assert_close(theirs.output.bias, before, rtol=0, atol=0)


class Louder(CharRNN):
    def forward(self, ids, state=None):
        logits, state = super().forward(ids, state)
        return 2 * logits, state


def changed(**parts):
    model = CharRNN(V, E, H, cell="lstm")
    for name, part in parts.items():
        setattr(model, name, part)
    return model


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (CharRNN(V, E, H, cell="gru"), "not cell='gru' with 1 layers"),
        (CharRNN(V, E, H, cell="lstm", num_layers=2), "not cell='lstm' with 2 layers"),
        (CharTransformer(V, 4, 1, 1), "not a CharTransformer"),
        (Louder(V, E, H, cell="lstm"), "not a Louder"),
        (NumpyCharLSTM(V), "not a NumpyCharLSTM"),
        (None, "not a NoneType"),
        (changed(recurrent=nn.GRU(E, H, batch_first=True)), "whose recurrent layer was exchanged"),
        (changed(recurrent=nn.LSTM(E, H, bidirectional=True)), "with other parameters"),
        (changed(recurrent=nn.LSTM(E, H, 2)), "with other parameters"),
        (changed(recurrent=nn.LSTM(E, H, bias=False)), "with other parameters"),
        (changed(embedding=nn.Sequential(nn.Embedding(V, E))), "whose embedding layer"),
        (changed(output=nn.Linear(H, V, bias=False)), "with other parameters"),
        (changed(output=nn.Linear(H, V + 1)), "with other parameters"),
    ],
)
def test_only_a_plain_one_layer_lstm_is_converted(model, message):
    with pytest.raises(ValueError, match=f"only a CharRNN with cell='lstm' and .*{message}"):
        NumpyCharLSTM.from_torch(model)


@pytest.mark.parametrize("bad", [-1, V, -V, 2**40])
def test_ids_outside_the_vocabulary_are_refused_wherever_they_stand(bad):
    ours, good = pair()[0], batch()[0]
    before = {name: p.copy() for name, p in ours.params.items()}
    wrong = good.copy()
    wrong[1, 2] = bad
    for call in (
        lambda: ours(wrong),
        lambda: ours.loss_and_grads(wrong, good),
        lambda: ours.loss_and_grads(good, wrong),
        lambda: ours.train_step(wrong, good),
        lambda: ours.train_step(good, wrong),
    ):
        with pytest.raises(ValueError, match=rf"id {bad} is outside the vocabulary's 0 to 6"):
            call()
    for name, p in ours.params.items():
        np.testing.assert_array_equal(p, before[name])


def test_ids_that_are_no_whole_numbers_or_no_batch_are_refused():
    ours = pair()[0]
    for ids in (np.zeros((2, 3)), [[0.0, 1.0]], [[True, False]], [["a"]]):
        with pytest.raises(ValueError, match="ids are whole numbers, not"):
            ours(ids)
    for ids in ([0, 1], np.zeros((1, 1, 1), int)):
        with pytest.raises(ValueError, match=r"ids must have the shape \(batch, time\), not \("):
            ours(ids)


@pytest.mark.parametrize("name", ["vocab_size", "embed_size", "hidden_size", "seed"])
def test_sizes_are_whole_numbers_in_any_form(name):
    usual = {"vocab_size": 7, "embed_size": 5, "hidden_size": 6, "seed": 3}
    for four in (4.0, np.int8(4), np.float64(4)):
        a, b = (NumpyCharLSTM(**usual | {name: value}) for value in (four, 4))
        for key, weight in a.params.items():
            np.testing.assert_array_equal(weight, b.params[key])
    for bad in (2.5, None, float("inf"), -1, "4", True):
        with pytest.raises(ValueError, match=f"{name} must be a whole number"):
            NumpyCharLSTM(**usual | {name: bad})


def test_the_first_weights_have_torchs_spread():
    ours = NumpyCharLSTM(61)
    assert ours.params["embedding.weight"].std() == pytest.approx(1, abs=0.05)
    bound = 1 / np.sqrt(128)
    for name, p in ours.params.items():
        if name != "embedding.weight":
            assert 0.9 * bound < np.abs(p).max() <= bound, name
    assert ours.loss_and_grads(*np.zeros((2, 1, 5), int))[0] == pytest.approx(np.log(61), abs=0.5)


def test_extreme_logits_neither_overflow_nor_lose_the_loss():
    logits = np.array([[[1000.0, 0.0, -1000.0]]])
    loss, slope = cross_entropy(logits, np.array([[2]]))
    assert loss == pytest.approx(2000)
    np.testing.assert_allclose(slope, [[[1, 0, -1]]])


def test_clipping_scales_all_gradients_together():
    grads = {"a": np.array([3.0, 0.0]), "b": np.array([[4.0]])}
    assert clip_norm(grads, 1.0) == pytest.approx(5)
    np.testing.assert_allclose(grads["a"], [0.6, 0], atol=1e-6)
    np.testing.assert_allclose(grads["b"], [[0.8]], atol=1e-6)
    assert clip_norm(grads, 10.0) == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(grads["b"], [[0.8]], atol=1e-6)


def test_inputs_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"not \(3, 4\) and \(3, 3\)"):
        pair()[0].loss_and_grads(np.zeros((3, 4), int), np.zeros((3, 3), int))
    with pytest.raises(
        ValueError, match="dtype must be one of 'float32', 'float64', not 'float16'"
    ):
        NumpyCharLSTM(V, dtype="float16")


def test_no_framework_is_needed():
    """Importing and training must not pull in torch."""
    import subprocess
    import sys

    code = (
        "import sys; from helpers.numpy_lstm import NumpyCharLSTM as M;"
        "M(5, 3, 4).train_step([[0, 1, 2]], [[1, 2, 3]]); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@planted(clip_norm, test_clipping_scales_all_gradients_together)
def test_fault_each_gradient_clipped_by_itself(right, grads, clip):
    """The direction of the step changes, not only its length."""
    return math.hypot(*(right({name: grad}, clip) for name, grad in grads.items()))


@planted(cross_entropy, test_loss_and_every_gradient_equal_torch)
def test_fault_the_gradient_of_the_sum(right, logits, targets):
    """The loss is a mean over all targets; then so is its gradient."""
    loss, d_logits = right(logits, targets)
    return loss, d_logits * targets.size


@planted(sigmoid_by_tanh, test_logits_and_state_equal_torch)
def test_fault_candidate_and_forget_gate_swapped(right, dtype):
    """The forget gate between -1 and 1, the candidate between 0 and 1."""
    scale, shift = right(dtype)
    return scale[[0, 2, 1, 3]], shift[[0, 2, 1, 3]]
