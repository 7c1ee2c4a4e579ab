"""Training loop and held-out loss. The reference recipe is ``fit`` with its defaults."""

from __future__ import annotations

import math
import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import torch
from torch.nn import functional as F

from .corpus import disjoint_windows
from .models import check_ids, choose_device, context_warning, detach, evaluating, predict
from .support import arguments
from .support.progress import progress_bar

try:
    from .fast import layers as fast_layers
except ImportError:  # the folder of fast paths may be deleted
    fast_layers = None

WINDOWS = ("disjoint", "random", "stream")


@dataclass
class History:
    """What happened during ``fit``. Losses are in nats per character."""

    train_loss: list = field(default_factory=list)  # mean over each epoch, as it went
    val_loss: list = field(default_factory=list)  # after each epoch, where val_ids are given
    step_loss: list = field(default_factory=list)  # each update's batch
    grad_norm: list = field(default_factory=list)  # each update's, before clipping
    seconds: float = 0.0  # training alone, without evaluation and callback
    interrupted: bool = False  # stopped with Ctrl-C


class TrainingDiverged(ArithmeticError):
    """The loss is no longer a number. ``history`` holds what happened until then."""

    def __init__(self, history):
        super().__init__(
            f"the loss became {history.step_loss[-1]} at update {len(history.step_loss)}. A lower "
            "learning rate (lr) or clipping the gradient (clip=5.0) usually helps."
        )
        self.history = history


def fit(
    model, train_ids, val_ids=None, epochs=10, steps=None, seq_len=50, batch_size=64,
    windows="disjoint", lr=3e-3, clip=5.0, seed=42, device=None, progress=True, callback=None,
    optimizer=None, schedule=None,
):  # fmt: skip
    """Train ``model`` in place to predict each next character; return a ``History``.

    train_ids, val_ids : ids (N,); val_ids=None trains without evaluating
    epochs, steps : passes over the text; steps, where given, is the exact number of updates
    windows : "disjoint" windows of seq_len, in a new random order each epoch;
        "random" windows that start anywhere, as many an epoch as disjoint ones;
        "stream", batch_size stretches of the text read in order, the state carried on.
        A last batch that is not full is dropped.
    lr, clip : Adam's learning rate; the largest gradient norm (None: no clipping)
    seed : governs order and dropout, not the weights: whoever makes the model does that
    device : see ``choose_device``; the model stays there
    callback : called as callback(epoch, model, history) after each epoch, from 1
    optimizer : to be used instead of Adam, over the same parameters
    schedule : a function of the share of updates done, from 0 up to but not 1, whose value
        multiplies the learning rate of the next update; see ``warm_up_and_decay``

    Ctrl-C stops with a warning; model and history keep what was reached. A model that looks
    further back than its windows are long is trained with a warning. Raises ValueError for an
    argument or an id out of range, before anything is changed, and TrainingDiverged where a
    loss is no longer finite.
    """
    if val_ids is not None:
        check_ids(val_ids, model, at_least=2)
    training = Training(
        model, train_ids, epochs, steps, seq_len, batch_size, windows, lr, clip, seed, device,
        optimizer, schedule,
    )  # fmt: skip
    if warning := context_warning(model, training.seq_len, training.windows):
        warnings.warn(warning, stacklevel=2)
    history = training.history
    bar = progress_bar(show=progress, total=training.total, unit="step")
    try:
        with training.own_randomness(), bar:
            while not training.finished:
                for loss in training.rest_of_epoch():
                    bar.update()
                    bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
                if val_ids is not None:
                    history.val_loss.append(evaluate(model, val_ids, progress=progress))
                if callback is not None:
                    callback(len(history.train_loss), model, history)
    except KeyboardInterrupt:
        history.interrupted = True
        warnings.warn(
            f"training was interrupted after {training.done} of {training.total} updates; "
            "the model keeps what it has learned so far",
            stacklevel=2,
        )
    return history


