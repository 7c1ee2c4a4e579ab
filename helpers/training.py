"""Training loop and held-out loss. The reference recipe is ``fit`` with its defaults."""

from __future__ import annotations

import math
import time
import warnings
from dataclasses import dataclass, field

import numpy as np
import torch
from torch.nn import functional as F
from tqdm import tqdm

from .corpus import disjoint_windows
from .models import choose_device, detach, evaluating, predict

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

    def __init__(self, message, history):
        super().__init__(message)
        self.history = history


def fit(
    model,
    train_ids,
    val_ids=None,
    epochs=10,
    steps=None,
    seq_len=50,
    batch_size=64,
    windows="disjoint",
    lr=3e-3,
    clip=5.0,
    seed=42,
    device=None,
    progress=True,
    callback=None,
    optimizer=None,
    schedule=None,
):
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

    Ctrl-C stops with a warning; model and history keep what was reached. A loss that is
    no longer finite raises TrainingDiverged.
    """
    _check_recipe(epochs, steps, seq_len, batch_size, windows, clip)
    device = choose_device(device)
    model.to(device).train()
    optimizer = optimizer or torch.optim.Adam(model.parameters(), lr=lr)
    text = torch.as_tensor(np.asarray(train_ids), dtype=torch.long)
    order = torch.Generator().manual_seed(seed)
    per_epoch = batches_per_epoch(len(text), seq_len, batch_size)
    total = epochs * per_epoch if steps is None else steps
    rates = [group["lr"] for group in optimizer.param_groups]
    history = History()
    bar = progress_bar(progress, total=total, unit="step")
    devices = [device] if device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=devices), bar:
            torch.manual_seed(seed)  # for dropout
            for epoch in range(1, math.ceil(total / per_epoch) + 1):
                started = time.perf_counter()
                done = len(history.step_loss)
                state = None
                batches = epoch_batches(text, seq_len, batch_size, windows, order)
                for (x, y), step in zip(batches, range(done, total), strict=False):
                    if schedule is not None:
                        for group, rate in zip(optimizer.param_groups, rates, strict=True):
                            group["lr"] = rate * schedule(step / total)
                    loss, norm, state = train_step(
                        model, x.to(device), y.to(device), optimizer, clip, state
                    )
                    history.step_loss.append(loss)
                    history.grad_norm.append(norm)
                    if not math.isfinite(loss):
                        raise TrainingDiverged(_diverged(loss, len(history.step_loss)), history)
                    if windows != "stream":
                        state = None
                    bar.update()
                    bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
                history.seconds += time.perf_counter() - started
                history.train_loss.append(float(np.mean(history.step_loss[done:])))
                if val_ids is not None:
                    history.val_loss.append(evaluate(model, val_ids, progress=progress))
                if callback is not None:
                    callback(epoch, model, history)
    except KeyboardInterrupt:
        history.interrupted = True
        warnings.warn(
            f"training was interrupted after {len(history.step_loss)} of {total} updates; "
            "the model keeps what it has learned so far",
            stacklevel=2,
        )
    return history


def warm_up_and_decay(share, warm_up=0.03):
    """A schedule for ``fit``: the rate rises from zero to its full value over the first
    ``warm_up`` of training, then falls to zero, both in a straight line."""
    return min((share + 1e-3) / (warm_up + 1e-3), (1 - share) / (1 - warm_up))


def progress_bar(progress, **more):
    """A bar that shows itself after two seconds and leaves no trace; none if not ``progress``.

    ``disable`` is only passed to switch it off, so that TQDM_DISABLE=1 in the environment
    switches it off as well.
    """
    quiet = {} if progress else {"disable": True}
    return tqdm(delay=2, leave=False, **more, **quiet)


def train_step(model, x, y, optimizer, clip=5.0, state=None):
    """One update on inputs and targets (B, T) -> loss, gradient norm before clipping, state.

    The returned state is detached: the next step starts from its numbers, and no gradient
    flows back over the border.
    """
    logits, state = model(x, detach(state))  # (B, T, V)
    loss = F.cross_entropy(logits.flatten(0, 1), y.flatten())
    optimizer.zero_grad()
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), math.inf if clip is None else clip)
    optimizer.step()
    return loss.item(), norm.item(), detach(state)


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


def epoch_batches(ids, seq_len, batch_size, windows, generator):
    """One epoch of (x, y), each (batch_size, seq_len), from ids (N,) int64.

    ``generator`` is a torch.Generator; it draws one permutation of the windows an epoch
    ("disjoint"), the starts of each batch ("random"), or nothing ("stream").
    """
    n_batches = batches_per_epoch(len(ids), seq_len, batch_size)
    if windows == "disjoint":
        x, y = (torch.as_tensor(part) for part in disjoint_windows(ids, seq_len))
        order = torch.randperm(len(x), generator=generator)
        for rows in order[: n_batches * batch_size].split(batch_size):
            yield x[rows], y[rows]
    elif windows == "random":
        offsets = torch.arange(seq_len)
        for _ in range(n_batches):
            starts = torch.randint(len(ids) - seq_len, (batch_size, 1), generator=generator)
            yield ids[starts + offsets], ids[starts + offsets + 1]
    else:
        length = n_batches * seq_len  # of each of batch_size parallel streams
        x = ids[: batch_size * length].view(batch_size, length)
        y = ids[1 : batch_size * length + 1].view(batch_size, length)
        yield from zip(x.split(seq_len, dim=1), y.split(seq_len, dim=1), strict=True)


def evaluate(model, ids, window=None, progress=True):
    """Mean loss in nats per character over the N - 1 targets of ids (N,).

    See ``character_losses`` for what ``window`` does.
    """
    return float(character_losses(model, ids, window, progress=progress).mean())


def character_losses(model, ids, window=None, chunk=1000, progress=True):
    """The loss of each target: ids (N,) -> nats (N - 1,), for any model of the book.

    As one stream from a zero state by default; with ``window``, in disjoint windows that
    each start from a zero state (the last one may be shorter). Evaluation mode, no
    gradients; the model's mode is restored. ``chunk`` bounds memory, not the context:
    the state is passed on.
    """
    ids = np.asarray(ids)
    if ids.ndim != 1 or len(ids) < 2:
        raise ValueError(
            "evaluation needs at least two characters, one to read and one to predict; "
            f"got ids of shape {ids.shape}"
        )
    if window is not None and window < 1:
        raise ValueError(f"window must be at least 1, or None for one stream, not {window}")
    x, y = ids[:-1], ids[1:]
    step = chunk if window is None else window
    losses = np.empty(len(y))
    with evaluating(model):
        state = None
        starts = range(0, len(y), step)
        for start in progress_bar(progress, iterable=starts, unit="window"):
            part = slice(start, start + step)
            logits, state = predict(model, x[None, part], state)  # (1, T, V)
            losses[part] = _nats(logits[0], y[part])
            if window is not None:
                state = None
    return losses


def _nats(logits, targets):
    """Minus the log-probability of each target: (T, V), (T,) -> (T,)."""
    highest = logits.max(axis=1, keepdims=True)
    log_total = np.log(np.exp(logits - highest).sum(axis=1)) + highest[:, 0]
    return log_total - logits[np.arange(len(targets)), targets]


def _check_recipe(epochs, steps, seq_len, batch_size, windows, clip):
    sizes = {"epochs": epochs, "seq_len": seq_len, "batch_size": batch_size}
    if steps is not None:
        sizes["steps"] = steps
    for name, value in sizes.items():
        if isinstance(value, bool) or int(value) != value or value < 1:
            raise ValueError(f"{name} must be a whole number of at least 1, not {value!r}")
    if windows not in WINDOWS:
        raise ValueError(f"windows must be one of {', '.join(map(repr, WINDOWS))}, not {windows!r}")
    if clip is not None and not clip > 0:
        raise ValueError(f"clip must be above 0, or None for no clipping, not {clip!r}")


def _diverged(loss, step):
    return (
        f"the loss became {loss} at update {step}. A lower learning rate (lr) or clipping the "
        "gradient (clip=5.0) usually helps."
    )
