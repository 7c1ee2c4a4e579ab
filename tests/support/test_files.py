"""Files written whole, what killed writers left behind, and names that begin with ~."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.support.files import expand_user, remove_leftovers, write_whole


def test_bytes_and_texts_replace_what_was_there(tmp_path):
    path = tmp_path / "file"
    write_whole(path, b"old")
    write_whole(str(path), "né\n")
    assert path.read_bytes() == b"n\xc3\xa9\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_whole(path, b"old")

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_where_nothing_could_be_written_that_is_what_is_said(tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        write_whole(tmp_path / "nowhere" / "file", b"data")
    assert error.value.__context__ is None  # not that there was nothing to clear away


@pytest.mark.skipif(os.name == "nt", reason="nobody can be asked there")
def test_only_the_leftovers_of_processes_that_ended_are_removed(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    running = f"weights.{os.getppid()}.part"
    names = [
        f"weights.{int(ended.stdout)}.part", f"weights.{os.getpid()}.part",
        f"weights.{2**80}.part", "weights.1.part", "weights.part", "weights", running,
    ]  # fmt: skip
    for name in names:
        (tmp_path / name).write_bytes(b"half")
    remove_leftovers(tmp_path)
    # Process 1 always runs and is another user's, or one's own in a container.
    kept = {"weights.1.part", "weights.part", "weights", running}
    assert {path.name for path in tmp_path.iterdir()} == kept


def test_a_tilde_is_a_home_unless_it_is_the_files_own_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/somewhere")
    assert expand_user("~/notes.txt") == Path("/somewhere/notes.txt")
    assert expand_user("~nobody-of-this-name.txt") == Path("~nobody-of-this-name.txt")
    Path("~notes.txt").touch()
    assert expand_user("~notes.txt") == Path("~notes.txt")
