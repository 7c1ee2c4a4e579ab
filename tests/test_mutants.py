"""tools/mutants.py on a planted function: a good test kills what a poor one lets live."""

import json
import time

import pytest

from tools import mutants

SOURCE = "def larger(a, b):\n    return a if a > b else b\n"
TESTS = {
    "good": "assert [larger(2, 1), larger(1, 2), larger(-1, -1)] == [2, 2, -1]",
    "poor": "assert larger(2, 2) == 2",
}


@pytest.fixture
def folder(tmp_path):
    """A small book with one function and a good and a poor test of it."""
    (tmp_path / "planted").mkdir()
    (tmp_path / "planted/larger.py").write_text(SOURCE)
    (tmp_path / "tests").mkdir()
    for name, line in TESTS.items():
        text = f"from planted.larger import larger\n\n\ndef test_it():\n    {line}\n"
        (tmp_path / f"tests/test_{name}.py").write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "source", "found"),
    [
        ("good", SOURCE, mutants.SURVIVED),
        ("good", SOURCE.replace(">", "<"), mutants.KILLED),
        ("poor", SOURCE.replace(">", "<"), mutants.SURVIVED),
        ("good", "import nowhere\n", mutants.KILLED),
        ("good", SOURCE.replace("return", "while b:\n        b\n    return"), mutants.TIMEOUT),
    ],
)
def test_a_mutant_is_killed_by_a_test_that_fails_or_takes_too_long(
    folder, monkeypatch, name, source, found
):
    monkeypatch.setattr(mutants, "GRACE", 2 if found == mutants.TIMEOUT else 60)
    test = f"tests/test_{name}.py::test_it"
    assert mutants.attempt(folder, "planted/larger.py", source, {test: 0.0}, {test}) == found
    assert (folder / "planted/larger.py").read_text() == SOURCE  # as it was


def test_without_a_test_a_mutant_lives(folder):
    assert mutants.attempt(folder, "planted/larger.py", "", {}, set()) == mutants.SURVIVED


def test_a_process_that_hangs_is_ended():
    assert mutants.apart(lambda: time.sleep(60), seconds=0.1) == mutants.TIMEOUT  # waits
    assert mutants.apart(lambda: any(iter(int, 1)), seconds=0.1) == mutants.TIMEOUT  # works
    assert mutants.apart(lambda: 3) == 3
    assert mutants.apart(lambda: 1 / 0) == -1


def test_the_changes_of_a_function_are_those_of_mutmut_and_texts_for_people_stay():
    pytest.importorskip("mutmut", reason="make mutants installs it")
    source = (
        'def larger(a: "int", b=1):\n    """The larger."""\n    if len(a) > b:\n'
        '        raise ValueError("no")\n    return str(a)\n'
    )
    module, found = mutants.mutants_of(source)
    changes = [mutants.difference(source, mutants.changed(module, one)) for one in found]
    assert sorted(changes) == [
        ['- def larger(a: "int", b=1):', '+ def larger(a: "int", b=2):'],
        ["- if len(a) > b:", "+ if len(a) >= b:"],
        ["- return str(a)", "+ return str(None)"],
    ]
    assert [one.lines for one in found] == [(1, 1), (3, 3), (5, 5)]
    assert [one.rank for one in mutants.mutants_of(source + "\n\nx = 1\n")[1]][:3] == [
        one.rank for one in found
    ]


def test_the_tests_of_a_line_come_before_the_others_of_its_module():
    def about(seconds, lines, why_not=None):
        return {"seconds": seconds, "why not": why_not, "lines": {"larger": lines}}

    tests = {
        "tests/test_larger.py::test_other": about(0.1, [9]),
        "tests/test_larger.py::test_slow": about(0.9, [1, 2]),
        "tests/test_larger.py::test_browser": about(0.1, [1, 2], "starts another process"),
        "tests/test_larger.py::test_quick": about(0.2, [2]),
        "tests/test_main.py::test_far": about(0.1, [2]),
        "tests/test_main.py::test_farther": about(0.1, [9]),
    }
    mutant = mutants.Mutant("", "", (2, 3), (1, 5), ())
    chosen = mutants.choice("larger", mutant, tests)
    assert [name.partition("::")[2] for name in chosen] == [
        *("test_quick", "test_slow", "test_far", "test_other")
    ]


def test_a_survivor_is_judged_by_the_first_row_that_fits():
    table = {"any": [{"like": r"- (\w+) / \+ \1 .*", "why": "a remark"}], "larger": []}
    assert mutants.judgement("larger", ["- a", "+ a 1"], table) == "a remark"
    assert mutants.judgement("larger", ["- a", "+ b 1"], table) is None
    table["larger"] = [{"change": "- a / + a 1", "why": "nearer"}]
    assert mutants.judgement("larger", ["- a", "+ a 1"], table) == "nearer"


def test_the_interval_is_wilsons():
    """9 of 10, by definition: the shares p with |9/10 - p| = z sqrt(p (1 - p) / 10)."""
    for end in mutants.wilson(9, 10):
        assert abs(0.9 - end) == pytest.approx(1.96 * (end * (1 - end) / 10) ** 0.5)
    assert mutants.wilson(10, 10)[1] == pytest.approx(1)
    assert mutants.wilson(0, 0) == (0, 1)


@pytest.mark.skipif(not mutants.RESULT.is_file(), reason="make mutants was not run yet")
def test_nine_tenths_of_what_was_tried_were_killed():
    modules = json.loads(mutants.RESULT.read_text())["modules"].values()
    assert sum(m["killed"] for m in modules) >= 0.9 * sum(m["tried"] for m in modules)
