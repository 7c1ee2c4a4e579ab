"""The pace of the networks of the first edition's recipe."""

import time
from functools import cache

from helpers.corpus import load_corpus
from helpers.training import batches_per_epoch, fit
from tools.runs.common import FIRST, REFERENCE, TRANSFORMER, build, first_losses, long_run

# With as many parameters as the reference LSTM.
EQUAL = {
    "rnn": {"hidden_size": 257},
    "lstm": {},
    "gru": {"hidden_size": 149},
    "transformer": TRANSFORMER,
}
PACE_ROUNDS = 9
# The reference models, and those of EQUAL that are others.
CONDITIONS = [
    {"condition": condition, "cell": cell, "sizes": sizes}
    for condition, kinds in (("reference", REFERENCE), ("equal-parameters", EQUAL))
    for cell, sizes in kinds.items()
    if condition == "reference" or sizes != REFERENCE[cell]
]


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
