"""The pace of LSTM and GRU: with equally many parameters, as ``fit`` trains them, and with equally
many units, by PyTorch's own layers."""

import time
from functools import cache

from helpers.corpus import load_corpus
from helpers.training import fit
from tools.runs.common import FIRST, build, first_losses, long_run

PACE = [
    {"cell": "lstm", "hidden_size": 128, "by_hand": False, "seed": 0},
    {"cell": "gru", "hidden_size": 149, "by_hand": True, "seed": 0},
    {"cell": "gru", "hidden_size": 128, "by_hand": False, "seed": 0},
]
PACE_ROUNDS = 9


def train_briefly(configuration, corpus, steps=FIRST):
    """A few updates -> (processor time per update, their losses)."""
    source = load_corpus(corpus)
    keys = ("cell", "hidden_size", "by_hand", "seed")
    cell, hidden, by_hand, seed = (configuration[key] for key in keys)
    model = build(cell, len(source.vocab), seed, hidden_size=hidden)
    model.recurrent.by_hand = by_hand  # False: PyTorch's own layer
    started = time.process_time()
    history = fit(model, source.split()[0], steps=steps, seed=0, device="cpu", progress=False)
    return (time.process_time() - started) / steps, history.step_loss


@cache
def take_turns(corpus):
    """Seconds of processor time per update, in rounds, of each configuration of PACE."""
    rounds = [[train_briefly(c, corpus)[0] for c in PACE] for _ in range(PACE_ROUNDS + 1)]
    return list(zip(*rounds[1:], strict=True))  # the first is for warming up


@long_run(
    "pace",
    corpus="coriolanus",
    plan=PACE,
    repeat=lambda configuration, corpus: train_briefly(configuration, corpus)[1],
)
def pace(configuration, corpus):
    """Seconds of processor time for an update, the models taking turns, on one thread."""
    took = take_turns(corpus)[PACE.index(configuration)]
    _, losses = train_briefly(configuration, corpus)
    return {"cpu_seconds": [round(x, 5) for x in took]} | first_losses(losses)
