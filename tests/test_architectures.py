"""The one table of architectures, and what a new cell gets from a line in it."""

from typing import get_args, get_type_hints

import pytest
import torch
from torch import nn

from helpers import checkpoint, plotting
from helpers.cli import app
from helpers.cli.export import export
from helpers.corpus import Vocabulary
from helpers.fast import is_plain
from helpers.fast.folded import fold
from helpers.fast.layers import applies
from helpers.models import ARCHITECTURES, Architecture
from helpers.sampling import generate
from helpers.training import evaluate, fit
from tests.small import tiny

VOCAB = Vocabulary("abcdefg")


class MGU(nn.Module):
    """The minimal gated unit (Zhou et al. 2016): one gate, f = sigmoid(W x + U h)."""

    def __init__(self, input_size, hidden_size, num_layers, batch_first, dropout):
        super().__init__()
        self.gate = nn.Linear(input_size + hidden_size, hidden_size)
        self.candidate = nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, x, state=None):
        h = x.new_zeros(len(x), self.gate.out_features) if state is None else state[0]
        hidden = []
        for each in x.unbind(1):
            f = self.gate(torch.cat([each, h], 1)).sigmoid()
            h = h + f * (self.candidate(torch.cat([each, f * h], 1)).tanh() - h)
            hidden.append(h)
        return torch.stack(hidden, 1), h[None]


def relu_rnn(*sizes, **settings):
    return nn.RNN(*sizes, nonlinearity="relu", **settings)


@pytest.mark.parametrize("layer", [MGU, relu_rnn])
def test_a_new_cell_needs_only_its_line_in_the_table(layer, monkeypatch, tmp_path):
    monkeypatch.setitem(ARCHITECTURES, "new", Architecture("New", "#123456", "-", layer))
    model = tiny("new")
    ids = VOCAB.encode("abcadefg" * 30)
    fit(model, ids, ids[:50], epochs=15, seq_len=8, batch_size=4, lr=1e-2, windows="stream")
    assert evaluate(model, ids) < 0.5
    assert not applies(model, torch.zeros(2, 3, dtype=torch.long))
    assert fold(model) is None
    text = generate(model, VOCAB, "abc", 30, seed=0)
    assert text == generate(model, VOCAB, "abc", 30, seed=0, fast=False)
    checkpoint.save(tmp_path / "run", model, VOCAB)
    loaded, _, _ = checkpoint.load(tmp_path / "run")
    assert generate(loaded, VOCAB, "abc", 30, seed=0) == text
    assert plotting.architecture("new") == {"color": "#123456", "linestyle": "-", "label": "New"}
    with pytest.raises(ValueError, match=r"a page runs 'rnn'.* holds 1 of 'new'"):
        export(tmp_path / "run", tmp_path / "new.js")
    assert not (tmp_path / "new.js").exists()


def test_a_known_name_with_another_layer_takes_no_fast_path(monkeypatch):
    """The fast paths know a tanh layer by its mode, whatever the table calls it."""
    monkeypatch.setitem(ARCHITECTURES, "rnn", Architecture("RNN", "#123456", "-", relu_rnn))
    model = tiny("rnn", embed_size=9)  # of a size that no other test has
    assert is_plain(model)
    assert fold(model) is None
    assert not applies(model, torch.zeros(2, 3, dtype=torch.long))


def test_the_command_line_trains_every_model_of_the_table():
    trained = {name for name, a in ARCHITECTURES.items() if a.layer} | {"transformer"}
    assert (
        set(get_args(get_args(get_type_hints(app.train, include_extras=True)["cell"])[0]))
        == trained
    )
