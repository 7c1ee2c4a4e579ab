"""The lowest loss on the test plays that a given time of one core reaches, all training plays."""

import time

import numpy as np
import torch

from helpers.corpus import load_corpus
from helpers.models import count_parameters, evaluating, predict
from helpers.ngram import NGram
from helpers.sampling import generate
from helpers.studies import protocol
from helpers.training import Training, warm_up_and_decay
from tools.runs.amount import REPEATED, Dropped, first_of
from tools.runs.common import long_run, rounded, stored_blocks, updates
from tools.runs.muon import muon_for

RECIPE = {"seq_len": 64, "windows": "stream", "clip": 1.0}
MIXTURES = ("mixture", "mixture by length", "mixture by confidence")
ORDER, WEIGHTS = 7, np.linspace(0, 1, 21)  # of the n-gram model; of the network in a mixture


def begin(configuration):
    """The network of one time budget, and its training as far as it has not begun."""
    corpus = load_corpus("shakespeare")
    torch.manual_seed(configuration["seed"])
    sizes = configuration["sizes"].values()
    model = Dropped(len(corpus.vocab), *sizes, around=configuration["dropout"])
    training = Training(
        model, corpus.split_by_plays()[0], steps=configuration["steps"],
        seed=configuration["seed"], device="cpu", optimizer=optimizer(model, configuration),
        schedule=warm_up_and_decay, batch_size=configuration["batch_size"], **RECIPE,
    )  # fmt: skip
    return model, training


def optimizer(model, configuration):
    """Adam for one rate; for two, Muon at the first and AdamW at the second."""
    lr = configuration["lr"]
    if isinstance(lr, float):
        return torch.optim.Adam(model.parameters(), lr=lr, betas=(0.9, 0.99), fused=True)
    return muon_for(model, model.recurrent, *lr, weight_decay=configuration["decay"])


def read(model, texts):
    """What a model makes of some texts, each one stream: ids, a list of (N,) -> two lists of
    (N - 1,), the nats of each target and the logarithm of the highest probability beside it."""
    rows = protocol.side_by_side(texts).numpy()
    length = rows.shape[1] - 1
    nats, highest, state = np.empty((len(texts), length)), np.empty((len(texts), length)), None
    with evaluating(model), torch.no_grad():
        for start in range(0, length, protocol.PIECE):
            part = rows[:, start : start + protocol.PIECE + 1]
            logits, state = predict(model, part[:, :-1], state)  # (texts, PIECE, V)
            total = np.logaddexp.reduce(logits, axis=-1)
            target = np.take_along_axis(logits, part[:, 1:, None], axis=-1)[..., 0]
            nats[:, start : start + protocol.PIECE] = total - target
            highest[:, start : start + protocol.PIECE] = logits.max(axis=-1) - total
    ends = [len(ids) - 1 for ids in texts]
    return [[row[:end] for row, end in zip(x, ends, strict=True)] for x in (nats, highest)]


def known_lengths(counted, ids):
    """Ids (N,) -> how many of the characters before each target were counted together (N - 1,).

    Up to the model's order, one more than it looks at.
    """
    ids, found = ids.astype(np.int64), np.zeros(len(ids) - 1, dtype=int)
    for length, (codes, _) in enumerate(counted.counts, start=1):
        powers = counted.vocab_size ** np.arange(length - 1, -1, -1)
        windows = np.lib.stride_tricks.sliding_window_view(ids[:-1], length)
        found[length - 1 :] += np.isin(windows @ powers, codes)
    return found


def thirds(highest, limits):
    """The logarithms of two models' highest probabilities, plays as lists -> 0 to 8: in which
    third each of the two is, by the limits (2,) of either."""
    return [
        3 * np.digitize(one, limits[0]) + np.digitize(other, limits[1])
        for one, other in zip(*highest, strict=True)
    ]


def mixed(nats, classes, weights):
    """Nats of a mixture of two models, plays as lists: ([one, other], the class of each
    character, the weight of the first model for each class)."""
    return [
        -np.log(weights[k] * np.exp(-one) + (1 - weights[k]) * np.exp(-other))
        for one, other, k in zip(*nats, classes, strict=True)
    ]