class Training:
    """The updates of ``fit``, one after the other; the arguments are those of ``fit``."""

    def __init__(
        self, model, train_ids, epochs=10, steps=None, seq_len=50, batch_size=64,
        windows="disjoint", lr=3e-3, clip=5.0, seed=42, device=None, optimizer=None,
        schedule=None,
    ):  # fmt: skip
        epochs = arguments.whole_number("epochs", epochs)
        steps = None if steps is None else arguments.whole_number("steps", steps)
        self.seq_len = arguments.whole_number("seq_len", seq_len)
        self.batch_size = arguments.whole_number("batch_size", batch_size)
        self.windows = arguments.one_of("windows", windows, WINDOWS)
        self.seed, self.schedule = arguments.seed(seed), schedule
        if clip is not None and not (arguments.is_number(clip) and clip > 0):
            raise ValueError(f"clip must be above 0, or None for no clipping, not {clip!r}")
        if not (arguments.is_number(lr) and math.isfinite(lr) and lr > 0):
            raise ValueError(f"lr must be a finite number above 0, not {lr!r}")
        self.clip = clip and float(clip)
        self.ids = torch.as_tensor(check_ids(train_ids, model))
        self.per_epoch = batches_per_epoch(len(self.ids), self.seq_len, self.batch_size)
        self.total = epochs * self.per_epoch if steps is None else steps
        self.device = choose_device(device)
        self.model = model.to(self.device).train()
        # Fused: one pass over the parameters in place of a dozen small operations for each.
        self.optimizer = optimizer or torch.optim.Adam(model.parameters(), lr=float(lr), fused=True)
        self.base_lrs = [group["lr"] for group in self.optimizer.param_groups]
        self.order_rng = torch.Generator().manual_seed(self.seed)
        self.history = History()
        self.state = None  # the model's, between the batches of a stream

    @property
    def done(self):
        """Updates made so far."""
        return len(self.history.step_loss)

    @property
    def finished(self):
        return self.done >= self.total

    @contextmanager
    def own_randomness(self):
        """Within this context torch's global generators are this training's, for dropout."""
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(self.seed)
            yield self

    def rest_of_epoch(self):
        """Make the updates that this epoch still lacks; yield the loss of each, in nats."""
        history = self.history
        started = time.perf_counter()
        first = self.done // self.per_epoch * self.per_epoch
        last = min(first + self.per_epoch, self.total)
        batches = epoch_batches(
            self.ids, self.seq_len, self.batch_size, self.windows, self.order_rng, self.done - first
        )
        for (x, y), step in zip(batches, range(self.done, last), strict=False):
            if self.schedule is not None:
                for group, lr in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
                    group["lr"] = lr * self.schedule(step / self.total)
            loss, norm = self.update(x, y)
            history.step_loss.append(loss)
            history.grad_norm.append(norm)
            if not math.isfinite(loss):
                raise TrainingDiverged(history)
            if self.windows != "stream" or self.done % self.per_epoch == 0:
                self.state = None
            if self.done == last:
                history.train_loss.append(float(np.mean(history.step_loss[first:])))
            history.seconds += time.perf_counter() - started
            yield loss
            started = time.perf_counter()

    def update(self, x, y):
        """One update on a batch (B, T) -> its loss, and the gradient's norm before clipping."""
        x, y = x.to(self.device), y.to(self.device)
        loss, norm, self.state = train_step(self.model, x, y, self.optimizer, self.clip, self.state)
        return loss, norm


def train_step(model, x, y, optimizer, clip=5.0, state=None):
    """One update on inputs and targets (B, T) -> loss, gradient norm before clipping, state.

    The returned state is detached: the next step starts from its numbers, and no gradient
    flows back over the border.
    """
    if fast_layers is not None and fast_layers.applies(model, x):
        logits, state = fast_layers.read(model, x, detach(state))  # the same, quicker
    else:
        logits, state = model(x, detach(state))  # (B, T, V)
    loss = F.cross_entropy(logits.flatten(0, 1), y.flatten())
    optimizer.zero_grad()
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), math.inf if clip is None else clip)
    optimizer.step()
    return loss.item(), norm.item(), detach(state)


