"""A trained model as a folder: weights in safetensors, everything else in JSON. No pickle."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as read_safetensors
from safetensors.torch import save as safetensors_bytes

from .corpus import Vocabulary
from .models import CharRNN, CharTransformer
from .support.arguments import shown
from .support.files import remove_leftovers, write_whole

DESCRIPTION = "checkpoint.json"
FORMAT = "character-by-character checkpoint"
VERSION = 1
PARTS = ("weights", "training")  # the files beside the description
MODELS = {"CharRNN": CharRNN, "CharTransformer": CharTransformer}


class CheckpointError(ValueError):
    """A folder that is no checkpoint, or one that is damaged, edited or too new."""


def save(folder, model, vocab, tensors=None, **training_state):
    """Write ``model``, its vocabulary and any JSON-able ``training_state`` into ``folder``.

    ``tensors`` {name: tensor}, what a training needs to go on, is stored beside the weights;
    ``load_tensors`` reads it.

    Each file is written whole, the description last, so that a crash or a full disk leaves
    the checkpoint that was there before.
    Raises ValueError where model and vocabulary differ in size or the weights are not
    float32, TypeError for a state that JSON cannot hold, OSError where the disk refuses.
    """
    kind = type(model).__name__
    if kind not in MODELS:
        raise TypeError(f"a checkpoint can hold {', '.join(MODELS)}, not {kind}")
    if others := {weight.dtype for weight in model.parameters()} - {torch.float32}:
        raise ValueError(
            f"a checkpoint holds float32 weights, not {others.pop()}: model.float() has them"
        )
    characters = "".join(vocab.chars)
    if json.loads(json.dumps(characters)) != characters:
        # Lone halves of a surrogate pair that are neighbours here would come back as one.
        characters = list(vocab.chars)
    if model.config["vocab_size"] != len(vocab):
        raise ValueError(
            f"the model knows {model.config['vocab_size']} characters and the vocabulary has "
            f"{len(vocab)}: they do not belong together"
        )
    description = {
        "format": FORMAT,
        "version": VERSION,
        "model": kind,
        "config": model.config,
        "characters": characters,
    }
    files = {}
    for part, content in (("weights", model.state_dict()), ("training", tensors)):
        if content is not None:
            data = safetensors_bytes({k: v.contiguous().cpu() for k, v in content.items()})
            digest = hashlib.sha256(data).hexdigest()
            name = f"{part}-{digest[:16]}.safetensors"
            description |= {part: name, f"{part}_sha256": digest}
            files[name] = data
    description["training_state"] = training_state
    files[DESCRIPTION] = (json.dumps(description, indent=1, ensure_ascii=True) + "\n").encode()
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    replaced = folder / DESCRIPTION
    before = replaced.stat().st_mtime_ns if replaced.exists() else 0
    for name, data in files.items():
        write_whole(folder / name, data)
    # A part that is newer than the description was another process's, which has not described
    # it yet, or is what a killed one left: then the next save finds it older.
    for old in (f for p in PARTS for f in folder.glob(f"{p}-*.safetensors")):
        with contextlib.suppress(FileNotFoundError):
            if old.name not in files and old.stat().st_mtime_ns <= before:
                old.unlink()


def load(folder):
    """Read a checkpoint: (model, vocab, training_state), the model on the CPU in training mode.

    Raises FileNotFoundError where there is none, CheckpointError where it cannot be trusted.
    """
    folder = Path(folder)
    description, path, weights = _read(folder, "weights")
    try:
        vocab = Vocabulary(description["characters"])
        model = _build(description, path, weights)
    except CheckpointError:
        raise
    except (TypeError, ValueError, RuntimeError, ArithmeticError) as error:
        why = str(error).partition("\n")[0][:200]  # torch adds where in its own code
        raise CheckpointError(f"{folder / DESCRIPTION} was edited: {why}") from error
    if len(vocab) != model.config["vocab_size"]:
        raise CheckpointError(
            f"{folder / DESCRIPTION} lists {len(vocab)} characters for a model of "
            f"{model.config['vocab_size']}: it was edited"
        )
    return model, vocab, description["training_state"]


def _build(description, path, weights):
    """The model that a description names, with ``weights`` {name: tensor} from ``path``.

    It is built without memory first (torch's "meta" device), so that sizes which are not
    those of the weights are refused before they cost anything.
    """
    make, config = MODELS[description["model"]], description["config"]
    for name, value in config.items():
        if type(value) not in (int, float, str):
            raise TypeError(f"{name} is {shown(value)}")
    if config.get("num_layers", 1) > len(weights):
        raise ValueError(f"num_layers is {config['num_layers']}")
    with torch.device("meta"):
        wanted = make(**config).state_dict()
    for name in sorted(wanted.keys() | weights.keys()):
        described, stored = (_shape(tensors.get(name)) for tensors in (wanted, weights))
        if described != stored:
            raise CheckpointError(
                f"{path} does not fit its description, by which {name} is {described}; it is "
                f"{stored}"
            )
        if not weights[name].isfinite().all():
            raise CheckpointError(f"{path} is of no use: {name} holds what is no finite number")
    model = make(**config)
    model.load_state_dict(weights)
    return model


def _shape(tensor):
    """A tensor's shape and type in words: "6 x 10 float32"; "missing" for None."""
    if tensor is None:
        return "missing"
    return f"{' x '.join(map(str, tensor.shape))} {str(tensor.dtype).removeprefix('torch.')}"


def load_tensors(folder):
    """The ``tensors`` that a checkpoint was saved with: {name: tensor}, on the CPU.

    Raises FileNotFoundError where there is none, CheckpointError where it cannot be trusted.
    """
    return _read(Path(folder), "training")[2]


def _read(folder, part):
    """The description, and the path and the tensors of a part that it names.

    A training that saves meanwhile removes the part, and then describes another one.
    """
    description = _read_description(folder / DESCRIPTION)
    while True:
        if part not in description:
            raise CheckpointError(
                f"{folder} holds a model, but not what its training would need to go on"
            )
        try:
            return description, *_read_part(folder, description, part)
        except FileNotFoundError:
            before, description = description, _read_description(folder / DESCRIPTION)
            if description == before:
                raise


def _read_part(folder, description, part):
    """The path and the tensors of a file that the description names, unchanged since."""
    name = description[part]
    if not isinstance(name, str) or not re.fullmatch(rf"{part}-[0-9a-f]+\.safetensors", name):
        raise CheckpointError(
            f"{folder / DESCRIPTION} names no file of its folder that could hold the {part} "
            f"({name!r:.60}): it was edited"
        )
    path = folder / name
    if not path.is_file():
        raise FileNotFoundError(f"{path}, the {part} of this checkpoint, is missing")
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != description.get(f"{part}_sha256"):
        raise CheckpointError(
            f"{path} is not the file that {DESCRIPTION} was saved with: it was cut short or "
            f"changed ({len(data):,} bytes)"
        )
    try:
        return path, read_safetensors(data)
    except SafetensorError as error:
        raise CheckpointError(f"{path} holds no tensors: {error}") from error


def _read_description(path):
    if not path.parent.exists():
        raise FileNotFoundError(f"there is no folder {path.parent}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path.parent} is a file, and a trained model is a folder")
    if not path.is_file():
        raise FileNotFoundError(f"{path.parent} holds no checkpoint: {path} is missing")
    try:
        description = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
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
    if str(description["model"]) not in MODELS:
        raise CheckpointError(
            f"{path} names a model that helpers does not have: {description['model']!r}"
        )
    if not isinstance(description["config"], dict):
        raise CheckpointError(f"{path} was edited: its config is {description['config']!r}")
    return description
