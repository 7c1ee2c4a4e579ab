"""helpers.results: every stored run can be read by its name, and a wrong name is named."""

import json

import pytest

from helpers import results
from helpers.corpus import BOOK_DATA
from helpers.results import stored_run


def test_a_stored_run_is_its_file():
    assert stored_run("reference") == json.loads(
        (BOOK_DATA / "results" / "reference.json").read_text(encoding="utf-8")
    )


def test_a_wrong_name_gets_the_nearest(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "BOOK_DATA", tmp_path)
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "curves.json").write_text('{"runs": []}', encoding="utf-8")
    with pytest.raises(FileNotFoundError, match=r"'curve'.*mean 'curves'"):
        stored_run("curve")
    with pytest.raises(FileNotFoundError, match=r"'loss' in [^ ]*results\. It has: curves$"):
        stored_run("loss")
