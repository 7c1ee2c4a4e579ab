"""Settings for the whole suite: the notebooks' surroundings, and how outputs are compared.

Stored outputs are compared within stated tolerances (tools/notebooks/tolerance.py). Pictures are
not compared; a hidden cell after each prints the numbers that it draws.

The chapter on other frameworks is skipped where they are not installed.
"""

import importlib.util
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from filelock import FileLock
from nbval.plugin import IPyNbCell

from tools.notebooks import surroundings
from tools.notebooks.tolerance import Tolerant, tolerance

# Before any import of torch, here and in the notebooks' kernels, which inherit these.
surroundings.clean(os.environ)


def sanitize(cell, output):
    """nbval calls this on each output, stored and new, before it compares the two."""
    if not isinstance(output, str):
        return output
    if output.startswith("iVBORw0KGgo"):
        return "a PNG picture"  # a glued one, which nbval would compare byte for byte
    rtol = tolerance(cell.cell.metadata)
    if rtol is not None:
        output = Tolerant(output, rtol)
    return output


IPyNbCell.sanitize = sanitize
compare_contents = IPyNbCell.compare_outputs


def compare_outputs(cell, new, stored, skip_compare=None):
    """nbval's comparison, and that of the names under which numbers are glued for sentences."""
    glued, on_page = (
        [m["scrapbook"]["name"] for m in (o.get("metadata", {}) for o in outs) if "scrapbook" in m]
        for outs in (new, stored)
    )
    if glued == on_page:
        return compare_contents(cell, new, stored, skip_compare)
    cell.comparison_traceback = [f"glued now: {glued}", f"stored, and on the page: {on_page}"]
    return False


IPyNbCell.compare_outputs = compare_outputs


def pytest_collection_modifyitems(items):
    """Skip the cells of the one chapter whose packages not everybody has installed.

    The copies for students come first: they need the site, which one worker builds then, while
    the others have tests that do without.
    """
    items.sort(key=lambda item: item.path.name != "test_student.py")
    missing = [n for n in ("jax", "flax", "optax", "keras") if not importlib.util.find_spec(n)]
    if missing:
        reason = f"{', '.join(missing)} not installed: `make frameworks` installs what is missing"
        for item in items:
            if item.path.name == "elsewhere.ipynb":
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_terminal_summary(terminalreporter):
    """The last lines: what was skipped, a sentence for each reason."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    for reason, n in reasons.most_common():
        were = "tests were" if n > 1 else "test was"
        terminalreporter.write_line(f"{n} {were} skipped: {reason}")


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder of the built site; building it with a warning fails.

    It is built once for all workers. CHARBOOK_SITE names one that is built already.
    """
    if ready := os.environ.get("CHARBOOK_SITE"):
        return Path(ready).resolve()
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent  # each worker has a folder of its own in it
    out, failures = shared / "site", shared / "site-failures.txt"
    with FileLock(shared / "site.lock"):
        if not failures.exists():
            failures.write_text(build_site(out), encoding="utf-8")
    assert not failures.read_text(encoding="utf-8"), failures.read_text(encoding="utf-8")
    return out / "_build" / "html"


def build_site(out):
    """Build the site into a folder. What went wrong, one line each; nothing if all is well."""
    jupyter_book = Path(sys.executable).parent / "jupyter-book"
    root = Path(__file__).resolve().parent
    command = [jupyter_book, "build", root, "--path-output", out, "-W", "-n", "--keep-going"]
    run = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    if run.returncode == 0:
        return ""
    lines = run.stderr.split("\n")
    return "\n".join(x for x in lines if "WARNING" in x or "ERROR" in x) or run.stderr[-2000:]
