"""The runs of *Comparing the architectures*; others read the curves too."""

import time
from functools import cache

from helpers.corpus import load_corpus
from helpers.models import count_parameters
from helpers.training import batches_per_epoch, evaluate, fit
from tools.runs.common import (
    BLOCK,
    FIRST,
    REFERENCE,
    TRANSFORMER,
    blocks,
    build,
    first_losses,
    long_run,
    losses_of,
    repeat_reference,
    train_reference,
)

# With as many parameters as the reference LSTM.
EQUAL = {
    "rnn": {"hidden_size": 257},
    "lstm": {},
    "gru": {"hidden_size": 149},
    "transformer": TRANSFORMER,
}
EPOCHS = 30
PACE_ROUNDS = 9
# The reference models, and those of EQUAL that are others.
CONDITIONS = [
    {"condition": condition, "cell": cell, "sizes": sizes}
    for condition, kinds in (("reference", REFERENCE), ("equal-parameters", EQUAL))
    for cell, sizes in kinds.items()
    if condition == "reference" or sizes != REFERENCE[cell]
]


def over_seeds(sizes, seeds=range(5)):
    """Configurations of models {cell: sizes} for each seed."""
    return [{"cell": c, "seed": seed, "sizes": sizes[c]} for seed in seeds for c in sizes]


CURVES = {"repeat": repeat_reference, "settings": {"epochs": EPOCHS, "block": BLOCK}}


@long_run("curves", plan=over_seeds(REFERENCE), **CURVES)
@long_run("equal-parameters", plan=over_seeds({c: EQUAL[c] for c in ("rnn", "gru")}), **CURVES)
def curves(configuration, corpus, at=(10, 20, EPOCHS)):
    """Training and held-out loss after each epoch of the reference recipe.

    After the epochs ``at`` also the held-out loss by windows of 50, and the loss along the
    held-out text.
    """
    _, held_out = load_corpus(corpus).split()
    found = {}

    def evaluate_at(epoch, model, history):
        if epoch in at:
            by_window = evaluate(model, held_out, window=50)
            found[epoch] = {"window_loss": round(by_window, 6), **blocks(model, held_out)}

    model, history = train_reference(configuration, corpus, EPOCHS, callback=evaluate_at)
    return {"parameters": count_parameters(model), **losses_of(history), "at": found}


@long_run(
    "choosing",
    repeat=repeat_reference,
    plan=[c | {"seed": seed, "choosing": True} for c in CONDITIONS for seed in range(3)],
    settings={"epochs": EPOCHS},
)
def choosing(configuration, corpus):
    """The same curves without the held-out text: how many epochs does the validation set want?"""
    return losses_of(train_reference(configuration, corpus, EPOCHS)[1])


def train_briefly(configuration, corpus, steps=FIRST):
    """A few updates -> (processor time per update, history)."""
    source = load_corpus(corpus)
    model = build(
        configuration["cell"], len(source.vocab), configuration["seed"], **configuration["sizes"]
    )
    started = time.process_time()
    history = fit(model, source.split()[0], steps=steps, seed=0, device="cpu")
    return (time.process_time() - started) / steps, history


PACE = [c | {"seed": 0} for c in CONDITIONS]


@cache
def take_turns(corpus):
    """Seconds of processor time per update, in rounds, of each configuration of PACE."""
    rounds = [[train_briefly(c, corpus)[0] for c in PACE] for _ in range(PACE_ROUNDS + 1)]
    return list(zip(*rounds[1:], strict=True))  # the first is for warming up


@long_run(
    "pace",
    repeat=lambda configuration, corpus: train_briefly(configuration, corpus)[1].step_loss,
    plan=PACE,
    summary=lambda corpus, models: {
        "updates_per_epoch": batches_per_epoch(len(load_corpus(corpus).split()[0]), 50, 64)
    },
)
def pace(configuration, corpus):
    """Seconds of processor time for an update, the models taking turns, on one thread."""
    took = take_turns(corpus)[PACE.index(configuration)]
    _, history = train_briefly(configuration, corpus)
    return {"cpu_seconds": [round(x, 5) for x in took]} | first_losses(history.step_loss)
