"""The protocol of the experiments on the plays: what is scored, how often, and how surely.

Every choice (order, width, rate, when to stop) is made on the validation plays. The test plays
are scored once, for the table, each as a stream of its own. An interval has both sources of
chance in it: other seeds, and other text of the same plays.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from ..models import CharTransformer, evaluating
from ..support.plays import TEST, VALIDATION

BLOCK = 1000  # characters, far more than the losses' autocorrelation reaches
CHOOSING = 15_000  # the first characters of each validation play, where choices are made
PIECE = 500  # characters read at a time


def plays(corpus, names, limit=None):
    """The ids of some plays, or of the first ``limit`` characters of each: a list of (N,)."""
    spans = (corpus.plays[name] for name in names)
    return [corpus.vocab.encode(corpus.text[a:b][:limit]) for a, b in spans]


def validation_plays(corpus):
    """What choices are made on: the first CHOOSING characters of each validation play."""
    return plays(corpus, VALIDATION, CHOOSING)


def test_plays(corpus):
    """The four test plays, whole."""
    return plays(corpus, TEST)


test_plays.__test__ = False  # for pytest, which would take it for a test


def side_by_side(texts):
    """Ids, a list of (N,), as the rows of one batch; what is short ends with zeros."""
    rows = torch.zeros(len(texts), max(map(len, texts)), dtype=torch.long)
    for row, ids in zip(rows, texts, strict=True):
        row[: len(ids)] = torch.as_tensor(ids)
    return rows


def play_losses(model, texts):
    """The loss of each target of some texts, each one stream from a zero state.

    The texts are read side by side, as rows of one batch: ids, a list of (N,) -> nats, a list
    of (N - 1,). ``helpers.training.character_losses`` gives the same for one of them.
    """
    rows = side_by_side(texts)
    length = rows.shape[1] - 1
    losses, state = torch.empty(len(texts), length), None
    with evaluating(model), torch.no_grad():
        for start in range(0, length, PIECE):
            part = rows[:, start : start + PIECE + 1]
            logits, state = model(part[:, :-1], state)
            nats = torch.nn.functional.cross_entropy(
                logits.transpose(1, 2), part[:, 1:], reduction="none"
            )
            losses[:, start : start + PIECE] = nats
    return [row[: len(ids) - 1].double().numpy() for row, ids in zip(losses, texts, strict=True)]


def mean_loss(losses):
    """The mean over all characters of all plays."""
    return float(np.concatenate(losses).mean())


def block_means(losses):
    """Losses of plays, a list of (N,) -> a list, per play, of the means of its whole blocks."""
    return [x[: len(x) // BLOCK * BLOCK].reshape(-1, BLOCK).mean(axis=1) for x in losses]


def interval(means, others=None):
    """The mean loss of an architecture, or by how much another's is higher: estimate, low, high.

    means : block means of each of S seeds: [seed][play], arrays (blocks of the play,)
    others : the same of what it is compared with, on the same blocks; of one "seed" where it
        has none, as an n-gram model. The difference is others - means.

    95 per cent by Student's t. The variance is that of the seeds on either side plus that of the
    blocks within plays, and the degrees of freedom are Satterthwaite's (1946). A bootstrap of
    three seeds would not do: its limits are the smallest and the largest of the three, which
    have the mean of all seeds between them in three cases of four.
    """
    ours, theirs = _by_seed(means), None if others is None else _by_seed(others)
    difference = [play.mean(axis=0) for play in ours]
    parts = [_seed_variance(ours)]  # pairs: variance, degrees of freedom
    if theirs is not None:
        difference = [y.mean(axis=0) - x for x, y in zip(difference, theirs, strict=True)]
        parts.append(_seed_variance(theirs))
    blocks = sum(map(len, difference))
    spread = sum(len(play) * play.var(ddof=1) for play in difference) / blocks**2
    parts.append((spread, blocks - len(difference)))
    variance = sum(part for part, _ in parts)
    doubt = sum(part**2 / df for part, df in parts if df)
    half = t_quantile(variance**2 / doubt) * math.sqrt(variance) if doubt else 0.0
    estimate = sum(play.sum() for play in difference) / blocks
    return float(estimate), float(estimate - half), float(estimate + half)


def _seed_variance(plays):
    """[play] arrays (S, blocks) -> variance of the mean over seeds, degrees of freedom."""
    by_seed = np.concatenate(plays, axis=1).mean(axis=1)
    seeds = len(by_seed)
    return (by_seed.var(ddof=1) / seeds, seeds - 1) if seeds > 1 else (0.0, 0)


def t_quantile(df):
    """What Student's t with ``df`` degrees of freedom is below with a probability of 0.975."""
    scale = math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2)) / math.sqrt(df * math.pi)
    x = np.linspace(0, 100, 100_001)
    density = scale * (1 + x**2 / df) ** (-(df + 1) / 2)
    below = 0.5 + np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) / 2) * x[1]])
    return float(np.interp(0.975, below, x))


def _by_seed(means):
    """[seed][play] -> [play] arrays (S, blocks)."""
    return [np.stack([np.asarray(seed[i]) for seed in means]) for i in range(len(means[0]))]


def multiplications(model):
    """Multiplications that a model needs to read one character.

    One per weight of each matrix that a vector goes through (the embedding is looked up), and
    for a Transformer two per number of each of the positions that a layer attends to. What is
    done entry by entry is left out. Training takes about three times as many.
    """
    looked_up = model.embedding.weight
    found = sum(p.numel() for p in model.parameters() if p.dim() == 2 and p is not looked_up)
    if isinstance(model, CharTransformer):
        sizes = model.config
        found += 2 * sizes["context"] * sizes["embed_size"] * sizes["num_layers"]
    return found
