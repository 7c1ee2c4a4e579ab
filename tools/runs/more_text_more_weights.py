"""The runs of *More text, more weights*."""

import time
from functools import partial

import numpy as np
import torch

from helpers.corpus import load_corpus
from helpers.models import CharRNN, count_parameters
from helpers.ngram import NGram
from helpers.training import evaluate
from tools.runs.common import FIRST, STREAM, first_losses, judge, long_run, train_stream

TINY = "tinyshakespeare"

# What each tenth of the training part is worth to an n-gram model, and what its amount is.
ORDERS, ORDER, ONE_IN = range(1, 8), 6, (64, 32, 16, 8, 4, 2, 1)


def count_pieces(corpus, pieces, order=ORDER):
    """The held-out loss of an n-gram model that has counted pieces of a corpus."""
    source = load_corpus(corpus)
    model = NGram(order, len(source.vocab)).fit(np.concatenate(pieces))
    return round(evaluate(model, source.split()[1]), 6)


def count_orders(corpus, orders):
    """The held-out loss after counting all of the training part, with each order."""
    return [count_pieces(corpus, [load_corpus(corpus).split()[0]], order) for order in orders]


def count_tenths(corpus, models):
    """Held-out losses: with each order; without one tenth, each in turn; and of blocks of 1,000
    characters taken evenly from everywhere, one in so many."""
    train_ids, _ = load_corpus(corpus).split()
    tenth = np.array_split(train_ids, 10)
    pieces = np.array_split(train_ids, len(train_ids) // 1000)
    spread = [pieces[n // 2 :: n] for n in ONE_IN]
    score = partial(count_pieces, corpus)
    return {
        "all": [{"order": k, "held_out": count_orders(corpus, [k])[0]} for k in ORDERS],
        "without": [score(tenth[:i] + tenth[i + 1 :]) for i in range(10)],
        "spread_out": [{"amount": sum(map(len, some)), "held_out": score(some)} for some in spread],
    }


@long_run(
    "tenths-tinyshakespeare", corpus=TINY, plan=[{"cell": "n-gram", "seed": 0}],
    repeat=lambda configuration, corpus: count_orders(corpus, (1, 2, 3)),
    settings={"order": ORDER}, summary=count_tenths,
)  # fmt: skip
def tenths(configuration, corpus):
    """In place of the losses of the first updates, those of the first orders."""
    return {"first_losses": count_orders(corpus, (1, 2, 3))}


# Three minutes on two cores. Size and rate were chosen on the last tenth of the training part.
QUICK = {"embed_size": 64, "hidden_size": 320, "cell": "lstm"}
QUICK_STEPS = 2800


def train_quick(corpus, steps):
    """An LSTM with its state carried, the learning rate falling to zero over QUICK_STEPS."""
    source = load_corpus(corpus)
    torch.manual_seed(0)
    model = CharRNN(len(source.vocab), **QUICK)
    history = train_stream(model, source.split()[0], 5e-3, QUICK_STEPS, steps)
    return model, history


@long_run(
    "quick-tinyshakespeare", corpus=TINY, plan=[{"cell": "lstm", "seed": 0}], threads=2,
    repeat=lambda configuration, corpus: train_quick(corpus, FIRST)[1].step_loss,
    settings={"model": QUICK, "recipe": STREAM},
)  # fmt: skip
def quick(configuration, corpus):
    """The loss that three minutes of training reach on two cores, held out and as one stream."""
    _, held_out = load_corpus(corpus).split()
    started = time.process_time()
    model, history = train_quick(corpus, QUICK_STEPS)
    return {
        "parameters": count_parameters(model),
        "cpu_seconds": round(time.process_time() - started),
        "seconds": round(history.seconds),
        "train": round(float(np.mean(history.step_loss[-200:])), 6),
        "window_loss": round(evaluate(model, held_out, window=50), 6),
        **judge(model, corpus, held_out),
        **first_losses(history.step_loss),
    }
