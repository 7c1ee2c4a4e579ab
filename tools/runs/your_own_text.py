"""The runs of *A text of your own*: how large a network, and what different texts teach it."""

import argparse
import hashlib
import inspect
import itertools
import time

from helpers.corpus import Vocabulary, character_kinds, load_corpus, split_ids
from helpers.models import count_parameters
from helpers.ngram import NGram
from helpers.sampling import generate
from helpers.training import character_losses, evaluate, fit
from tools.runs.common import (
    BLOCK,
    FIRST,
    NotHere,
    Validation,
    blocks,
    build,
    first_losses,
    long_run,
    nine_tenths,
)

# How large a network, by the amount of text?
SIZES = (16, 32, 64, 128, 256)  # numbers that the state of an LSTM has
EVAL_EVERY, PATIENCE, MOST = 20, 8, 4000  # updates, evaluations without a gain, updates


def train_size(configuration, corpus, steps=MOST):
    """An LSTM on the last ``amount`` characters of the training part, until it worsens.

    The last tenth of them is scored every EVAL_EVERY updates (or each epoch, where that is
    longer); after PATIENCE evaluations without a new lowest loss, or ``steps`` updates, the
    best weights come back. Returns model, validation, history.
    """
    source, seed = load_corpus(corpus), configuration["seed"]
    text, validation_ids = nine_tenths(source.split()[0][-configuration["amount"] :])
    model = build("lstm", len(source.vocab), seed, hidden_size=configuration["hidden_size"])
    validation = Validation(validation_ids, EVAL_EVERY, PATIENCE)
    history = validation.fit(model, text, steps=steps, seed=seed, device="cpu")
    validation.restore_best(model)
    return model, validation, history


def sizes_by_amount(corpus, finished):
    whole = len(load_corpus(corpus).split()[0])
    for part, hidden_size, seed in itertools.product((16, 4, 1), SIZES, (0, 1)):
        size = {"amount": whole // part, "hidden_size": hidden_size}
        yield {"cell": "lstm", "seed": seed, **size}


@long_run(
    "sizes",
    repeat=lambda configuration, corpus: train_size(configuration, corpus, FIRST)[2].step_loss,
    plan=sizes_by_amount,
    settings={"recipe": {"look": EVAL_EVERY, "patience": PATIENCE, "most": MOST}},
)
def sizes(configuration, corpus):
    """Held-out loss by the size of an LSTM and the amount of text, each stopped in time."""
    _, held_out = load_corpus(corpus).split()
    started = time.process_time()
    model, validation, history = train_size(configuration, corpus)
    found = {"parameters": count_parameters(model), "updates": len(history.step_loss)}
    found |= {"step": validation.best["step"], "choosing": validation.best["validation"]}
    found |= {"held_out": round(evaluate(model, held_out), 6)}
    found |= {"cpu_seconds": round(time.process_time() - started, 1)}
    found |= {name: [row[name] for row in validation.curve] for name in ("train", "validation")}
    return found | first_losses(history.step_loss)


# Verse, prose and code, as much of each as there is of austen.txt.
KINDS = {
    "small letter": r"[^\W\d_]",
    "capital": r"[A-Z]",
    "space": r" ",
    "line end": r"\n",
    "indentation": r"(?m)^ +",  # spaces that begin a line
}
OTHER = "digit or sign"
STEPS = 600
ORDERS = range(1, 8)


def three_texts():
    """Verse, prose and code of equal length: {name: text}; the code is Python's argparse."""
    prose = load_corpus("austen").text
    verse, code = load_corpus("excerpts").text, inspect.getsource(argparse)
    return {"verse": verse[: len(prose)], "prose": prose, "code": code[: len(prose)]}


def text_parts(name):
    """One of the texts -> its vocabulary, and its ids for training, validation and test."""
    text = three_texts()[name]
    vocab = Vocabulary(text)
    train_ids, held_out = split_ids(vocab.encode(text))
    return vocab, *nine_tenths(train_ids), held_out


def train_text(configuration, steps=STEPS, callback=None):
    """The reference LSTM on a text without its validation and test part -> model, history."""
    vocab, train_ids, _, _ = text_parts(configuration["text"])
    model = build("lstm", len(vocab), configuration["seed"])
    seed = configuration["seed"]
    if callback is not None:
        callback(0, model, None)
    history = fit(model, train_ids, steps=steps, seed=seed, device="cpu", callback=callback)
    return model, history


class ValidationByKind(Validation):
    """A Validation of every epoch that also keeps the loss of each kind of character, from
    before the first update on."""

    def __init__(self, ids, vocab):
        super().__init__(ids, 1)
        text = vocab.decode(ids)
        self.kinds = {kind: mask[1:] for kind, mask in character_kinds(text, KINDS, OTHER).items()}
        self.by_kind = []

    def __call__(self, epoch, model, history):
        if history is not None:
            super().__call__(epoch, model, history)
        losses = character_losses(model, self.ids)
        self.by_kind.append(
            [round(float(losses[k].mean()), 4) if k.any() else None for k in self.kinds.values()]
        )


def repeat_text(stored, corpus):
    text = three_texts()[stored["text"]]
    if hashlib.sha256(text.encode()).hexdigest() != stored["sha256"]:
        raise NotHere(f"this Python's {stored['text']} is another text than the stored run's")
    return train_text(stored, FIRST)[1].step_loss


def count_texts(corpus, models):
    """Held-out losses of frequencies, and of the n-gram model that the validation set prefers."""
    counted = {}
    for name in three_texts():
        vocab, train_ids, validation_ids, held_out = text_parts(name)
        by_order = [NGram(k, len(vocab)).fit(train_ids) for k in ORDERS]
        best = min(by_order, key=lambda model: evaluate(model, validation_ids))
        counted[name] = {
            "order": best.order,
            "held_out": round(evaluate(best, held_out), 6),
            "frequencies": round(evaluate(by_order[0], held_out), 6),
        }
    return {"counted": counted}


@long_run(
    "three-texts",
    repeat=repeat_text,
    plan=[
        {"cell": "lstm", "seed": seed, "text": text}
        for text in ("verse", "prose", "code")
        for seed in range(3)
    ],
    corpus=None,
    settings={"kinds": [*KINDS, OTHER], "block": BLOCK},
    summary=count_texts,
)
def texts(configuration, corpus):
    """What an LSTM learns from verse, prose and code, and which kind of character first."""
    text = three_texts()[configuration["text"]]
    vocab, _, validation_ids, held_out = text_parts(configuration["text"])
    validation = ValidationByKind(validation_ids, vocab)
    model, history = train_text(configuration, callback=validation)
    validation.restore_best(model)
    found = {"sha256": hashlib.sha256(text.encode()).hexdigest()}
    found |= {"characters": len(text), "distinct": len(vocab)}
    found |= {"step": validation.best["step"], "choosing": validation.best["validation"]}
    for part in ("step", "train", "validation"):
        found[f"{part}s"] = [row[part] for row in validation.curve]
    found["by_kind"] = validation.by_kind
    found["counts"] = [int(mask.sum()) for mask in validation.kinds.values()]
    found["held_out"] = round(evaluate(model, held_out), 6)
    found |= blocks(model, held_out)
    found["written"] = generate(model, vocab, "\n", 400, top_p=0.9, seed=0)
    return found | first_losses(history.step_loss)
