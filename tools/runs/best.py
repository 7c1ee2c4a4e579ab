"""The lowest loss on the test plays that a given time of one core reaches, all training plays."""

import time

import numpy as np
import torch

from helpers.corpus import load_corpus
from helpers.models import count_parameters
from helpers.ngram import NGram
from helpers.sampling import generate
from helpers.studies import protocol
from helpers.training import Training, character_losses, warm_up_and_decay
from tools.runs.amount import REPEATED, Dropped, first_of
from tools.runs.common import long_run, rounded, stored_blocks, updates
from tools.runs.muon import muon_for

RECIPE = {"seq_len": 64, "windows": "stream", "clip": 1.0}
ORDER, WEIGHTS = 7, np.linspace(0, 1, 21)  # of the n-gram model; of the network in the mixture


def begin(configuration):
    """The network of one time budget, and its training as far as it has not begun."""
    corpus = load_corpus("shakespeare")
    torch.manual_seed(configuration["seed"])
    sizes = configuration["sizes"].values()
    model = Dropped(len(corpus.vocab), *sizes, around=configuration["dropout"])
    training = Training(
        model, corpus.split_by_plays()[0], steps=configuration["steps"],
        seed=configuration["seed"], device="cpu", optimizer=optimizer(model, configuration),
        schedule=warm_up_and_decay, batch_size=configuration["batch_size"], **RECIPE,
    )  # fmt: skip
    return model, training


def optimizer(model, configuration):
    """Adam for one rate; for two, Muon at the first and AdamW at the second."""
    lr = configuration["lr"]
    if isinstance(lr, float):
        return torch.optim.Adam(model.parameters(), lr=lr, betas=(0.9, 0.99), fused=True)
    return muon_for(model, model.recurrent, *lr, weight_decay=configuration["decay"])


def mixed(network, counted, weight):
    """Nats of a mixture of two models whose nats are given, plays as lists."""
    return [
        -np.log(weight * np.exp(-a) + (1 - weight) * np.exp(-b))
        for a, b in zip(network, counted, strict=True)
    ]


# Sizes are of the embedding and of the LSTM. The hour reads all plays four times, and needs
# dropout and decay against overfitting. Muon did not pay in ten minutes.
TEN_MINUTES = {
    "seed": 42, "steps": 2300, "batch_size": 32, "lr": 4e-3, "dropout": 0.0,
    "sizes": {"embed_size": 64, "hidden_size": 512, "cell": "lstm"},
}  # fmt: skip
HOUR = {
    "seed": 42, "steps": 3700, "batch_size": 64, "lr": (0.02, 4e-3), "decay": 0.05,
    "dropout": 0.15, "sizes": {"embed_size": 64, "hidden_size": 640, "cell": "lstm"},
}  # fmt: skip


def best(configuration, corpus):
    """A network, an n-gram model and their mixture, whose weight the validation plays choose."""
    source = load_corpus(corpus)
    started = time.process_time()
    model, training = begin(configuration)
    for _ in updates(training):
        if training.done % 200 == 0:
            latest = np.mean(training.history.step_loss[-200:])
            print(f"    {training.done} {latest:.4f} {time.process_time():.0f}", flush=True)
    history = training.history
    trained = time.process_time()
    counted = NGram(ORDER, len(source.vocab)).fit(source.split_by_plays()[0])
    counting = time.process_time() - trained
    choosing, tests = protocol.validation_plays(source), protocol.test_plays(source)
    scores = {
        name: {
            "network": protocol.play_losses(model, texts),
            "n-gram": [character_losses(counted, ids, progress=False) for ids in texts],
        }
        for name, texts in (("validation", choosing), ("test", tests))
    }
    losses = [protocol.mean_loss(mixed(*scores["validation"].values(), w)) for w in WEIGHTS]
    weight = float(WEIGHTS[int(np.argmin(losses))])
    for both in scores.values():
        both["mixture"] = mixed(both["network"], both["n-gram"], weight)
    found = {
        "parameters": count_parameters(model),
        "multiplications": protocol.multiplications(model),
        "cpu_seconds": round(trained - started),
        "counting_seconds": round(counting, 1),
        "train": round(float(np.mean(history.step_loss[-200:])), 6),
        "weight": round(weight, 2),
    }
    for name, both in scores.items():
        found[name] = {key: round(protocol.mean_loss(value), 6) for key, value in both.items()}
    found["test_blocks"] = {key: stored_blocks(value) for key, value in scores["test"].items()}
    found["text"] = generate(model, source.vocab, "\n", 800, temperature=0.8, seed=42)
    return found | {"first_losses": rounded(history.step_loss[:REPEATED])}


for name, configuration in {
    "best-in-ten-minutes": TEN_MINUTES, "best-in-an-hour": HOUR,
}.items():  # fmt: skip
    long_run(
        name, corpus="shakespeare", plan=[configuration],
        repeat=lambda configuration, corpus: first_of(begin(configuration)[1]),
        settings={"recipe": RECIPE, "order": ORDER},
    )(best)  # fmt: skip
