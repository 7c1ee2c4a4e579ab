"""helpers.cli.runs without the command line: what test_app.py cannot see from outside."""

import inspect
import io
import json
import math
import sys
from functools import partial

import numpy as np
import pytest
from tqdm import tqdm

from helpers import checkpoint
from helpers.checkpoint import CheckpointError
from helpers.cli import encoded, runs
from helpers.cli.processes import Processes
from helpers.cli.runs import Settings, begin, default_prompt, per_character
from helpers.corpus import Vocabulary, load_corpus
from helpers.sampling import generate
from helpers.training import fit, warm_up_and_decay

SMALL = {"embed_size": 5, "hidden_size": 6, "seq_len": 12, "batch_size": 6, "eval_every": 15}


class Bar:
    """A progress bar that remembers what it was told, and draws nothing."""

    def __init__(self):
        self.disable, self.format_dict = False, {"rate": 2.0}
        self.said, self.updates, self.cleared = [], 0, 0

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def set_postfix_str(self, text, refresh=True):
        self.said.append((text, refresh))

    def update(self):
        self.updates += 1

    def clear(self):
        self.cleared += 1


def text(folder):
    path = folder / "text.txt"
    path.write_text(load_corpus("austen").text[:1500], encoding="utf-8")
    return encoded.find_texts([path])[0]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of 25 updates with a rate that decays, what it said, and its progress bar."""
    folder, reported, bar = tmp_path_factory.mktemp("run"), [], Bar()
    run = begin(folder / "run", text(folder), Settings(steps=25, schedule="decay", **SMALL))
    assert run.train(report=reported.append, bar=bar)
    return run, reported, bar


def test_the_usual_settings_are_those_of_fit():
    usual = {k: p.default for k, p in inspect.signature(fit).parameters.items()}
    settings = Settings()
    for name in ("batch_size", "windows", "lr", "clip", "seed"):
        assert getattr(settings, name) == usual[name], name
    ids = np.arange(4000) % 7
    training = settings.training(settings.model(7), ids, Processes(device="cpu"))
    assert training.seq_len == usual["seq_len"]
    assert training.total == 2000
    wide = Settings(cell="transformer", context=70, num_heads=2, embed_size=8, batch_size=2)
    assert wide.training(wide.model(7), ids, Processes(device="cpu")).seq_len == 70


def test_a_stored_setting_has_its_kind_and_a_whole_number_is_a_real_one(finished):
    run, _, _ = finished
    stored = checkpoint.load(run.folder)[2]
    stored["settings"] |= {"lr": 1, "dropout": 0}
    assert runs.settings_of(run.folder, stored).lr == 1
    for name, value in {"hidden_size": 6.5, "lr": "1", "schedule": 1}.items():
        edited = {"settings": stored["settings"] | {name: value}}
        with pytest.raises(CheckpointError, match=f"edited: its setting {name} is {value!r}"):
            runs.settings_of(run.folder, edited)


def lines(run):
    return list(
        map(json.loads, (run.folder / runs.METRICS).read_text(encoding="utf-8").splitlines())
    )


def test_every_tenth_update_has_a_line_with_the_mean_of_its_ten(finished):
    run, _, _ = finished
    history = run.training.history
    written = [line for line in lines(run) if "loss" in line]
    assert [line["step"] for line in written] == [10, 20]
    for line in written:
        ten = slice(line["step"] - 10, line["step"])
        assert line["loss"] == np.mean(history.step_loss[ten])
        assert line["grad_norm"] == np.mean(history.grad_norm[ten])
        # The rate of the update that was made last.
        assert line["lr"] == pytest.approx(3e-3 * warm_up_and_decay((line["step"] - 1) / 25))


def test_an_evaluation_reports_losses_and_speed_and_writes_a_sample(finished):
    run, reported, _ = finished
    first, last = (line for line in lines(run) if "sample" in line)
    assert (first["step"], last["step"]) == (15, 25)
    assert first["train_loss"] == np.mean(run.training.history.step_loss[:15])
    assert last["train_loss"] == np.mean(run.training.history.step_loss[15:])
    assert last["sample"] == generate(
        run.model, run.vocab, "\n", 200, temperature=0.8, seed=42 + 25
    )
    updates = [line for line in reported if line.startswith("update")]
    assert updates[1].startswith(
        f"update 25 of 25: training loss {last['train_loss']:.3f} (mean since update 15), "
        f"held out {last['held_out_loss']:.3f} (perplexity {math.exp(last['held_out_loss']):.2f}), "
    )
    assert last["seconds"] == round(run.training.history.seconds, 3)
    sample = last["sample"].strip("\n").split("\n")
    assert reported[-1] == f"    | {sample[:3][-1][:90]}"


def test_the_bar_shows_the_last_losses_and_characters_a_second(finished):
    run, _, bar = finished
    recent = np.mean(run.training.history.step_loss)
    rate = 2 * SMALL["batch_size"] * SMALL["seq_len"]
    wanted = f"loss {recent:.3f}, perplexity {math.exp(recent):.2f}, {rate:,} characters/s"
    assert bar.said[-1] == (wanted, False)
    assert bar.updates == len(bar.said) == 25
    assert bar.cleared == 2  # before each evaluation is reported


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "first", "shown"),
    [(Terminal(), True, True), (Terminal(), False, False), (io.StringIO(), True, False)],
)
def test_there_is_a_bar_on_a_terminal_and_none_elsewhere(
    finished, monkeypatch, stream, first, shown
):
    """TQDM_DISABLE, which tests set, is read when tqdm is imported: here it does not count."""
    plain = partial(tqdm, file=stream)
    monkeypatch.setattr(
        runs, "progress_bar", lambda show, **settings: plain(**settings | {"disable": not show})
    )
    monkeypatch.setattr(sys, "stderr", stream)
    with runs.bar_for(finished[0].training, first) as bar:
        bar.refresh()
    assert ("| 25/25 [" in stream.getvalue()) == shown


def test_a_run_is_not_replaced_unless_that_is_asked_for(finished, tmp_path):
    run, _, _ = finished
    with pytest.raises(ValueError, match="holds a run already"):
        begin(run.folder, text(tmp_path), Settings(**SMALL))


def test_a_sample_starts_with_a_line_end_where_there_is_one():
    assert default_prompt(Vocabulary("ab\n\t")) == "\n"
    assert default_prompt(Vocabulary("cab")) == "a"


def test_a_loss_is_told_as_perplexity_and_bits_without_overflow():
    assert per_character(math.log(8)) == {"perplexity": pytest.approx(8), "bits": pytest.approx(3)}
    assert per_character(1e6)["perplexity"] == math.exp(700)
