"""Several processes that train one model: ``torchrun --nproc-per-node 2 -m helpers train ...``

Each process holds the whole model and reads its share of the rows of every batch;
``DistributedDataParallel`` averages the gradients, so that all of them make the same update.
"""

from __future__ import annotations

import gc
import os
from dataclasses import dataclass

import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from ..models import choose_device


@dataclass(frozen=True)
class Processes:
    """How many processes there are, and which of them this one is; alone by default."""

    rank: int = 0
    size: int = 1
    device: str | None = None  # where this process trains; None: as ``choose_device`` has it

    @property
    def first(self):
        """Whether this is the one that writes and speaks."""
        return self.rank == 0

    def wrap(self, model):
        """The model to call in training: its gradients are averaged over the processes."""
        return model if self.size == 1 else DistributedDataParallel(model)

    def check_batch(self, n):
        """Raise ValueError where a batch of n windows cannot be shared equally."""
        if n % self.size:
            raise ValueError(
                f"batch_size must be a multiple of the number of processes: {n} windows cannot be "
                f"shared equally by {self.size}"
            )

    def share(self, n):
        """The rows, of n in a batch, that this process reads: a slice."""
        each = n // self.size
        return slice(self.rank * each, (self.rank + 1) * each)

    def mean(self, value):
        """The mean of a number over the processes; each of them gets the same."""
        if self.size == 1:
            return value
        return sum(part.item() for part in self._all(value, torch.float64)) / self.size

    def any(self, flag):
        """Whether the flag is set in any process; each of them gets the same answer."""
        return bool(flag) if self.size == 1 else self.mean(float(bool(flag))) > 0

    def gather(self, tensor):
        """The tensor of each process, equal in shape, in the order of rank; all of them get it."""
        if self.size == 1:
            return [tensor]
        # nccl moves only what lies on its device, and random states lie on the CPU.
        return [part.to(tensor.device) for part in self._all(tensor)]

    def wait(self):
        """Go on when all processes have come here."""
        if self.size > 1:
            distributed.barrier()

    def close(self):
        """Leave the group, once nothing holds what ``wrap`` gave.

        A wrapped model that outlived the group would be the last to hold it, and would wait
        for gloo's threads with Python's lock in its hand, which one of them may be waiting for.
        """
        if self.size > 1:
            gc.collect()  # DistributedDataParallel refers to itself
            distributed.destroy_process_group()

    def _all(self, value, dtype=None):
        mine = torch.as_tensor(value, dtype=dtype).to(choose_device(self.device)).contiguous()
        parts = [torch.empty_like(mine) for _ in range(self.size)]
        distributed.all_gather(parts, mine)
        return parts


ALONE = Processes()


def from_environment(device=None):
    """The processes that torchrun started this one among: ALONE without torchrun.

    gloo carries the messages between CPUs and nccl between GPUs, of which each process
    takes the one with its local number. Raises ValueError for a device that is not here.
    """
    size, local = (int(os.environ.get(name) or 0) for name in ("WORLD_SIZE", "LOCAL_RANK"))
    if 0 < local < torch.cuda.device_count():
        torch.cuda.set_device(local)  # so that asking whether there is CUDA asks this GPU
    chosen = choose_device(device)
    if size <= 1:
        return Processes(device=device)
    device = chosen.type
    if device == "cuda":
        if local >= torch.cuda.device_count():
            raise ValueError(
                f"process {local} has no GPU: there are {torch.cuda.device_count()}. Start as "
                "many processes as there are GPUs, or add --device cpu."
            )
        device = f"cuda:{local}"
    distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    return Processes(distributed.get_rank(), distributed.get_world_size(), device)
