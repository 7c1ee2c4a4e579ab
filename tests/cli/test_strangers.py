"""What people who do this job have suffered elsewhere: one line that names it, nothing spoilt."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from helpers import checkpoint
from helpers.cli import encoded
from helpers.cli.encoded import find_texts
from helpers.cli.export import export, read
from helpers.cli.lock import NAME, locked
from helpers.cli.messages import visible
from helpers.corpus import RARE, load_corpus
from tests.cli.command_line import SMALL, helpers, line_of_error

ROOT = Path(encoded.__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "helpers"]
BRIEF = ["--steps", "4", "--every", "2", *SMALL]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of four updates; not to be changed."""
    folder = tmp_path_factory.mktemp("strangers")
    path = folder / "text.txt"
    path.write_text(load_corpus("austen").text[:1500], encoding="utf-8")
    assert helpers("train", path, "--out", folder / "run", *BRIEF)[0] == 0
    return folder / "run"


def contents(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir()}


# --- two trainings in one folder


@pytest.mark.slow
def test_a_folder_is_trained_in_by_one_process_and_read_by_all(tmp_path):
    run = tmp_path / "two"
    begin = ["train", "austen", "--steps", "100000", "--every", "5", *SMALL]
    first = subprocess.Popen(
        [*COMMAND, *begin, "--out", run], cwd=ROOT, stderr=subprocess.PIPE, encoding="utf-8"
    )
    try:
        while not (run / "metrics.jsonl").exists():
            assert first.poll() is None
            time.sleep(0.01)
        for command in (
            ["train", "austen", "--out", run], ["train", "austen", "--out", run, "--overwrite"],
            ["train", "--resume", run],
        ):  # fmt: skip
            code, message = line_of_error(helpers(*command))
            assert code == 2
            assert message.startswith(f"{run} is being trained by process {first.pid} on ")
            assert message.endswith("; choose another --out, or wait")
        for _ in range(5):  # while checkpoints come and go
            assert helpers("sample", run, "--length", 5)[0] == 0
        assert helpers("evaluate", run)[0] == 0
        assert helpers("export", run, tmp_path / "m.js")[0] == 0
        assert first.poll() is None
    finally:
        first.kill()
        first.communicate()
    assert (run / NAME).exists()  # what a killed process leaves hinders nobody
    done = checkpoint.load(run)[2]["training"]["done"]
    code, _, err = helpers("train", "--resume", run, "--steps", done + 1)
    assert code == 0, err
    assert not (run / NAME).exists()


def test_a_lock_leaves_no_folder_that_it_made_and_lets_go_after_an_error(tmp_path):
    with pytest.raises(RuntimeError), locked(tmp_path / "new", make=True):
        raise RuntimeError
    assert not (tmp_path / "new").exists()
    with locked(tmp_path / "nowhere"):
        assert not (tmp_path / "nowhere").exists()
    with locked(tmp_path), pytest.raises(ValueError, match="is being trained"), locked(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_a_text_that_will_not_do_leaves_the_run_that_was_there(trained, tmp_path):
    before = contents(trained)
    short = tmp_path / "short.txt"
    short.write_text("too short", encoding="utf-8")
    for more in ([short], ["austen", "--prompt", "日"], ["austen", "--batch-size", "9999"]):
        found = helpers("train", *more, "--out", trained, "--overwrite")
        assert line_of_error(found)[0] == 2
        assert contents(trained) == before


def test_a_part_that_is_replaced_while_it_is_read(trained, monkeypatch):
    real, stale = checkpoint._read_description, {"weights": "weights-00.safetensors"}
    answers = [real(trained / "checkpoint.json") | stale]
    monkeypatch.setattr(
        checkpoint, "_read_description", lambda path: answers.pop() if answers else real(path)
    )
    checkpoint.load(trained)
    assert not answers


# --- options out of range

WRONG = {
    "--steps": ("0", "1.5", "1" * 30),
    "--every": ("0", "-1"),
    "--embed-size": ("0", "1" * 30),
    "--hidden-size": ("-1", "nan"),
    "--num-layers": ("0",),
    "--num-heads": ("0", "3"),
    "--context": ("0", "9"),
    "--dropout": ("1", "-0.1", "nan", "0.5"),
    "--seq-len": ("0", "1" * 30, "99999"),
    "--batch-size": ("0", "-8", "99999"),
    "--windows": ("round",),
    "--lr": ("0", "-1", "nan", "inf"),
    "--clip": ("-1", "nan"),
    "--schedule": ("never",),
    "--seed": ("-1", str(2**64), "1.5"),
    "--rare": ("-1", "99999"),
    "--hold-out": ("1", "-0.1", "nan", "0.00001"),
    "--prompt": ("", "日"),
    "--device": ("", "abacus", "meta", "xpu", "cuda:99"),
    "--cell": ("mamba",),
}


@pytest.mark.parametrize(("option", "value"), [(o, v) for o in WRONG for v in WRONG[o]])
def test_an_option_out_of_range_is_one_line_and_no_folder(tmp_path, option, value):
    found = helpers("train", "austen", "--out", tmp_path / "run", option, value)
    assert line_of_error(found)[0] == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["train", "evaluate"])
