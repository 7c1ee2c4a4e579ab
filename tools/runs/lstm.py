"""Recall of a character by small networks, as they start and with opened forget gates."""

import torch

from tools.runs.common import (
    FIRST,
    build,
    first_losses,
    long_run,
    open_forget_gate,
)

# Recall: remember the first of so many characters while as many others go by.
LETTERS, QUESTION = 8, 8  # eight letters; a ninth character asks for the first one
UPDATES = 1000
SMALL = {"embed_size": 16, "hidden_size": 64}


def recall_batch(size, gap, generator):
    """Texts (size, gap + 1) of ``gap`` random letters and the question; the answers (size,)."""
    letters = torch.randint(LETTERS, (size, gap), generator=generator)
    question = torch.full((size, 1), QUESTION)
    return torch.cat([letters, question], dim=1), letters[:, 0]


def train_recall(configuration, updates=UPDATES):
    """Train on recall -> (share of 512 new questions answered, losses)."""
    cell, seed, gap = (configuration[key] for key in ("cell", "seed", "gap"))
    model = build(cell, LETTERS + 1, seed, **SMALL)
    if configuration["bias"]:
        open_forget_gate(model, configuration["bias"])
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


@long_run(
    "recall",
    repeat=lambda configuration, corpus: train_recall(configuration, FIRST)[1],
    plan=[
        {"cell": cell, "bias": bias, "gap": gap, "seed": seed}
        for gap in (5, 20, 50)
        for cell, bias in (("rnn", 0), ("lstm", 0), ("lstm", 3), ("gru", 0))
        for seed in range(5)
    ],
    settings={"updates": UPDATES, "chance": 1 / LETTERS},
)
def recall(configuration, corpus):
    """Recall after so many characters."""
    share, losses = train_recall(configuration)
    return {"recalled": share} | first_losses(losses)
