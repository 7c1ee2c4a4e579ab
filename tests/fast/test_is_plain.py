"""The fast paths act only on models that are exactly what models.py defines."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

from helpers import training
from helpers.fast import is_plain, layers
from helpers.fast.folded import fold
from helpers.models import CharRNN, evaluating
from tests.small import E, H, V, random_ids, tiny, weights

CELLS = ["rnn", "lstm", "gru"]
RECIPE = {"steps": 5, "seq_len": 4, "batch_size": 3, "windows": "stream", "progress": False}
LAYERS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class Louder(CharRNN):
    def forward(self, ids, state=None):
        logits, state = super().forward(ids, state)
        return 2 * logits, state


class Wrapped(nn.Module):
    """A recurrent layer of a reader's own."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x, state=None):
        hidden, state = self.layer(x, state)
        return 2 * hidden, state


def with_own_layer(model):
    model.recurrent = Wrapped(model.recurrent)


def with_layer_of_a_subclass(model):
    class Louder(type(model.recurrent)):
        def forward(self, x, state=None):
            hidden, state = super().forward(x, state)
            return 2 * hidden, state

    model.recurrent.__class__ = Louder


def with_instance_forward(model):
    model.forward = lambda ids, state=None: (2 * CharRNN.forward(model, ids, state)[0], None)


def with_part_forward(model):
    forward = model.recurrent.forward
    model.recurrent.forward = lambda x, state=None: (2 * forward(x, state)[0], None)


def with_wrapped_embedding(model):
    model.embedding = nn.Sequential(model.embedding, nn.Dropout(0.5))


def with_wrapped_output(model):
    model.output = nn.Sequential(nn.Tanh(), model.output)


def with_output_without_bias(model):
    model.output = nn.Linear(H, V, bias=False)


def with_max_norm(model):
    model.embedding = nn.Embedding(V, E, max_norm=0.5)


def with_padding(model):
    model.embedding = nn.Embedding(V, E, padding_idx=2)


def with_scaled_gradients(model):
    model.embedding = nn.Embedding(V, E, scale_grad_by_freq=True)


def with_tied_weights(model):
    model.embedding = nn.Embedding(V, H)
    model.recurrent = type(model.recurrent)(H, H, batch_first=True)
    model.output.weight = model.embedding.weight


def with_weight_norm(model):
    parametrizations.weight_norm(model.output)


def with_parametrised_layer(model):
    parametrizations.orthogonal(model.recurrent, "weight_hh_l0")


def with_time_first(model):
    model.recurrent.batch_first = False


CHANGES = [
    with_own_layer, with_layer_of_a_subclass, with_instance_forward, with_part_forward,
    with_wrapped_embedding, with_wrapped_output, with_output_without_bias, with_max_norm,
    with_padding, with_scaled_gradients, with_tied_weights, with_weight_norm,
    with_parametrised_layer, with_time_first,
]  # fmt: skip


def changed(cell, change):
    model = tiny(cell)
    torch.manual_seed(1)
    change(model)
    return model


def check_plain_path(make, monkeypatch):
    """A training of ``make()`` is that without fast paths, bit for bit."""
    ids = random_ids(60)
    ours, theirs = make(), make()
    assert not is_plain(ours)
    assert fold(ours) is None
    history = training.fit(ours, ids, **RECIPE)
    with monkeypatch.context() as without:
        without.setattr(training, "fast_layers", None)
        expected = training.fit(theirs, ids, **RECIPE)
    assert history.step_loss == expected.step_loss
    assert history.grad_norm == expected.grad_norm
    assert torch.equal(weights(ours), weights(theirs))
    return history


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_model_trains_as_it_is_evaluated(cell, change, monkeypatch):
    history = check_plain_path(lambda: changed(cell, change), monkeypatch)
    if change is not with_wrapped_embedding:  # dropout acts in training alone
        x, y = next(training.epoch_batches(torch.as_tensor(random_ids(60)), 4, 3, "stream", None))
        with evaluating(changed(cell, change)) as model:
            loss = F.cross_entropy(model(x)[0].flatten(0, 1), y.flatten()).item()
        assert history.step_loss[0] == pytest.approx(loss, abs=1e-6)