@pytest.mark.parametrize("device", ["cuda:99", "xpu", "banana"])
def test_a_device_in_the_environment_that_is_not_here(
    trained, tmp_path, monkeypatch, command, device
):
    monkeypatch.setenv("CHARBOOK_DEVICE", device)
    more = ["austen", "--out", tmp_path / "run"] if command == "train" else [trained]
    code, message = line_of_error(helpers(command, *more))
    assert (code, message.startswith(f"CHARBOOK_DEVICE is {device!r}, and ")) == (2, True)
    assert not (tmp_path / "run").exists()


def test_variables_that_are_set_and_empty_are_not_set(trained, tmp_path, monkeypatch):
    for name in ("CHARBOOK_DEVICE", "CHARBOOK_DATA", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.setenv(name, "")
    assert helpers("train", "austen", "--out", tmp_path / "run", *BRIEF)[0] == 0
    assert helpers("evaluate", trained)[0] == 0
    assert helpers("corpora")[0] == 0


def test_nothing_was_held_out(tmp_path):
    assert helpers("train", "austen", "--out", tmp_path / "run", "--hold-out", "0", *BRIEF)[0] == 0
    code, message = line_of_error(helpers("evaluate", tmp_path / "run"))
    assert (code, "nothing was held out: name a text" in message) == (2, True)
    code, message = line_of_error(helpers("evaluate", tmp_path / "run", "austen", "--window", 0))
    assert (code, "'--window': it must be a whole number" in message) == (2, True)


# --- paths and texts


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names of files are Unicode")
def test_paths_that_are_not_utf8(tmp_path):
    folder = os.fsencode(tmp_path) + b"/o\xe9"
    name = os.fsdecode(folder)
    assert helpers("train", "austen", "--out", name, *BRIEF)[0] == 0

    def run(*arguments):
        return subprocess.run([*COMMAND, *arguments], cwd=ROOT, capture_output=True, check=False)

    found = run("sample", folder + b"nowhere")
    assert (found.returncode, len(found.stderr.splitlines())) == (2, 1)
    assert rb"o\udce9nowhere" in found.stderr
    found = run("export", folder, folder + b".js")
    assert (found.returncode, found.stdout) == (0, folder + b".js\n")


def test_a_prompt_with_the_line_ends_of_windows(trained, tmp_path):
    more = ["--length", 3, "--seed", 0]
    wanted = helpers("sample", trained, "--prompt", "It is\na", *more)
    assert wanted[0] == 0
    assert helpers("sample", trained, "--prompt", "It is\r\na", *more) == wanted
    assert helpers("sample", trained, "--prompt", "-", *more, stdin="\ufeffIt is\r\na") == wanted
    found = helpers("train", "austen", "--out", tmp_path / "run", "--prompt", "a\r\nb", *BRIEF)
    assert found[0] == 0, found


@pytest.mark.slow
def test_twenty_thousand_files_are_found_in_no_time(tmp_path):
    for i in range(100):
        (tmp_path / f"{i:03}").mkdir()
    for i in range(20_000):
        name = tmp_path / f"{i // 200:03}" / f"{i}.txt"
        os.close(os.open(name, os.O_CREAT))
    started = time.process_time()
    found, passed_over = find_texts([tmp_path])
    assert time.process_time() - started < 5  # 0.4 s alone; 30 s where it was quadratic
    assert (len(found), passed_over) == (20_000, {})
    assert found == sorted(found)


def test_a_folder_that_is_linked_in_is_told(tmp_path):
    folder, real = tmp_path / "texts", tmp_path / "real"
    folder.mkdir()
    real.mkdir()
    (real / "y.txt").write_text("y", encoding="utf-8")
    (folder / "x.txt").write_text("Once. " * 300, encoding="utf-8")
    (folder / "linked").symlink_to(real)
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe")
    found, passed_over = find_texts([folder])
    assert [p.name for p in found] == ["x.txt"]
    assert [p.name for p in passed_over] == ["linked", "loop"]
    _, _, err = helpers("train", folder, "--out", tmp_path / "run", *BRIEF)
    assert f"passed over {folder / 'linked'}, a link to a folder: name it to read it too" in err


def test_a_file_is_read_once_whatever_links_lead_to_it(tmp_path, monkeypatch):
    folder, elsewhere = tmp_path / "texts", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    for place in (folder / "m.txt", elsewhere / "y.txt", elsewhere / "z.txt"):
        place.write_text("Once. " * 300, encoding="utf-8")
    (folder / "a.txt").symlink_to("m.txt")  # before the file itself
    (folder / "n.txt").symlink_to(folder / "a.txt")  # a link to a link
    (folder / "o.txt").symlink_to(elsewhere / "y.txt")  # to files that are read by this name only
    (folder / "p.txt").symlink_to(elsewhere / "z.txt")
    (folder / "q.txt").symlink_to(elsewhere / "z.txt")
    found, passed_over = find_texts([folder])
    assert [p.name for p in found] == ["m.txt", "o.txt", "p.txt"]
    assert {p.name for p in passed_over} == {"a.txt", "n.txt", "q.txt"}
    assert find_texts([f"{folder}/*"])[0] == found
    assert [p.name for p in find_texts([folder / "a.txt", folder / "m.txt"])[0]] == ["m.txt"]
    (tmp_path / "same").symlink_to(folder)
    assert find_texts([folder, tmp_path / "same"])[0] == found
    monkeypatch.chdir(folder)
    named = [folder / "m.txt", Path("m.txt"), folder / "m.txt"]  # by no link: as was asked for
    assert find_texts(named) == (named, {})
    _, _, err = helpers("train", folder, "--out", tmp_path / "run", *BRIEF)
    told = "passed over 3 links to files that are read under another name\nreading 3 files\n5,40"
    assert told in err
    (folder / "q.txt").unlink()
    (folder / "n.txt").unlink()
    _, _, err = helpers("evaluate", tmp_path / "run", folder)
    assert "passed over 1 link to files" in err


def test_a_name_that_begins_with_a_tilde(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, message = line_of_error(helpers("train", "~notes.txt"))
    assert (code, "no file called '~notes.txt'" in message) == (2, True)
    Path("~notes.txt").write_text("Once. " * 300, encoding="utf-8")
    assert [p.name for p in find_texts(["~notes.txt"])[0]] == ["~notes.txt"]
    assert [p.name for p in find_texts(["~note*.txt"])[0]] == ["~notes.txt"]


def test_control_characters_are_shown_and_not_obeyed(tmp_path):
    assert visible("a\x1b[2J\x07\u2028\u202eé日👩\u200d🚀\xa0") == (
        "a\\x1b[2J\\x07\\u2028\\u202eé日👩\u200d🚀\xa0"
    )
    path = tmp_path / "recording.txt"
    path.write_text("\x1b[2J\u2028\x07" * 400, encoding="utf-8")
    code, _, err = helpers("train", path, "--out", tmp_path / "run", *BRIEF)
    assert code == 0
    assert "\\x1b" in err
    assert not set("\x1b\u2028\x07") & set(err)
    assert len([line for line in err.splitlines() if line.startswith("    | ")]) == 2
    assert "\x1b" in helpers("sample", tmp_path / "run", "--length", 99)[1]  # the result is raw


def test_unknown_characters_are_counted_in_one_pass(tmp_path):
    letters = "".join(map(chr, range(0x4E00, 0x4E00 + 5000)))
    text = "abc " * 500 + "".join(np.random.default_rng(0).choice(list(letters), 300)) + RARE
    path = tmp_path / "text.txt"
    path.write_text(text, encoding="utf-8")
    found = helpers("train", path, "--out", tmp_path / "run", "--rare", 50, *BRIEF)
    assert found[0] == 0, found
    path.write_text("abc" + letters * 20 + RARE, encoding="utf-8")
    started = time.process_time()
    out = helpers("evaluate", tmp_path / "run", path, "--limit", 100_000)[1]
    assert time.process_time() - started < 20
    assert out.splitlines()[-1].split()[-1] == str(100_000 - 3)


def test_an_export_with_brackets_in_its_name_is_read_again(trained, tmp_path):
    place = tmp_path / "a] = {b.js"
    export(trained, place)
    assert read(place)[1] == checkpoint.load(trained)[1]


def test_a_checkpoint_of_the_first_edition_keeps_its_settings(trained, tmp_path):
    from helpers.cli.runs import settings_of

    stored = checkpoint.load(trained)[2]
    every = stored["settings"].pop("eval_every")
    stored["settings"]["every"] = every + 1
    assert settings_of(trained, stored).eval_every == every + 1
