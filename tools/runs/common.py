"""What the long runs share: how one is declared, made, stored and repeated."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from helpers.corpus import load_corpus
from helpers.models import CharRNN, CharTransformer
from helpers.results import stored_run
from helpers.sampling import generate
from helpers.studies import protocol
from helpers.training import evaluate, fit, warm_up_and_decay
from tools.records import corpus_sha256, record, write_record

FIRST = 20  # losses of each model that a test repeats
TOLERANCE = 1e-4  # nats by which a loss may differ from machine to machine

RUNS = {}  # name -> LongRun


class NotHere(Exception):
    """The text of a run cannot be had here, or only in another form."""


@dataclass(frozen=True)
class LongRun:
    """How one stored result is made and repeated; see ``long_run``."""

    name: str
    train: Callable
    repeat: Callable
    plan: Callable | list
    corpus: str | None
    settings: dict
    summary: Callable | None
    threads: int
    options: dict = field(default_factory=dict)

    def configurations(self, finished=()):
        """Those of its models, one after the other; ``finished`` may grow meanwhile."""
        return self.plan(self.corpus, finished) if callable(self.plan) else iter(self.plan)

    def make(self):
        """Train all models -> the record."""
        torch.set_num_threads(self.threads)
        runs = []
        for configuration in self.configurations(runs):
            runs.append(configuration | self.train(configuration, self.corpus, **self.options))
            print(f"  {short(runs[-1])}", flush=True)
        summary = self.summary(self.corpus, runs) if self.summary else {}
        return record(self.name, self.settings | summary | {"runs": runs}, self.corpus)

    def differences(self, stored):
        """What in a stored record is not as this run would make it now: a list of sentences."""
        found = []
        if self.corpus is not None and stored.get("corpus_sha256") != corpus_sha256(self.corpus):
            found.append(f"it is of another edition of {self.corpus}")
        common = {"corpus": self.corpus, "threads": self.threads} | self.settings
        for key, value in as_stored(common).items():
            if stored.get(key) != value:
                found.append(f"{key} is {stored.get(key)!r}, not {value!r}")
        finished = []
        for wanted in self.configurations(finished):
            if len(finished) == len(stored["runs"]):
                found.append(f"it lacks {wanted}")
                break
            model = stored["runs"][len(finished)]
            given = {key: model.get(key) for key in wanted}
            if given != as_stored(wanted):
                found.append(f"it has {given}, not {wanted}")
            finished.append(model)
        for model in stored["runs"][len(finished) :]:
            found.append(f"nobody makes its {short(model)}")
        return found

    def first_losses(self, model):
        """The first losses of one of a record's models, computed again."""
        try:
            return self.repeat(model, self.corpus)[:FIRST]
        except ConnectionError as error:
            raise NotHere(f"its corpus cannot be had here: {error}") from error


def long_run(name, *, repeat, plan, corpus=None, settings=None, summary=None, threads=1, **options):
    """Declare that the decorated function makes the result ``name``, and how it is repeated.

    The function trains one model: (configuration, corpus, **options) -> what is stored of it
    beside its configuration, ``first_losses`` among it.

    repeat : (configuration, corpus) -> the first FIRST losses, or more
    plan : the configurations, or a function (corpus, models finished so far) that yields them;
        those of the first one's seed are repeated
    corpus : its name, or None where the run makes its own texts
    settings : what all models have in common, stored as it is
    summary : (corpus, models) -> what is stored about all of them together
    """

    def declare(train):
        RUNS[name] = LongRun(
            name, train, repeat, plan, corpus, settings or {}, summary, threads, options
        )
        return train

    return declare


def store(name):
    """Make one run and write its file, whole or not at all."""
    print(f"{name} ...", flush=True)
    write_record(RUNS[name].make())


def check(name):
    """Whether a stored result is that of the code as it is, as far as its first losses tell.

    Returns a list of sentences, empty where it is. Raises NotHere without its corpus.
    """
    run, stored = RUNS[name], stored_run(name)
    try:
        wrong = run.differences(stored)
    except ConnectionError as error:
        raise NotHere(f"its corpus cannot be had here: {error}") from error
    for model in repeated(stored):
        losses = run.first_losses(model)
        if not np.allclose(losses, model["first_losses"], rtol=0, atol=TOLERANCE):
            wrong.append(f"its first losses are others now: {short(model)}")
    return wrong


def repeated(stored):
    """The models of a record whose first losses are repeated: those of its first seed."""
    return [model for model in stored["runs"] if model["seed"] == stored["runs"][0]["seed"]]


def short(model):
    """The numbers and words of a stored model, without its lists."""
    kept = {k: v for k, v in model.items() if isinstance(v, bool | int | float | str)}
    return ", ".join(f"{k} {v}" for k, v in kept.items() if len(str(v)) < 30)


def as_stored(value):
    """A value as JSON gives it back."""
    return json.loads(json.dumps(value))


# Models and training


def build(cell, vocab_size, seed, **sizes):
    """A model of the named architecture whose first weights are fixed by ``seed``."""
    torch.manual_seed(seed)
    if cell == "transformer":
        return CharTransformer(vocab_size, **sizes)
    return CharRNN(vocab_size, cell=cell, **sizes)


def open_forget_gate(model, bias):
    """Add ``bias`` to the forget gate's rows of an LSTM's first bias vector."""
    hidden = model.config["hidden_size"]
    with torch.no_grad():
        model.recurrent.bias_ih_l0[hidden : 2 * hidden] += bias


def updates(training):
    """Make all updates of a ``Training``, in its own randomness; yield the loss of each."""
    with training.own_randomness():
        while not training.finished:
            yield from training.rest_of_epoch()


# State carried, for runs whose learning rate is warmed up and falls to zero.
STREAM = {"seq_len": 64, "batch_size": 32, "windows": "stream", "clip": 1.0}


def train_stream(model, ids, lr, whole, steps=None, seed=0):
    """All of ``whole`` updates as STREAM says, or the first ``steps`` of them -> history."""
    steps = whole if steps is None else steps
    adam = torch.optim.Adam(model.parameters(), lr=lr, betas=(0.9, 0.99), fused=True)
    return fit(
        model, ids, steps=steps, seed=seed, device="cpu", optimizer=adam, progress=False,
        schedule=lambda share: warm_up_and_decay(share * steps / whole), **STREAM,
    )  # fmt: skip


# What is stored


def first_losses(step_loss):
    return {"first_losses": rounded(step_loss[:FIRST])}


def rounded(values, digits=6):
    return [round(float(x), digits) for x in values]


def stored_blocks(losses):
    """Losses of plays -> the means of their blocks, as they are stored: a list for each play."""
    return [rounded(play, 4) for play in protocol.block_means(losses)]


def judge(model, corpus, held_out):
    """Held-out loss and a text, drawn with top-p 0.9."""
    return {
        "held_out": round(evaluate(model, held_out), 6),
        "text": generate(model, load_corpus(corpus).vocab, "\n", 600, top_p=0.9, seed=0),
    }
