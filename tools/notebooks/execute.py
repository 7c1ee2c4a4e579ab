"""Run notebooks from the top and store their outputs: the one way by which outputs change.

    python -m tools.notebooks.execute [chapters/lstm.ipynb ...]      (all chapters by default)

Timestamps and kernel details are stripped and cell ids made stable, so that a second run
on the same machine changes nothing that git would show, apart from times. The user's own
settings have no part in it (tools/notebooks/surroundings.py). A notebook that would lose a
picture is not stored. Each figure is kept a second time, drawn for a phone (narrow.py).
"""

import argparse
import hashlib
import json
import os
import time
from base64 import b64decode
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from helpers.support.files import write_whole
from tools.notebooks import narrow, surroundings

CHAPTERS = Path(__file__).resolve().parents[2] / "chapters"
SECONDS = CHAPTERS.parent / "data" / "results" / "chapter-seconds.json"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "pygments_lexer": "ipython3"},
}


def execute(path):
    """Run one notebook in its folder; the file changes only if every cell succeeds.

    ValueError where a cell showed a picture and shows fewer now.
    """
    notebook = nbformat.read(path, as_version=4)
    before = [pictures(cell) for cell in notebook.cells]
    run(notebook, path.parent, surroundings.clean(dict(os.environ)), narrow.HOOK)
    second = taken_out(notebook)
    for cell, count in zip(notebook.cells, before, strict=True):
        if pictures(cell) < count:
            raise ValueError(
                f"{path} is not stored: this cell showed {count} pictures, and {pictures(cell)} "
                f"now; if that is meant, clear its outputs first:\n{cell.source}"
            )
    tidy(notebook, path.stem)
    nbformat.validate(notebook)
    write_whole(path, nbformat.writes(notebook) + "\n")
    if path.resolve().parent == CHAPTERS:
        keep(second, narrow.FOLDER / path.stem)


def run(notebook, folder, environment, *lines):
    """Run a notebook's cells from the top; its outputs become those of this run.

    lines : of Python, which the kernel runs first
    An exception of nbclient or of the kernel where a cell fails or the kernel ends.
    """
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    place = {"metadata": {"path": folder}}
    first = [f"--IPKernelApp.exec_lines={list(lines)}"] if lines else []
    client = NotebookClient(
        notebook, timeout=1800, kernel_name="python3", resources=place, extra_arguments=first
    )
    client.execute(env=environment)


def taken_out(notebook):
    """Take the figures drawn for a phone out of the outputs: {SHA-256 of the other PNG: PNG}."""
    found = {}
    for cell in notebook.cells:
        name = cell.metadata.get("mystnb", {}).get("figure", {}).get("name")
        for output in cell.get("outputs", []):
            second = output.get("data", {}).pop(narrow.MIME, None)
            if second and name not in narrow.WIDE:
                first = b64decode(output.data["image/png"])
                found[hashlib.sha256(first).hexdigest()] = b64decode(second)
    return found


def keep(files, folder):
    """Make {SHA-256: PNG} all that a folder holds."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    for name, png in files.items():
        write_whole(folder / f"{name}.png", png)


def pictures(cell):
    """How many of a cell's outputs hold a picture."""
    return sum(
        any(k.startswith("image/") for k in o.get("data", {})) for o in cell.get("outputs", [])
    )


def tidy(notebook, stem):
    """Strip what differs from run to run; number the cells."""
    notebook.metadata = nbformat.from_dict(METADATA)
    for i, cell in enumerate(notebook.cells):
        cell.id = f"{stem}-{i:03d}"
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            output.pop("transient", None)
        if cell.cell_type == "code":
            cell.outputs = merge_streams(cell.outputs)


def merge_streams(outputs):
    """Join neighbouring pieces of one stream, which arrive cut at random places."""
    merged = []
    for output in outputs:
        last = merged[-1] if merged else None
        if last and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            merged.append(output)
    return merged


def note_seconds(stem, seconds):
    """Keep how long a chapter took, which its first lines tell; small changes are noise.

    Returns True where the stored time changed, so that the chapter must run once more.
    """
    stored = json.loads(SECONDS.read_text(encoding="utf-8"))
    rounded = 5 * max(1, round(seconds / 5))
    old = stored.get(stem, 0)
    if abs(rounded - old) <= max(5, 0.3 * old):
        return False
    stored[stem] = rounded
    stored = {name: s for name, s in stored.items() if (CHAPTERS / f"{name}.ipynb").is_file()}
    text = json.dumps(dict(sorted(stored.items())), indent=1) + "\n"
    write_whole(SECONDS, text)
    return True


def kernel_seconds():
    """Processor time of all kernels that have ended: on one thread, seconds on a quiet machine.

    Windows does not tell it; the time on the clock stands in.
    """
    if os.name == "nt":
        return time.perf_counter()
    times = os.times()
    return times.children_user + times.children_system


def notebook_file(name):
    """The path of a notebook on a command line; argparse.ArgumentTypeError where there is none."""
    path = Path(name)
    if path.suffix != ".ipynb" or not path.is_file():
        raise argparse.ArgumentTypeError(f"{name} is no notebook, such as chapters/lstm.ipynb")
    return path


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=notebook_file, help="all chapters by default")
    for path in parser.parse_args(arguments).notebooks or sorted(CHAPTERS.glob("*.ipynb")):
        started = kernel_seconds()
        execute(path)
        seconds = kernel_seconds() - started
        print(f"{path.name}: {seconds:.0f} s", flush=True)
        if path.resolve().parent == CHAPTERS and note_seconds(path.stem, seconds):
            execute(path)


if __name__ == "__main__":
    main()
