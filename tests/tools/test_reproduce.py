"""Tolerances in the notebooks are what was measured, with a margin, and no wider."""

import nbformat
import pytest

from conftest import tolerance
from tools.notebooks import reproduce

NOTEBOOKS = sorted((reproduce.ROOT / "chapters").glob("*.ipynb"))


def test_what_holds_and_how_far_it_is_apart():
    assert reproduce.compare("loss 1.2345 of 3", "loss 1.2345 of 3", None) == (True, 0.0)
    assert reproduce.compare("loss 1.2345 of 3", "loss 1.2345 of 4", 0.1) == (False, float("inf"))
    holds, largest = reproduce.compare("loss 2.000", "loss 2.010", 1e-2)
    assert holds
    assert largest == pytest.approx(0.01 / 2.01)
    assert not reproduce.compare("loss 2.000", "loss 2.010", 1e-3)[0]
    assert not reproduce.compare("loss 2.000", "loss 2.001", None)[0]  # to the letter


def too_wide(cell, spread):
    """Whether a cell's tolerance is more than MARGIN times what was measured."""
    rtol = tolerance(cell.metadata)
    return rtol is not None and rtol > 1.001 * reproduce.allowed(spread)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_no_tolerance_is_ten_times_wider_than_measured(path):
    known = reproduce.stored()["chapters"]
    missing = reproduce.SURROUNDINGS.keys() - known.get(path.stem, {"in": {}})["in"].keys()
    if missing:
        pytest.skip(f"make reproduce has yet to run it in: {', '.join(sorted(missing))}")
    measured = reproduce.spreads(path.stem, known)
    cells = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    wide = {
        number: f"{tolerance(c.metadata):g} for {measured.get(reproduce.key(c), 0):.1e}"
        for number, c in enumerate(cells, start=1)
        if too_wide(c, measured.get(reproduce.key(c), 0))
    }
    again = f"python -m tools.notebooks.reproduce --chapters {path.stem}"
    assert not wide, f"tolerance and what was measured, by cell: {wide}; to measure: {again}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_what_was_run_elsewhere_printed_the_same(path):
    known = reproduce.stored()["chapters"].get(path.stem, {"in": {}})
    differ = {name: part["differ"] for name, part in known["in"].items() if part["differ"]}
    assert not differ, f"cells that printed something else, by surroundings: {differ}"


def test_a_tolerance_that_is_too_wide_is_found():
    cell = nbformat.v4.new_code_cell("print(x)", metadata={"tags": ["nbval-rtol=1e-2"]})
    assert too_wide(cell, 5e-4)
    assert not too_wide(cell, 2e-3)
