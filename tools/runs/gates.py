"""The run of *Inside the gates*: what it costs to hold a gate or a unit of the lessons' LSTM."""

import copy

import numpy as np
import torch
from torch.nn import functional as F

from helpers.gates import record_gates
from helpers.models import evaluating
from helpers.studies import protocol
from helpers.studies.held import BLOCKS, hold_gate, hold_unit
from helpers.support.plays import TEST
from helpers.training import fit
from tools.runs.common import first_losses, long_run, rounded
from tools.runs.course import CURVE, PLAY, SEEDS, all_plays, begin, play_and_curve, repeat

BEGINNING, PIECE = 5_000, 500  # characters of each test play, and of what is read at once


def pieces():
    """The beginnings of the test plays, cut: ids (pieces, PIECE)."""
    starts = protocol.plays(all_plays(), TEST, BEGINNING)
    return torch.as_tensor(np.stack(starts)).long().view(-1, PIECE)


def loss(model, rows):
    """Mean loss over texts (pieces, T), each read from a zero state."""
    with evaluating(model), torch.no_grad():
        logits, _ = model(rows[:, :-1])
        return F.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten()).item()


def places_in_line(ids):
    """How many characters each one is after the last line break: (N,)."""
    place, breaks = np.arange(len(ids)), ids == all_plays().vocab.encode("\n")[0]
    return place - np.maximum.accumulate(np.where(breaks, place, -1))


def train_one(configuration):
    """The LSTM of the lessons after ten epochs, and the losses of its updates."""
    model, (train_ids, _) = begin(configuration), play_and_curve()
    history = fit(model, train_ids, seed=configuration["seed"], device="cpu", progress=False)
    return model, history.step_loss


@long_run(
    "held-gates",
    corpus="shakespeare",
    repeat=repeat,
    plan=[{"cell": "lstm", "seed": seed} for seed in SEEDS[:3]],
    settings={"play": PLAY, "curve": CURVE, "characters": BEGINNING, "piece": PIECE},
)
def held_gates(configuration, corpus):
    """Test loss of a network, and by how much it is higher when a part of it is held.

    ``gates``: each gate at 1, and at each unit's mean over the validation text. ``units``: h of
    each unit in turn at its mean, beside ``line``, the correlation of its c on the validation
    text with the place in the line.
    """
    model, step_loss = train_one(configuration)
    rows, ids = pieces(), play_and_curve()[1]
    recorded, place, free = record_gates(model, ids), places_in_line(ids), loss(model, rows)

    def cost(hold, *arguments):
        return loss(hold(copy.deepcopy(model), *arguments), rows) - free

    return {
        "test": round(free, 6),
        "gates": {
            gate: rounded(cost(hold_gate, gate, v) for v in (1, getattr(recorded, gate).mean(0)))
            for gate in BLOCKS
        },
        "units": rounded(cost(hold_unit, k, h) for k, h in enumerate(recorded.h.mean(0).tolist())),
        "line": rounded((np.corrcoef(c, place)[0, 1] for c in recorded.c.T), 4),
    } | first_losses(step_loss)
