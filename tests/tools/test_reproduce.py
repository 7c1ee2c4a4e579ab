"""``make reproduce``: what holds, what does not, and what stopped, each told by its exit code."""

import nbformat
import pytest

from tools.notebooks import execute, reproduce


@pytest.fixture
def book(tmp_path, monkeypatch):
    """Add a chapter to a book in a folder: its name, its cell's source and stored text."""
    monkeypatch.setattr(execute, "CHAPTERS", tmp_path)
    monkeypatch.setattr(reproduce, "LOG", tmp_path / "_build" / "reproduce.log")

    def add(name, source, stored, *tags):
        cells = [nbformat.v4.new_code_cell("pass"), nbformat.v4.new_code_cell(source)]
        cells[1].outputs = [nbformat.v4.new_output("stream", text=stored)]
        cells[1].metadata["tags"] = list(tags)
        nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / f"{name}.ipynb")

    return add


def reproduced(*arguments):
    """The exit code of a run in one of the surroundings, and its log."""
    code = reproduce.main(["--only", "first run", *arguments])
    return code, reproduce.LOG.read_text(encoding="utf-8")


def test_what_holds_and_how_far_it_is_apart():
    assert reproduce.compare("loss 1.2345 of 3", "loss 1.2345 of 3", None) == (True, 0.0)
    assert reproduce.compare("loss 1.2345 of 3", "loss 1.2345 of 4", 0.1) == (False, float("inf"))
    holds, largest = reproduce.compare("loss 2.000", "loss 2.010", 1e-2)
    assert holds
    assert largest == pytest.approx(0.01 / 2.01)
    assert not reproduce.compare("loss 2.000", "loss 2.010", 1e-3)[0]
    assert not reproduce.compare("loss 2.000", "loss 2.001", None)[0]  # to the letter


@pytest.mark.slow
def test_a_cell_that_prints_something_else_fails_the_run(book, capsys):
    book("well", "print('loss 1.2346')", "loss 1.2340\n", "nbval-rtol=1e-3")
    assert reproduced()[0] == 0
    book("wrong", "print('loss 1.2346')", "loss 1.2340\n")
    code, log = reproduced()
    assert code == 1
    assert "first run, well: 1 of 1 cells hold\n" in log
    assert "    wrong: 0 of 1 cells hold; differs: cell 2\n" in log
    assert log in capsys.readouterr().out
    assert reproduced("--chapters", "well")[0] == 0  # of this run, not of an earlier one


@pytest.mark.slow
@pytest.mark.parametrize("end", ["raise KeyError('gone')", "import os; os._exit(1)"])
def test_a_chapter_that_stops_fails_the_run_and_others_go_on(end, book):
    book("a-crash", end, "fine\n")
    book("well", "print('fine')", "fine\n")
    code, log = reproduced()
    assert code == 1
    assert "first run, a-crash stopped: " in log
    assert ("KeyError: 'gone'" if "raise" in end else "DeadKernelError") in log
    assert "first run, well: 1 of 1 cells hold\n" in log


@pytest.mark.slow
def test_a_fault_of_the_comparison_itself_fails_the_run(book, monkeypatch):
    book("well", "print('fine')", "fine\n")
    monkeypatch.setattr(reproduce, "compare", lambda *texts: 1 / 0)
    code, log = reproduced()
    assert code == 1
    assert "well stopped: ZeroDivisionError" in log


@pytest.mark.slow
def test_the_surroundings_of_a_kernel_are_those_of_their_name(book, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    show = "import os; print(os.environ['OMP_NUM_THREADS'], os.environ.get('MKL_CBWR'))"
    book("well", show, "1 None\n")
    assert reproduced()[0] == 0
    book("well", show, "1 AVX2\n")
    assert reproduce.main(["--only", "AVX2"]) == 0