def epoch_batches(ids, seq_len, batch_size, windows, generator, start=0):
    """One epoch of (x, y), each (batch_size, seq_len) int64, from ids (N,).

    ``generator`` is a torch.Generator; it draws one permutation of the windows an epoch
    ("disjoint"), the starts of each batch ("random"), or nothing ("stream"). The first
    ``start`` batches are passed over, and the others are what they would have been.
    """
    n_batches = batches_per_epoch(len(ids), seq_len, batch_size)
    if windows == "disjoint":
        x, y = (torch.as_tensor(part) for part in disjoint_windows(ids, seq_len))
        order = torch.randperm(len(x), generator=generator)
        for rows in islice(order.split(batch_size), start, n_batches):
            yield x[rows].long(), y[rows].long()
    elif windows == "random":
        offsets = torch.arange(seq_len)
        for batch in range(n_batches):
            starts = torch.randint(len(ids) - seq_len, (batch_size, 1), generator=generator)
            if batch >= start:
                yield ids[starts + offsets].long(), ids[starts + offsets + 1].long()
    else:
        shape = batch_size, n_batches, seq_len  # each row is a stretch of the text
        x, y = (ids[i : i + math.prod(shape)].view(shape) for i in (0, 1))
        for batch in range(start, n_batches):
            yield x[:, batch].long(), y[:, batch].long()


def batches_per_epoch(n_chars, seq_len, batch_size):
    """Full batches of disjoint windows in a text of ``n_chars``; an error where there is none."""
    n_windows = max(0, (n_chars - 1) // seq_len)
    if n_windows < batch_size:
        raise ValueError(
            f"the training text has {n_chars} characters, enough for {n_windows} windows of "
            f"{seq_len}; one batch needs {batch_size}. Use a longer text, or a smaller seq_len "
            "or batch_size."
        )
    return n_windows // batch_size


def warm_up_and_decay(share, warm_up=0.03):
    """A schedule for ``fit``: the rate rises from zero to its full value over the first
    ``warm_up`` of training, then falls to zero, both in a straight line."""
    return min((share + 1e-3) / (warm_up + 1e-3), (1 - share) / (1 - warm_up))


def evaluate(model, ids, window=None, progress=True):
    """Mean loss in nats per character over the N - 1 targets of ids; see ``character_losses``."""
    return float(character_losses(model, ids, window, progress=progress).mean())


def character_losses(model, ids, window=None, chunk=1000, progress=True):
    """The loss of each target: ids (N,) -> nats (N - 1,), for any model of the book.

    As one stream from a zero state by default; with ``window``, in disjoint windows that
    each start from a zero state (the last one may be shorter). Evaluation mode, no
    gradients; the model's mode is restored. ``chunk`` bounds memory, not the context:
    the state is passed on. Raises ValueError for ids or a window out of range.
    """
    ids = check_ids(ids, model, at_least=2)
    length = arguments.whole_number("chunk", chunk)
    if window is not None:
        length = arguments.whole_number("window", window)
    losses, state = np.empty(len(ids) - 1), None
    with evaluating(model):
        for start in progress_bar(range(0, len(losses), length), progress, unit="window"):
            part = ids[start : start + length + 1].astype(np.int64)  # on disk it is narrower
            logits, state = predict(model, part[None, :-1], state if window is None else None)
            losses[start : start + length] = _nats(logits[0], part[1:])
    return losses


def _nats(logits, targets):
    """Minus the log-probability of each target: (T, V), (T,) -> (T,)."""
    highest = logits.max(axis=1, keepdims=True)
    log_total = np.log(np.exp(logits - highest).sum(axis=1)) + highest[:, 0]
    return log_total - logits[np.arange(len(targets)), targets]
