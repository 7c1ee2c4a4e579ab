"""Train the three networks of the playground and write them for the page.

    python -m tools.runs.playground_models [rnn lstm gru]

On all training plays, the learning rate warmed up and falling to zero: about six minutes of one
core in all. They are no wider than the page can run smoothly. Each goes through a checkpoint and
`helpers.cli.export`; tests/site/test_playground.py repeats the first steps.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from helpers.checkpoint import load, save
from helpers.cli.export import export, read
from helpers.corpus import load_corpus
from helpers.models import CharRNN, count_parameters
from helpers.studies import protocol
from tools.records import corpus_sha256
from tools.runs.common import train_stream

ROOT = Path(__file__).resolve().parents[2]

CORPUS, SEED, PRECISION = "shakespeare", 42, "float16"
STEPS, LR = 4000, {"rnn": 3e-3, "lstm": 6e-3, "gru": 6e-3}
TARGET = ROOT / "extra/_static/playground/models"


def begin(cell):
    """The corpus and the network before any step."""
    corpus = load_corpus(CORPUS)
    torch.manual_seed(SEED)
    return corpus, CharRNN(len(corpus.vocab), cell=cell)


def train(cell, steps=STEPS):
    """The corpus, and the network after ``steps`` of its STEPS, with the history."""
    corpus, model = begin(cell)
    history = train_stream(model, corpus.split_by_plays()[0], LR[cell], STEPS, steps, SEED)
    return corpus, model, history


def make(cell, target=TARGET):
    """Train, save, export; returns what ``export`` does, and the loss on the test plays before
    and after the weights were rounded."""
    corpus, model, history = train(cell)
    tests = protocol.test_plays(corpus)
    loss = protocol.mean_loss(protocol.play_losses(model, tests))
    about = {
        "corpus": CORPUS,
        "corpus_sha256": corpus_sha256(CORPUS),
        "seed": SEED,
        "steps": STEPS,
        "weights": count_parameters(model),
        "held_out_nats": round(loss, 6),
        "first_losses": [round(x, 6) for x in history.step_loss[:20]],
        "train_nats": round(float(np.mean(history.step_loss[-200:])), 6),
        "torch": torch.__version__,
    }
    with tempfile.TemporaryDirectory() as folder:
        save(folder, model, corpus.vocab, **about)
        assert load(folder)[2] == about
        made = export(folder, Path(target) / f"{cell}.js", PRECISION, about)
    rounded = read(made["path"])[0]
    return made, loss, protocol.mean_loss(protocol.play_losses(rounded, tests))


if __name__ == "__main__":
    for cell in sys.argv[1:] or LR:
        made, exact, rounded = make(cell)
        print(
            f"{cell}: {made['bytes'] / 1e3:.0f} KB, logits within {made['largest_error']:g}; "
            f"loss on the test plays {exact:.4f}, as exported {rounded:.4f}"
        )
