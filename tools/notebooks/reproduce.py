"""Do the stored outputs hold on other threads, instruction sets, versions, and again and again?

    python -m tools.notebooks.reproduce [--chapters lstm gru ...] [--only AVX2 ...]
        [--workers 2] [--new]
    python -m tools.notebooks.reproduce --tighten

Runs every chapter in each of the surroundings below, compares what its cells print with
what is stored, and writes ``data/results/reproduction.json``: for each chapter in each of
them what held, and for each cell with a tolerance the largest difference. What is run again
replaces itself alone; ``--new`` runs only chapters whose code is not the one that was run.
Then the table is printed. A chapter takes about half a minute in each of the surroundings.

A tolerance may be ten times what was measured (and ten times 1e-4 where that is less); a test
refuses a wider one, and ``--tighten`` writes the widest that is allowed in its place.
"""

import argparse
import hashlib
import json
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from importlib.metadata import version
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from benchmarks.run import processor
from conftest import DECIMAL, last_digit, tolerance

ROOT = Path(__file__).resolve().parents[2]

RESULT = ROOT / "data/results/reproduction.json"
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
SURROUNDINGS = {
    "first run": {},
    "second run": {},
    "third run": {},
    "two threads": {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"},
    "without AVX": NO_AVX,
    "AVX2": AVX2,
    "AVX-512": AVX512,
    "oldest NumPy and Matplotlib": {"CHARBOOK_OLDEST": "1"},
}
STORING = threading.Lock()
FLOOR = 1e-4  # no tolerance is smaller
MARGIN = 10  # how much wider than the measured difference a tolerance may be
IGNORED = "nbval-ignore-output"


def run(chapter, surroundings):
    """What each code cell of a chapter prints in the surroundings: a list of texts."""
    environment = {**os.environ, "CHARBOOK_DEVICE": "cpu", "OMP_NUM_THREADS": "1"}
    environment |= {"TQDM_DISABLE": "1", "OMP_WAIT_POLICY": "passive"} | surroundings
    command = [sys.executable, __file__, "--execute", str(chapter)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        return None, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1]), None


def execute(chapter):
    """Run one notebook in this process's environment; print what its cells say, as JSON."""
    notebook = nbformat.read(chapter, as_version=4)
    place = {"metadata": {"path": Path(chapter).parent}}
    client = NotebookClient(notebook, timeout=1800, kernel_name="python3", resources=place)
    client.execute()
    print(json.dumps([said(cell) for cell in notebook.cells if cell.cell_type == "code"]))


def said(cell):
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
    holds, largest = True, 0.0
    for a, b in zip(DECIMAL.findall(stored), DECIMAL.findall(new), strict=True):
        difference = abs(float(a) - float(b))
        size = max(abs(float(a)), abs(float(b)))
        within_digit = difference <= 1.001 * max(last_digit(a), last_digit(b))
        largest = max(largest, 0.0 if within_digit or not size else difference / size)
        holds &= a == b if rtol is None else within_digit or difference <= rtol * size
    return holds, largest


def key(cell):
    """A cell is known by its code, which stays when others move."""
    return hashlib.sha256(cell.source.encode()).hexdigest()[:16]


def check(chapter, surroundings):
    """One chapter in some surroundings -> its findings, a dict a cell, or an error's text."""
    texts, error = run(chapter, surroundings)
    if error:
        return error
    cells = [c for c in nbformat.read(chapter, as_version=4).cells if c.cell_type == "code"]
    found = []
    for number, (cell, text) in enumerate(zip(cells, texts, strict=True), start=1):
        if IGNORED in cell.metadata.get("tags", []) or number == 1:
            continue
        rtol = tolerance(cell.metadata)
        holds, largest = compare(said(cell), text, rtol)
        found.append({"cell": number, "key": key(cell), "rtol": rtol, "holds": holds,
                      "largest": largest, "same": said(cell) == text})  # fmt: skip
    return found


def summary(findings, seconds):
    """What is stored of a chapter in some surroundings."""
    if isinstance(findings, str):
        print(findings, flush=True)
        return {"cells": 0, "held": 0, "same": 0, "differ": ["stopped"], "seconds": round(seconds)}
    spreads = {f["key"]: f["largest"] for f in findings if f["rtol"] is not None}
    return {
        "cells": len(findings),
        "held": sum(f["holds"] for f in findings),
        "same": sum(f["same"] for f in findings),
        "differ": [f["cell"] for f in findings if not f["holds"]],
        "seconds": round(seconds),
        "spreads": {k: v for k, v in spreads.items() if 0 < v < float("inf")},
    }


