"""The runs of *What we were told and what we measured*: what only its claims need.

The main case of each claim was written down before the run, in commit afb7200. The networks are
the reference recipe on *Coriolanus* but for what an arm changes:

networks : RNN and LSTM as they are; after ten epochs their gates and how far back their guesses
    depend on the text, after thirty what they write
without input, without forget, without output : the LSTM with that gate held at 1 in training
relu : the RNN with ReLU in place of tanh, gradients not clipped
clamped, free : Karpathy's min-char-rnn, each entry of the gradient of a window's summed loss
    clamped at 5 or not
"""

import copy
import functools
import re

import numpy as np
import torch
from torch.nn import functional as F

from helpers.gates import positions, record_gates
from helpers.models import evaluating
from helpers.sampling import generate
from helpers.studies import protocol
from helpers.studies.held import hold_gate, hold_unit
from helpers.support.plays import TEST
from helpers.training import TrainingDiverged, fit
from tools.runs.common import FIRST, build, first_losses, long_run, rounded
from tools.runs.course import CURVE, PLAY, SEEDS, all_plays, play_and_curve
from tools.runs.gates import loss, pieces, places_in_line

GATES_AT, TEXTS_AT = 10, 30  # epochs
TEMPERATURES, TEXTS, LENGTH, SAME = (0.5, 1.0, 1.5), 10, 2000, 8  # SAME: characters that recur
PAST, KEPT, PLACES = 100, (5, 10, 20, 30, 50), 300
PLAN = [
    {"arm": arm, "cell": cell, "seed": seed}
    for seed in SEEDS[:3]
    for arm, cell in (
        ("networks", "rnn"), ("networks", "lstm"), ("without input", "lstm"),
        ("without forget", "lstm"), ("without output", "lstm"), ("relu", "rnn"),
        ("clamped", "rnn"), ("free", "rnn"),
    )
]  # fmt: skip


# Training


def begin(configuration):
    """A model before its first update."""
    arm, cell, seed = (configuration[key] for key in ("arm", "cell", "seed"))
    if arm in ("clamped", "free"):
        return small_start(seed)
    model = build(cell, len(all_plays().vocab), seed)
    if arm.startswith("without"):
        hold_gate(model, arm.removeprefix("without "), 1.0)
    if arm == "relu":
        model.recurrent.nonlinearity = "relu"
        model.recurrent.mode = "RNN_RELU"  # what nn.RNN(nonlinearity="relu") sets
    return model


def small_start(seed, hidden=100):
    """The network of min-char-rnn: characters as one-hot vectors, weights of 0.01, one bias."""
    V = len(all_plays().vocab)
    model = build("rnn", V, seed, embed_size=V, hidden_size=hidden)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(0, 0.01) if weight.dim() == 2 else weight.zero_()
        model.embedding.weight.copy_(torch.eye(V))
    for fixed in (model.embedding.weight, model.recurrent.bias_hh_l0):
        fixed.requires_grad_(False)
    return model


def train_small(model, limit, steps=4000, length=25):
    """The loop of min-char-rnn -> losses per character, the largest entry of each gradient, and
    the state in which it ends.

    One window after the other with the state carried on; Adagrad at 0.1 on the summed loss, as
    PyTorch has it (Karpathy's adds 1e-8 before the root, not after it).
    """
    text = torch.as_tensor(play_and_curve()[0]).long()
    learned = [p for p in model.parameters() if p.requires_grad]
    adagrad = torch.optim.Adagrad(learned, lr=0.1, eps=1e-8)
    losses, largest, state = [], [], None
    for start in range(0, steps * length, length):
        x, y = text[None, start : start + length], text[start + 1 : start + length + 1]
        logits, state = model(x, state)
        state = state.detach()
        loss = F.cross_entropy(logits[0], y, reduction="sum")
        adagrad.zero_grad()
        loss.backward()
        largest.append(max(p.grad.abs().max().item() for p in learned))
        if limit is not None:
            torch.nn.utils.clip_grad_value_(learned, limit)
        adagrad.step()
        losses.append(loss.item() / length)
    return losses, largest, state


