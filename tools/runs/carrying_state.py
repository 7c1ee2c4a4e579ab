"""The runs of *Carrying the state*: in which order windows are read, where they are cut, and
what the network begins each with.

Question: does a network that is trained on windows predict better if its state is carried from
one window to the next? Held equal: text, updates, characters in an update, first weights.
Could have said no: each of order, borders and state is changed alone, and a network of shuffled
windows reads some characters before each window without learning from them.
"""

import functools
import itertools

import torch
from torch.nn import functional as F

from helpers.studies import protocol
from helpers.training import epoch_batches, train_step
from tools.runs.common import FIRST, build, first_losses, long_run, rounded, stored_blocks
from tools.runs.course import PLAY, all_plays, play_and_curve

SEEDS, EPOCHS, CHARACTERS = (1, 2, 3), 5, 1600  # characters predicted in an update
BURN_IN = 20  # characters read before a window, where nothing is learned
SCORED, WINDOW = 40_000, 50  # characters of each test play; from zero, for the windowed loss
SHUFFLED, FURTHEST = 200, 128  # characters: how many are shuffled, and how many are not at most
NAMES = ("length", "order", "borders", "state")
EIGHT = [(10, *way) for way in itertools.product(
    ("shuffled", "in order"), ("fixed", "moving"), ("zero", "carried")
)]  # fmt: skip
WAYS = [*EIGHT, (10, "shuffled", "moving", "burn-in")]
WAYS += [
    (50, "shuffled", "moving", "zero"), (50, "in order", "moving", "zero"),
    (50, "in order", "moving", "carried"), (50, "shuffled", "moving", "burn-in"),
]  # fmt: skip


@functools.cache
def tests():
    """The first characters of each test play: a list of (SCORED,)."""
    return [torch.as_tensor(ids[:SCORED]).long() for ids in protocol.test_plays(all_plays())]


def train_way(configuration, epochs=EPOCHS, steps=None):
    """The reference LSTM, on *Coriolanus* as a configuration has it -> model, losses.

    With moving borders the play is a circle, read from a new place in each epoch.
    """
    length, order, borders, start = (configuration[name] for name in NAMES)
    text = torch.as_tensor(play_and_curve()[0]).long()
    model = build("lstm", len(all_plays().vocab), configuration["seed"])
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, fused=True)
    chance = torch.Generator().manual_seed(configuration["seed"])
    windows, losses = {"shuffled": "disjoint", "in order": "stream"}[order], []
    for _ in range(epochs):
        places, state = torch.arange(len(text)), None
        if borders == "moving":
            places = places.roll(torch.randint(len(text), (), generator=chance).item())
        batches = epoch_batches(places, length, CHARACTERS // length, windows, chance)
        for x, y in itertools.islice(batches, steps):
            if start == "burn-in":
                before = text[x[:, :1] - torch.arange(BURN_IN, 0, -1)]
                with torch.no_grad():
                    state = model.recurrent(model.embedding(before))[1]
            elif start == "zero":
                state = None
            loss, _, state = train_step(model, text[x], text[y], optimizer, state=state)
            losses.append(loss)
    return model, losses


def windowed(model, texts):
    """The losses of texts in windows of WINDOW, each from zero: as ``protocol.play_losses``."""
    found = []
    for ids in texts:
        ends = len(ids) - 1 - (len(ids) - 1) % WINDOW
        rows = ids[:ends].view(-1, WINDOW), ids[1 : ends + 1].view(-1, WINDOW)
        with torch.no_grad():
            parts = [
                F.cross_entropy(model(x)[0].transpose(1, 2), y, reduction="none")
                for x, y in zip(rows[0].split(500), rows[1].split(500), strict=True)
            ]
        found.append(torch.cat(parts).flatten().double().numpy())
    return found


def beyond(model, texts, streamed):
    """Nats more than as a stream if all further back than k characters is shuffled, k from 1.

    Mean over places FURTHEST apart, and over k from a power of two up to the next.
    """
    chance, more = torch.Generator().manual_seed(0), []
    for ids, losses in zip(texts, streamed, strict=True):
        places = torch.arange(SHUFFLED, len(ids) - FURTHEST, FURTHEST)[:, None]
        mixed = torch.rand(len(places), SHUFFLED, generator=chance).argsort(dim=1)
        with torch.no_grad():
            state = model.recurrent(model.embedding(ids[places - SHUFFLED + mixed]))[1]
            at = places + torch.arange(FURTHEST)
            logits = model(ids[at], state)[0].transpose(1, 2)
            nats = F.cross_entropy(logits, ids[at + 1], reduction="none")
        more.append(nats.double() - torch.as_tensor(losses)[at])
    mean = torch.cat(more).mean(dim=0)  # (FURTHEST,)
    return rounded(mean[2**i - 1 : 2 ** (i + 1) - 1].mean() for i in range(8))


@long_run(
    "carrying-state",
    corpus="shakespeare",
    repeat=lambda configuration, corpus: train_way(configuration, epochs=1, steps=FIRST)[1],
    plan=[dict(zip(NAMES, way, strict=True)) | {"seed": seed} for seed in SEEDS for way in WAYS],
    settings={
        "play": PLAY, "epochs": EPOCHS, "characters": CHARACTERS, "burn_in": BURN_IN,
        "scored": SCORED, "window": WINDOW,
    },
)  # fmt: skip
def carrying_state(configuration, corpus):
    """One training, scored on the test plays as streams and in windows."""
    model, losses = train_way(configuration)
    found = {"train": rounded(torch.tensor(losses).view(EPOCHS, -1).mean(dim=1))}
    streamed = protocol.play_losses(model, tests())
    for name, scored in (("stream", streamed), ("windows", windowed(model, tests()))):
        found[f"test_{name}"] = round(protocol.mean_loss(scored), 6)
        found[f"test_blocks_{name}"] = stored_blocks(scored)
    if configuration["borders"] == "moving":
        found["beyond"] = beyond(model, tests(), streamed)
    return found | first_losses(losses)
