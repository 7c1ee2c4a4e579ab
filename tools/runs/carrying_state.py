"""The runs of *Carrying the state*: windows in which order, of which length?"""

import itertools
import time

import numpy as np
import torch
from torch.nn import functional as F

from helpers.corpus import load_corpus
from helpers.statistics import block_bootstrap
from helpers.training import character_losses, epoch_batches, evaluate, train_step
from tools.runs.common import BLOCK, FIRST, build, first_losses, long_run, parts, rounded

CHARACTERS = 3200  # in the batch of each update, whatever the length of its windows
# Architecture, length of the windows, their order, whether the state is carried.
MAIN = [
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


def train_carrying(configuration, corpus, epochs=1, steps=None, callback=None):
    """The reference recipe with windows and state as a configuration has them.

    Returns the model, each update's loss, and seconds of processor time without ``callback``.
    """
    run = configuration
    text = torch.as_tensor(parts(corpus, run.get("choosing", False))[0])
    model = build(run["cell"], len(load_corpus(corpus).vocab), run["seed"])
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    order = torch.Generator().manual_seed(run["seed"])
    length, losses, seconds, state = run["seq_len"], [], 0.0, None
    for epoch in range(1, epochs + 1):
        started = time.process_time()
        state = handed_on(state) if run.get("handed_on") and state is not None else None
        windows, rotated = run["windows"], text
        if windows == "shifted":  # the text as a circle, read from a new place in each epoch
            start = torch.randint(len(text), (), generator=order).item()
            windows, rotated = "stream", text.roll(-start)
        batches = epoch_batches(rotated, length, CHARACTERS // length, windows, order)
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


def repeat_carrying(configuration, corpus):
    return train_carrying(configuration, corpus, steps=FIRST)[1]


def over_seeds(ways, controls=(), seeds=range(5)):
    """Configurations of ways to train; the controls have the first three seeds."""
    names = ("cell", "seq_len", "windows", "carry")
    return [
        dict(zip(names, way, strict=True)) | {"seed": seed}
        for seed in seeds
        for way in [*ways, *(controls if seed < 3 else ())]
    ]


def settings(epochs, eval_every):
    at = list(range(eval_every, epochs + 1, eval_every))
    return {"epochs": at, "characters": CHARACTERS, "after": AFTER, "block": BLOCK}


@long_run(
    "carrying-state", repeat=repeat_carrying, plan=over_seeds(MAIN, CONTROLS),
    settings=settings(30, 5),
)  # fmt: skip
@long_run(
    "carrying-state-shifted", repeat=repeat_carrying, plan=over_seeds(SHIFTED, SHIFTED_CONTROLS),
    settings=settings(30, 5),
)  # fmt: skip
@long_run(
    "carrying-state-tinyshakespeare", repeat=repeat_carrying, corpus="tinyshakespeare",
    plan=over_seeds(SHIFTED + SHIFTED_CONTROLS, seeds=range(3)),
    settings=settings(4, 2), epochs=4, eval_every=2, context_on=20_000,
)  # fmt: skip
def carrying_state(configuration, corpus, epochs=30, eval_every=5, context_on=None):
    """Windows shuffled or in order, the state dropped or carried; each scored both ways.

    The useful context is measured for the two ways that make sense; with ``context_on``, for
    all, on so many held-out characters.
    """
    held_out = load_corpus(corpus).split()[1]
    found = {"stream_loss": [], "window_loss": []}

    def evaluate_both(epoch, model):
        if epoch % eval_every == 0:
            found["stream_loss"].append(round(evaluate(model, held_out), 6))
            found["window_loss"].append(round(evaluate(model, held_out, window=50), 6))

    model, losses, seconds = train_carrying(configuration, corpus, epochs, callback=evaluate_both)
    found["train_loss"] = rounded(np.reshape(losses, (epochs, -1)).mean(axis=1))
    found["cpu_seconds"] = round(seconds, 2)
    if context_on or configuration["carry"] == (configuration["windows"] != "disjoint"):
        found["context"] = useful_context(model, held_out[:context_on])
    return found | first_losses(losses)


STREAMS = {"cell": "lstm", "seq_len": 10, "windows": "stream", "carry": True, "choosing": True}
EPOCHS = 10


@long_run(
    "carrying-state-resets", repeat=repeat_carrying,
    plan=[STREAMS | {"seed": seed} | way for way in RESETS for seed in range(3)],
    settings={"epochs": EPOCHS, "after": AFTER, "block": BLOCK},
)  # fmt: skip
def resets(configuration, corpus):
    """Streams of windows of 10 on nine tenths of the training part, scored on its last tenth.

    The state of a row is set to zero before a window with a probability, or handed on to the
    next row at the end of an epoch.
    """
    validation_ids = parts(corpus, choosing=True)[1]
    model, losses, _ = train_carrying(configuration, corpus, EPOCHS)
    return {
        "stream_loss": round(evaluate(model, validation_ids), 6),
        "window_loss": round(evaluate(model, validation_ids, window=50), 6),
        "context": useful_context(model, validation_ids),
        **first_losses(losses),
    }


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
            rounded(block_bootstrap(np.mean, column, block=BLOCK // STRIDE), 5) for column in more.T
        ]
    return found