def repeat(configuration, corpus):
    """The first losses of a model."""
    model, arm = begin(configuration), configuration["arm"]
    if arm in ("clamped", "free"):
        return train_small(model, 5.0 if arm == "clamped" else None, steps=FIRST)[0]
    clip, seed = None if arm == "relu" else 5.0, configuration["seed"]
    return fit(
        model, play_and_curve()[0], steps=FIRST, seed=seed, clip=clip, device="cpu",
        progress=False,
    ).step_loss  # fmt: skip


@long_run(
    "claims",
    corpus="shakespeare",
    repeat=repeat,
    plan=PLAN,
    settings={"play": PLAY, "curve": CURVE, "temperatures": TEMPERATURES, "kept": KEPT},
    summary=lambda corpus, models: {"pages": pages()},
)
def claims(configuration, corpus):
    """One model of one arm, and what the page reads of it."""
    model, arm = begin(configuration), configuration["arm"]
    if arm in ("clamped", "free"):
        losses, largest, state = train_small(model, 5.0 if arm == "clamped" else None)
        found = {"beyond_5": round(float(np.mean(np.array(largest) > 5)), 6)}
        found["largest"] = round(max(largest), 3)
        found["train"] = round(float(np.mean(losses[-500:])), 6)
        found["from_state"] = round(loss_from(model, state), 6)
        return found | tested(model) | first_losses(losses)
    found, networks = {}, arm == "networks"
    if networks:
        found["untrained_gates"] = gates_of(model) if configuration["cell"] == "lstm" else None

    def after_epoch(epoch, model, history):
        if networks and epoch == GATES_AT:
            found["apart"], found["windows"] = apart(model), in_windows(model)
            if configuration["cell"] == "lstm":
                found["gates"], found["line"] = gates_of(model), line_unit(model)
        if networks and epoch == TEXTS_AT:
            found["texts"] = {str(t): written(model, t) for t in TEMPERATURES}

    try:
        history = fit(
            model, play_and_curve()[0], epochs=TEXTS_AT if networks else GATES_AT,
            seed=configuration["seed"], clip=None if arm == "relu" else 5.0, device="cpu",
            progress=False, callback=after_epoch,
        )  # fmt: skip
    except TrainingDiverged as error:
        history = error.history
        found["diverged_at"] = len(history.step_loss)
    found["longest_gradient"] = round(max(history.grad_norm), 4)
    scored = {} if networks else tested(model)  # `reference` has those of the networks
    if arm.startswith("without"):
        scored["windows"] = in_windows(model)
    return found | scored | first_losses(history.step_loss)


def tested(model):
    """Loss on the test plays; None where it is no number."""
    losses = protocol.play_losses(model, protocol.test_plays(all_plays()))
    test = protocol.mean_loss(losses)
    return {"test": round(test, 6) if np.isfinite(test) else None}


def in_windows(model):
    """Loss at the beginnings of the test plays in windows of 50, as long as those of training."""
    return round(loss(model, pieces().view(-1, 50)), 6)


def loss_from(model, state):
    """Loss at the beginnings of the test plays, each read as one stream from a state (1, 1, H).

    Training of `train_small` carries its state on and begins but once with zeros: after that,
    a network need not know what to do with them.
    """
    rows = pieces().view(len(TEST), -1)
    with evaluating(model), torch.no_grad():
        logits, _ = model(rows[:, :-1], state.expand(-1, len(rows), -1).contiguous())
        return F.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten()).item()


# What is measured of a network


def gates_of(model, characters=8000):
    """By how much each unit's gate differs between kinds of position, at the beginning of the
    test plays: two lists (H,)."""
    corpus = all_plays()
    ids = corpus.split_by_plays()[2][:characters]
    gates, where = record_gates(model, ids), positions(corpus.vocab.decode(ids))

    def difference(gate, kind, other):
        values = getattr(gates, gate)
        return rounded(values[where[kind]].mean(axis=0) - values[where[other]].mean(axis=0), 4)

    return {
        "forget, inside a word - space": difference("forget", "inside a word", "space"),
        "input, first letter - inside a word": difference("input", "first letter", "inside a word"),
    }


