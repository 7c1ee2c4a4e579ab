"""Settings for the whole suite, and stored outputs compared within stated tolerances.

A cell whose metadata carries the tag ``nbval-rtol=1e-3`` is compared so: words, and whole
numbers, exactly; each decimal number within that relative difference (or the last printed
digit, whichever is more). Cells without the tag are compared to the letter. Pictures are
not compared; a hidden cell after each prints the numbers that it draws.

The chapter on other frameworks is skipped where they are not installed.
"""

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

# Before any import of torch, here and in the notebooks' kernels, which inherit these.
os.environ.setdefault("CHARBOOK_DEVICE", "cpu")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that spin stall a busy machine
os.environ.setdefault("TQDM_DISABLE", "1")  # a progress bar would be an output
os.environ.pop("PYTHONWARNINGS", None)
# Keras reads its settings there and would write them into the reader's home.
os.environ.setdefault("KERAS_HOME", str(Path(tempfile.gettempdir()) / "charbook-keras"))

import pytest
from filelock import FileLock
from nbval.plugin import IPyNbCell

DECIMAL = re.compile(r"-?\d+\.\d+(?:e[-+]?\d+)?|-?\d+e[-+]?\d+")
LOOSEST = 0.2


class Tolerant(str):
    """A text that equals another whose decimal numbers are within a relative tolerance."""

    rtol = 0.0

    def __eq__(self, other):
        if DECIMAL.sub("#", self) != DECIMAL.sub("#", other):
            return False
        pairs = zip(DECIMAL.findall(self), DECIMAL.findall(other), strict=True)
        return all(close(a, b, self.rtol) for a, b in pairs)

    def __ne__(self, other):
        return not self == other

    __hash__ = str.__hash__


def close(a, b, rtol):
    """Whether two printed numbers agree within rtol, or differ in the last digit by one."""
    digit = max(last_digit(a), last_digit(b))
    difference = abs(float(a) - float(b))
    return difference <= max(rtol * max(abs(float(a)), abs(float(b))), 1.001 * digit)


def last_digit(number):
    """What one step in the last printed digit is worth: 0.001 for "2.345"."""
    mantissa, _, exponent = number.partition("e")
    decimals = len(mantissa.partition(".")[2])
    return 10.0 ** (int(exponent or 0) - decimals)


def tolerance(metadata):
    """The ``nbval-rtol`` of a cell's metadata, or None; refused where it is no tolerance."""
    for tag in metadata.get("tags", []):
        if tag.startswith("nbval-rtol"):
            value = float(tag.partition("=")[2])
            if not 1e-4 <= value <= LOOSEST:
                raise ValueError(f"tag {tag!r}: a tolerance lies between 1e-4 and {LOOSEST}")
            return value
    return None


def sanitize(cell, output):
    """nbval calls this on each output, stored and new, before it compares the two."""
    if not isinstance(output, str):
        return output
    if output.startswith("iVBORw0KGgo"):
        return "a PNG picture"  # a glued one, which nbval would compare byte for byte
    rtol = tolerance(cell.cell.metadata)
    if rtol is not None:
        output = Tolerant(output)
        output.rtol = rtol
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
    """Skip the cells of the one chapter whose packages not everybody has installed."""
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
        terminalreporter.write_line(f"{n} tests were skipped: {reason}")


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
            failures.write_text(build_site(out))
    assert not failures.read_text(), failures.read_text()
    return out / "_build" / "html"


def build_site(out):
    """Build the site into a folder. What went wrong, one line each; nothing if all is well."""
    jupyter_book = Path(sys.executable).parent / "jupyter-book"
    root = Path(__file__).resolve().parent
    command = [jupyter_book, "build", root, "--path-output", out, "-W", "-n", "--keep-going"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode == 0:
        return ""
    lines = run.stderr.split("\n")
    return "\n".join(x for x in lines if "WARNING" in x or "ERROR" in x) or run.stderr[-2000:]
