import copy

import numpy as np
import pytest
import torch

from helpers.gates import Gates, record_gates
from helpers.studies.held import BLOCKS, hold_gate, hold_unit
from tests.test_gates import H, some_ids, tiny


@pytest.mark.parametrize("gate", BLOCKS)
def test_a_held_gate_has_its_values_and_the_others_are_computed_as_before(gate):
    model, values = tiny(), np.linspace(0.1, 1, H)
    free = record_gates(model, some_ids())
    held = record_gates(hold_gate(copy.deepcopy(model), gate, values), some_ids())
    np.testing.assert_allclose(getattr(held, gate), np.tile(values, (len(held.h), 1)), atol=1e-7)
    for name in {*Gates._fields[:4]} - {gate}:  # at the first character they depend on x alone
        np.testing.assert_allclose(getattr(held, name)[0], getattr(free, name)[0])


def test_a_gate_held_at_one_has_no_gradient():
    model = hold_gate(tiny(), "forget", 1).float()
    model(torch.as_tensor(some_ids()[None]))[0].sum().backward()
    for weight in model.recurrent.parameters():
        blocks = weight.grad.chunk(4)
        assert not blocks[1].any()
        assert blocks[2].any()


def test_what_reads_a_held_unit_gets_its_value():
    """By a loop in which the unit is overwritten after each step."""
    model, unit, value = tiny(), 2, 0.4
    cell = torch.nn.LSTMCell(model.recurrent.input_size, H).double()
    for ours, theirs in zip(cell.parameters(), model.recurrent.parameters(), strict=True):
        ours.data.copy_(theirs)
    h, c = torch.zeros(2, 1, H, dtype=torch.float64)
    h[:, unit] = value
    with torch.no_grad():
        logits, _ = hold_unit(copy.deepcopy(model), unit, value)(torch.as_tensor(some_ids()[None]))
        for t, i in enumerate(some_ids()):
            h, c = cell(model.embedding.weight[i][None], (h, c))
            h[:, unit] = value
            torch.testing.assert_close(logits[0, t], model.output(h)[0])
