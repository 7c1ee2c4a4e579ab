"""What it costs to give memory back to the system: python -m benchmarks.memory (Linux, glibc).

An update of the reference LSTM on windows of 100 characters, in processes that take turns: with
malloc's thresholds as they are, and raised. Writes data/results/page-faults.json. Processor
time is counted, so that other programs disturb it less.
"""

import resource
import time

import numpy as np
import torch

from benchmarks.run import elsewhere
from helpers.models import CharRNN
from helpers.training import train_step
from tools.records import record, write_record

RAISED = {"MALLOC_MMAP_THRESHOLD_": "1073741824", "MALLOC_TRIM_THRESHOLD_": "4294967296"}


def update(window=100, batch=64, updates=4):
    """Processor milliseconds of an update, and how often it waits for a page of memory."""
    model = CharRNN(63, cell="lstm")
    adam = torch.optim.Adam(model.parameters(), fused=True)
    x, y = torch.randint(63, (2, batch, window), generator=torch.Generator().manual_seed(0))
    for _ in range(2):
        train_step(model, x, y, adam)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    started = time.process_time()
    for _ in range(updates):
        train_step(model, x, y, adam)
    ms = 1000 * (time.process_time() - started) / updates
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
    return round(ms, 3), round(faults / updates)


def in_turn(pairs=7):
    """``update`` in pairs of processes -> milliseconds, page faults, ratios of the pairs."""
    code = "from benchmarks import memory; import json; print(json.dumps(memory.update()))"
    ways = {"as it is": {}, "raised": RAISED}
    turns = [[elsewhere(code, **ways[name]) for name in ways] for _ in range(pairs)]
    ms, faults = np.moveaxis(np.array(turns), 2, 0)  # (pairs, 2) each
    low, median, high = np.percentile(ms[:, 0] / ms[:, 1], [25, 50, 75])
    found = {
        name: {"ms": ms[:, k].tolist(), "faults": faults[:, k].tolist()}
        for k, name in enumerate(ways)
    }
    ratios = {"ratio": median, "low": low, "high": high}
    return found | {name: round(float(value), 3) for name, value in ratios.items()}


if __name__ == "__main__":
    instructions = torch.backends.cpu.get_cpu_capability()
    write_record(record("page-faults", in_turn() | {"instructions": instructions}))