def line_unit(model, others=10):
    """The unit whose cell state follows the place in the line best on the validation text, ten
    others that were drawn, and what holding h at its mean costs at the line breaks of the test
    plays, for every unit: ``costs`` (H,)."""
    rows, ids = pieces(), play_and_curve()[1]
    recorded, place = record_gates(model, ids), places_in_line(ids)
    follows = np.array([np.corrcoef(c, place)[0, 1] for c in recorded.c.T])
    unit, means = int(np.abs(follows).argmax()), recorded.h.mean(axis=0)
    ends = rows[:, 1:] == int(all_plays().vocab.encode("\n")[0])

    def at_breaks(model):
        with evaluating(model), torch.no_grad():
            logits = model(rows[:, :-1])[0].transpose(1, 2)
            return F.cross_entropy(logits, rows[:, 1:], reduction="none")[ends].mean().item()

    free, units = at_breaks(model), np.arange(len(means))
    drawn = np.random.default_rng(0).choice(np.delete(units, unit), others, replace=False)
    held = (at_breaks(hold_unit(copy.deepcopy(model), k, float(means[k]))) for k in units)
    return {
        "unit": unit,
        "r": round(float(follows[unit]), 4),
        "free": round(free, 6),
        "costs": rounded((x - free for x in held), 5),
        "others": sorted(map(int, drawn)),
    }


def apart(model):
    """Mean total variation distance of the guesses after two pasts and the same last k
    characters, for each k of KEPT."""
    ids = torch.as_tensor(all_plays().split_by_plays()[2][:40_000]).long()
    ends = torch.linspace(200, len(ids) - 1, PLACES).long()[:, None]
    found = []
    for k in KEPT:
        own = ids[ends + torch.arange(-k - PAST, 0)]  # (PLACES, PAST + k)
        other = torch.cat([own[:, :PAST].roll(1, dims=0), own[:, PAST:]], dim=1)
        with evaluating(model):
            p, q = (model(rows)[0][:, -1].softmax(dim=1) for rows in (own, other))
        found.append((p - q).abs().sum(dim=1).mean().item() / 2)
    return rounded(found, 7)


def written(model, temperature):
    """The counts of texts that a network writes."""
    vocab = all_plays().vocab
    new = generate(model, vocab, ["\n\n"] * TEXTS, LENGTH, temperature, seed=1)
    return counts([text[2:] for text in new])


def pages():
    """The same counts of the beginnings of the test plays, cut into texts of the same length."""
    plays = protocol.test_plays(all_plays())
    decode = all_plays().vocab.decode
    starts = range(0, TEXTS * LENGTH, LENGTH)
    return counts([decode(play[i : i + LENGTH]) for play in plays for i in starts])


def words_of(text):
    return re.findall(r"[a-z']+", text.lower())


@functools.cache
def known():
    """The words of the training plays, and their triples of characters: two sets."""
    corpus = all_plays()
    text = corpus.vocab.decode(corpus.split_by_plays()[0])
    return set(words_of(text)), {text[i : i + 3] for i in range(len(text) - 2)}


def counts(texts):
    """Means over texts: the shares of words and of triples of characters that the training plays
    have, and of strings of SAME characters that occurred before in the same text."""
    words, triples = known()
    rows = []
    for text in texts:
        same = [text[i : i + SAME] for i in range(len(text) - SAME + 1)]
        three = [text[i : i + 3] for i in range(len(text) - 2)]
        rows.append((
            np.mean([word in words for word in words_of(text)]),
            1 - len(set(same)) / len(same),
            np.mean([t not in triples for t in three]),
        ))  # fmt: skip
    return dict(zip(("real_words", "repeated", "new_triples"), rounded(np.mean(rows, 0), 5),
                    strict=True))  # fmt: skip
