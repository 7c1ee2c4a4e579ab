import numpy as np
import pytest
import torch

from helpers.gates import positions, record_gates
from helpers.models import CharRNN
from tests.faults import planted

T, E, H, V = 9, 5, 6, 7


def tiny(cell="lstm", **more):
    torch.manual_seed(0)
    return CharRNN(V, E, H, cell=cell, **more).double()


def some_ids():
    return np.random.default_rng(0).integers(V, size=T)


@pytest.mark.parametrize(("layers", "layer"), [(1, 0), (2, 0), (2, 1)])
def test_states_equal_torchs_at_every_step(layers, layer):
    """torch gives c only at the end of a sequence, so it reads every beginning of the text."""
    model, ids = tiny(num_layers=layers), some_ids()
    gates = record_gates(model, ids, layer)
    for t in range(T):
        with torch.no_grad():
            _, (h, c) = model(torch.as_tensor(ids[None, : t + 1]))
        np.testing.assert_allclose(gates.h[t], h[layer, 0], atol=1e-12)
        np.testing.assert_allclose(gates.c[t], c[layer, 0], atol=1e-12)


def test_gates_and_states_fit_together():
    gates = record_gates(tiny(), some_ids())
    assert all(values.shape == (T, H) for values in gates)
    before = np.vstack([np.zeros(H), gates.c[:-1]])
    np.testing.assert_allclose(gates.c, gates.forget * before + gates.input * gates.cell)
    np.testing.assert_allclose(gates.h, gates.output * np.tanh(gates.c))


def test_each_gate_is_the_one_it_is_called():
    """A large bias in one gate's rows opens that gate, and no other."""
    for k, name in enumerate(["input", "forget", "cell", "output"]):
        model = tiny()
        with torch.no_grad():
            model.recurrent.bias_ih_l0[k * H : (k + 1) * H] += 30
        gates = record_gates(model, some_ids())
        for other in ("input", "forget", "cell", "output"):
            opened = getattr(gates, other).min() > 0.999
            assert opened == (other == name), (name, other)


def test_the_models_mode_is_restored_and_dropout_plays_no_part():
    model = tiny(num_layers=2, dropout=0.9).train()
    first, second = record_gates(model, some_ids(), 1), record_gates(model, some_ids(), 1)
    np.testing.assert_array_equal(first.h, second.h)
    assert model.training


def test_what_has_no_such_gates_is_refused():
    with pytest.raises(ValueError, match="only an LSTM has these gates, not cell='gru'"):
        record_gates(tiny("gru"), some_ids())
    with pytest.raises(ValueError, match="only an LSTM has these gates, not cell=None"):
        record_gates(torch.nn.LSTM(E, H), some_ids())
    with pytest.raises(ValueError, match="layer must be a whole number from 0 to 0, not 1"):
        record_gates(tiny(), some_ids(), layer=1)
    with pytest.raises(ValueError, match=r"shape \(T,\), not \(1, 9\)"):
        record_gates(tiny(), some_ids()[None])
    with pytest.raises(ValueError, match="id 9 is outside the vocabulary's 0 to 6"):
        record_gates(tiny(), [1, 9])


PLAY = "FIRST CITIZEN:\nI know't, 'tis so.\nWell-met\n\nAll:\nAy!\n\nexit: he"


def test_every_character_stands_at_one_kind_of_position():
    """Told letter by letter: Label, first, inside, last; space, _ line end, punctuation."""
    letters = {
        "first letter": "f", "inside a word": "i", "last letter": "l", "space": " ",
        "line end": "_", "label": "L", "punctuation": "p",
    }  # fmt: skip
    at = positions(PLAY)
    assert set(at) == set(letters)
    assert (sum(mask.astype(int) for mask in at.values()) == 1).all()
    drawn = np.full(len(PLAY), "?")
    for name, mask in at.items():
        drawn[mask] = letters[name]
    told = "LLLLLLLLLLLLLp_f fiiiilp pfil flp_fiilpfil__LLLp_flp__fiilp fl"
    assert "".join(drawn) == told


def test_positions_know_letters_beyond_ascii_and_no_text():
    at = positions("é à la Chloë")
    assert [int(m.sum()) for m in at.values()] == [4, 3, 2, 3, 0, 0, 0]
    assert all(mask.shape == (0,) for mask in positions("").values())


@planted(record_gates, test_states_equal_torchs_at_every_step, 1, 0)
def test_fault_gates_recorded_one_step_late(right, *arguments):
    """What belongs to one character shown under the next."""
    gates = right(*arguments)
    return type(gates)(*(np.roll(values, 1, axis=0) for values in gates))