def weights_for(nats, classes):
    """For each class the one of WEIGHTS with the lowest loss on its characters (classes,)."""
    tried = [
        np.concatenate(mixed(nats, classes, np.full(9, weight))) for weight in WEIGHTS
    ]  # (21, characters)
    classes = np.concatenate(classes)
    totals = [np.bincount(classes, losses, minlength=9) for losses in tried]  # (21, 9)
    return WEIGHTS[np.argmin(totals, axis=0)]


# Sizes are of the embedding and of the LSTM. The hour reads all plays four times, and needs
# dropout and decay against overfitting. Muon did not pay in ten minutes.
TEN_MINUTES = {
    "seed": 42, "steps": 2300, "batch_size": 32, "lr": 4e-3, "dropout": 0.0,
    "sizes": {"embed_size": 64, "hidden_size": 512, "cell": "lstm"},
}  # fmt: skip
HOUR = {
    "seed": 42, "steps": 4000, "batch_size": 64, "lr": (0.02, 4e-3), "decay": 0.05,
    "dropout": 0.15, "sizes": {"embed_size": 64, "hidden_size": 640, "cell": "lstm"},
}  # fmt: skip


def best(configuration, corpus, mixtures):
    """A network, an n-gram model and their ``mixtures``, the first of MIXTURES or all. The
    validation plays choose the weight for all characters, or for each class of them (Jelinek and
    Mercer 1980): by how many characters before it were counted together, or by how sure the two
    models are."""
    source = load_corpus(corpus)
    started = time.process_time()
    model, training = begin(configuration)
    for _ in updates(training):
        if training.done % 200 == 0:
            latest = np.mean(training.history.step_loss[-200:])
            print(f"    {training.done} {latest:.4f} {time.process_time():.0f}", flush=True)
    history = training.history
    trained = time.process_time()
    counted = NGram(ORDER, len(source.vocab)).fit(source.split_by_plays()[0])
    counting = time.process_time()
    texts = {
        "validation": protocol.validation_plays(source), "test": protocol.test_plays(source)
    }  # fmt: skip
    found = {
        "parameters": count_parameters(model),
        "multiplications": protocol.multiplications(model),
        "cpu_seconds": round(trained - started),
        "counting_seconds": round(counting - trained, 1),
        "train": round(float(np.mean(history.step_loss[-200:])), 6),
    }
    found |= score(model, counted, texts, mixtures)
    found["scoring_seconds"] = round(time.process_time() - counting)
    found["text"] = generate(model, source.vocab, "\n", 800, temperature=0.8, seed=42)
    return found | {"first_losses": rounded(history.step_loss[:REPEATED])}


def score(model, counted, texts, mixtures):
    """What is stored of network, n-gram model and mixtures; weights are chosen on the first of
    the two groups of texts."""
    nats, classes, limits = {}, {}, None
    for name, some in texts.items():
        nats[name], highest = zip(read(model, some), read(counted, some), strict=True)
        if limits is None:
            limits = [np.quantile(np.concatenate(x), (1 / 3, 2 / 3)) for x in highest]
        every = (
            [np.zeros(len(x), dtype=int) for x in nats[name][0]],
            [known_lengths(counted, ids) for ids in some],
            thirds(highest, limits),
        )
        classes[name] = dict(zip(mixtures, every, strict=False))
    choosing = next(iter(texts))
    found = {"limits": [rounded(x) for x in limits], "weights": {}}
    for kind, some in classes[choosing].items():
        found["weights"][kind] = weights_for(nats[choosing], some)
    for name in texts:
        losses = {"network": nats[name][0], "n-gram": nats[name][1]}
        for kind, weights in found["weights"].items():
            losses[kind] = mixed(nats[name], classes[name][kind], weights)
        found[name] = {kind: round(protocol.mean_loss(x), 6) for kind, x in losses.items()}
    found[f"{name}_blocks"] = {kind: stored_blocks(x) for kind, x in losses.items()}
    found["weights"] = {
        kind: rounded(weights[: 1 + max(x.max() for x in classes[choosing][kind])], 2)
        for kind, weights in found["weights"].items()
    }
    return found


for name, configuration, mixtures in (
    ("best-in-ten-minutes", TEN_MINUTES, MIXTURES[:1]), ("best-in-an-hour", HOUR, MIXTURES),
):  # fmt: skip
    long_run(
        name, corpus="shakespeare", plan=[configuration], mixtures=mixtures,
        repeat=lambda configuration, corpus: first_of(begin(configuration)[1]),
        settings={"recipe": RECIPE, "order": ORDER},
    )(best)  # fmt: skip
