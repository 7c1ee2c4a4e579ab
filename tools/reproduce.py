"""Do the stored outputs hold on other threads, instruction sets, versions, and again and again?

    python tools/reproduce.py [--chapters lstm gru ...] [--only AVX2 ...] [--workers 2]

Runs every chapter in each of the surroundings below, compares what its cells print with
what is stored, prints a table, and writes ``data/results/reproduction.json``: for each cell
that carries a tolerance, the largest difference that was met. A test holds the tolerances
against these. Takes about five minutes for each of the surroundings on two cores.
"""

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import nbformat  # noqa: E402
from nbclient import NotebookClient  # noqa: E402

from conftest import DECIMAL, last_digit, tolerance  # noqa: E402

RESULT = ROOT / "data/results/reproduction.json"
AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_CBWR": "AVX2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
}
AVX512 = {
    "ATEN_CPU_CAPABILITY": "avx512",
    "MKL_CBWR": "AVX512",
    "ONEDNN_MAX_CPU_ISA": "AVX512_CORE",
    "OPENBLAS_CORETYPE": "SkylakeX",
}
# What PyPI still has for the Python and the PyTorch that are here; put before the
# installed ones on the path.
OLDEST = ["numpy==2.0.2", "matplotlib==3.9.4", "contourpy==1.2.1"]
SURROUNDINGS = {
    "first run": {},
    "second run": {},
    "third run": {},
    "two threads": {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"},
    "AVX2": AVX2,
    "AVX-512": AVX512,
    "oldest NumPy and Matplotlib": {"CHARBOOK_OLDEST": "1"},
}
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
    """The text that a cell prints or returns; pictures apart."""
    parts = [o.get("text") or o.get("data", {}).get("text/plain", "") for o in cell.outputs]
    return "".join(part for part in parts if not part.startswith("<Figure"))


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


def row(name, findings, seconds):
    """One line of the table."""
    cells = [f for found in findings.values() if isinstance(found, list) for f in found]
    failed = [f"{c}:{f['cell']}" for c, found in findings.items() if isinstance(found, list)
              for f in found if not f["holds"]]  # fmt: skip
    failed += [f"{c} (stopped)" for c, found in findings.items() if isinstance(found, str)]
    spread = max((f["largest"] for f in cells if f["largest"] < float("inf")), default=0)
    return {"name": name, "cells": len(cells), "same": sum(f["same"] for f in cells),
            "held": sum(f["holds"] for f in cells), "largest": spread, "seconds": round(seconds),
            "failed": failed}  # fmt: skip


def fetch_oldest(folder):
    """The oldest versions, into a folder of their own."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder]
    subprocess.run([*pip, *OLDEST], check=True)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chapters", nargs="*", help="names without .ipynb; all by default")
    parser.add_argument("--only", nargs="*", choices=SURROUNDINGS, metavar="NAME")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--execute", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.execute:
        return execute(options.execute)
    chapters = sorted((ROOT / "chapters").glob("*.ipynb"))
    if options.chapters:
        chapters = [c for c in chapters if c.stem in options.chapters]
    rows, spreads = [], {}
    with tempfile.TemporaryDirectory() as folder:
        for name in options.only or SURROUNDINGS:
            surroundings = dict(SURROUNDINGS[name])
            if surroundings.pop("CHARBOOK_OLDEST", None):
                fetch_oldest(folder)
                surroundings["PYTHONPATH"] = folder
            started = time.perf_counter()
            with ThreadPoolExecutor(options.workers) as pool:
                found = pool.map(lambda c, s=surroundings: check(c, s), chapters)
                findings = {c.stem: f for c, f in zip(chapters, found, strict=True)}
            rows.append(row(name, findings, time.perf_counter() - started))
            print_row(rows[-1])
            collect(spreads, findings)
            if not options.chapters and not options.only:
                store(rows, spreads)
    sys.exit(any(row["failed"] for row in rows))


def print_row(row):
    print(
        f"{row['name']:28} {row['held']:5} of {row['cells']:5} cells hold, {row['same']:5} to "
        f"the letter; largest difference {row['largest']:.1e}; {row['seconds']} s",
        flush=True,
    )
    for place in row["failed"]:
        print(f"    differs: {place}", flush=True)


def collect(spreads, findings):
    """Keep the largest difference that a tolerant cell has shown in any surroundings."""
    for chapter, found in findings.items():
        for f in found if isinstance(found, list) else []:
            if f["rtol"] is not None and f["largest"] < float("inf"):
                cells = spreads.setdefault(chapter, {})
                cells[f["key"]] = max(cells.get(f["key"], 0.0), f["largest"])


def store(rows, spreads):
    packages = ("torch", "numpy", "matplotlib")
    about = {
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {name: __import__(name).__version__ for name in packages},
        "oldest": OLDEST,
    }
    RESULT.write_text(json.dumps({**about, "rows": rows, "spreads": spreads}, indent=1) + "\n")


if __name__ == "__main__":
    main()
