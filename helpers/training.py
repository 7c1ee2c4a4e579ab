"""Training loop and held-out loss. The reference recipe is ``fit`` with its defaults."""

from __future__ import annotations

import math
import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

import numpy as np
import torch
from torch.nn import functional as F
from tqdm import tqdm

from .cli.processes import ALONE
from .corpus import disjoint_windows
from .models import choose_device, detach, evaluating, predict

try:
    from .fast import layers as fast_layers
except ImportError:  # the folder of fast paths may be deleted
    fast_layers = None

WINDOWS = ("disjoint", "random", "stream")
NARROW = (np.uint8, np.uint16)  # types in which a large text waits on the disk
SERIES = ("train_loss", "val_loss", "step_loss", "grad_norm")  # of a History


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

    Ctrl-C stops with a warning; model and history keep what was reached. A model that looks
    further back than its windows are long is trained with a warning. A loss that is no
    longer finite raises TrainingDiverged.
    """
    training = Training(
        model, train_ids, epochs, steps, seq_len, batch_size, windows, lr, clip, seed, device,
        optimizer, schedule,
    )  # fmt: skip
    if warning := out_of_reach(training):
        warnings.warn(warning, stacklevel=2)
    history = training.history
    bar = progress_bar(progress, total=training.total, unit="step")
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
    """The updates of ``fit``, one after the other, with everything that the next one needs.

    The arguments are those of ``fit``. ``state`` takes it all out between two updates, and
    ``restore`` puts it back into a new Training of the same model, text and recipe: it then
    goes on bit for bit as if it had never stopped (on the same machine, with as many
    threads and processes).

    processes : see ``helpers.cli.processes``; each takes its share of the rows of every batch,
        the gradients are averaged, and all of them hold the same weights
    """

    def __init__(
        self, model, train_ids, epochs=10, steps=None, seq_len=50, batch_size=64,
        windows="disjoint", lr=3e-3, clip=5.0, seed=42, device=None, optimizer=None,
        schedule=None, processes=ALONE,
    ):  # fmt: skip
        _check_recipe(epochs, steps, seq_len, batch_size, windows, clip)
        if batch_size % processes.size:
            raise ValueError(
                f"batch_size must be a multiple of the number of processes: {batch_size} "
                f"windows cannot be shared equally by {processes.size}"
            )
        self.device = choose_device(device)
        self.model = model.to(self.device).train()
        self.network = processes.wrap(self.model)
        # Fused: one pass over the parameters in place of a dozen small operations for each.
        self.optimizer = optimizer or torch.optim.Adam(model.parameters(), lr=lr, fused=True)
        self.ids = _as_ids(train_ids)
        self.order = torch.Generator().manual_seed(seed)
        self.per_epoch = batches_per_epoch(len(self.ids), seq_len, batch_size)
        self.total = epochs * self.per_epoch if steps is None else steps
        self.seq_len, self.batch_size, self.windows = seq_len, batch_size, windows
        self.clip, self.seed, self.schedule = clip, seed, schedule
        self.processes = processes
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        self.history = History()
        self.carried = None  # the state at the border to the next batch, for a stream
        self._order_at_start = None  # of the epoch that is being read
        self._dice = None  # dropout's random numbers, where restored

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
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            if self._dice is None:
                torch.manual_seed(self.seed + self.processes.rank)
            else:
                torch.set_rng_state(self._dice[0])
                for device, state in zip(devices, self._dice[1:], strict=True):
                    torch.cuda.set_rng_state(state, device)
            yield self

    def rest_of_epoch(self):
        """Make the updates that this epoch still lacks; yield the loss of each, in nats.

        Raises TrainingDiverged where a loss is no longer finite.
        """
        history = self.history
        started = time.perf_counter()
        first = self.done // self.per_epoch * self.per_epoch
        border = first + self.per_epoch
        last = min(border, self.total)
        self._order_at_start = self.order.get_state()
        batches = epoch_batches(
            self.ids, self.seq_len, self.batch_size, self.windows, self.order, self.done - first
        )
        for (x, y), step in zip(batches, range(self.done, last), strict=False):
            if self.schedule is not None:
                for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
                    group["lr"] = rate * self.schedule(step / self.total)
            mine = self.processes.share(len(x))
            x, y = x[mine].to(self.device), y[mine].to(self.device)
            loss, norm, self.carried = train_step(
                self.network, x, y, self.optimizer, self.clip, self.carried
            )
            loss = self.processes.mean(loss)
            history.step_loss.append(loss)
            history.grad_norm.append(norm)
            if not math.isfinite(loss):
                raise TrainingDiverged(_diverged(loss, self.done), history)
            if self.windows != "stream" or step + 1 == border:
                self.carried = None
            if step + 1 == last:
                history.train_loss.append(float(np.mean(history.step_loss[first:])))
            history.seconds += time.perf_counter() - started
            yield loss
            started = time.perf_counter()

    def state(self):
        """Everything that the next update depends on: (tensors by name, numbers for JSON).

        The weights are not among them. To be called between two updates, within
        ``own_randomness``, and by all processes at once.
        """
        mid_epoch = self.done % self.per_epoch != 0
        tensors = {"order": self._order_at_start if mid_epoch else self.order.get_state()}
        moments = self.optimizer.state_dict()
        for i, of_weight in moments["state"].items():
            for name, value in of_weight.items():
                tensors[f"optimizer.{i}.{name}"] = torch.as_tensor(value)
        dice = [torch.get_rng_state()]
        if self.device.type == "cuda":
            dice.append(torch.cuda.get_rng_state(self.device))
        own = {f"dice.{i}": part for i, part in enumerate(dice)}
        own |= {f"carried.{name}": part for name, part in _flatten(self.carried)}
        for name, value in own.items():
            for rank, part in enumerate(self.processes.gather(value)):
                tensors[f"{name}.of.{rank}"] = part
        for name in SERIES:
            tensors[name] = torch.tensor(getattr(self.history, name), dtype=torch.float64)
        numbers = {
            "done": self.done,
            "total": self.total,
            "seconds": self.history.seconds,
            "rates": self.rates,
            "recipe": self._recipe(),
        }
        return tensors, numbers

    def close(self):
        """Leave the other processes; no more updates after that."""
        self.network = self.model
        self.processes.close()

    def restore(self, tensors, numbers):
        """Go on from what ``state`` gave; the model must have the weights of that moment.

        ``total`` may differ, so that a finished training can be lengthened.
        Raises ValueError where the recipe differs, or where something is missing.
        """
        recipe = self._recipe()
        if numbers["recipe"] != recipe:
            wrong = [k for k in recipe if numbers["recipe"].get(k) != recipe[k]]
            raise ValueError(
                "this training was begun otherwise: "
                + ", ".join(f"{k} was {numbers['recipe'].get(k)}, not {recipe[k]}" for k in wrong)
            )
        moments, carried, dice = {}, {}, {}
        try:
            for name, value in tensors.items():
                kind, _, rest = name.partition(".")
                if kind == "optimizer":
                    i, _, part = rest.partition(".")
                    moments.setdefault(int(i), {})[part] = value
                elif kind in ("carried", "dice"):
                    place, _, rank = rest.partition(".of.")
                    if int(rank) == self.processes.rank:
                        (carried if kind == "carried" else dice)[place] = value
            self._check_moments(moments)
            groups = self.optimizer.state_dict()["param_groups"]
            self.optimizer.load_state_dict({"state": moments, "param_groups": groups})
            self.rates = [float(rate) for rate in numbers["rates"]]
            for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
                group["lr"] = rate
            self.order.set_state(tensors["order"])
            self._dice = [dice[str(i)] for i in range(len(dice))]
            torch.Generator().set_state(self._dice[0])  # refuses what is no random state
            self.carried = _unflatten(carried, self.device)
            for name in SERIES:
                setattr(self.history, name, list(map(float, tensors[name].tolist())))
            self.history.seconds = float(numbers["seconds"])
            # Where a training ended within an epoch, its mean so far is no epoch's.
            del self.history.train_loss[self.done // self.per_epoch :]
        except (LookupError, RuntimeError, TypeError, ValueError) as error:
            raise ValueError(f"the stored training is not whole: {error}") from error
        if self.done != numbers["done"]:
            raise ValueError(
                f"the stored training is not whole: {numbers['done']} updates, {self.done} losses"
            )

    def _check_moments(self, moments):
        """Refuse an optimizer's state {place: {name: tensor}} that does not fit the weights.

        The fused Adam does not look, and would write past the end of what is too short.
        """
        weights = [w for group in self.optimizer.param_groups for w in group["params"]]
        parts = next(iter(moments.values()), {}).keys()
        for i, of_weight in moments.items():
            if i not in range(len(weights)) or of_weight.keys() != parts:
                raise ValueError(f"an optimizer's state without its parts for weight {i}")
            for name, value in of_weight.items():
                shape, dtype = weights[i].shape, weights[i].dtype
                if name == "step":
                    shape, dtype = (), torch.float32
                if value.shape != shape or value.dtype != dtype:
                    raise ValueError(f"an optimizer's {name} of another form than weight {i}")

    def _recipe(self):
        """What must be the same for training to go on as if it had never stopped."""
        names = ("seq_len", "batch_size", "windows", "clip", "seed")
        recipe = {name: getattr(self, name) for name in names}
        device = self.device.type
        more = {"characters": len(self.ids), "processes": self.processes.size, "device": device}
        return recipe | more


def _as_ids(ids):
    """Ids to draw windows from: int64, but narrow ones as they are, so that a large text on
    disk is not read into memory."""
    ids = np.asarray(ids)
    if ids.dtype in NARROW:
        return torch.as_tensor(ids)
    return torch.as_tensor(ids, dtype=torch.long)


def _flatten(state, path="0"):
    """The tensors of a model's state with where they stand: "0" alone, "0.1" in a tuple."""
    if isinstance(state, torch.Tensor):
        yield path, state
    elif state is not None:
        for i, part in enumerate(state):
            yield from _flatten(part, f"{path}.{i}")


