"""A trained model as a folder: weights in safetensors, everything else in JSON. No pickle."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from .corpus import Vocabulary
from .models import CharRNN, CharTransformer

DESCRIPTION = "checkpoint.json"
FORMAT = "character-by-character checkpoint"
VERSION = 1
MODELS = {"CharRNN": CharRNN, "CharTransformer": CharTransformer}


class CheckpointError(ValueError):
    """A folder that is no checkpoint, or one that is damaged, edited or too new."""


def save(folder, model, vocab, **training_state):
    """Write ``model``, its vocabulary and any JSON-able ``training_state`` into ``folder``.

    Each file is written under a temporary name and moved into place, the description last,
    so that a crash or a full disk leaves the checkpoint that was there before.
    Raises ValueError where model and vocabulary differ in size, TypeError for a state that
    JSON cannot hold, OSError where the disk refuses.
    """
    kind = type(model).__name__
    if kind not in MODELS:
        raise TypeError(f"a checkpoint can hold {', '.join(MODELS)}, not {kind}")
    if model.config["vocab_size"] != len(vocab):
        raise ValueError(
            f"the model knows {model.config['vocab_size']} characters and the vocabulary has "
            f"{len(vocab)}: they do not belong together"
        )
    weights = save_tensors({k: v.contiguous().cpu() for k, v in model.state_dict().items()})
    digest = hashlib.sha256(weights).hexdigest()
    description = {
        "format": FORMAT,
        "version": VERSION,
        "model": kind,
        "config": model.config,
        "characters": "".join(vocab.chars),
        "weights": f"weights-{digest[:16]}.safetensors",
        "weights_sha256": digest,
        "training_state": training_state,
    }
    text = json.dumps(description, indent=1, ensure_ascii=True) + "\n"
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / description["weights"], weights)
    _write(folder / DESCRIPTION, text.encode())
    for old in folder.glob("weights-*.safetensors"):
        if old.name != description["weights"]:
            old.unlink()


def load(folder):
    """Read a checkpoint: (model, vocab, training_state), the model on the CPU in training mode.

    Raises FileNotFoundError where there is none, CheckpointError where it cannot be trusted.
    """
    folder = Path(folder)
    description = _read_description(folder / DESCRIPTION)
    path = folder / description["weights"]
    if not path.is_file():
        raise FileNotFoundError(f"{path}, the weights of this checkpoint, is missing")
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != description["weights_sha256"]:
        raise CheckpointError(
            f"{path} is not the file that {DESCRIPTION} was saved with: it was cut short or "
            f"changed ({len(data):,} bytes)"
        )
    vocab = Vocabulary(description["characters"])
    model = MODELS[description["model"]](**description["config"])
    try:
        model.load_state_dict(load_tensors(data))
    except (RuntimeError, SafetensorError) as error:
        raise CheckpointError(f"{path} does not fit its description: {error}") from error
    if len(vocab) != model.config["vocab_size"]:
        raise CheckpointError(
            f"{folder / DESCRIPTION} lists {len(vocab)} characters for a model of "
            f"{model.config['vocab_size']}: it was edited"
        )
    return model, vocab, description["training_state"]


def _read_description(path):
    if not path.is_file():
        raise FileNotFoundError(f"{path.parent} holds no checkpoint: {path} is missing")
    try:
        description = json.loads(path.read_bytes())
    except ValueError as error:
        raise CheckpointError(f"{path} is not whole, or no JSON: {error}") from error
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise CheckpointError(f"{path} is not a checkpoint of this book")
    if description.get("version") != VERSION:
        raise CheckpointError(
            f"{path} has format version {description.get('version')!r}; this version of helpers "
            f"reads {VERSION}. A newer copy of the book may read it."
        )
    wanted = {"model", "config", "characters", "weights", "weights_sha256", "training_state"}
    if missing := sorted(wanted - description.keys()):
        raise CheckpointError(f"{path} lacks {', '.join(missing)}")
    if Path(description["weights"]).name != description["weights"]:
        raise CheckpointError(f"{path} names weights outside its folder: it was edited")
    if description["model"] not in MODELS:
        raise CheckpointError(
            f"{path} names a model that helpers does not have: {description['model']!r}"
        )
    return description


def _write(path, data):
    """Write bytes under a temporary name beside ``path``, then move them into place."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
