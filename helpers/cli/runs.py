"""A training as a folder, which can be stopped at any moment and gone on with.

    text.ids, text.json      the text, encoded once (``helpers.cli.encoded``)
    checkpoint.json, weights-….safetensors, training-….safetensors
                             model, vocabulary, settings; what the next update needs
    metrics.jsonl            a line every ten updates; one with the held-out loss and a
                             sample at each evaluation
    training.lock            while a process trains here (``helpers.cli.lock``)

A checkpoint is written at the start, at each evaluation, at the end and when training is
asked to stop. Whatever happens between two of them, the earlier one is whole, and going on from
it gives bit for bit what an uninterrupted training gives.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_type_hints

import numpy as np
import torch

from .. import checkpoint
from ..checkpoint import CheckpointError
from ..models import CharRNN, CharTransformer, count_parameters
from ..sampling import generate
from ..support.arguments import whole_number
from ..support.files import UNFINISHED, write_whole
from ..support.progress import progress_bar
from ..training import batches_per_epoch, evaluate, warm_up_and_decay
from . import encoded, lock
from .processes import ALONE
from .resume import ResumableTraining

METRICS = "metrics.jsonl"
NEW_TEXT = "new-text"  # the folder in which a text is encoded before it takes its place
OURS = (
    checkpoint.DESCRIPTION, *(f"{part}-*.safetensors" for part in checkpoint.PARTS),
    encoded.IDS, encoded.DESCRIPTION, METRICS, NEW_TEXT, lock.NAME, f"*{UNFINISHED}",
)  # fmt: skip
LOG_EVERY = 10  # updates
EVALUATED = 50_000  # characters of the held-out text, at most, whose loss is measured on the way
SAMPLE = 200  # characters
DEFAULT_WINDOW = 50  # characters, unless a Transformer sees more
MOST_CHARACTERS = 2**16  # distinct ones; the largest writing systems use a fraction
SCHEDULES = {"constant": None, "decay": warm_up_and_decay}
FORMER_NAMES = {"every": "eval_every"}  # of settings, in checkpoints of the first edition
OF_RNN, OF_TRANSFORMER = ("hidden_size",), ("num_heads", "context")


@dataclass(frozen=True)
class Settings:
    """What is trained and how; ``None`` for a size is the model's own default."""

    cell: str = "lstm"
    embed_size: int | None = None
    hidden_size: int | None = None
    num_layers: int | None = None
    num_heads: int | None = None
    context: int | None = None
    dropout: float = 0.0
    steps: int = 2000
    seq_len: int | None = None  # 50, or the Transformer's context where that is more
    batch_size: int = 64
    windows: str = "disjoint"
    lr: float = 3e-3
    clip: float | None = 5.0
    schedule: str = "constant"
    seed: int = 42
    hold_out: float = 0.1
    eval_every: int = 500
    prompt: str | None = None

    def check(self, processes=ALONE):
        """Raise ValueError for what cannot be, whatever the text."""
        if self.prompt == "":
            raise ValueError("the prompt is empty: leave --prompt out, or give some characters")
        processes.check_batch(self.batch_size)
        self.model(2)

    def check_text(self, text):
        """Raise ValueError for an EncodedText that cannot be trained on with these settings."""
        if len(text.vocab) > MOST_CHARACTERS:
            raise ValueError(
                f"the text has {len(text.vocab):,} distinct characters, and each guess would be a "
                f"number for every one of them; more than {MOST_CHARACTERS:,} are not taken. Let "
                "those that occur a few times only be one symbol: --rare 5"
            )
        if self.prompt is not None:
            text.vocab.encode(self.prompt)
        train_ids, _ = text.split(self.hold_out)
        batches_per_epoch(len(train_ids), self.window(self.model(2)), self.batch_size)

    def window(self, model):
        """The characters in a training window of a model."""
        context = model.config.get("context", 0)
        return max(DEFAULT_WINDOW, context) if self.seq_len is None else self.seq_len

    def model(self, vocab_size):
        """The untrained model, its weights fixed by the seed."""
        transformer = self.cell == "transformer"
        wrong = OF_RNN if transformer else OF_TRANSFORMER
        if given := [name for name in wrong if getattr(self, name) is not None]:
            raise ValueError(f"{', '.join(given)} is no size of the cell {self.cell!r}")
        names = ("embed_size", "num_layers", *(OF_TRANSFORMER if transformer else OF_RNN))
        sizes = {n: getattr(self, n) for n in names if getattr(self, n) is not None}
        torch.manual_seed(self.seed)
        if transformer:
            return CharTransformer(vocab_size, dropout=self.dropout, **sizes)
        if 0 < self.dropout < 1 and sizes.get("num_layers", 1) == 1:
            raise ValueError("dropout acts between layers: it needs num_layers of at least 2")
        return CharRNN(vocab_size, cell=self.cell, dropout=self.dropout, **sizes)

    def training(self, model, train_ids, processes):
        """The training of a model of these settings, at its beginning."""
        whole_number("eval_every", self.eval_every)
        return ResumableTraining(
            model, train_ids, processes, steps=self.steps, seq_len=self.window(model),
            batch_size=self.batch_size, windows=self.windows, lr=self.lr, clip=self.clip,
            seed=self.seed, schedule=SCHEDULES[self.schedule],
        )  # fmt: skip


