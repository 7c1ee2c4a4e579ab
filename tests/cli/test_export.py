import json

import numpy as np
import pytest
import torch

from helpers.checkpoint import save
from helpers.cli.export import PRECISIONS, _round_up, export, pack, read, unpack
from helpers.corpus import Vocabulary
from helpers.models import CharRNN, CharTransformer, evaluating, predict
from helpers.sampling import generate

VOCAB = Vocabulary("abc\n é—")  # V = 7


def tiny(cell="lstm", layers=1):
    torch.manual_seed(3)
    model = CharRNN(len(VOCAB), 5, 6, cell=cell, num_layers=layers)
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(3)  # far from zero, so that rounding shows
    return model


def logits(model, text):
    with evaluating(model):
        return predict(model, VOCAB.encode(text)[None])[0][0]


@pytest.fixture
def folder(tmp_path):
    save(tmp_path / "run", tiny(), VOCAB)
    return tmp_path / "run"


@pytest.mark.parametrize("precision", PRECISIONS)
def test_what_was_exported_comes_back_within_the_stated_error(folder, tmp_path, precision):
    made = export(folder, tmp_path / "mine.js", precision, about={"held_out_nats": 1.5})
    assert made["bytes"] == (tmp_path / "mine.js").stat().st_size
    model, vocab, description = read(made["path"])
    assert vocab == VOCAB
    assert model.config == tiny().config
    assert description["about"] == {"held_out_nats": 1.5}
    text = description["check"]["text"]
    assert text == generate(tiny(), VOCAB, "\n", 999, seed=0)
    error = np.abs(logits(model, text) - logits(tiny(), text)).max()
    assert error <= description["largest_error"] <= 1.11 * error
    assert description["largest_error"] == made["largest_error"]
    if precision == "float32":
        assert error == 0
    else:
        assert error > 1e-4
    exact = logits(tiny(), text)[description["check"]["places"]]
    assert np.allclose(description["check"]["logits"], exact, atol=1e-6)


def test_a_transformer_of_any_depth_comes_back(tmp_path):
    torch.manual_seed(3)
    model = CharTransformer(len(VOCAB), 8, 2, 3, 4)
    save(tmp_path / "run", model, VOCAB)
    back = read(export(tmp_path / "run", tmp_path / "m.js", "float32")["path"])[0]
    assert back.config == model.config
    assert np.array_equal(logits(back, "abc\n é—ab"), logits(model, "abc\n é—ab"))


def test_less_precision_is_a_smaller_file_and_a_larger_error(folder, tmp_path):
    made = [export(folder, tmp_path / f"{p}.js", p) for p in PRECISIONS]
    int8, half, full = (m["largest_error"] for m in made)
    assert int8 > 5 * half > full == 0
    sizes = [sum(len(w["data"]) for w in read(m["path"])[2]["weights"].values()) for m in made]
    assert sizes == sorted(sizes)
    assert sizes[2] > 1.9 * sizes[1]


def test_the_script_sets_a_variable_named_like_the_file(folder, tmp_path):
    script = export(folder, tmp_path / 'my "novel".js')["path"].read_text(encoding="utf-8")
    assert script.startswith(r'(globalThis.charbookModels ??= {})["my \"novel\""] = {')
    assert script.endswith("};\n")
    assert script.isascii()  # é and — are escaped, whatever encoding a server claims


@pytest.mark.parametrize("precision", PRECISIONS)
def test_packing_by_hand(precision):
    value = np.array([[1.0, -0.5, 0.25], [100.0, 0.0, -25.0]], dtype=np.float32)
    back = unpack(pack(value, precision))
    assert back.shape == (2, 3)
    assert back.dtype == np.float32
    if precision == "int8":  # half a step of each row's own scale at most
        assert (np.abs(back - value) <= np.array([[1.0], [100.0]]) / 254 * 1.0001).all()
        assert back[1, 0] == pytest.approx(100)
        assert pack(value[0], precision)["dtype"] == "float32"  # a bias
    else:
        assert np.array_equal(back, value)  # all of them are halves, exactly


@pytest.mark.filterwarnings("error")
def test_rows_of_zeros_stay_zero():
    assert not unpack(pack(np.zeros((2, 3)), "int8")).any()


@pytest.mark.parametrize(
    ("number", "rounded"), [(0, 0), (0.00123, 0.0013), (0.0012, 0.0012), (9.91, 10), (4.01, 4.1)]
)
def test_an_error_is_rounded_up(number, rounded):
    assert _round_up(number) == pytest.approx(rounded)


def test_what_cannot_be_exported_is_refused(folder, tmp_path):
    with pytest.raises(ValueError, match=r"int8.*not 'int4'"):
        export(folder, tmp_path / "m.js", "int4")
    with pytest.raises(ValueError, match=r"\.js"):
        export(folder, tmp_path / "m.json")
    save(tmp_path / "two", tiny(layers=2), VOCAB)
    with pytest.raises(ValueError, match=r"networks with one layer; .* holds 2 of 'lstm'$"):
        export(tmp_path / "two", tmp_path / "m.js")
    assert not (tmp_path / "m.js").exists()


def test_halves_of_a_surrogate_pair_that_a_page_would_join_are_refused(tmp_path):
    halves = Vocabulary("ab\ud83d\ude00")
    save(tmp_path / "run", CharRNN(len(halves), 5, 6), halves)
    with pytest.raises(ValueError, match="both halves of a surrogate pair"):
        export(tmp_path / "run", tmp_path / "m.js")


def test_a_folder_that_is_not_there_is_refused(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*site to write m.js into"):
        export(folder, tmp_path / "site" / "m.js")
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize("script", ["", "x = 1;", 'a["b"] = {};', 'a["b"] = {"format": 1'])
def test_another_file_is_no_exported_model(tmp_path, script):
    (tmp_path / "m.js").write_text(script, encoding="utf-8")
    with pytest.raises(ValueError, match="no exported model"):
        read(tmp_path / "m.js")


def test_a_newer_version_is_refused(folder, tmp_path):
    path = export(folder, tmp_path / "m.js")["path"]
    path.write_text(
        path.read_text(encoding="utf-8").replace('"version":1', '"version":2'), encoding="utf-8"
    )
    with pytest.raises(ValueError, match="version"):
        read(path)


@pytest.mark.parametrize(
    ("part", "edited"),
    [
        ("config", None), ("config", {"vocab_size": 7}), ("config", {"cell": "lstm", "size": 7}),
        ("weights", None), ("weights", {}), ("weights", []), ("characters", None),
        ("characters", "abc"),
        ("weights", {"output.bias": {"dtype": "float32", "shape": [7], "data": "AAAA"}}),
        ("weights", {"output.bias": {"dtype": "int4", "shape": [7], "data": ""}}),
    ],
)  # fmt: skip
def test_a_file_that_was_edited_is_refused(folder, tmp_path, part, edited):
    path = export(folder, tmp_path / "m.js")["path"]
    head, _, rest = path.read_text(encoding="utf-8").partition(" = ")
    description = json.loads(rest.rstrip(";\n"))
    if edited is None:
        del description[part]
    else:
        description[part] = edited
    path.write_text(f"{head} = {json.dumps(description)};\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"m\.js is not whole, or was edited: "):
        read(path)


def test_the_payload_is_json(folder, tmp_path):
    script = export(folder, tmp_path / "m.js")["path"].read_text(encoding="utf-8")
    description = json.loads(script.partition(" = ")[2].rstrip(";\n"))
    assert description["characters"] == "\n abcé—"
    assert description["format"] == "character-by-character model"  # what the page looks for
    assert description["check"]["places"] == [0, 9, 99, 999]
