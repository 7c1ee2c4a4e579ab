import json
import os
from pathlib import Path

import pytest
import torch

from helpers import checkpoint
from helpers.checkpoint import CheckpointError, load, load_tensors, save
from helpers.corpus import Vocabulary
from helpers.models import CharRNN, CharTransformer

VOCAB = Vocabulary("abcdefg\n é")


def tiny(seed=0):
    torch.manual_seed(seed)
    return CharRNN(len(VOCAB), 5, 6, cell="gru", num_layers=2, dropout=0.1)


@pytest.fixture
def saved(tmp_path):
    folder = tmp_path / "run"
    save(folder, tiny(), VOCAB, epoch=3, losses=[2.5, 2.25])
    return folder


def edit(folder, **changes):
    path = folder / "checkpoint.json"
    description = json.loads(path.read_text(encoding="utf-8"))
    description.update(changes)
    path.write_text(json.dumps(description), encoding="utf-8")


def weights_of(folder):
    (path,) = folder.glob("*.safetensors")
    return path


def test_what_was_saved_comes_back(saved):
    model, vocab, state = load(saved)
    assert vocab == VOCAB
    assert state == {"epoch": 3, "losses": [2.5, 2.25]}
    assert model.config == tiny().config
    for name, value in tiny().state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], value, rtol=0, atol=0)
    assert model.training


def test_a_folder_is_made_with_those_above_it(tmp_path):
    save(tmp_path / "runs" / "first", tiny(), VOCAB)
    assert load(tmp_path / "runs" / "first")[1] == VOCAB


def test_a_transformer_comes_back_and_goes_on(tmp_path):
    torch.manual_seed(0)
    model = CharTransformer(len(VOCAB), 12, 2, num_layers=3, context=5, dropout=0.1)
    save(tmp_path, model, VOCAB)
    loaded, _, _ = load(tmp_path)
    assert isinstance(loaded, CharTransformer)
    assert loaded.config == model.config
    ids = torch.arange(18).view(2, 9) % len(VOCAB)
    _, state = model.eval()(ids)
    for ours, theirs in ((None, None), (state, state)):
        assert torch.equal(loaded.eval()(ids, ours)[0], model(ids, theirs)[0])


def test_saving_again_replaces_the_old_and_leaves_two_files(saved):
    save(saved, tiny(seed=1), VOCAB)
    model, _, state = load(saved)
    assert state == {}
    assert torch.equal(model.output.weight, tiny(seed=1).output.weight)
    assert len(list(saved.iterdir())) == 2


@pytest.mark.parametrize("when", ["weights", "checkpoint.json"])
def test_a_full_disk_leaves_the_last_good_checkpoint(saved, monkeypatch, when):
    real = os.fsync
    written = []

    def full(handle):
        written.append(os.readlink(f"/proc/self/fd/{handle}"))
        if when in written[-1].rpartition("/")[2]:
            raise OSError(28, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save(saved, tiny(seed=1), VOCAB)
    assert written
    assert not list(saved.glob("*.part"))
    monkeypatch.undo()
    assert torch.equal(load(saved)[0].output.weight, tiny().output.weight)


def test_weights_cut_short_are_refused(saved):
    path = weights_of(saved)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(CheckpointError, match="cut short or changed"):
        load(saved)


def test_a_description_cut_short_is_refused(saved):
    path = saved / "checkpoint.json"
    path.write_text(path.read_text(encoding="utf-8")[:60], encoding="utf-8")
    with pytest.raises(CheckpointError, match="not whole, or no JSON"):
        load(saved)


def test_missing_parts_are_named(saved, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*elsewhere$"):
        load(tmp_path / "elsewhere")
    with pytest.raises(FileNotFoundError, match=r"json is a file, and a trained model is a folder"):
        load(saved / "checkpoint.json")
    with pytest.raises(FileNotFoundError, match="holds no checkpoint"):
        load(tmp_path)
    weights_of(saved).unlink()
    with pytest.raises(FileNotFoundError, match="weights"):
        load(saved)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "something else"}, "not a checkpoint of this book"),
        ({"version": 2}, "format version 2; this version of helpers reads 1"),
        ({"model": "CharMamba"}, "does not have: 'CharMamba'"),
        ({"characters": "abc"}, "lists 3 characters for a model of 10"),
        ({"config": tiny().config | {"hidden_size": 9}}, "safetensors does not fit its descr"),
    ],
)
def test_an_edited_or_foreign_description_is_refused(saved, changes, message):
    edit(saved, **changes)
    with pytest.raises(CheckpointError, match=message):
        load(saved)