class Run:
    """A training and the folder it lives in; made by ``begin`` or ``resume``."""

    def __init__(self, folder, settings, text, training):
        self.folder, self.settings, self.text, self.training = folder, settings, text, training
        self.held_out = text.split(settings.hold_out)[1][:EVALUATED]
        self.vocab, self.model = text.vocab, training.model

    def train(self, stop=False, report=print, bar=None):
        """Make the updates that are left -> whether all are done.

        stop : true when training shall save and come back after the update it is at
        report : called with each line for the reader
        bar : a progress bar, by default one on standard error where that is a terminal
        """
        training, first = self.training, self.training.processes.first
        bar = bar_for(training, first) if bar is None else bar
        with training.own_randomness(), bar:
            if training.done == 0:
                self.save()
            while not training.finished:
                for _ in training.rest_of_epoch():
                    due = training.done % self.settings.eval_every == 0 or training.finished
                    if first:
                        self._show(bar)
                        self._log()
                        if due:
                            self._evaluate(report, bar)
                    stopping = training.processes.any(stop)
                    if due or stopping:
                        self.save()
                    if stopping and not training.finished:
                        return False
        return True

    def save(self):
        """Write the checkpoint. All processes take part, and the first one writes."""
        tensors, numbers = self.training.snapshot()
        if self.training.processes.first:
            checkpoint.save(
                self.folder, self.model, self.vocab, tensors,
                settings=asdict(self.settings), training=numbers,
            )  # fmt: skip

    def _log(self):
        """Every ten updates, a line about them."""
        training = self.training
        if training.done % LOG_EVERY == 0:
            history = training.history
            self._write_line(
                step=training.done,
                loss=float(np.mean(history.step_loss[-LOG_EVERY:])),
                grad_norm=float(np.mean(history.grad_norm[-LOG_EVERY:])),
                lr=training.optimizer.param_groups[0]["lr"],
                seconds=round(history.seconds, 3),
            )

    def _evaluate(self, report, bar):
        """Measure the held-out loss, write a sample, and report both."""
        training, history = self.training, self.training.history
        since = (training.done - 1) // self.settings.eval_every * self.settings.eval_every
        line = {"step": training.done, "train_loss": float(np.mean(history.step_loss[since:]))}
        words = (
            f"update {training.done} of {training.total}: training loss {line['train_loss']:.3f} "
            f"(mean since update {since})"
        )
        if len(self.held_out) > 1:
            loss = evaluate(self.model, self.held_out, progress=False)
            history.val_loss.append(loss)
            line |= {"held_out_loss": loss} | per_character(loss)
            words += f", held out {loss:.3f} (perplexity {line['perplexity']:.2f})"
        line["sample"] = self._sample()
        self._write_line(**line, seconds=round(history.seconds, 3))
        bar.clear()
        report(f"{words}, {speed(training):,.0f} characters/s")
        for sample_line in line["sample"].strip("\n").split("\n")[:3]:
            report(f"    | {sample_line[:90]}")

    def _sample(self):
        training, prompt = self.training, self.settings.prompt
        if prompt is None:
            prompt = default_prompt(self.vocab)
        seed = self.settings.seed + training.done  # each sample another one
        return generate(self.model, self.vocab, prompt, SAMPLE, temperature=0.8, seed=seed)

    def _write_line(self, **values):
        with open(self.folder / METRICS, "a", encoding="utf-8") as file:
            file.write(json.dumps(values) + "\n")

    def _show(self, bar):
        if bar.disable:
            return
        recent = float(np.mean(self.training.history.step_loss[-50:]))
        rate = (bar.format_dict["rate"] or 0) * self.training.batch_size * self.training.seq_len
        bar.set_postfix_str(
            f"loss {recent:.3f}, perplexity {math.exp(min(recent, 99)):.2f}, "
            f"{rate:,.0f} characters/s",
            refresh=False,
        )
        bar.update()


