"""Do the stored outputs hold on other threads, instruction sets, versions, and again and again?

    python -m tools.notebooks.reproduce [--chapters lstm gru ...] [--only AVX2 ...] [--workers 2]

Runs every chapter in each of the surroundings below and compares what its cells print with what
is stored, as the tests do. The table comes last; all that is printed is kept in
``_build/reproduce.log``. The exit code is 1 where a cell printed something else, or a chapter
stopped, in this run. A chapter takes about half a minute in each of the surroundings.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from importlib.metadata import version
from typing import NamedTuple

import nbformat

from tools.notebooks import execute, surroundings
from tools.notebooks.tolerance import DECIMAL, Tolerant, difference, tolerance
from tools.records import processor

LOG = execute.CHAPTERS.parent / "_build" / "reproduce.log"
# The vector instructions of PyTorch, of the libraries below it, of NumPy and of JAX. No reader's
# machine lacks AVX any more; leaving it out sums in a third order, and so says a little
# about processors that were not tried.
NO_AVX = {
    "ATEN_CPU_CAPABILITY": "default",
    "MKL_CBWR": "COMPATIBLE",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "OPENBLAS_CORETYPE": "Nehalem",
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
    "XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2",
}
AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_CBWR": "AVX2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
}
AVX512 = {
    "ATEN_CPU_CAPABILITY": "avx512",
    "MKL_CBWR": "AVX512",
    "ONEDNN_MAX_CPU_ISA": "AVX512_CORE",
    "OPENBLAS_CORETYPE": "SkylakeX",
    "XLA_FLAGS": "--xla_cpu_max_isa=AVX512",
}
# What PyPI still has for the Python and the PyTorch that are here; put before the
# installed ones on the path.
OLDEST = ["numpy==2.0.2", "matplotlib==3.9.4", "contourpy==1.2.1"]
OLDEST_NAME = "oldest NumPy and Matplotlib"
SURROUNDINGS = {
    "first run": {},
    "second run": {},
    "third run": {},
    "two threads": {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"},
    "without AVX": NO_AVX,
    "AVX2": AVX2,
    "AVX-512": AVX512,
    OLDEST_NAME: {},
}


class Outcome(NamedTuple):
    """What came of one chapter in some surroundings; cells are counted from 1."""

    chapter: str
    cells: int = 0  # compared
    held: int = 0  # within their tolerance
    same: int = 0  # to the letter
    largest: float = 0.0  # relative difference in a cell with a tolerance
    differ: tuple = ()  # numbers of the cells that did not hold
    stopped: str = ""  # why the chapter did not come to its end
    seconds: float = 0.0

    @property
    def line(self):
        if self.stopped:
            return f"{self.chapter} stopped: {self.stopped}"
        cells = f"; differs: cell {', '.join(map(str, self.differ))}" if self.differ else ""
        return f"{self.chapter}: {self.held} of {self.cells} cells hold{cells}"


def reproduce(path, environment):
    """Run one chapter in an environment and compare: an Outcome, whatever happens."""
    started = time.perf_counter()
    try:
        stored, new = (nbformat.read(path, as_version=4) for _ in range(2))
        execute.run(new, path.parent, environment)
        outcome = compared(path.stem, stored, new)
    except Exception as error:  # a cell, the kernel, a file: the other chapters go on
        words = re.sub(r"\x1b\[[\d;]*m", "", str(error))[-2000:].strip()  # colours taken out
        outcome = Outcome(path.stem, stopped=f"{type(error).__name__}: {words}")
    return outcome._replace(seconds=time.perf_counter() - started)


def compared(chapter, stored, new):
    """A notebook as stored and as it ran now -> Outcome. The first cell prints pip's words."""
    pairs = [(a, b) for a, b in zip(stored.cells, new.cells, strict=True) if a.cell_type == "code"]
    cells, held, same, largest, differ = 0, 0, 0, 0.0, []
    for number, (old, now) in enumerate(pairs, start=1):
        if number == 1 or "nbval-ignore-output" in old.metadata.get("tags", []):
            continue
        rtol = tolerance(old.metadata)
        holds, apart = compare(printed(old), printed(now), rtol)
        cells, held, same = cells + 1, held + holds, same + (printed(old) == printed(now))
        largest = max(largest, apart if rtol is not None and holds else 0.0)
        differ += [] if holds else [number]
    return Outcome(chapter, cells, held, same, largest, tuple(differ))


