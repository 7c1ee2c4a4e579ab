"""How a measured result is stored in ``data/results``: for long runs, benchmarks and the GPU."""

import datetime
import functools
import hashlib
import json
import os
import platform
import re
from pathlib import Path

import numpy
import torch

from helpers.corpus import BOOK_DATA, SOURCES, load_corpus
from helpers.support.files import write_whole


def record(name, body, corpus=None, machine=None):
    """A result as it is stored: ``body`` behind its name, date, machine, threads and versions.

    With a named ``corpus``, the corpus and its SHA-256 too. ``machine``: where it was not this
    one's processor that worked, the name of what did.
    """
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    versions |= {"numpy": numpy.__version__}
    if torch.version.cuda:
        versions["cuda"] = torch.version.cuda
    head = {
        "name": name,
        "date": datetime.date.today().isoformat(),
        "machine": machine or f"{processor()}, {platform.machine()}, {os.cpu_count()} cores",
        "threads": torch.get_num_threads(),
        "versions": versions,
    }
    if corpus is not None:
        head |= {"corpus_sha256": corpus_sha256(corpus), "corpus": corpus}
    return head | body


@functools.cache
def corpus_sha256(name):
    """The SHA-256 of a named corpus: as it is stated, or that of the plays' text."""
    if name in SOURCES:
        return SOURCES[name].sha256
    return hashlib.sha256(load_corpus(name).text.encode()).hexdigest()


def write_record(record, folder=None):
    """Write a record to ``data/results/NAME.json``: a line for each entry, one for a list of
    numbers."""
    text = json.dumps(record, indent=1)
    text = re.sub(
        r"\[\s+(-?\d[^][{}\"]*?)\s+\]", lambda m: "[" + " ".join(m[1].split()) + "]", text
    )
    folder = BOOK_DATA / "results" if folder is None else Path(folder)
    folder.mkdir(exist_ok=True)
    write_whole(folder / f"{record['name']}.json", text + "\n")


def processor():
    """The processor's name, where the system says it as Linux does."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"
