"""Train the four networks of the playground and write them for the page.

    python -m tools.runs.playground_models [rnn lstm gru transformer]

On all training plays, the learning rate warmed up and falling to zero: about six minutes of one
core for the recurrent ones, with Adam, and thirteen for the Transformer, with Muon. They are no
wider than the page can run smoothly. Each goes through a checkpoint and `helpers.cli.export`;
tests/tools/test_playground_models.py repeats the first steps.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch

from helpers.checkpoint import load, save
from helpers.cli.export import export, read
from helpers.corpus import load_corpus
from helpers.models import count_parameters
from helpers.studies import protocol
from helpers.training import fit, warm_up_and_decay
from tools.records import corpus_sha256
from tools.runs.common import STREAM, build, train_stream
from tools.runs.muon import muon_for

ROOT = Path(__file__).resolve().parents[2]

CORPUS, SEED = "shakespeare", 42
LR = {"rnn": 3e-3, "lstm": 6e-3, "gru": 6e-3, "transformer": (0.02, 4e-3)}  # of Adam; Muon, AdamW
STEPS = {"rnn": 4000, "lstm": 4000, "gru": 4000, "transformer": 5000}
SIZES = {"transformer": {"embed_size": 96, "num_heads": 4, "num_layers": 3, "context": 64}}
# In the file a byte is a third more: the largest would have 920 KB in float16.
PRECISION = {"rnn": "float16", "lstm": "float16", "gru": "float16", "transformer": "int8"}
TARGET = ROOT / "extra/_static/playground/models"


def begin(cell):
    """The corpus and the network before any step."""
    corpus = load_corpus(CORPUS)
    return corpus, build(cell, len(corpus.vocab), SEED, **SIZES.get(cell, {}))


def train(cell, steps=None):
    """The corpus, and the network after all or ``steps`` of its STEPS, with the history."""
    corpus, model = begin(cell)
    ids, whole = corpus.split_by_plays()[0], STEPS[cell]
    steps = whole if steps is None else steps
    if cell != "transformer":
        return corpus, model, train_stream(model, ids, LR[cell], whole, steps, SEED)
    history = fit(
        model, ids, steps=steps, seed=SEED, device="cpu", progress=False,
        optimizer=muon_for(model, model.blocks, *LR[cell]),
        schedule=lambda share: warm_up_and_decay(share * steps / whole), **STREAM,
    )  # fmt: skip
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
        "steps": STEPS[cell],
        "weights": count_parameters(model),
        "held_out_nats": round(loss, 6),
        "first_losses": [round(x, 6) for x in history.step_loss[:20]],
        "train_nats": round(float(np.mean(history.step_loss[-200:])), 6),
        "torch": torch.__version__,
    }
    with tempfile.TemporaryDirectory() as folder:
        save(folder, model, corpus.vocab, **about)
        assert load(folder)[2] == about
        made = export(folder, Path(target) / f"{cell}.js", PRECISION[cell], about)
    rounded = read(made["path"])[0]
    return made, loss, protocol.mean_loss(protocol.play_losses(rounded, tests))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cells", nargs="*", choices=LR, help="all four by default")
    for cell in parser.parse_args().cells or LR:
        made, exact, rounded = make(cell)
        print(
            f"{cell}: {made['bytes'] / 1e3:.0f} KB, logits within {made['largest_error']:g}; "
            f"loss on the test plays {exact:.4f}, as exported {rounded:.4f}"
        )
