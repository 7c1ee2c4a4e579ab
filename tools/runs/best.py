"""The lowest loss on the test plays that a given time of one core reaches, all training plays."""

import time

import numpy as np
import torch

from helpers.corpus import load_corpus
from helpers.models import CharRNN, count_parameters
from helpers.ngram import NGram
from helpers.sampling import generate
from helpers.studies import protocol
from helpers.training import character_losses
from tools.runs.common import FIRST, STREAM, first_losses, long_run, stored_blocks, train_stream

ORDER, WEIGHTS = 7, np.linspace(0, 1, 21)  # of the n-gram model; of the network in the mixture


def train_best(configuration, steps=None):
    """The network of one time budget, its rate warmed up and falling to zero."""
    corpus = load_corpus("shakespeare")
    torch.manual_seed(configuration["seed"])
    model = CharRNN(len(corpus.vocab), **configuration["sizes"])
    history = train_stream(
        model, corpus.split_by_plays()[0], configuration["lr"], configuration["steps"], steps,
        configuration["seed"],
    )  # fmt: skip
    return model, history


def mixed(network, counted, weight):
    """Nats of a mixture of two models whose nats are given, plays as lists."""
    return [
        -np.log(weight * np.exp(-a) + (1 - weight) * np.exp(-b))
        for a, b in zip(network, counted, strict=True)
    ]


TEN_MINUTES = {
    "seed": 42, "steps": 2600, "lr": 4e-3,
    "sizes": {"embed_size": 64, "hidden_size": 512, "cell": "lstm"},
}  # fmt: skip


@long_run(
    "best-in-ten-minutes", corpus="shakespeare", plan=[TEN_MINUTES],
    repeat=lambda configuration, corpus: train_best(configuration, FIRST)[1].step_loss,
    settings={"recipe": STREAM, "order": ORDER},
)  # fmt: skip
def best(configuration, corpus):
    """A network, an n-gram model and their mixture, whose weight the validation plays choose."""
    source = load_corpus(corpus)
    started = time.process_time()
    model, history = train_best(configuration)
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
    return found | first_losses(history.step_loss)