def printed(cell):
    """The text that a cell prints, shows or glues, as nbval compares it; pictures apart."""
    return "".join(part for o in cell.outputs for part in texts_of(o) if part[:7] != "<Figure")


def texts_of(output):
    yield output.get("text", "")
    shown = sorted(output.get("data", {}).items())
    yield from (value for kind, value in shown if "text/" in kind)


def compare(stored, new, rtol):
    """Stored and new text -> (do they agree within rtol?, largest relative difference)."""
    if DECIMAL.sub("#", stored) != DECIMAL.sub("#", new):
        return False, float("inf")
    pairs = zip(DECIMAL.findall(stored), DECIMAL.findall(new), strict=True)
    largest = max((difference(a, b) for a, b in pairs), default=0.0)
    return stored == new if rtol is None else Tolerant(stored, rtol) == new, largest


def environment_of(name, oldest):
    """The environment variables of some surroundings; ``oldest``: a folder for old packages."""
    own = {**os.environ, "CHARBOOK_DEVICE": "cpu", "OMP_NUM_THREADS": "1"}
    environment = surroundings.clean(own) | SURROUNDINGS[name]
    if name == OLDEST_NAME:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", oldest]
        subprocess.run([*pip, *OLDEST], check=True)
        environment["PYTHONPATH"] = oldest
    return environment


def table(outcomes):
    """{surroundings: its Outcomes} -> the lines of the table."""
    yield f"{'':28} chapters   cells    hold  to the letter   largest difference  seconds"
    for name, parts in outcomes.items():
        cells, held, same = (
            sum(getattr(p, key) for p in parts) for key in ("cells", "held", "same")
        )
        largest, seconds = max(p.largest for p in parts), sum(p.seconds for p in parts)
        ended = sum(not p.stopped for p in parts)
        yield f"{name:28} {ended:8} {cells:7} {held:7} {same:14} {largest:20.1e} {seconds:8.0f}"
        yield from (f"    {p.line}" for p in parts if p.stopped or p.differ)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    chapters = {path.stem: path for path in sorted(execute.CHAPTERS.glob("*.ipynb"))}
    parser.add_argument("--chapters", nargs="+", choices=chapters, metavar="NAME",
                        default=list(chapters), help="without .ipynb; all by default")  # fmt: skip
    parser.add_argument("--only", nargs="+", choices=SURROUNDINGS, metavar="NAME",
                        default=list(SURROUNDINGS), help=", ".join(SURROUNDINGS))  # fmt: skip
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(arguments)
    LOG.parent.mkdir(exist_ok=True)
    outcomes = {}
    with LOG.open("w", encoding="utf-8") as log, tempfile.TemporaryDirectory() as oldest:

        def say(line):
            print(line, flush=True)
            print(line, file=log, flush=True)

        packages = ", ".join(f"{p} {version(p)}" for p in ("torch", "numpy", "matplotlib"))
        say(f"{datetime.now():%Y-%m-%d %H:%M}, {processor()}, {os.cpu_count()} cores, {packages}")
        for name in options.only:
            environment = environment_of(name, oldest)
            outcomes[name] = []
            with ThreadPoolExecutor(options.workers) as pool:
                paths = [chapters[stem] for stem in options.chapters]
                for outcome in pool.map(partial(reproduce, environment=environment), paths):
                    outcomes[name].append(outcome)
                    say(f"{name}, {outcome.line}")
        for line in table(outcomes):
            say(line)
    return int(any(o.stopped or o.differ for parts in outcomes.values() for o in parts))


if __name__ == "__main__":
    sys.exit(main())
