"""Runs too long for a page: made here, stored in data/results/, read by the chapters.

    python -m tools.runs.long_runs NAME [NAME ...]     python -m tools.runs.long_runs --all

Each result holds its configuration, the versions, the machine, the date, the corpus's
SHA-256, a stamp of the code that it came from (tools/stamps.py) and, for each model trained,
the first twenty losses. A test compares the stamp and the SHA-256 and repeats those first
steps (tests/test_long_runs.py), so that no stored result is older than its code or its
corpus unnoticed. After a change that cannot move the numbers:

    python -m tools.runs.long_runs --restamp NAME [NAME ...]
"""

import argparse
import copy
import datetime
import hashlib
import inspect
import itertools
import json
import math
import os
import platform
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from helpers.corpus import SOURCES, Vocabulary, load_corpus, split_ids
from helpers.models import CharRNN, CharTransformer, count_parameters
from helpers.ngram import NGram
from helpers.sampling import generate
from helpers.statistics import block_bootstrap
from helpers.training import (
    Training,
    batches_per_epoch,
    character_losses,
    epoch_batches,
    evaluate,
    fit,
    train_step,
    warm_up_and_decay,
)
from tools.runs import stamps

ROOT = Path(__file__).resolve().parents[2]

RESULTS = ROOT / "data" / "results"
FIRST = 20  # losses of each run that a test repeats


class OtherText(Exception):
    """The text of a stored run cannot be had here in the form that it had."""


# A Transformer with the parameters of the reference LSTM, within 2 %, and so for the others.
TRANSFORMER = {"embed_size": 60, "num_heads": 3, "num_layers": 2, "context": 50}
REFERENCE = {"rnn": {}, "lstm": {}, "gru": {}, "transformer": TRANSFORMER}
EQUAL = {
    "rnn": {"hidden_size": 257},
    "lstm": {},
    "gru": {"hidden_size": 149},
    "transformer": TRANSFORMER,
}
TWO_LAYERS = {"hidden_size": 79, "num_layers": 2}  # an LSTM with as many parameters, too
BLOCK = 200  # characters; held-out losses are stored as means over blocks of so many


def build(cell, vocab_size, seed, **sizes):
    """A model of the named architecture whose first weights are fixed by ``seed``."""
    torch.manual_seed(seed)
    if cell == "transformer":
        return CharTransformer(vocab_size, **sizes)
    return CharRNN(vocab_size, cell=cell, **sizes)


def train(
    cell, corpus, seed, epochs=10, steps=None, bias=0, val=True, callback=None, sizes=None,
    choosing=False,
):  # fmt: skip
    """One model by the reference recipe: the start is fixed by ``seed``, and so is the order.

    ``bias`` opens the forget gates of an LSTM before training. With ``choosing``, the last
    tenth of the training part takes the place of the held-out text.
    """
    source = load_corpus(corpus)
    train_ids, val_ids = source.split()
    if choosing:
        cut = int(0.9 * len(train_ids))
        train_ids, val_ids = train_ids[:cut], train_ids[cut:]
    model = build(cell, len(source.vocab), seed, **(sizes or {}))
    if bias:
        open_forget_gate(model, bias)
    history = fit(
        model, train_ids, val_ids if val else None, epochs, steps, seed=seed, device="cpu",
        callback=callback,
    )  # fmt: skip
    return model, history


def curves(sizes=REFERENCE, corpus="shakespeare", seeds=(0, 1, 2, 3, 4), epochs=30, looks=(10, 20)):
    """Training and held-out loss after each epoch of the reference recipe, over seeds.

    After the epochs in ``looks``, and the last, also the held-out loss by windows of 50, and
    the loss along the held-out text.
    """
    _, held_out = load_corpus(corpus).split()
    runs = []
    for seed in seeds:
        for cell in sizes:
            seen = {}

            def look(epoch, model, history, seen=seen):
                if epoch in (*looks, epochs):
                    by_window = evaluate(model, held_out, window=50)
                    seen[epoch] = {"window_loss": round(by_window, 6), **blocks(model, held_out)}

            model, history = train(cell, corpus, seed, epochs, callback=look, sizes=sizes[cell])
            run = {"cell": cell, "seed": seed, "sizes": sizes[cell]}
            run |= {"parameters": count_parameters(model), **losses_of(history), "at": seen}
            runs.append(run)
            print(f"  {cell}, seed {seed}: held-out {history.val_loss[-1]:.4f}", flush=True)
    return {"corpus": corpus, "epochs": epochs, "block": BLOCK, "runs": runs}


def longer(corpus="shakespeare", seeds=(0, 1), epochs=60, every=10, pages=4):
    """Losses of an LSTM trained on and on, and what it writes at temperature 0.5 as it goes."""
    vocab, prompt, runs = load_corpus(corpus).vocab, "\n\nAll:\n", []
    for seed in seeds:
        written = {}

        def look(epoch, model, history, written=written):
            if epoch % every == 0:
                new = [generate(model, vocab, prompt, 1000, 0.5, seed=k) for k in range(pages)]
                written[epoch] = [page.removeprefix(prompt) for page in new]

        _, history = train("lstm", corpus, seed, epochs, callback=look)
        runs.append({"cell": "lstm", "seed": seed, **losses_of(history), "written": written})
        print(f"  seed {seed}: held-out {history.val_loss[-1]:.4f}", flush=True)
    return {"corpus": corpus, "epochs": epochs, "temperature": 0.5, "runs": runs}


