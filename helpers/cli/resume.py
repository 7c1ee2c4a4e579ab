"""A ``Training`` that can be stopped between two updates and resumed, on one process or several.

Resumed on the same machine, with as many threads and processes, it goes on bit for bit as if
it had never stopped.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass

import torch

from ..training import Training, train_step
from .processes import ALONE

SERIES = ("train_loss", "val_loss", "step_loss", "grad_norm")  # of a History
# The names under which tensors are stored; checkpoints that readers have depend on them.
ORDER = "order"  # the generator of the windows' order
RNG = "dice"  # dice.I.of.RANK: torch's generators, on the CPU (0) and on CUDA (1)
CARRIED = "carried"  # carried.PATH.of.RANK: the model's state within a stream
MOMENTS = "optimizer"  # optimizer.I.NAME: what the optimizer keeps for weight I


class ResumableTraining(Training):
    """A ``Training`` with ``state`` and ``restore``, whose batches several processes may share.

    processes : see ``helpers.cli.processes``; each takes its share of the rows of every batch,
        the gradients are averaged, and all of them hold the same weights
    settings : the arguments of ``Training``
    """

    def __init__(self, model, train_ids, processes=ALONE, **settings):
        super().__init__(model, train_ids, device=processes.device, **settings)
        processes.check_batch(self.batch_size)
        self.processes = processes
        self.network = processes.wrap(self.model)
        self._epoch_order = None  # state of order_rng at the start of the epoch being read
        self._rng_states = None  # of torch's global generators, where restored

    @contextmanager
    def own_randomness(self):
        with super().own_randomness():
            if self._rng_states is None:
                torch.manual_seed(self.seed + self.processes.rank)
            else:
                torch.set_rng_state(self._rng_states[0])
                for state in self._rng_states[1:]:
                    torch.cuda.set_rng_state(state, self.device)
            yield self

    def rest_of_epoch(self):
        self._epoch_order = self.order_rng.get_state()
        return super().rest_of_epoch()

    def update(self, x, y):
        rows = self.processes.share(len(x))
        x, y = x[rows].to(self.device), y[rows].to(self.device)
        loss, norm, self.state = train_step(
            self.network, x, y, self.optimizer, self.clip, self.state
        )
        return self.processes.mean(loss), norm

    def close(self):
        """Leave the other processes; no more updates after that."""
        self.network = self.model
        self.processes.close()

    def snapshot(self):
        """Everything that the next update depends on: (tensors by name, numbers for JSON).

        The weights are not among them. To be called between two updates, within
        ``own_randomness``, and by all processes at once.
        """
        mid_epoch = self.done % self.per_epoch != 0
        tensors = {ORDER: self._epoch_order if mid_epoch else self.order_rng.get_state()}
        for i, moments in self.optimizer.state_dict()["state"].items():
            for name, value in moments.items():
                tensors[f"{MOMENTS}.{i}.{name}"] = torch.as_tensor(value)
        rng_states = [torch.get_rng_state()]
        if self.device.type == "cuda":
            rng_states.append(torch.cuda.get_rng_state(self.device))
        own = {f"{RNG}.{i}": state for i, state in enumerate(rng_states)}
        own |= {f"{CARRIED}.{path}": part for path, part in _flatten(self.state)}
        for name, value in own.items():
            for rank, part in enumerate(self.processes.gather(value)):
                tensors[f"{name}.of.{rank}"] = part
        for name in SERIES:
            tensors[name] = torch.tensor(getattr(self.history, name), dtype=torch.float64)
        numbers = {
            "done": self.done,
            "total": self.total,
            "seconds": self.history.seconds,
            "rates": self.base_lrs,
            "recipe": self._recipe(),
        }
        return tensors, numbers

    def restore(self, tensors, numbers):
        """Go on from a ``snapshot``; the model must have the weights of that moment.

        ``total`` may differ, so that a finished training can be lengthened. Raises ValueError
        where the recipe differs or where something is missing; the training is then unchanged.
        """
        recipe, stored = self._recipe(), numbers["recipe"]
        if wrong := [name for name in recipe if stored.get(name) != recipe[name]]:
            raise ValueError(
                "this training was begun otherwise: "
                + ", ".join(f"{name} was {stored.get(name)}, not {recipe[name]}" for name in wrong)
            )
        try:
            found = Snapshot.parse(tensors, numbers, self.processes.rank, self.device)
            self._check(found, numbers["done"])
        except (LookupError, RuntimeError, TypeError, ValueError) as error:
            raise ValueError(f"the stored training is not whole: {error}") from error
        groups = self.optimizer.state_dict()["param_groups"]
        for group, lr in zip(groups, found.base_lrs, strict=True):
            group["lr"] = lr
        self.optimizer.load_state_dict({"state": found.moments, "param_groups": groups})
        self.base_lrs, self.state = found.base_lrs, found.state
        self.order_rng.set_state(found.order)
        self._rng_states = found.rng_states
        for name, values in found.series.items():
            setattr(self.history, name, values)
        self.history.seconds = found.seconds
        # Where a training ended within an epoch, its mean so far is no epoch's.
        del self.history.train_loss[self.done // self.per_epoch :]

    def _check(self, found, done):
        """Refuse a Snapshot that does not fit this training, before anything is changed.

        The fused Adam does not check shapes and would write past the end of a short tensor.
        """
        for state in (found.order, found.rng_states[0]):
            torch.Generator().set_state(state)  # refuses what is no generator's state
        if done != len(found.series["step_loss"]):
            raise ValueError(f"{done} updates, {len(found.series['step_loss'])} losses")
        if len(found.base_lrs) != len(self.base_lrs):
            raise ValueError("another number of learning rates")
        if len(found.rng_states) != 1 + (self.device.type == "cuda"):
            raise ValueError("another number of random states")
        weights = [w for group in self.optimizer.param_groups for w in group["params"]]
        names = next(iter(found.moments.values()), {}).keys()
        for i, moments in found.moments.items():
            if i not in range(len(weights)) or moments.keys() != names:
                raise ValueError(f"an optimizer's state without its parts for weight {i}")
            for name, value in moments.items():
                shape, dtype = weights[i].shape, weights[i].dtype
                if name == "step":
                    shape, dtype = (), torch.float32
                if value.shape != shape or value.dtype != dtype:
                    raise ValueError(f"an optimizer's {name} of another form than weight {i}")

    def _recipe(self):
        """What must be the same for training to go on as if it had never stopped."""
        names = ("seq_len", "batch_size", "windows", "clip", "seed")
        return {name: getattr(self, name) for name in names} | {
            "characters": len(self.ids),
            "processes": self.processes.size,
            "device": self.device.type,
        }


@dataclass
class Snapshot:
    """What ``ResumableTraining.snapshot`` stored, for one process."""

    order: torch.Tensor
    rng_states: list
    moments: dict  # {place of a weight: {name: tensor}}
    state: object  # the model's
    series: dict  # the lists of a History
    seconds: float
    base_lrs: list

    @classmethod
    def parse(cls, tensors, numbers, rank, device):
        """Take stored tensors and numbers apart; an error of some kind where one is missing."""
        moments, carried, rng_states = {}, {}, {}
        for name, value in tensors.items():
            kind, _, rest = name.partition(".")
            if kind == MOMENTS:
                i, _, part = rest.partition(".")
                moments.setdefault(int(i), {})[part] = value
            elif kind in (CARRIED, RNG):
                place, _, owner = rest.partition(".of.")
                if int(owner) == rank:
                    (carried if kind == CARRIED else rng_states)[place] = value
        return cls(
            order=tensors[ORDER],
            rng_states=[rng_states[str(i)] for i in range(len(rng_states))],
            moments=moments,
            state=_unflatten(carried, device),
            series={name: list(map(float, tensors[name].tolist())) for name in SERIES},
            seconds=float(numbers["seconds"]),
            base_lrs=list(map(float, numbers["rates"])),
        )


def _flatten(state, path="0"):
    """The tensors of a model's state with where they stand: "0" alone, "0.1" in a tuple."""
    if isinstance(state, torch.Tensor):
        yield path, state
    elif state is not None:
        for i, part in enumerate(state):
            yield from _flatten(part, f"{path}.{i}")


def _unflatten(parts, device, path="0"):
    """The state that ``_flatten`` took apart: {path: tensor} -> tensor, nested tuple or None."""
    if not parts:
        return None
    if path in parts:
        return parts[path].to(device)
    depth = path.count(".") + 1
    branches = {name.split(".")[depth] for name in parts if name.startswith(f"{path}.")}
    if not branches:
        raise KeyError(path)
    return tuple(_unflatten(parts, device, f"{path}.{i}") for i in range(len(branches)))