def test_a_description_that_lacks_a_field_is_refused(saved):
    path = saved / "checkpoint.json"
    description = json.loads(path.read_text(encoding="utf-8"))
    del description["weights"], description["config"]
    path.write_text(json.dumps(description), encoding="utf-8")
    with pytest.raises(CheckpointError, match="lacks config, weights"):
        load(saved)


def test_a_weights_name_cannot_lead_out_of_the_folder(saved):
    edit(saved, weights="../other.safetensors")
    with pytest.raises(CheckpointError, match="edited"):
        load(saved)


def test_a_vocabulary_of_another_size_and_other_models_are_refused(tmp_path):
    with pytest.raises(ValueError, match="knows 10 characters and the vocabulary has 3"):
        save(tmp_path, tiny(), Vocabulary("abc"))
    with pytest.raises(TypeError, match="CharRNN, CharTransformer, not Linear"):
        save(tmp_path, torch.nn.Linear(2, 3), VOCAB)
    assert not list(tmp_path.iterdir())


def test_a_state_that_json_cannot_hold_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(TypeError, match="not JSON serializable"):
        save(tmp_path / "run", tiny(), VOCAB, order=torch.arange(3))
    assert not (tmp_path / "run").exists()


TENSORS = {"order": torch.arange(6, dtype=torch.uint8), "step": torch.tensor(3.0)}


@pytest.fixture
def resumable(tmp_path):
    folder = tmp_path / "resumable"
    save(folder, tiny(), VOCAB, TENSORS, done=3)
    return folder


def test_what_training_needs_comes_back_beside_the_weights(resumable):
    found = load_tensors(resumable)
    assert found.keys() == TENSORS.keys()
    assert all(torch.equal(found[name], TENSORS[name]) for name in TENSORS)
    assert load(resumable)[2] == {"done": 3}
    assert len(list(resumable.iterdir())) == 3
    save(resumable, tiny(seed=1), VOCAB, {"order": torch.ones(2)}, done=4)
    assert len(list(resumable.iterdir())) == 3
    assert load_tensors(resumable)["order"].tolist() == [1, 1]


def test_a_damaged_or_missing_training_is_refused_and_the_model_still_loads(resumable, saved):
    (path,) = resumable.glob("training-*")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="cut short or changed"):
        load_tensors(resumable)
    path.unlink()
    with pytest.raises(FileNotFoundError, match="the training of this checkpoint, is missing"):
        load_tensors(resumable)
    assert load(resumable)[1] == VOCAB
    with pytest.raises(CheckpointError, match="not what its training would need"):
        load_tensors(saved)


def test_what_a_killed_process_left_half_written_is_cleared_away(resumable):
    (resumable / f"weights-0123.safetensors.{2**40}.part").write_bytes(b"half")
    save(resumable, tiny(), VOCAB)
    assert not list(resumable.glob("*.part"))
    assert len(list(resumable.iterdir())) == 2


@pytest.mark.parametrize("config", [{}, {"vocab_size": 10, "cell": "mamba"}, {"units": 3}])
def test_a_description_of_a_model_that_cannot_be_is_refused(saved, config):
    edit(saved, config=config)
    with pytest.raises(CheckpointError, match="was edited"):
        load(saved)


def test_no_pickle_is_involved():
    source = Path(checkpoint.__file__).read_text(encoding="utf-8")
    assert "torch.load" not in source
    assert "torch.save" not in source


def test_the_description_is_text_that_anyone_can_read(saved):
    text = (saved / "checkpoint.json").read_text(encoding="ascii")  # é is escaped
    assert text.startswith('{\n "format": "character-by-character checkpoint",\n "version": ')


def test_what_another_process_is_saving_into_the_same_folder_stays(saved):
    part = saved / f"weights-0123.safetensors.{os.getppid()}.part"
    part.write_bytes(b"half")
    described = (saved / "checkpoint.json").stat().st_mtime_ns
    part_of_its_next = saved / "weights-0123.safetensors"
    part_of_its_next.write_bytes(b"not described yet")
    os.utime(part_of_its_next, ns=(described + 1, described + 1))
    save(saved, tiny(seed=1), VOCAB)
    assert part.exists()
    assert part_of_its_next.exists()
    described = (saved / "checkpoint.json").stat().st_mtime_ns
    os.utime(part_of_its_next, ns=(described, described))
    save(saved, tiny(seed=2), VOCAB)
    assert not part_of_its_next.exists()
    assert len(list(saved.iterdir())) == 3


@pytest.mark.parametrize(
    "characters", ["ab\ud83d\ude00", "\ud83d", "\ude00\ud800", "🙂\ude42\ud83d"]
)
def test_lone_halves_of_surrogate_pairs_come_back(tmp_path, characters):
    vocab = Vocabulary(characters)
    model = CharRNN(len(vocab), 2, 3)
    save(tmp_path, model, vocab)
    assert load(tmp_path)[1] == vocab