def fetch_oldest(folder):
    """The oldest versions, into a folder of their own."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder]
    subprocess.run([*pip, *OLDEST], check=True)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chapters", nargs="*", help="names without .ipynb; all by default")
    parser.add_argument("--only", nargs="*", choices=SURROUNDINGS, metavar="NAME")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--new", action="store_true", help="leave out what was run as it is")
    parser.add_argument(
        "--tighten", action="store_true", help="narrow tolerances that are too wide"
    )
    parser.add_argument("--execute", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.execute:
        return execute(options.execute)
    if options.tighten:
        return tighten()
    chapters = sorted((ROOT / "chapters").glob("*.ipynb"))
    if options.chapters:
        chapters = [c for c in chapters if c.stem in options.chapters]
    with tempfile.TemporaryDirectory() as oldest:
        for name in options.only or SURROUNDINGS:
            surroundings = dict(SURROUNDINGS[name])
            if surroundings.pop("CHARBOOK_OLDEST", None):
                fetch_oldest(oldest)
                surroundings["PYTHONPATH"] = oldest
            missing = [c for c in chapters if not (options.new and is_known(c, name))]
            with ThreadPoolExecutor(options.workers) as pool:
                for chapter in missing:
                    pool.submit(reproduce, chapter, name, surroundings)
    found = stored()["chapters"]
    print("\n".join(table(found)))
    sys.exit(any(part["differ"] for parts in found.values() for part in parts["in"].values()))


def code_of(chapter):
    """A hash of a chapter's code and stored texts: what a run is a run of."""
    cells = [c for c in nbformat.read(chapter, as_version=4).cells if c.cell_type == "code"]
    shown = [(c.source, said(c) if IGNORED not in c.metadata.get("tags", []) else "")
             for c in cells]  # fmt: skip
    return hashlib.sha256(json.dumps(shown).encode()).hexdigest()


def is_known(chapter, name):
    known = stored()["chapters"].get(chapter.stem, {"code": None, "in": {}})
    return known["code"] == code_of(chapter) and bool(known["in"].get(name, {}).get("cells"))


def reproduce(chapter, name, surroundings):
    """Run a chapter in the surroundings of that name, and store what came of it."""
    started, code = time.perf_counter(), code_of(chapter)
    found = summary(check(chapter, surroundings), time.perf_counter() - started)
    print(f"{name}, {chapter.stem}: {found['held']} of {found['cells']} cells hold", flush=True)
    with STORING:
        record = stored()
        known = record["chapters"].get(chapter.stem)
        if known is None or known["code"] != code:
            known = record["chapters"][chapter.stem] = {"code": code, "in": {}}
        known["in"][name] = found
        record["chapters"] = dict(sorted(record["chapters"].items()))
        RESULT.write_text(json.dumps(record, indent=1) + "\n")


def stored():
    """What was stored so far, headed by what is here."""
    packages = ("torch", "numpy", "matplotlib")
    return {
        "command": "make reproduce",
        "date": date.today().isoformat(),
        "machine": f"{processor()}, {os.cpu_count()} cores",
        "versions": {package: version(package) for package in packages},
        "oldest": OLDEST,
        "chapters": json.loads(RESULT.read_text())["chapters"] if RESULT.is_file() else {},
    }


def spreads(chapter, known):
    """The largest difference that each cell with a tolerance has shown: key -> number."""
    largest = {}
    for part in known.get(chapter, {"in": {}})["in"].values():
        for cell, value in part.get("spreads", {}).items():
            largest[cell] = max(largest.get(cell, 0.0), value)
    return largest


def allowed(spread):
    """The widest tolerance for a measured difference."""
    return MARGIN * max(spread, FLOOR)


def tighten():
    """Give cells whose tolerance is too wide the widest one that is allowed, of 1, 2, 5 ..."""
    for path in sorted((ROOT / "chapters").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        measured, changed = spreads(path.stem, stored()["chapters"]), 0
        for cell in notebook.cells:
            rtol, limit = tolerance(cell.metadata), allowed(measured.get(key(cell), 0.0))
            if rtol is not None and rtol > 1.001 * limit:
                power = math.floor(math.log10(1.001 * limit))
                step = max(n for n in (1, 2, 5) if n * 10.0**power <= 1.001 * limit)
                tags = [t for t in cell.metadata.tags if not t.startswith("nbval-rtol")]
                cell.metadata.tags = [*tags, f"nbval-rtol={step}e{power}"]
                changed += 1
        if changed:
            nbformat.write(notebook, path)
            print(f"{path.name}: {changed} tolerances narrowed")


def table(known):
    """The lines of the table: one for each of the surroundings, over all chapters."""
    yield f"{'':28} chapters   cells    hold  to the letter   largest difference  seconds"
    for name in SURROUNDINGS:
        parts = {c: k["in"][name] for c, k in known.items() if name in k["in"]}
        total = {key: sum(part[key] for part in parts.values())
                 for key in ("cells", "held", "same", "seconds")}  # fmt: skip
        largest = max((v for p in parts.values() for v in p.get("spreads", {}).values()), default=0)
        yield (
            f"{name:28} {len(parts):8} {total['cells']:7} {total['held']:7} {total['same']:14} "
            f"{largest:20.1e} {total['seconds']:8}"
        )
        yield from (f"    differs: {c}: {p['differ']}" for c, p in parts.items() if p["differ"])


if __name__ == "__main__":
    main()
