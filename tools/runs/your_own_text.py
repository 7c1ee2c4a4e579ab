"""How wide a network a text is worth: LSTMs of five widths on two amounts of text."""

import copy
import time

import numpy as np

from helpers.models import count_parameters
from helpers.studies import protocol
from helpers.training import batches_per_epoch
from tools.runs import amount
from tools.runs.common import long_run, rounded, updates

WIDTHS = (32, 64, 128, 256, 512)
PASSES = {300_000: 5, 1_000_000: 2}  # characters of training text -> times that it is read
EVALUATIONS = 5
RECIPE = amount.recipe("lstm")


def configurations(size):
    """Every width once, the narrowest twice. The widest wants a lower rate."""
    for seed, widths in {1: WIDTHS, 2: WIDTHS[:2]}.items():
        for width in widths:
            rate = 4e-3 if width > 256 else 6e-3
            yield {"size": size, "passes": PASSES[size], "width": width, "seed": seed, "lr": rate}


def begin(model):
    """A network, and its training as far as it has not begun."""
    per_epoch = batches_per_epoch(model["size"], RECIPE["seq_len"], RECIPE["batch_size"])
    steps = model["passes"] * per_epoch
    wanted = (model[key] for key in ("width", "lr", "size", "seed"))
    return amount.begin("lstm", *wanted, steps=steps)


def repeat(model, corpus):
    """The first losses of a stored model, computed again."""
    return amount.first_of(begin(model)[1])


def width(configuration, corpus):
    """One LSTM at its best on the validation plays, scored once on the test plays."""
    source, _, validation = amount.texts()
    model, training = begin(configuration)
    losses, curve, seconds = training.history.step_loss, [], 0
    started = time.process_time()
    for _ in updates(training):
        if training.done * EVALUATIONS < training.total * (len(curve) + 1):
            continue
        seconds += time.process_time() - started
        recent = losses[curve[-1]["step"] if curve else 0 :]
        found = protocol.mean_loss(protocol.play_losses(model, validation))
        row = {"train": float(np.mean(recent)), "validation": found}
        curve.append({"step": training.done} | {k: round(x, 6) for k, x in row.items()})
        if curve[-1]["validation"] == min(row["validation"] for row in curve):
            best = copy.deepcopy(model.state_dict())
        started = time.process_time()
    model.load_state_dict(best)
    return (
        {
            "parameters": count_parameters(model),
            "multiplications": protocol.multiplications(model),
            "steps": training.total,
            "validation": min(row["validation"] for row in curve),
            "cpu_seconds": round(seconds, 1),  # of the updates, without the evaluations
            "curve": curve,
            "first_losses": rounded(losses[: amount.REPEATED]),
        }
        | amount.scored(protocol.play_losses(model, protocol.test_plays(source)))
    )


for size in PASSES:
    long_run(
        f"width-{amount.SIZES[size]}",
        corpus="shakespeare",
        repeat=repeat,
        plan=list(configurations(size)),
        settings={"evaluations": EVALUATIONS, "recipe": RECIPE},
    )(width)