def choosing(corpus="shakespeare", seeds=(0, 1, 2), epochs=30):
    """The same curves without the held-out text: how many epochs does the choosing part want?"""
    runs = []
    for condition, kinds in (("reference", REFERENCE), ("equal-parameters", EQUAL)):
        for cell, sizes in kinds.items():
            if condition == "equal-parameters" and sizes == REFERENCE[cell]:
                continue  # it is the reference already
            for seed in seeds:
                _, history = train(cell, corpus, seed, epochs, sizes=sizes, choosing=True)
                run = {"condition": condition, "cell": cell, "seed": seed, "sizes": sizes}
                runs.append(run | {"choosing": True} | losses_of(history))
                print(f"  {condition} {cell}, {seed}: {min(history.val_loss):.4f}", flush=True)
    return {"corpus": corpus, "epochs": epochs, "runs": runs}


def blocks(model, ids):
    """Mean loss of each block of ids, one stream; what is left over at the end is dropped."""
    losses = character_losses(model, ids)
    whole = losses[: len(losses) // BLOCK * BLOCK].reshape(-1, BLOCK)
    return {"blocks": [round(x, 4) for x in whole.mean(axis=1)]}


def pace(corpus="shakespeare", rounds=9, updates=10):
    """Seconds of processor time for an update, the models taking turns, on one thread."""
    train_ids, _ = load_corpus(corpus).split()
    vocab_size = len(load_corpus(corpus).vocab)
    wanted = [("reference", cell, sizes) for cell, sizes in REFERENCE.items()]
    wanted += [("equal-parameters", cell, sizes) for cell, sizes in EQUAL.items() if sizes]
    runs = [
        {"condition": condition, "cell": cell, "seed": 0, "sizes": sizes, "cpu_seconds": []}
        for condition, cell, sizes in wanted
        if (condition, cell) != ("equal-parameters", "transformer")
    ]
    for turn in range(rounds + 1):
        for run in runs:
            model = build(run["cell"], vocab_size, run["seed"], **run["sizes"])
            started = time.process_time()
            history = fit(model, train_ids, steps=max(updates, FIRST), seed=0, device="cpu")
            if turn:  # the first turn is for warming up
                took = (time.process_time() - started) / len(history.step_loss)
                run["cpu_seconds"].append(round(took, 5))
            run["first_losses"] = [round(x, 6) for x in history.step_loss[:FIRST]]
    per_epoch = batches_per_epoch(len(train_ids), 50, 64)
    return {"corpus": corpus, "updates_per_epoch": per_epoch, "runs": runs}


def open_forget_gate(model, bias):
    """Add ``bias`` to the forget gate's rows of an LSTM's first bias vector."""
    hidden = model.config["hidden_size"]
    with torch.no_grad():
        model.recurrent.bias_ih_l0[hidden : 2 * hidden] += bias


def forget_bias(corpus="shakespeare", biases=(0, 1, 3), seeds=(0, 1, 2, 3, 4)):
    """What an opened forget gate does on the corpus, after each of ten epochs."""
    runs = []
    for seed in seeds:
        for bias in biases:
            _, history = train("lstm", corpus, seed, bias=bias)
            runs.append({"cell": "lstm", "bias": bias, "seed": seed, **losses_of(history)})
            print(f"  bias {bias}, seed {seed}: {history.val_loss[-1]:.4f}", flush=True)
    return {"corpus": corpus, "epochs": 10, "runs": runs}


# Recall: remember the first of so many characters while as many others go by.
LETTERS, QUESTION = 8, 8  # eight letters; a ninth character asks for the first one


def recall_batch(size, gap, generator):
    """Texts (size, gap + 1) of ``gap`` random letters and the question; the answers (size,)."""
    letters = torch.randint(LETTERS, (size, gap), generator=generator)
    question = torch.full((size, 1), QUESTION)
    return torch.cat([letters, question], dim=1), letters[:, 0]


def train_recall(cell, gap, seed, bias=0, updates=1000):
    """Train on recall: (share of 512 new questions answered, losses as it went)."""
    sizes = {"embed_size": 16, "hidden_size": 64}
    if cell == "transformer":
        sizes = {"embed_size": 32, "num_heads": 2, "num_layers": 2, "context": 64}
    model = build(cell, LETTERS + 1, seed, **sizes)
    if bias:
        open_forget_gate(model, bias)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    generator = torch.Generator().manual_seed(seed)
    losses = []
    for _ in range(updates):
        x, y = recall_batch(64, gap, generator)
        loss = torch.nn.functional.cross_entropy(model(x)[0][:, -1], y)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        losses.append(loss.item())
    x, y = recall_batch(512, gap, torch.Generator().manual_seed(10_000 + seed))
    with torch.no_grad():
        answers = model(x)[0][:, -1].argmax(dim=1)
    return (answers == y).float().mean().item(), losses


REMEMBERING = (("rnn", 0), ("lstm", 0), ("lstm", 3), ("gru", 0))  # architecture, forget bias


def recall(learners=REMEMBERING, gaps=(5, 20, 50), seeds=(0, 1, 2, 3, 4)):
    """Recall after so many characters, for each architecture and an LSTM with open gates."""
    runs = []
    for gap in gaps:
        for cell, bias in learners:
            for seed in seeds:
                share, losses = train_recall(cell, gap, seed, bias)
                run = {"cell": cell, "bias": bias, "gap": gap, "seed": seed, "recalled": share}
                runs.append(run | {"first_losses": [round(x, 6) for x in losses[:FIRST]]})
            print(f"  {cell}, bias {bias}, gap {gap}: {share:.2f}", flush=True)
    return {"corpus": None, "updates": 1000, "chance": 1 / LETTERS, "runs": runs}


# The model that people train: two layers of 256, dropout, AdamW, long random windows.
LARGER = {"embed_size": 128, "hidden_size": 256, "cell": "lstm", "num_layers": 2, "dropout": 0.2}
LARGER_RECIPE = {"seq_len": 128, "batch_size": 64, "windows": "random", "clip": 1.0}


def train_larger(corpus, steps, callback=None):
    """The larger model, trained on all of the training part but its last tenth."""
    train_ids, _ = corpus.split()
    torch.manual_seed(0)
    model = CharRNN(len(corpus.vocab), **LARGER)
    adamw = torch.optim.AdamW(model.parameters(), lr=3e-4)
    history = fit(
        model, train_ids[: int(0.9 * len(train_ids))], steps=steps, seed=0, device="cpu",
        optimizer=adamw, callback=callback, **LARGER_RECIPE,
    )  # fmt: skip
    return model, history


class Watch:
    """A callback for ``fit``: validation loss now and then, and the best weights kept."""

    def __init__(self, validation, every):
        self.validation, self.every, self.curve = validation, every, []
        self.best = {"validation": float("inf")}

    def __call__(self, epoch, model, history):
        done = len(history.step_loss)
        if done < self.every * (len(self.curve) + 1):
            return
        recent = history.step_loss[self.curve[-1]["step"] if self.curve else 0 :]
        losses = {"train": np.mean(recent), "validation": evaluate(model, self.validation)}
        row = {"step": done} | {name: round(float(v), 6) for name, v in losses.items()}
        self.curve.append(row)
        if row["validation"] < self.best["validation"]:
            self.best = row | {"weights": copy.deepcopy(model.state_dict())}


def larger(corpus="shakespeare", steps=5000, points=40):
    """The larger model with its losses as it goes, judged once on the held-out text.

    The validation text, on which the best moment is chosen, is the last tenth of the
    training part. The held-out text is scored for that moment and for the end.
    """
    source = load_corpus(corpus)
    train_ids, held_out = source.split()
    watch = Watch(train_ids[int(0.9 * len(train_ids)) :], steps / points)
    started = time.process_time()
    model, history = train_larger(source, steps, watch)
    run = {
        "cell": "lstm",
        "seed": 0,
        "parameters": count_parameters(model),
        "cpu_seconds": round(time.process_time() - started),
        "curve": watch.curve,
        "last": judge(model, source, held_out) | {"step": steps},
        "first_losses": [round(x, 6) for x in history.step_loss[:FIRST]],
    }
    model.load_state_dict(watch.best["weights"])
    run["best"] = judge(model, source, held_out) | {"step": watch.best["step"]}
    return {"corpus": corpus, "model": LARGER, "recipe": LARGER_RECIPE, "runs": [run]}


def judge(model, corpus, held_out):
    """Held-out loss and a text, drawn with top-p 0.9."""
    return {
        "held_out": round(evaluate(model, held_out), 6),
        "text": generate(model, corpus.vocab, "\n", 600, top_p=0.9, seed=0),
    }


# How much text does a network need, and when does it overtake counting?
ORDERS = range(1, 8)


def train_amount(cell, corpus, amount, seed, steps, callback=None):
    """The reference recipe on the last ``amount`` characters of the training part."""
    source = load_corpus(corpus)
    text = source.split()[0][-amount:]
    model = build(cell, len(source.vocab), seed, **REFERENCE[cell])
    history = fit(
        model, text[: int(0.9 * amount)], steps=steps, seed=seed, device="cpu", callback=callback
    )
    return model, history


def count_amount(corpus, amount):
    """The n-gram of the order and smoothing that the last tenth of the text prefers."""
    source = load_corpus(corpus)
    train_ids, held_out = source.split()
    text, cut = train_ids[-amount:], int(0.9 * amount)
    models = [
        NGram(order, len(source.vocab), smoothing).fit(text[:cut])
        for order in ORDERS
        for smoothing in ("kneser-ney", "witten-bell")
    ]
    best = min(models, key=lambda model: evaluate(model, text[cut:]))
    names = {"amount": amount, "order": best.order, "smoothing": best.smoothing}
    return names | {"held_out": round(evaluate(best, held_out), 6)}


def amount(corpus="shakespeare", parts=(32, 16, 8, 4, 2, 1), seeds=(0, 1, 2), steps=1500):
    """Held-out loss against the amount of training text, for counting and for networks.

    Of each text the last tenth decides, which order an n-gram has and which moment of its
    training a network is judged at; the other nine tenths are counted, or trained on. All
    of the text is given ``steps`` updates, a quarter of it half as many, and so on.
    """
    train_ids, held_out = load_corpus(corpus).split()
    counted, runs = [], []
    for part in parts:
        size, updates = len(train_ids) // part, round(steps / math.sqrt(part))
        counted.append(count_amount(corpus, size))
        print(f"  {size} characters, n-gram: {counted[-1]['held_out']:.4f}", flush=True)
        for cell in ("rnn", "lstm", "transformer"):
            for seed in seeds:
                watch = Watch(train_ids[-size:][int(0.9 * size) :], updates / 30)
                model, history = train_amount(cell, corpus, size, seed, updates, watch)
                model.load_state_dict(watch.best["weights"])
                run = {"cell": cell, "seed": seed, "amount": size, "step": watch.best["step"]}
                run["held_out"] = round(evaluate(model, held_out), 6)
                run["first_losses"] = [round(x, 6) for x in history.step_loss[:FIRST]]
                runs.append(run)
                print(f"  {size}, {cell}, {seed}: {run['held_out']:.4f}", flush=True)
    return {"corpus": corpus, "steps": steps, "counted": counted, "runs": runs}


def tenths(corpus="tinyshakespeare", order=6, parts=(64, 32, 16, 8, 4, 2, 1)):
    """What each tenth of the training part is worth to a counter, and what its amount is.

    The held-out loss after counting all of it, with each order; all but one tenth, each in
    turn; and blocks of 1,000 characters taken evenly from everywhere, one in so many.
    """
    source = load_corpus(corpus)
    train_ids, _ = source.split()
    tenth = np.array_split(train_ids, 10)
    blocks = np.array_split(train_ids, len(train_ids) // 1000)
    by_order = [count_pieces(source, tenth, k) for k in ORDERS]
    score = partial(count_pieces, source, order=order)
    return {
        "corpus": corpus,
        "order": order,
        "all": [{"order": k, "held_out": x} for k, x in zip(ORDERS, by_order, strict=True)],
        "without": [score(tenth[:i] + tenth[i + 1 :]) for i in range(10)],
        "spread_out": [
            {"amount": sum(map(len, blocks[p // 2 :: p])), "held_out": score(blocks[p // 2 :: p])}
            for p in parts
        ],
        "runs": [{"cell": "n-gram", "seed": 0, "first_losses": by_order[:3]}],
    }


def count_pieces(source, pieces, order):
    """The held-out loss of an n-gram that has counted pieces of a corpus."""
    model = NGram(order, len(source.vocab)).fit(np.concatenate(pieces))
    return round(evaluate(model, source.split()[1]), 6)


# Three minutes on two cores. Size and rate were chosen on the last tenth of the training part.
QUICK = {"embed_size": 64, "hidden_size": 320, "cell": "lstm"}
QUICK_RECIPE = {"seq_len": 64, "batch_size": 32, "windows": "stream", "clip": 1.0}
QUICK_STEPS = 2800


def train_quick(corpus, steps, callback=None):
    """An LSTM with its state carried, the learning rate falling to zero over QUICK_STEPS."""
    train_ids, _ = corpus.split()
    torch.manual_seed(0)
    model = CharRNN(len(corpus.vocab), **QUICK)
    adam = torch.optim.Adam(model.parameters(), lr=5e-3, betas=(0.9, 0.99), fused=True)
    history = fit(
        model, train_ids, steps=steps, seed=0, device="cpu", optimizer=adam, callback=callback,
        schedule=lambda share: warm_up_and_decay(share * steps / QUICK_STEPS), **QUICK_RECIPE,
    )  # fmt: skip
    return model, history


def quick(corpus="tinyshakespeare"):
    """The loss that three minutes of training reach on two cores, held out and as one stream."""
    torch.set_num_threads(2)
    source = load_corpus(corpus)
    _, held_out = source.split()
    started = time.process_time()
    model, history = train_quick(source, QUICK_STEPS)
    run = {
        "cell": "lstm",
        "seed": 0,
        "parameters": count_parameters(model),
        "cpu_seconds": round(time.process_time() - started),
        "seconds": round(history.seconds),
        "train": round(float(np.mean(history.step_loss[-200:])), 6),
        "window_loss": round(evaluate(model, held_out, window=50), 6),
        **judge(model, source, held_out),
        "first_losses": [round(x, 6) for x in history.step_loss[:FIRST]],
    }
    return {"corpus": corpus, "model": QUICK, "recipe": QUICK_RECIPE, "runs": [run]}


# Carrying the state from batch to batch: windows in which order, of which length?
CHARACTERS = 3200  # in the batch of each update, whatever the length of its windows
CARRYING = [
    ("lstm", length, *way) for length in (50, 10) for way in (("disjoint", False), ("stream", True))
]
CONTROLS = [("lstm", 50, "stream", False), ("lstm", 10, "stream", False)]  # the order alone
CONTROLS += [("lstm", 10, "disjoint", True)]  # carried to where it does not belong
CONTROLS += [("rnn", 10, "disjoint", False), ("rnn", 10, "stream", True)]
SHIFTED = [("lstm", length, "shifted", True) for length in (50, 10)]
SHIFTED_CONTROLS = [("lstm", length, "shifted", False) for length in (50, 10)]
RESETS = [{"reset": share} for share in (0.0, 0.1, 0.3, 1.0)] + [{"handed_on": True}]
AFTER = (1, 2, 4, 8, 16, 32, 64, 128, 256)  # characters read before one is predicted
FURTHER, STRIDE = 200, 8  # shuffled characters before those; every eighth place of the text


def handed_on(state):
    """Row r + 1 goes on where row r stopped, (1, B, H) each; row 0 has nobody before it."""
    moved = [part.roll(1, dims=1).detach() for part in state]
    return tuple(part.index_fill(1, torch.tensor([0]), 0.0) for part in moved)


def some_reset(state, hit):
    """The state, (1, B, H) each, with zeros in the rows where ``hit`` (B,) is true."""
    return tuple(part.masked_fill(hit[:, None], 0.0).detach() for part in state)


def train_carrying(run, corpus, epochs=1, steps=None, callback=None):
    """The reference recipe with the order of the windows and the state as ``run`` has them.

    Returns the model, each update's loss, and seconds of processor time without ``callback``.
    """
    source = load_corpus(corpus)
    text = torch.as_tensor(source.split()[0])
    text = text[: int(0.9 * len(text))] if run.get("choosing") else text
    model = build(run["cell"], len(source.vocab), run["seed"])
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    order = torch.Generator().manual_seed(run["seed"])
    length, losses, seconds, state = run["seq_len"], [], 0.0, None
    for epoch in range(1, epochs + 1):
        started = time.process_time()
        state = handed_on(state) if run.get("handed_on") and state is not None else None
        windows, turned = run["windows"], text
        if windows == "shifted":  # the text as a circle, read from a new place in each epoch
            place = torch.randint(len(text), (), generator=order).item()
            windows, turned = "stream", text.roll(-place)
        batches = epoch_batches(turned, length, CHARACTERS // length, windows, order)
        for x, y in itertools.islice(batches, steps):
            state = state if run["carry"] else None
            if run.get("reset") and state is not None:
                state = some_reset(state, torch.rand(len(x), generator=order) < run["reset"])
            loss, _, state = train_step(model, x, y, optimizer, state=state)
            losses.append(loss)
        seconds += time.process_time() - started
        if callback is not None:
            callback(epoch, model)
    return model, losses, seconds


def carrying_state(
    main=CARRYING, controls=CONTROLS, corpus="shakespeare", seeds=range(5), epochs=30, every=5,
    context_on=None,
):  # fmt: skip
    """Windows shuffled or in order, the state dropped or carried; each scored both ways.

    The controls have the first three seeds. The useful context is measured for the two ways
    that make sense; with ``context_on``, for all, on so many held-out characters.
    """
    held_out = load_corpus(corpus).split()[1]
    runs = []
    for seed in seeds:
        for cell, length, windows, carry in main + (controls if seed in seeds[:3] else []):
            run = {"cell": cell, "seq_len": length, "windows": windows, "carry": carry}
            run |= {"seed": seed, "stream_loss": [], "window_loss": []}

            def look(epoch, model, run=run):
                if epoch % every == 0:
                    run["stream_loss"].append(round(evaluate(model, held_out), 6))
                    run["window_loss"].append(round(evaluate(model, held_out, window=50), 6))

            model, losses, cpu_seconds = train_carrying(run, corpus, epochs, callback=look)
            by_epoch = np.reshape(losses, (epochs, -1)).mean(axis=1)
            run["train_loss"] = [round(x, 6) for x in by_epoch]
            run["cpu_seconds"] = round(cpu_seconds, 2)
            if context_on or carry == (windows != "disjoint"):
                run["context"] = useful_context(model, held_out[:context_on])
            run["first_losses"] = [round(x, 6) for x in losses[:FIRST]]
            runs.append(run)
            both = f"{run['stream_loss'][-1]:.4f}, by windows {run['window_loss'][-1]:.4f}"
            print(f"  {cell}, {length}, {windows}, {carry}, seed {seed}: {both}", flush=True)
    return {
        "corpus": corpus,
        "epochs": list(range(every, epochs + 1, every)),
        "characters": CHARACTERS,
        "after": AFTER,
        "block": BLOCK,
        "runs": runs,
    }


def resets(corpus="shakespeare", seeds=range(3), epochs=10):
    """Streams of windows of 10 on nine tenths of the training part, scored on its last tenth.

    The state of a row is set to zero before a window with a probability, or handed on to the
    next row at the end of an epoch.
    """
    ids = load_corpus(corpus).split()[0]
    choosing = ids[int(0.9 * len(ids)) :]
    runs = []
    for way, seed in itertools.product(RESETS, seeds):
        run = {"cell": "lstm", "seq_len": 10, "windows": "stream", "carry": True}
        run |= {"choosing": True, "seed": seed, **way}
        model, losses, _ = train_carrying(run, corpus, epochs)
        run["stream_loss"] = round(evaluate(model, choosing), 6)
        run["window_loss"] = round(evaluate(model, choosing, window=50), 6)
        run["context"] = useful_context(model, choosing)
        run["first_losses"] = [round(x, 6) for x in losses[:FIRST]]
        runs.append(run)
        print(f"  {way}, seed {seed}: {run['stream_loss']}, {run['window_loss']}", flush=True)
    return {"corpus": corpus, "epochs": epochs, "after": AFTER, "block": BLOCK, "runs": runs}


def useful_context(model, ids):
    """What it costs if nothing, or shuffled text, came before the last so many characters.

    For each number in AFTER: nats more than with the whole text before, as (mean, low, high)
    of a block bootstrap over the held-out text.
    """
    ids = torch.as_tensor(ids)
    places = torch.arange(FURTHER, len(ids) - max(AFTER), STRIDE)[:, None]
    mixed = torch.rand(len(places), FURTHER, generator=torch.Generator().manual_seed(0)).argsort(1)
    starts = {"nothing": None, "shuffled": ids[places - FURTHER + mixed]}
    at = torch.tensor(AFTER)
    whole = character_losses(model, ids.numpy())[(places + at - 1).numpy()]
    found = {}
    for name, before in starts.items():
        losses = []
        for rows in torch.arange(len(places)).split(500):
            read, targets = ids[places[rows] + torch.arange(at[-1])], ids[places[rows] + at]
            with torch.no_grad():
                state = None
                if before is not None:
                    _, state = model.recurrent(model.embedding(before[rows]))
                h, _ = model.recurrent(model.embedding(read), state)  # (B, T, H)
                logits = model.output(h[:, at - 1])  # (B, len(AFTER), V)
            losses.append(F.cross_entropy(logits.transpose(1, 2), targets, reduction="none"))
        more = torch.cat(losses).numpy() - whole
        found[name] = [
            [round(x, 5) for x in block_bootstrap(np.mean, column, block=BLOCK // STRIDE)]
            for column in more.T
        ]
    return found


# A better recipe: the loss at which the reference ends, in half of its time or less.
HALF = {"epochs": 5}
DECAY = HALF | {"decay": True}
FAST = HALF | {"lr": 1e-2}
WAYS = {
    "reference": {"epochs": 10},
    "half as long": HALF,
    "rate falls to zero": HALF | {"decay": True},
    "rate 5e-3": HALF | {"lr": 5e-3},
    "rate 1e-2": FAST,
    "batches of 32": HALF | {"epochs": 4, "batch_size": 32},
    "random windows": HALF | {"windows": "random"},
    "streams": HALF | {"windows": "stream"},
    "orthogonal start": HALF | {"orthogonal": True},
    "forget gates opened": HALF | {"bias": 1},
    "rate 1e-2, falls": FAST | {"decay": True},
    "rate 2e-2, falls": HALF | {"lr": 2e-2, "decay": True},
    "rate 1e-2, batches of 32": FAST | {"epochs": 4, "batch_size": 32},
    "rate 1e-2, random windows": FAST | {"windows": "random"},
    "rate 1e-2, streams": FAST | {"windows": "stream"},
    "rate 1e-2, orthogonal": FAST | {"orthogonal": True},
    "rate 1e-2, batches of 32, orthogonal": FAST
    | {"epochs": 4, "batch_size": 32, "orthogonal": True},
}


def train_recipe(cell, corpus, seed, way, choosing=False, first_of=None):
    """One model in one of WAYS: history, seconds of processor time, loss on the text that judges.

    With ``first_of``, the number of updates of a stored run, its first few alone, unjudged.
    """
    more = dict(WAYS[way])
    source = load_corpus(corpus)
    train_ids, judge_ids = source.split()
    if choosing:
        cut = int(0.9 * len(train_ids))
        train_ids, judge_ids = train_ids[:cut], train_ids[cut:]
    model = build(cell, len(source.vocab), seed)
    if more.pop("orthogonal", False):
        for block in model.recurrent.weight_hh_l0.data.chunk(4 if cell == "lstm" else 3):
            torch.nn.init.orthogonal_(block)
    if bias := more.pop("bias", 0):
        open_forget_gate(model, bias)
    if more.pop("decay", False):
        part = FIRST / first_of if first_of else 1  # the rate depends on the length of the whole
        more["schedule"] = lambda share: warm_up_and_decay(share * part)
    if first_of:
        more["steps"] = FIRST
    started = time.process_time()
    history = fit(model, train_ids, seed=seed, device="cpu", **more)
    cpu_seconds = time.process_time() - started
    return history, cpu_seconds, None if first_of else evaluate(model, judge_ids)


def recipe(corpus="shakespeare"):
    """Each way alone and together on the choosing part; the best of them on the held-out text.

    The choice is made for each architecture, on the last tenth of the training part, by the
    mean of two seeds. The held-out text is read for the reference and the chosen way alone,
    with three other seeds.
    """
    runs = []

    def one(cell, seed, way, choosing):
        history, seconds, loss = train_recipe(cell, corpus, seed, way, choosing)
        run = {"cell": cell, "seed": seed, "way": way, "choosing": choosing}
        run |= {"updates": len(history.step_loss), "cpu_seconds": round(seconds, 3)}
        run |= {"loss": round(loss, 6)}
        runs.append(run | {"first_losses": [round(x, 6) for x in history.step_loss[:FIRST]]})
        print(f"  {cell}, {way}, {seed}: {loss:.4f} in {seconds:.1f} s", flush=True)
        return loss

    chosen = {}
    for cell in ("lstm", "gru"):
        ways = [way for way in WAYS if cell == "lstm" or "bias" not in WAYS[way]]
        mean = {way: np.mean([one(cell, seed, way, True) for seed in (0, 1)]) for way in ways}
        chosen[cell] = min(ways[1:], key=mean.get)
        for seed in (2, 3, 4):
            for way in ("reference", chosen[cell]):
                one(cell, seed, way, False)
    return {"corpus": corpus, "chosen": chosen, "ways": WAYS, "runs": runs}


# A text of one's own: how large a network, by the amount of text?
SIZES = (16, 32, 64, 128, 256)  # numbers that the state of an LSTM has
LOOK, PATIENCE, MOST = 20, 8, 4000  # updates between looks, looks without a gain, updates


def train_size(corpus, amount, hidden_size, seed, steps=MOST):
    """An LSTM on the last ``amount`` characters of the training part, until it worsens.

    The last tenth of them is looked at every LOOK updates (or each epoch, where that is
    longer); after PATIENCE looks without a new lowest loss, or ``steps`` updates, the best
    weights come back. Returns model, watch, history.
    """
    source = load_corpus(corpus)
    text = source.split()[0][-amount:]
    cut = int(0.9 * amount)
    model = build("lstm", len(source.vocab), seed, hidden_size=hidden_size)
    training = Training(model, text[:cut], steps=steps, seed=seed, device="cpu")
    watch = Watch(text[cut:], LOOK)
    with training.own_randomness():
        while not training.finished:
            for _ in training.rest_of_epoch():
                pass
            watch(None, model, training.history)
            looks = [row["validation"] for row in watch.curve]
            if looks and len(looks) - np.argmin(looks) > PATIENCE:
                break
    if watch.curve:
        model.load_state_dict(watch.best["weights"])
    return model, watch, training.history


def sizes(corpus="shakespeare", parts=(16, 4, 1), seeds=(0, 1)):
    """Held-out loss by the size of an LSTM and the amount of text, each stopped in time."""
    train_ids, held_out = load_corpus(corpus).split()
    runs = []
    for part, hidden_size, seed in itertools.product(parts, SIZES, seeds):
        size, started = len(train_ids) // part, time.process_time()
        model, watch, history = train_size(corpus, size, hidden_size, seed)
        run = {"cell": "lstm", "seed": seed, "amount": size, "hidden_size": hidden_size}
        run |= {"parameters": count_parameters(model), "updates": len(history.step_loss)}
        run |= {"step": watch.best["step"], "choosing": watch.best["validation"]}
        run |= {"held_out": round(evaluate(model, held_out), 6)}
        run |= {"cpu_seconds": round(time.process_time() - started, 1)}
        run |= {name: [row[name] for row in watch.curve] for name in ("train", "validation")}
        run["first_losses"] = [round(x, 6) for x in history.step_loss[:FIRST]]
        runs.append(run)
        print(f"  {size}, H {hidden_size}, {seed}: {run['held_out']:.4f} at {run['step']} of "
              f"{run['updates']}, {run['cpu_seconds']} s", flush=True)  # fmt: skip
    recipe = {"look": LOOK, "patience": PATIENCE, "most": MOST}
    return {"corpus": corpus, "recipe": recipe, "runs": runs}


# Verse, prose and code, as much of each as there is of austen.txt.
KINDS = ("small letter", "capital", "space", "line end", "indentation", "digit or sign")
KIND_STEPS = 600


def kinds(text):
    """For each character the place of its kind in KINDS; spaces that begin a line indent it."""
    found, before = [], KINDS.index("line end")
    for c in text:
        if c == " ":
            begins = before in (KINDS.index("line end"), KINDS.index("indentation"))
            kind = "indentation" if begins else "space"
        elif c == "\n":
            kind = "line end"
        elif c.isalpha():
            kind = "capital" if c.isupper() else "small letter"
        else:
            kind = "digit or sign"
        before = KINDS.index(kind)
        found.append(before)
    return np.array(found)


def three_texts():
    """Verse, prose and code of equal length: {name: text}; the code is Python's argparse."""
    prose = load_corpus("austen").text
    verse, code = load_corpus("shakespeare").text, inspect.getsource(argparse)
    return {"verse": verse[: len(prose)], "prose": prose, "code": code[: len(prose)]}


def train_text(text, seed, steps=KIND_STEPS, callback=None):
    """The reference LSTM on a text but its last tenth, of which the last tenth chooses."""
    vocab = Vocabulary(text)
    train_ids, held_out = split_ids(vocab.encode(text))
    cut = int(0.9 * len(train_ids))
    model = build("lstm", len(vocab), seed)
    if callback is not None:
        callback = callback(model, vocab, train_ids[cut:])
    history = fit(model, train_ids[:cut], steps=steps, seed=seed, device="cpu", callback=callback)
    return model, vocab, (train_ids[:cut], train_ids[cut:], held_out), history, callback


class WatchKinds(Watch):
    """A Watch of every epoch that also keeps the loss of each kind of character."""

    def __init__(self, model, vocab, choosing):
        super().__init__(choosing, 1)
        self.kinds = kinds(vocab.decode(choosing))[1:]
        self.by_kind = []
        self.look(model)

    def look(self, model):
        losses = character_losses(model, self.validation)
        share = [losses[self.kinds == k].mean() if (self.kinds == k).any() else None for k in
                 range(len(KINDS))]  # fmt: skip
        self.by_kind.append([x and round(float(x), 4) for x in share])

    def __call__(self, epoch, model, history):
        super().__call__(epoch, model, history)
        self.look(model)


def texts(seeds=(0, 1, 2)):
    """What an LSTM learns from verse, prose and code, and which kind of character first."""
    runs, counted = [], {}
    for name, text in three_texts().items():
        vocab = Vocabulary(text)
        sha256_of_text = hashlib.sha256(text.encode()).hexdigest()
        for seed in seeds:
            model, vocab, (train_ids, choosing, held_out), history, watch = train_text(
                text, seed, callback=WatchKinds
            )
            run = {"cell": "lstm", "seed": seed, "text": name, "sha256": sha256_of_text}
            run |= {"characters": len(text), "distinct": len(vocab)}
            run |= {"step": watch.best["step"], "choosing": watch.best["validation"]}
            for part in ("step", "train", "validation"):
                run[f"{part}s"] = [row[part] for row in watch.curve]
            run |= {
                "by_kind": watch.by_kind,
                "counts": np.bincount(watch.kinds, minlength=len(KINDS)).tolist(),
            }
            model.load_state_dict(watch.best["weights"])
            run["held_out"] = round(evaluate(model, held_out), 6)
            run |= blocks(model, held_out)
            run["written"] = generate(model, vocab, "\n", 400, top_p=0.9, seed=0)
            run["first_losses"] = [round(x, 6) for x in history.step_loss[:FIRST]]
            runs.append(run)
            print(f"  {name}, {seed}: {run['held_out']:.4f} at {run['step']}", flush=True)
        orders = [NGram(k, len(vocab)).fit(train_ids) for k in ORDERS]
        best = min(orders, key=lambda model: evaluate(model, choosing))
        counted[name] = {"order": best.order, "held_out": round(evaluate(best, held_out), 6)}
        frequencies = orders[0]
        counted[name]["frequencies"] = round(evaluate(frequencies, held_out), 6)
    return {"corpus": None, "kinds": KINDS, "block": BLOCK, "counted": counted, "runs": runs}


def losses_of(history):
    """What is stored of a ``History``."""
    kept = {"train_loss": history.train_loss, "val_loss": history.val_loss}
    kept["first_losses"] = history.step_loss[:FIRST]
    rounded = {name: [round(x, 6) for x in values] for name, values in kept.items()}
    return rounded


RUNS = {
    "curves": curves,
    "equal-parameters": partial(curves, {cell: EQUAL[cell] for cell in ("rnn", "gru")}),
    "two-layers": partial(curves, {"lstm": TWO_LAYERS}),
    "choosing": choosing,
    "longer": longer,
    "pace": pace,
    "amount-shakespeare": amount,
    "amount-tinyshakespeare": partial(amount, "tinyshakespeare", (64, 8, 1), (0,), 2500),
    "forget-bias": forget_bias,
    "recall": recall,
    "recall-transformer": partial(recall, (("transformer", 0),)),
    "larger-shakespeare": larger,
    "larger-tinyshakespeare": partial(larger, "tinyshakespeare"),
    "quick-tinyshakespeare": quick,
    "tenths-tinyshakespeare": tenths,
    "carrying-state": carrying_state,
    "recipe": recipe,
    "sizes": sizes,
    "three-texts": texts,
    "carrying-state-resets": resets,
    "carrying-state-shifted": partial(carrying_state, SHIFTED, SHIFTED_CONTROLS),
    "carrying-state-tinyshakespeare": partial(
        carrying_state, SHIFTED + SHIFTED_CONTROLS, [], "tinyshakespeare", range(3), 4, 2, 20_000
    ),
}


def repeat(name, run, corpus):
    """The first losses of one stored run, computed again; what a test compares."""
    if name.startswith("recall"):
        return train_recall(run["cell"], run["gap"], run["seed"], run["bias"], FIRST)[1]
    if name.startswith("carrying-state"):
        return train_carrying(run, corpus, steps=FIRST)[1]
    if name == "recipe":
        return train_recipe(
            run["cell"], corpus, run["seed"], run["way"], run["choosing"], run["updates"]
        )[0].step_loss
    if name == "sizes":
        more = run["amount"], run["hidden_size"], run["seed"]
        return train_size(corpus, *more, steps=FIRST)[2].step_loss
    if name == "three-texts":
        text = three_texts()[run["text"]]
        if hashlib.sha256(text.encode()).hexdigest() != run["sha256"]:
            raise OtherText(f"this Python's {run['text']} is another text than the stored run's")
        return train_text(text, run["seed"], FIRST)[3].step_loss
    if name.startswith("tenths"):  # the losses of the first orders
        source = load_corpus(corpus)
        return [count_pieces(source, [source.split()[0]], k) for k in (1, 2, 3)]
    if name.startswith("larger"):
        _, history = train_larger(load_corpus(corpus), FIRST)
    elif name.startswith("amount"):
        _, history = train_amount(run["cell"], corpus, run["amount"], run["seed"], FIRST)
    elif name.startswith("quick"):
        _, history = train_quick(load_corpus(corpus), FIRST)
    else:
        more = {"bias": run.get("bias", 0), "sizes": run.get("sizes"), "val": False}
        more["choosing"] = run.get("choosing", False)
        _, history = train(run["cell"], corpus, run["seed"], steps=FIRST, **more)
    return history.step_loss


def store(name):
    """Make one run and write its file, whole or not at all."""
    print(f"{name} ...", flush=True)
    code = stamps.stamp(RUNS[name])  # as it is before hours go by
    body = RUNS[name]()
    record = {
        "name": name,
        "command": f"python -m tools.runs.long_runs {name}",
        "date": datetime.date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "threads": torch.get_num_threads(),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
        "corpus_sha256": body["corpus"] and SOURCES[body["corpus"]].sha256,
        **body,
        "code": code,
    }
    RESULTS.mkdir(exist_ok=True)
    stamps.write(RESULTS / f"{name}.json", record)


def restamp(name):
    """Say that a stored result is that of the code as it is; its first losses are repeated."""
    path = RESULTS / f"{name}.json"
    if not path.is_file():
        sys.exit(f"there is no {path}: make it with `python -m tools.runs.long_runs {name}`")
    corpus = json.loads(path.read_text())["corpus"]
    try:
        stamps.restamp(path, lambda run: repeat(name, run, corpus), RUNS[name])
    except (ConnectionError, OtherText) as error:
        sys.exit(f"{name} cannot be repeated here: {error}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", choices=[[], *RUNS], metavar="NAME")
    parser.add_argument("--all", action="store_true", help="every run")
    parser.add_argument(
        "--restamp", action="store_true",
        help="the code has changed in a way that cannot move the numbers: repeat the first "
        "losses, and believe it",
    )  # fmt: skip
    options = parser.parse_args()
    names = list(RUNS) if options.all else options.names
    if not names:
        parser.error(f"name a run ({', '.join(RUNS)}) or say --all")
    for name in names:
        (restamp if options.restamp else store)(name)


if __name__ == "__main__":
    main()
