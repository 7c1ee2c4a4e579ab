"""No stored long run is older than its code or its corpus, and its first losses come out again."""

import json
import re
from pathlib import Path

import pytest

from helpers.exercises.judging import judged
from tools.runs import ledger_runs, long_runs, stamps

ROOT = Path(__file__).resolve().parents[2]

RESULTS = {p.stem: json.loads(p.read_text()) for p in (ROOT / "data/results").glob("*.json")}
RUNS = [
    pytest.param(name, run, id="-".join(str(run.get(k)) for k in ("cell", "bias", "gap", "seed")))
    for name, record in RESULTS.items()
    for run in stamps.repeated(record)
]
ROOTS = {name: [run] for name, run in long_runs.RUNS.items()} | {"ledger": ledger_runs.ROOTS}
each_result = pytest.mark.parametrize("name", sorted(RESULTS.keys() & ROOTS))


def test_every_result_that_a_chapter_reads_is_stored_and_can_be_made_again():
    notebooks = (ROOT / "chapters").glob("*.ipynb")
    named = {
        n for p in notebooks for n in re.findall(r"data/results/([\w-]+)\.json", p.read_text())
    }
    assert named <= set(RESULTS)
    assert set(RESULTS) <= {
        *long_runs.RUNS,
        *(
            "ledger",
            "benchmarks",
            "benchmarks-earlier",
            "gpu",
            "chapter-seconds",
            "faults",
            "mutants",
            "reproduction",
        ),
    }


@each_result
def test_no_result_is_older_than_its_code(name):
    why = stamps.stale(RESULTS[name], *ROOTS[name])
    assert not why, why


@each_result
def test_no_result_is_of_another_corpus(name):
    record = RESULTS[name]
    if record["corpus"] is not None:  # recall makes its own texts
        expected = long_runs.SOURCES[record["corpus"]].sha256
        why = f"{name} is of another edition of {record['corpus']}: run `{record['command']}` again"
        assert record["corpus_sha256"] == expected, why
    if name != "ledger":
        assert record["command"] == f"python -m tools.runs.long_runs {name}"


@pytest.mark.parametrize(("name", "run"), RUNS)
def test_the_first_losses_come_out_again(name, run):
    try:
        if name == "ledger":
            losses = ledger_runs.repeat(run)
        else:
            losses = long_runs.repeat(name, run, RESULTS[name]["corpus"])
    except (ConnectionError, long_runs.OtherText) as error:
        pytest.skip(f"its corpus cannot be had here: {error}")
    message = f"{name} was made by other code: run `{RESULTS[name]['command']}` again"
    assert losses == pytest.approx(run["first_losses"], abs=stamps.WITHIN), message


@pytest.mark.parametrize(
    ("name", "function"),
    [("handed-on", long_runs.handed_on), ("some-reset", long_runs.some_reset)],
)
def test_what_the_first_losses_do_not_reach_passes_the_readers_check(name, function):
    """Rows are handed on after a whole epoch; the repeated losses end before."""
    assert judged(name, function)
