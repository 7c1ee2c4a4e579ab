"""A training that was stopped between two updates goes on bit for bit."""

import json

import pytest
import torch

from helpers.cli.processes import Processes
from helpers.cli.resume import ResumableTraining
from helpers.training import warm_up_and_decay
from tests.faults import planted
from tests.small import random_ids, tiny, weights

RECIPES = {
    "disjoint": {"windows": "disjoint"},
    "random": {"windows": "random"},
    "stream": {"windows": "stream"},
    "schedule": {"schedule": warm_up_and_decay},
    "sgd": {"optimizer": torch.optim.SGD},
}


def begun(model, steps=11, **recipe):
    return ResumableTraining(
        model, random_ids(200), Processes(device="cpu"), steps=steps, seq_len=8, batch_size=6,
        **recipe,
    )  # fmt: skip


def run(model, stop_at=None, restored=None, steps=11, **recipe):
    """A training of 11 updates (of 4 an epoch), begun or gone on with, and stopped or not."""
    if "optimizer" in recipe:
        recipe["optimizer"] = recipe["optimizer"](model.parameters(), lr=0.1, momentum=0.9)
    training = begun(model, steps, **recipe)
    if restored is not None:
        training.restore(*restored)
    with training.own_randomness():
        while not training.finished:
            for _ in training.rest_of_epoch():
                if training.done == stop_at:
                    tensors, numbers = training.snapshot()
                    frozen = {name: value.clone() for name, value in tensors.items()}
                    return training, frozen, json.loads(json.dumps(numbers))
    return training


def gru_with_dropout():
    return tiny("gru", seed=4, num_layers=2, dropout=0.5)


@pytest.mark.parametrize("stop_at", [1, 4, 6, 8])  # 4 and 8 are the ends of epochs
@pytest.mark.parametrize("name", RECIPES)
def test_a_training_goes_on_bit_for_bit(name, stop_at):
    recipe = RECIPES[name]
    whole = run(gru_with_dropout(), **recipe)
    stopped, *state = run(gru_with_dropout(), stop_at, **recipe)
    other = tiny("gru", seed=9, num_layers=2, dropout=0.5)
    other.load_state_dict(stopped.model.state_dict())
    torch.rand(7)  # whatever else the process does with chance
    resumed = run(other, restored=state, **recipe)
    assert resumed.history.step_loss == whole.history.step_loss
    assert resumed.history.grad_norm == whole.history.grad_norm
    assert resumed.history.train_loss == whole.history.train_loss
    assert len(whole.history.train_loss) == 3
    assert torch.equal(weights(resumed.model), weights(whole.model))


@pytest.mark.parametrize("kind", ["lstm", "transformer"])
def test_a_state_in_parts_goes_on_bit_for_bit(kind):
    def fresh():
        return tiny(kind, seed=4, dropout=0.2 if kind == "transformer" else 0.0)

    whole = run(fresh(), windows="stream")
    stopped, *state = run(fresh(), 6, windows="stream")
    assert sum(name.startswith("carried") for name in state[0]) == (4 if kind != "lstm" else 2)
    resumed = run(stopped.model, restored=state, windows="stream")
    assert torch.equal(weights(resumed.model), weights(whole.model))


def test_a_training_that_ended_within_an_epoch_can_be_lengthened():
    whole = run(tiny("lstm"), windows="stream")
    short, *state = run(tiny("lstm"), 6, steps=6, windows="stream")
    assert len(short.history.train_loss) == 2
    longer = run(short.model, restored=state, windows="stream")
    assert longer.history.train_loss == whole.history.train_loss
    assert torch.equal(weights(longer.model), weights(whole.model))


def test_another_recipe_is_not_gone_on_with():
    _, *state = run(tiny(), 5)
    with pytest.raises(ValueError, match="begun otherwise: windows was disjoint, not random"):
        run(tiny(), restored=state, windows="random")
    state[1]["recipe"]["device"] = "abacus"
    with pytest.raises(ValueError, match="device was abacus, not cpu"):
        run(tiny(), restored=state)


@pytest.mark.parametrize("missing", ["order", "step_loss", "dice.0.of.0"])
def test_a_state_that_lacks_something_is_refused(missing):
    _, tensors, numbers = run(tiny(), 5)
    if missing == "dice.0.of.0":
        tensors[missing] = tensors[missing][:-1]
    else:
        del tensors[missing]
    with pytest.raises(ValueError, match="not whole"):
        run(tiny(), restored=(tensors, numbers))


def everything(training):
    tensors, numbers = training.snapshot()
    return {name: value.clone() for name, value in tensors.items()}, json.dumps(numbers)


@pytest.mark.parametrize("wrong", ["seconds", "rates", "order", "optimizer.3.exp_avg", "val_loss"])
def test_a_state_that_is_refused_changes_nothing(wrong):
    _, tensors, numbers = run(tiny(), 5)
    if wrong in numbers:
        del numbers[wrong]
    else:
        del tensors[wrong]
    training = begun(tiny())
    before = everything(training)
    with pytest.raises(ValueError, match="not whole"):
        training.restore(tensors, numbers)
    after = everything(training)
    assert after[1] == before[1]
    assert after[0].keys() == before[0].keys()
    assert all(torch.equal(after[0][name], before[0][name]) for name in before[0])


@planted((torch, "set_rng_state"), test_a_training_goes_on_bit_for_bit, "disjoint", 6)
def test_fault_dropout_begins_again(right, state):
    """The resumed training draws the random numbers of the first updates once more."""
    torch.manual_seed(42)


@planted(
    (torch.optim.Optimizer, "load_state_dict"), test_a_training_goes_on_bit_for_bit, "disjoint", 6
)
def test_fault_moments_begin_at_zero(right, optimizer, state):
    """The weights are there, but Adam has forgotten how large the gradients are."""