@pytest.mark.parametrize("cell", CELLS)
def test_a_subclass_trains_with_its_own_forward(cell, monkeypatch):
    def make():
        torch.manual_seed(0)
        return Louder(V, E, H, cell)

    history = check_plain_path(make, monkeypatch)
    usual = training.fit(tiny(cell), random_ids(60), **RECIPE)
    assert abs(history.step_loss[0] - usual.step_loss[0]) > 1e-3


HOOKS = {
    "forward": lambda part, call: part.register_forward_hook(lambda *_: call()),
    "forward pre": lambda part, call: part.register_forward_pre_hook(lambda *_: call()),
    "backward": lambda part, call: part.register_full_backward_hook(lambda *_: call()),
    "backward pre": lambda part, call: part.register_full_backward_pre_hook(lambda *_: call()),
}


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("place", ["", "embedding", "recurrent", "output"])
@pytest.mark.parametrize("kind", HOOKS)
@pytest.mark.filterwarnings("ignore:Full backward hook is firing")  # ids have no gradient
def test_a_hook_is_called_at_every_update(cell, place, kind, monkeypatch):
    calls = []

    def make():
        model = tiny(cell)
        HOOKS[kind](model.get_submodule(place), lambda: calls.append(place))
        return model

    check_plain_path(make, monkeypatch)
    assert len(calls) == 2 * RECIPE["steps"]


@pytest.mark.parametrize("cell", CELLS)
def test_a_hook_on_all_modules_is_called(cell):
    model, calls = tiny(cell), []
    hook = nn.modules.module.register_module_forward_hook(lambda *_: calls.append(1))
    try:
        assert not is_plain(model)
        training.fit(model, random_ids(60), **RECIPE)
    finally:
        hook.remove()
    assert len(calls) == 4 * RECIPE["steps"]
    assert is_plain(model)


@pytest.mark.parametrize("cell", CELLS)
def test_a_class_whose_forward_was_replaced_is_not_plain(cell, monkeypatch):
    for kind in (CharRNN, LAYERS[cell]):
        with monkeypatch.context() as replaced:
            replaced.setattr(kind, "forward", lambda self, *args: None)
            assert not is_plain(tiny(cell))
    assert is_plain(tiny(cell))


def test_an_rnn_with_another_activation_is_not_plain(monkeypatch):
    def with_relu(model):
        model.recurrent = nn.RNN(E, H, nonlinearity="relu", batch_first=True)

    check_plain_path(lambda: changed("rnn", with_relu), monkeypatch)


@pytest.mark.parametrize("cell", CELLS)
def test_a_wrapped_model_is_called_itself(cell):
    """What wraps it, such as DistributedDataParallel, may do more than call it."""
    wrapped = nn.DataParallel(tiny(cell))
    x = torch.as_tensor(random_ids(12)).view(3, 4)
    assert not is_plain(wrapped)
    assert not layers.applies(wrapped, x)
    loss, _, _ = training.train_step(wrapped, x, x, torch.optim.Adam(wrapped.parameters()))
    assert loss == F.cross_entropy(tiny(cell)(x)[0].flatten(0, 1), x.flatten()).item()


@pytest.mark.parametrize("cell", [*CELLS, "transformer"])
@pytest.mark.parametrize("layers", [1, 2])
def test_a_model_as_defined_is_plain(cell, layers):
    model = tiny(cell, num_layers=layers)
    assert is_plain(model)
    assert is_plain(copy.deepcopy(model).double().eval())
    model.embedding.weight.requires_grad_(False)
    model.name = "mine"
    model.load_state_dict(tiny(cell, seed=1, num_layers=layers).state_dict())
    assert is_plain(model)


def test_what_is_no_model_of_the_book_is_not_plain():
    for model in (None, nn.Linear(2, 2), object(), "lstm"):
        assert not is_plain(model)
    edited = tiny("lstm")
    edited.config = {"cell": "lstm", "width": [1]}
    assert not is_plain(edited)
    shorter = tiny("transformer")
    shorter.blocks = shorter.blocks[:1]
    assert not is_plain(shorter)
    softer = tiny("transformer")
    softer.norm.eps = 1e-3
    assert not is_plain(softer)
    mixed = tiny("gru")
    mixed.output.double()
    assert not is_plain(mixed)
