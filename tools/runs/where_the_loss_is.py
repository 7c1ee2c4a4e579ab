"""The run of *Where is the loss?*: where LSTMs that were trained on windows, and on a stream, pay.

Question: at which places is a network better than an n-gram model, and at which worse? The two
kinds of training differ in nothing but whether the state is carried on, so that what a short
window cannot teach shows as their difference. Everything else is the reference recipe of the
lessons, on *Coriolanus*.
"""

import functools

import numpy as np
import torch

from helpers.models import evaluating
from helpers.studies import protocol
from helpers.studies import where_the_loss_is as where
from helpers.support.plays import TEST
from helpers.training import fit
from tools.runs.common import FIRST, build, first_losses, long_run, rounded
from tools.runs.course import PLAY, all_plays, play_and_curve

SEEDS, EPOCHS = (42, 1, 2), 10
SHOWN = {"play": "king-lear", "characters": 5000}  # whose single losses are stored, first seed


@functools.cache
def tests():
    """Of each test play: its ids, its text, its labels and its repeated new words."""
    corpus = all_plays()
    training_text, found = corpus.vocab.decode(play_and_curve()[0]), []
    for ids in protocol.test_plays(corpus):
        text = corpus.vocab.decode(ids)
        found.append((ids, text, where.labels(text), where.repeats(text, training_text)))
    return found


def train(configuration, epochs=EPOCHS, steps=None):
    model = build("lstm", len(all_plays().vocab), configuration["seed"])
    history = fit(
        model, play_and_curve()[0], epochs=epochs, steps=steps, device="cpu", progress=False,
        windows=configuration["windows"], seed=configuration["seed"],
    )  # fmt: skip
    return model, history


def repeat(configuration, corpus):
    return train(configuration, steps=FIRST)[1].step_loss


def three_losses(model, texts):
    """Of each target of some texts: its loss, the loss of the question whether a word goes on,
    and the probability of a line break. ids, a list of (N,) -> a list of (3, N - 1)."""
    vocab = all_plays().vocab
    letter = torch.tensor([char.isalpha() or char == "'" for char in vocab.chars])
    line_break = vocab.encode("\n")[0]
    rows, state, found = protocol.side_by_side(texts), None, []
    with evaluating(model):
        for start in range(0, rows.shape[1] - 1, protocol.PIECE):
            part = rows[:, start : start + protocol.PIECE + 1]
            logits, state = model(part[:, :-1], state)
            log_p, came = torch.log_softmax(logits, dim=2), part[:, 1:]
            goes_on = log_p.exp()[:, :, letter].sum(dim=2).clamp(1e-9, 1 - 1e-7)
            said = torch.where(letter[came], goes_on, 1 - goes_on)
            own = log_p.gather(2, came[:, :, None])[:, :, 0]
            found.append(torch.stack([-own, -said.log(), log_p[:, :, line_break].exp()], dim=1))
    found = torch.cat(found, dim=2).double().numpy()
    return [row[:, : len(ids) - 1] for row, ids in zip(found, texts, strict=True)]


@long_run(
    "where-the-loss-is",
    corpus="shakespeare",
    repeat=repeat,
    plan=[{"windows": w, "seed": s} for s in SEEDS for w in ("disjoint", "stream")],
    settings={"play": PLAY, "epochs": EPOCHS, "block": where.BLOCK, "shown": SHOWN},
)
def where_the_loss_is(configuration, corpus):
    """One network: sums of its losses on the test plays by label, each play a list.

    ``repeats``: the costs of each repeated new word where it stood first, and where it stands
    now. ``loss``: in hundredths of a nat.
    """
    model, history = train(configuration)
    found = {key: [] for key in ("place", "end", "kind", "column", "repeats")}
    of_plays = three_losses(model, [ids for ids, *_ in tests()])
    for (loss, end, line_break), (_, _, labels, repeats) in zip(of_plays, tests(), strict=True):
        by_place = where.sums(loss, labels.place, len(where.PLACES))
        found["place"].append([rounded(row, 2) for row in by_place])
        by_place = where.sums(end, labels.place, len(where.PLACES))
        found["end"].append([rounded(row, 2) for row in by_place])
        kinds = where.sums(loss, labels.kind, len(where.CLASSES))
        found["kind"].append(rounded(kinds.sum(axis=1), 2))
        columns = np.clip(labels.column, -1, where.LAST_COLUMN) + 1
        columns = where.sums(line_break, columns, where.LAST_COLUMN + 2)
        found["column"].append(rounded(columns.sum(axis=1), 3))
        costs = [[where.word_cost(loss, at, r.word) for at in (r.first, r.now)] for r in repeats]
        found["repeats"].append([rounded(when, 1) for when in zip(*costs, strict=True)])
    if configuration["seed"] == SEEDS[0]:
        loss = of_plays[TEST.index(SHOWN["play"])][0][: SHOWN["characters"]]
        found["loss"] = np.round(100 * loss).astype(int).tolist()
    found["test"] = round(protocol.mean_loss([loss for loss, *_ in of_plays]), 6)
    return found | first_losses(history.step_loss)
