"""helpers.results: every stored run can be read by its name, and a wrong name is named."""

import json

import pytest
import torch

from helpers import results
from helpers.corpus import BOOK_DATA, SOURCES
from helpers.results import record, stored_run, write_record


def test_a_stored_run_is_its_file():
    assert stored_run("curves") == json.loads(
        (BOOK_DATA / "results" / "curves.json").read_text(encoding="utf-8")
    )


def test_a_wrong_name_gets_the_nearest(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "BOOK_DATA", tmp_path)
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "curves.json").write_text('{"runs": []}', encoding="utf-8")
    with pytest.raises(FileNotFoundError, match=r"'curve'.*mean 'curves'"):
        stored_run("curve")
    with pytest.raises(FileNotFoundError, match=r"'loss' in [^ ]*results\. It has: curves$"):
        stored_run("loss")


def test_a_record_has_what_its_numbers_depend_on(tmp_path, monkeypatch):
    body = {"runs": [{"cell": "rnn", "losses": [1.5, 2.0, -3], "none": [], "of": [["é"], [1]]}]}
    made = record("it", body, "shakespeare")
    assert made["versions"]["torch"] == torch.__version__
    assert made["threads"] == torch.get_num_threads()
    assert made["corpus_sha256"] == SOURCES["shakespeare"].sha256
    assert made["runs"] == body["runs"]
    assert record("it", body, machine="another")["machine"] == "another"
    assert "corpus" not in record("it", body)
    write_record(made, tmp_path / "results")
    assert '"losses": [1.5, 2.0, -3],\n' in (tmp_path / "results" / "it.json").read_text(
        encoding="utf-8"
    )
    monkeypatch.setattr(results, "BOOK_DATA", tmp_path)
    assert stored_run("it") == made
