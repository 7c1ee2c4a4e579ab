"""Every stored run has today's configurations and corpus, and its first losses come out again."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from helpers import results
from helpers.results import stored_run
from tests.needs import TINY_SHAKESPEARE, its_corpus
from tools import records
from tools.runs import common
from tools.runs.__main__ import main
from tools.runs.common import FIRST, RUNS, TOLERANCE, NotHere, long_run, repeated, short

ROOT = Path(__file__).resolve().parents[2]
STORED = {path.stem for path in (ROOT / "data/results").glob("*.json")}
# Measured by other commands: make bench, python -m benchmarks.gpu or .memory, make execute.
OTHERS = {"benchmarks", "benchmarks-earlier", "page-faults", "gpu", "chapter-seconds"}
MOST = 8  # models of a record that are begun again here; `tools.runs --check` begins all


def spread_out(models):
    """At most so many, from the first to the last."""
    step = max(1, (len(models) - 1) / (MOST - 1))
    return [models[round(i * step)] for i in range(min(MOST, len(models)))]


MODELS = [
    pytest.param(name, model, id=f"{name}-{i}")
    for name in RUNS
    if name in STORED  # of another, the first test complains
    for i, model in enumerate(spread_out(repeated(stored_run(name))))
]


def test_the_models_that_are_begun_again_are_spread_over_the_record():
    assert spread_out([0, 1, 2]) == [0, 1, 2]
    assert spread_out(list(range(8))) == list(range(8))
    assert spread_out(list(range(33))) == [0, 5, 9, 14, 18, 23, 27, 32]


def test_each_stored_result_has_a_run_and_a_row_in_the_readme():
    assert {*RUNS, *OTHERS} == STORED
    readme = (ROOT / "data/README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`([\w-]+)\.json`", readme.partition("## `results/`")[2])) >= STORED


def test_each_run_that_a_text_names_exists():
    texts = [*ROOT.glob("chapters/*.ipynb"), *ROOT.glob("*.md"), ROOT / "data/README.md"]
    command = re.compile(r"python -m tools\.runs(?:\.\w+)?(?: --?\w+)* ?([a-z][\w-]*)?")
    named = {n for p in texts for n in command.findall(p.read_text(encoding="utf-8")) if n}
    assert len(named) > 10
    assert named <= set(RUNS)


@pytest.mark.parametrize("name", RUNS)
def test_a_stored_result_has_todays_configurations_and_corpus(name):
    with its_corpus():
        assert not RUNS[name].differences(stored_run(name)), f"python -m tools.runs {name}"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "model"), MODELS)
def test_the_first_losses_come_out_again(name, model):
    try:
        losses = RUNS[name].first_losses(model)
    except NotHere as error:
        missing = isinstance(error.__cause__, ConnectionError)
        pytest.skip(TINY_SHAKESPEARE if missing else str(error))
    why = f"{name} was made by other code: python -m tools.runs {name}; {short(model)}"
    assert losses == pytest.approx(model["first_losses"], abs=TOLERANCE), why


def declare(name, corpus=None, losses=(1.0, 2.0), size=3):
    """A run of two models without any training."""

    def repeat(configuration, corpus):
        if corpus == "tinyshakespeare":
            raise ConnectionError("no network")
        return [loss + configuration["seed"] for loss in losses] * FIRST

    def plan(corpus, finished):
        yield {"cell": "rnn", "seed": 0, "size": size}
        yield {"cell": "rnn", "seed": len(finished), "size": size}  # depends on the first

    @long_run(
        name, repeat=repeat, plan=plan, corpus=corpus, settings={"epochs": size},
        summary=lambda corpus, models: {"count": len(models)},
    )  # fmt: skip
    def train(configuration, corpus):
        return {"first_losses": repeat(configuration, None)[:FIRST], "held_out": 1.5}


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Two declared runs, the second on a corpus that is not here, made and stored."""
    for module in (results, records):  # which read and write there
        monkeypatch.setattr(module, "BOOK_DATA", tmp_path)
    monkeypatch.setattr(common, "RUNS", RUNS)
    kept = dict(RUNS)
    RUNS.clear()
    declare("away", corpus="tinyshakespeare")
    declare("it")
    yield RUNS
    RUNS.clear()
    RUNS.update(kept)


def test_what_is_made_is_what_is_checked(runs, capsys):
    assert main(["it"]) == 0
    stored = stored_run("it")
    assert stored["count"] == len(stored["runs"]) == 2
    assert stored["epochs"] == 3
    assert stored["runs"][1] == {
        "cell": "rnn", "seed": 1, "size": 3, "first_losses": [2.0, 3.0] * 10, "held_out": 1.5,
    }  # fmt: skip
    assert main(["--check", "it"]) == 0
    assert capsys.readouterr().out.endswith("it: the same\n")


def test_a_run_without_its_corpus_is_skipped_and_the_others_are_checked(runs, capsys):
    assert main(["--all"]) == 0
    assert main(["--check"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-2] == "away: skipped, its corpus cannot be had here: no network"
    assert said[-1] == "it: the same"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"size": 4}, "epochs is 3, not 4"),
        ({"losses": (1.0, 2.0002)}, "its first losses are others now: cell rnn, seed 0"),
        ({"corpus": "austen"}, "it is of another edition of austen"),
    ],
)
def test_what_would_be_made_otherwise_is_named(runs, capsys, changed, message):
    main(["it"])
    declare("it", **changed)
    assert main(["--check", "it"]) == 1
    assert message in capsys.readouterr().out


def test_other_models_and_models_that_are_missing_or_too_many_are_named(runs):
    main(["it"])
    stored = stored_run("it")
    other, gru = {"cell": "rnn", "seed": 0}, {"cell": "gru", "seed": 1}
    assert replace(RUNS["it"], plan=[other, gru]).differences(stored) == [
        f"it has {{'cell': 'rnn', 'seed': 1}}, not {gru}"
    ]
    assert replace(RUNS["it"], plan=[other]).differences(stored) == [
        "nobody makes its cell rnn, seed 1, size 3, held_out 1.5"
    ]
    del stored["runs"][1]
    assert replace(RUNS["it"], plan=[other, gru]).differences(stored) == [f"it lacks {gru}"]


def test_a_run_that_does_not_exist_is_refused(runs, capsys):
    with pytest.raises(SystemExit):
        main(["thats"])
    assert "there is no run 'thats'; there are away, it" in capsys.readouterr().err
    assert main(["--check", "away"]) == 1  # not stored yet
    assert main(["--list"]) == 0