def _unflatten(parts, device):
    """The state that ``_flatten`` took apart: {path: tensor} -> tensor, nested tuple or None."""
    if not parts:
        return None
    tree = {}
    for path, value in parts.items():
        branch = tree
        *way, leaf = path.split(".")
        for i in way:
            branch = branch.setdefault(i, {})
        branch[leaf] = value.to(device)
    return _as_tuples(tree["0"])


def _as_tuples(tree):
    if isinstance(tree, torch.Tensor):
        return tree
    return tuple(_as_tuples(tree[str(i)]) for i in range(len(tree)))


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
    fast = fast_layers is not None and fast_layers.applies(model, x)  # the same, quicker
    read = partial(fast_layers.read, model) if fast else model
    logits, state = read(x, detach(state))  # (B, T, V)
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
        for batch in range(start, n_batches):
            rows = order[batch * batch_size : (batch + 1) * batch_size]
            yield x[rows].long(), y[rows].long()
    elif windows == "random":
        offsets = torch.arange(seq_len)
        for batch in range(n_batches):
            starts = torch.randint(len(ids) - seq_len, (batch_size, 1), generator=generator)
            if batch >= start:
                yield ids[starts + offsets].long(), ids[starts + offsets + 1].long()
    else:
        length = n_batches * seq_len  # of each of batch_size parallel streams
        x = ids[: batch_size * length].view(batch_size, length)
        y = ids[1 : batch_size * length + 1].view(batch_size, length)
        parts = zip(x.split(seq_len, dim=1), y.split(seq_len, dim=1), strict=True)
        for part_x, part_y in islice(parts, start, None):
            yield part_x.long(), part_y.long()


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
            read = x[None, part].astype(np.int64)  # a text on disk is narrower
            logits, state = predict(model, read, state)  # (1, T, V)
            losses[part] = _nats(logits[0], y[part])
            if window is not None:
                state = None
    return losses


def _nats(logits, targets):
    """Minus the log-probability of each target: (T, V), (T,) -> (T,)."""
    highest = logits.max(axis=1, keepdims=True)
    log_total = np.log(np.exp(logits - highest).sum(axis=1)) + highest[:, 0]
    return log_total - logits[np.arange(len(targets)), targets]


def out_of_reach(training):
    """What to tell whoever trains a Transformer in windows shorter than its context; or None.

    A stream hands keys and values on, so that there every distance occurs.
    """
    context = getattr(training.model, "config", {}).get("context", 0)
    if training.windows == "stream" or context <= training.seq_len:
        return None
    return (
        f"the model looks at {context} characters but is trained in windows of "
        f"{training.seq_len}: what it makes of those further away is left to chance. "
        f"A seq_len of {context} trains it on all, a context of {training.seq_len} leaves them out"
    )


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