def begin(folder, sources, settings, rare=0, overwrite=False, processes=ALONE, progress=None):
    """Encode texts (what ``find_texts`` gives) into a new run folder -> Run, before its start.

    Raises ValueError where the folder holds something already, unless it is a run and
    ``overwrite`` is set; for a text too short, or of too many distinct characters; for
    settings that cannot be. The folder then holds what it held before.
    """
    folder = Path(folder)
    settings.check(processes)
    if processes.first:
        _check_free(folder, overwrite)
        _encode(sources, folder, settings, rare, progress)
    processes.wait()
    text = encoded.open_encoded(folder)
    train_ids, _ = text.split(settings.hold_out)
    training = settings.training(settings.model(len(text.vocab)), train_ids, processes)
    return Run(folder, settings, text, training)


def _encode(sources, folder, settings, rare, progress):
    """Encode texts; they take the place of what is in the folder only if they will do."""
    new = folder / NEW_TEXT
    shutil.rmtree(new, ignore_errors=True)  # what a process that was killed left
    try:
        settings.check_text(encoded.encode_texts(sources, new, rare, progress))
        for old in (checkpoint.DESCRIPTION, METRICS):
            (folder / old).unlink(missing_ok=True)
        for name in (encoded.IDS, encoded.DESCRIPTION):
            os.replace(new / name, folder / name)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def resume(folder, steps=None, processes=ALONE):
    """The run in a folder, at its last checkpoint; ``steps`` lengthens (or shortens) it.

    Raises FileNotFoundError where there is none, CheckpointError where it cannot be
    trusted, ValueError where it cannot be gone on with here.
    """
    folder = Path(folder)
    model, vocab, stored = checkpoint.load(folder)
    settings = settings_of(folder, stored)
    text = encoded.open_encoded(folder, check=processes.first)
    if text.vocab != vocab:
        raise CheckpointError(
            f"{folder / encoded.IDS} has another vocabulary than the checkpoint beside it: "
            "they are of different runs"
        )
    if steps is not None and steps != settings.steps:
        if settings.schedule != "constant":
            raise ValueError(
                f"this run's learning rate falls to zero at update {settings.steps}, so that it "
                "cannot be given another number of updates; train anew with --steps"
            )
        settings = Settings(**asdict(settings) | {"steps": steps})
    train_ids, _ = text.split(settings.hold_out)
    training = settings.training(model, train_ids, processes)
    try:
        training.restore(checkpoint.load_tensors(folder), stored["training"])
    except (KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{folder} lacks part of its training: {error}") from error
    if steps is not None and steps < training.done:
        raise ValueError(f"{folder} is at update {training.done} already, which is beyond {steps}")
    if processes.first:
        _cut_metrics(folder / METRICS, training.done)
    return Run(folder, settings, text, training)


def settings_of(folder, stored):
    """The Settings in a checkpoint's training state."""
    try:
        kinds = get_type_hints(Settings)
        named = {FORMER_NAMES.get(name, name): v for name, v in stored["settings"].items()}
        settings = Settings(**{name: named[name] for name in kinds if name in named})
    except (KeyError, TypeError, AttributeError):
        raise CheckpointError(
            f"{folder} holds a model, but was not made by `python -m helpers train`, and cannot "
            "be gone on with"
        ) from None
    for name, kind in kinds.items():
        value = getattr(settings, name)
        whole_for_real = type(value) is int and isinstance(0.5, kind)
        if not (isinstance(value, kind) or whole_for_real):
            raise CheckpointError(f"{folder} was edited: its setting {name} is {value!r}")
    return settings


def describe(run):
    """One line on what is trained on what."""
    text, model = run.text, run.model
    mapped = f" ({text.mapped:,} of them rare, as one symbol)" if text.mapped else ""
    return (
        f"{len(text.ids):,} characters{mapped}, {len(text.vocab)} distinct; "
        f"{run.settings.cell} with {count_parameters(model):,} parameters on {run.training.device}"
    )


def per_character(loss):
    """A loss in nats as perplexity and bits."""
    return {"perplexity": math.exp(min(loss, 700)), "bits": loss / math.log(2)}


def default_prompt(vocab):
    """A line end where the vocabulary has one, else its first character."""
    return "\n" if "\n" in vocab else vocab.chars[0]


def speed(training):
    """Characters a second, over all updates; evaluation and sampling not counted."""
    done = training.done * training.batch_size * training.seq_len
    return done / max(training.history.seconds, 1e-9)


def bar_for(training, first=True):
    """A progress bar on standard error, where that is a terminal."""
    return progress_bar(
        show=first and sys.stderr.isatty(), total=training.total, initial=training.done, delay=0,
        dynamic_ncols=True, bar_format="{percentage:3.0f}%|{bar:12}| {n_fmt}/{total_fmt} "
        "[{elapsed}<{remaining}] {postfix}",
    )  # fmt: skip


class Stop:
    """True once Ctrl-C or a request to end (SIGTERM) has come, while the context lasts.

    The second Ctrl-C does what it always does.
    """

    def __init__(self):
        self.signal = None
        self._before = {}

    def __bool__(self):
        return self.signal is not None

    def __enter__(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *error):
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number, frame):
        self.signal = number
        signal.signal(number, self._before[number])


def _check_free(folder, overwrite):
    """Refuse to write over a run, or into a folder with other things in it."""
    if not folder.exists():
        return
    if (folder / checkpoint.DESCRIPTION).exists():
        if not overwrite:
            raise ValueError(
                f"{folder} holds a run already. To go on with it: --resume {folder}; to replace "
                "it: --overwrite; or choose another folder with --out"
            )
        return
    ours = {path for pattern in OURS for path in folder.glob(pattern)}
    if other := sorted(set(folder.iterdir()) - ours):
        raise ValueError(
            f"{folder} is not empty and holds no run (it has {other[0].name!r}): choose a new "
            "folder with --out"
        )


def _cut_metrics(path, done):
    """Drop the lines of updates after the checkpoint, which will be made again."""
    if not path.is_file():
        return
    kept = []
    for line in path.read_bytes().splitlines(keepends=True):
        try:
            if json.loads(line)["step"] > done:
                break
        except (ValueError, KeyError, TypeError, RecursionError):
            break  # cut short by a crash
        kept.append(line)
    write_whole(path, b"".join(kept))
