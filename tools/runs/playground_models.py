"""Train the three networks of the playground and write them for the page.

    python -m tools.runs.playground_models [rnn lstm gru]

The reference recipe, as in the chapters: ten epochs on the first nine tenths of
shakespeare.txt, seed 42. About half a minute on two cores. Each goes through a checkpoint
and `helpers.cli.export`; tests/site/test_playground.py repeats the first steps.
"""

import sys
import tempfile
from pathlib import Path

import torch

from helpers.checkpoint import load, save
from helpers.cli.export import export, read
from helpers.corpus import SOURCES, load_corpus
from helpers.models import CharRNN, count_parameters
from helpers.training import evaluate, fit

ROOT = Path(__file__).resolve().parents[2]

CORPUS, SEED, EPOCHS, PRECISION = "excerpts", 42, 10, "float16"
TARGET = ROOT / "extra/_static/playground/models"


def begin(cell):
    """The corpus and the network before any step."""
    corpus = load_corpus(CORPUS)
    torch.manual_seed(SEED)
    return corpus, CharRNN(len(corpus.vocab), cell=cell)


def make(cell, target=TARGET):
    """Train, save, export; returns what ``export`` does and the held-out loss before it."""
    corpus, model = begin(cell)
    train_ids, held_ids = corpus.split()
    history = fit(model, train_ids, epochs=EPOCHS, seed=SEED)
    loss = evaluate(model, held_ids)
    about = {
        "corpus": CORPUS,
        "corpus_sha256": SOURCES[CORPUS].sha256,
        "seed": SEED,
        "epochs": EPOCHS,
        "weights": count_parameters(model),
        "held_out_nats": round(loss, 6),
        "first_losses": [round(x, 6) for x in history.step_loss[:20]],
        "torch": torch.__version__,
    }
    with tempfile.TemporaryDirectory() as folder:
        save(folder, model, corpus.vocab, **about)
        assert load(folder)[2] == about
        made = export(folder, Path(target) / f"{cell}.js", PRECISION, about)
    return made, loss, evaluate(read(made["path"])[0], held_ids)


if __name__ == "__main__":
    for cell in sys.argv[1:] or ("rnn", "lstm", "gru"):
        made, exact, rounded = make(cell)
        print(
            f"{cell}: {made['bytes'] / 1e3:.0f} KB, logits within {made['largest_error']:g}; "
            f"held-out loss {exact:.4f}, as exported {rounded:.4f}"
        )
