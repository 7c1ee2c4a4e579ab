import json

import torch

from helpers.corpus import SOURCES
from tools.records import record, write_record


def test_a_record_has_what_its_numbers_depend_on(tmp_path):
    body = {"runs": [{"cell": "rnn", "losses": [1.5, 2.0, -3], "none": [], "of": [["é"], [1]]}]}
    made = record("it", body, "austen")
    assert made["versions"]["torch"] == torch.__version__
    assert made["threads"] == torch.get_num_threads()
    assert made["corpus_sha256"] == SOURCES["austen"].sha256
    assert made["runs"] == body["runs"]
    assert record("it", body, machine="another")["machine"] == "another"
    assert "corpus" not in record("it", body)
    write_record(made, tmp_path / "results")
    assert '"losses": [1.5, 2.0, -3],\n' in (tmp_path / "results" / "it.json").read_text(
        encoding="utf-8"
    )
    stored = (tmp_path / "results" / "it.json").read_text(encoding="utf-8")
    assert json.loads(stored) == made
