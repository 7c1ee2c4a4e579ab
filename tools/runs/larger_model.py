"""The runs of *More text, more weights*."""

import math
import time
from functools import partial

import numpy as np
import torch

from helpers.corpus import load_corpus
from helpers.models import CharRNN, count_parameters
from helpers.ngram import NGram
from helpers.training import evaluate, fit
from tools.runs.common import (
    FIRST,
    REFERENCE,
    STREAM,
    Validation,
    build,
    first_losses,
    judge,
    long_run,
    nine_tenths,
    parts,
    train_stream,
)

TINY = "tinyshakespeare"
ONE = [{"cell": "lstm", "seed": 0}]

# A larger model: two layers of 256, dropout, AdamW, long random windows.
LARGER = {"embed_size": 128, "hidden_size": 256, "cell": "lstm", "num_layers": 2, "dropout": 0.2}
LARGER_RECIPE = {"seq_len": 128, "batch_size": 64, "windows": "random", "clip": 1.0}
LARGER_STEPS, EVALUATIONS = 5000, 40


def train_larger(corpus, steps, callback=None):
    """The larger model, trained on all of the training part but its last tenth."""
    torch.manual_seed(0)
    model = CharRNN(len(load_corpus(corpus).vocab), **LARGER)
    history = fit(
        model, parts(corpus, choosing=True)[0], steps=steps, seed=0, device="cpu",
        optimizer=torch.optim.AdamW(model.parameters(), lr=3e-4), callback=callback,
        **LARGER_RECIPE,
    )  # fmt: skip
    return model, history


LARGER_RUN = {
    "repeat": lambda configuration, corpus: train_larger(corpus, FIRST)[1].step_loss,
    "plan": ONE,
    "settings": {"model": LARGER, "recipe": LARGER_RECIPE},
}


@long_run("larger-shakespeare", **LARGER_RUN)
@long_run("larger-tinyshakespeare", corpus=TINY, **LARGER_RUN)
def larger(configuration, corpus):
    """The larger model with its losses as it goes, judged once on the held-out text.

    The validation set, on which the best moment is chosen, is the last tenth of the training
    part. The held-out text is scored for that moment and for the end.
    """
    _, held_out = load_corpus(corpus).split()
    validation = Validation(parts(corpus, choosing=True)[1], LARGER_STEPS / EVALUATIONS)
    started = time.process_time()
    model, history = train_larger(corpus, LARGER_STEPS, validation)
    found = {
        "parameters": count_parameters(model),
        "cpu_seconds": round(time.process_time() - started),
        "curve": validation.curve,
        "last": judge(model, corpus, held_out) | {"step": LARGER_STEPS},
        **first_losses(history.step_loss),
    }
    validation.restore_best(model)
    return found | {"best": judge(model, corpus, held_out) | {"step": validation.best["step"]}}


# How much text does a network need, and when does it overtake counting?
ORDERS = range(1, 8)


def train_amount(configuration, corpus, steps, validation=None):
    """The reference recipe on the last ``amount`` characters of the training part."""
    source, cell, seed = load_corpus(corpus), configuration["cell"], configuration["seed"]
    text, _ = nine_tenths(source.split()[0][-configuration["amount"] :])
    model = build(cell, len(source.vocab), seed, **REFERENCE[cell])
    history = fit(model, text, steps=steps, seed=seed, device="cpu", callback=validation)
    return model, history


def count_amount(corpus, amount):
    """The n-gram of the order and smoothing that the last tenth of the text prefers."""
    source = load_corpus(corpus)
    train_ids, held_out = source.split()
    text, validation_ids = nine_tenths(train_ids[-amount:])
    models = [
        NGram(order, len(source.vocab), smoothing).fit(text)
        for order in ORDERS
        for smoothing in ("kneser-ney", "witten-bell")
    ]
    best = min(models, key=lambda model: evaluate(model, validation_ids))
    names = {"amount": amount, "order": best.order, "smoothing": best.smoothing}
    return names | {"held_out": round(evaluate(best, held_out), 6)}


def amounts(fractions, seeds, corpus, finished):
    """RNN, LSTM and Transformer for each fraction of the training part, one in so many."""
    whole = len(load_corpus(corpus).split()[0])
    for fraction in fractions:
        for cell in ("rnn", "lstm", "transformer"):
            for seed in seeds:
                yield {"cell": cell, "seed": seed, "amount": whole // fraction}


def count_amounts(corpus, models):
    sizes = sorted({model["amount"] for model in models})
    return {"counted": [count_amount(corpus, size) for size in sizes]}


AMOUNT = {
    "repeat": lambda configuration, corpus: train_amount(configuration, corpus, FIRST)[1].step_loss,
    "summary": count_amounts,
}


@long_run(
    "amount-shakespeare", plan=partial(amounts, (32, 16, 8, 4, 2, 1), range(3)),
    settings={"steps": 1500}, steps=1500, **AMOUNT,
)  # fmt: skip
@long_run(
    "amount-tinyshakespeare", plan=partial(amounts, (64, 8, 1), range(1)), corpus=TINY,
    settings={"steps": 2500}, steps=2500, **AMOUNT,
)  # fmt: skip
def amount(configuration, corpus, steps):
    """Held-out loss against the amount of training text, for counting and for networks.

    Of each text the last tenth decides which order an n-gram has and which moment of its
    training a network is judged at; the other nine tenths are counted, or trained on. All
    of the text is given ``steps`` updates, a quarter of it half as many, and so on.
    """
    train_ids, held_out = load_corpus(corpus).split()
    size = configuration["amount"]
    updates = round(steps / math.sqrt(len(train_ids) // size))
    validation = Validation(nine_tenths(train_ids[-size:])[1], updates / 30)
    model, history = train_amount(configuration, corpus, updates, validation)
    validation.restore_best(model)
    found = {"step": validation.best["step"], "held_out": round(evaluate(model, held_out), 6)}
    return found | first_losses(history.step_loss)


# What each tenth of the training part is worth to an n-gram model, and what its amount is.
ORDER, ONE_IN = 6, (64, 32, 16, 8, 4, 2, 1)


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
    "quick-tinyshakespeare", corpus=TINY, plan=ONE, threads=2,
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
