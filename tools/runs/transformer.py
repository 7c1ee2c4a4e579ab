"""The run of *A small Transformer*: strings that are repeated."""

import time

import torch
from torch.nn import functional as F

from helpers.models import count_parameters
from helpers.training import train_step, warm_up_and_decay
from tools.runs.common import (
    FIRST,
    build,
    first_losses,
    long_run,
    rounded,
)

SEEDS = (1, 2, 3)

# A random string of 4 to 24 letters, over and over. The numbers of updates give each kind the
# same processor time, by the median of six rounds in which the kinds took turns.
LETTERS, LENGTH, SHORTEST, LONGEST, BATCH = 26, 64, 4, 24, 32
TWO = {"embed_size": 64, "num_heads": 4, "num_layers": 2, "context": LENGTH}
KINDS = {
    "transformer": ("transformer", TWO, 400),
    "one block": ("transformer", TWO | {"num_layers": 1}, 760),
    "lstm": ("lstm", {"embed_size": 32, "hidden_size": 140}, 630),
}
SHOWN = 20  # letters of the strings along which the loss is stored


def repeated_strings(size, generator, shortest=SHORTEST, longest=LONGEST):
    """Texts (size, LENGTH + 1) of a string that is repeated, and the strings' lengths (size, 1)."""
    letters = torch.randint(LETTERS, (size, longest), generator=generator)
    length = torch.randint(shortest, longest + 1, (size, 1), generator=generator)
    return letters.gather(1, torch.arange(LENGTH + 1) % length), length


def train_repeating(configuration, steps=None):
    """Train on repeated strings -> model, losses; ``steps`` updates of them if given."""
    kind, lr, seed = (configuration[key] for key in ("kind", "lr", "seed"))
    cell, sizes, updates = KINDS[kind]
    model = build(cell, LETTERS, seed, **sizes)
    adam = torch.optim.AdamW(
        model.parameters(), lr=lr, betas=(0.9, 0.99), weight_decay=0.01, fused=True
    )
    generator, losses = torch.Generator().manual_seed(seed), []
    for step in range(updates if steps is None else steps):
        adam.param_groups[0]["lr"] = lr * warm_up_and_decay(step / updates)
        texts, _ = repeated_strings(BATCH, generator)
        loss, _, _ = train_step(model, texts[:, :-1], texts[:, 1:], adam, clip=1.0)
        losses.append(loss)
    return model, losses


def nats_of(model, texts):
    """The loss of each letter of texts (N, LENGTH + 1) but the first: (N, LENGTH)."""
    with torch.no_grad():
        logits = model.eval()(texts[:, :-1])[0].transpose(1, 2)
        return F.cross_entropy(logits, texts[:, 1:], reduction="none")


@long_run(
    "repeated-strings",
    repeat=lambda configuration, corpus: train_repeating(configuration, FIRST)[1],
    plan=[
        {"kind": kind, "seed": seed, "lr": 3e-3}
        for seed in SEEDS
        for kind in ("transformer", "lstm")
    ]
    + [{"kind": "one block", "seed": SEEDS[0], "lr": 3e-3}]
    # A second learning rate for the LSTM, which is better than the first.
    + [{"kind": "lstm", "seed": seed, "lr": 1e-2} for seed in SEEDS],
    settings={"letters": LETTERS, "shortest": SHORTEST, "longest": LONGEST, "shown": SHOWN},
)
def repeating(configuration, corpus):
    """Loss on new texts: at each place after a string of SHOWN letters, and of second copies
    by the length of the string. The first letter of a copy, a guess at best, is left out."""
    started = time.process_time()
    model, losses = train_repeating(configuration)
    seconds, generator = time.process_time() - started, torch.Generator().manual_seed(0)
    by_place = nats_of(model, repeated_strings(1000, generator, SHOWN, SHOWN)[0]).mean(dim=0)
    texts, length = repeated_strings(2000, generator)
    nats, place = nats_of(model, texts), torch.arange(1, LENGTH + 1)
    second = (place > length) & (place < 2 * length)
    lengths = range(SHORTEST, LONGEST + 1)
    return {
        "parameters": count_parameters(model),
        "cpu_seconds": round(seconds, 1),
        "first_copy": round(nats[place < length].mean().item(), 4),
        "second_copy": round(nats[second].mean().item(), 4),
        "by_place": rounded(by_place, 4),
        "by_length": rounded([nats[second & (length == n)].mean() for n in lengths], 4),
    } | first_losses(losses)
