"""A trained network as a file that a web page can run: weights, vocabulary, and how exact.

The file is JavaScript that sets a variable, because a page opened from the disk may load
scripts and nothing else. extra/_static/playground/engine.js reads it.
"""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path

import numpy as np
import torch

from .. import checkpoint
from ..corpus import Vocabulary
from ..models import ARCHITECTURES, CharRNN, CharTransformer, evaluating, predict
from ..sampling import generate
from ..support.files import write_whole

FORMAT = "character-by-character model"
VERSION = 1
HEAD = "(globalThis.charbookModels ??= {})"
PRECISIONS = ("int8", "float16", "float32")
CHECKED = 1000  # characters over which the error of the logits is measured


def export(folder, to, precision="float16", about=None):
    """Write the checkpoint in ``folder`` as the script ``to`` (a path ending in .js).

    The script sets ``charbookModels[name]``, where the name is that of the file.

    precision : how a weight is stored. "float32" is exact; "float16" has half the bytes;
        "int8" a quarter: a whole number from -127 to 127 times a scale of its row of the
        matrix (biases stay float32)
    about : anything JSON-able that the page may show, such as the held-out loss

    Returns a dict: path, bytes, and largest_error, the largest difference that rounding
    the weights makes to a logit over a text of 1,000 characters that the model itself
    wrote (rounded up). That text and some of the exact logits go into the file, so that
    the page's own can be held against them.

    Raises FileNotFoundError where there is no folder for it; ValueError for an unknown
    precision, another ending than .js, a script there that is no exported model, weights too
    large for the precision, lone halves of a surrogate pair that would be joined, and for a
    model that the page cannot run: it knows what ``ARCHITECTURES`` says is ``in_page``,
    recurrent networks with one layer.
    """
    to = Path(to)
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, not {precision!r}")
    if to.suffix != ".js":
        raise ValueError(f"a page loads the model as a script: give a path ending in .js, not {to}")
    if not to.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {to.parent} to write {to.name} into: make it")
    if to.exists() and not to.read_bytes().startswith(HEAD.encode()):
        raise ValueError(f"{to} is there and is no exported model: choose another name")
    model, vocab, _ = checkpoint.load(folder)
    cell, layers = model.config.get("cell", "transformer"), model.config["num_layers"]
    if not ARCHITECTURES[cell].in_page or (cell != "transformer" and layers != 1):
        cells = ", ".join(repr(name) for name, kind in ARCHITECTURES.items() if kind.in_page)
        raise ValueError(
            f"a page runs {cells}, recurrent networks with one layer; this checkpoint holds "
            f"{layers} of {cell!r}"
        )
    characters = "".join(vocab.chars)
    if json.loads(json.dumps(characters)) != characters:
        raise ValueError("the vocabulary has both halves of a surrogate pair, which a page joins")
    weights = {k: v.numpy() for k, v in model.state_dict().items()}
    packed = {name: pack(value, precision) for name, value in weights.items()}
    text = generate(model, vocab, vocab.chars[0], CHECKED - 1, seed=0)
    ids = vocab.encode(text)[None]  # (1, 1000)
    with evaluating(model):
        exact = predict(model, ids)[0][0]  # (1000, V)
    rounded = _rebuild(model.config, packed)
    with evaluating(rounded):
        difference = np.abs(predict(rounded, ids)[0][0] - exact).max()
    if not np.isfinite(difference):
        raise ValueError(f"these weights are too large to be stored as {precision}")
    places = [0, 9, 99, CHECKED - 1]
    description = {
        "format": FORMAT,
        "version": VERSION,
        "config": model.config,
        "characters": characters,
        "precision": precision,
        "largest_error": _round_up(difference),
        "about": about or {},
        "check": {
            "text": text,
            "places": places,
            "logits": [[round(z, 7) for z in exact[place].tolist()] for place in places],
        },
        "weights": packed,
    }
    script = f"{_head(to.stem)}{json.dumps(description, separators=(',', ':'))};\n"
    write_whole(to, script.encode("ascii"))
    return {"path": to, "bytes": len(script), "largest_error": description["largest_error"]}


def read(path):
    """An exported file back in Python: (model, vocab, description), the weights as rounded.

    What this model writes for a seed is what the page writes for it.
    Raises ValueError for a file that ``export`` did not write, or that was edited since.
    """
    path = Path(path)
    try:
        description = _description(path.read_text(encoding="ascii"))
    except ValueError as error:
        raise ValueError(f"{path} is no exported model: {error}") from error
    if description.get("format") != FORMAT or description.get("version") != VERSION:
        raise ValueError(f"{path} is no exported model of this version of the book")
    try:
        model = _rebuild(description["config"], description["weights"])
        vocab = Vocabulary(description["characters"])
        if len(vocab) != model.config["vocab_size"]:
            raise ValueError(f"{len(vocab)} characters, a model of {model.config['vocab_size']}")
        return model, vocab, description
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not whole, or was edited: {error}") from error


def pack(value, precision):
    """An array (rows, ...) -> a JSON-able dict: dtype, shape, base64 data, for int8 scales."""
    value = np.ascontiguousarray(value, dtype="<f4")
    packed = {"dtype": precision, "shape": list(value.shape)}
    if precision == "int8" and value.ndim == 2:
        scale = np.abs(value).max(axis=1).clip(min=1e-12).astype("<f4") / np.float32(127)
        packed["scale"] = _base64(scale)
        whole = np.rint(value / scale[:, None]).astype(np.int8)  # -127 to 127
        return packed | {"data": _base64(whole)}
    if precision == "float16":
        return packed | {"data": _base64(value.astype("<f2"))}
    return packed | {"dtype": "float32", "data": _base64(value)}


def unpack(packed):
    """What ``pack`` gave -> the array, float32."""
    kinds = {"int8": np.int8, "float16": "<f2", "float32": "<f4"}
    value = np.frombuffer(base64.b64decode(packed["data"]), dtype=kinds[packed["dtype"]])
    value = value.astype(np.float32).reshape(packed["shape"])
    if packed["dtype"] == "int8":
        value = value * np.frombuffer(base64.b64decode(packed["scale"]), dtype="<f4")[:, None]
    return value


def _rebuild(config, packed):
    model = (CharRNN if "cell" in config else CharTransformer)(**config)
    model.load_state_dict({k: torch.from_numpy(unpack(v).copy()) for k, v in packed.items()})
    return model


def _head(name):
    return f"{HEAD}[{json.dumps(name)}] = "


def _description(script):
    """The object that a script sets its variable to. Raises ValueError where there is none."""
    decoder, start = json.JSONDecoder(), len(HEAD) + 1
    if not script.startswith(f"{HEAD}["):
        raise ValueError(f"it does not begin with {HEAD}")
    name, _ = decoder.raw_decode(script, start)  # which may itself have a "] = " in it
    description, _ = decoder.raw_decode(script, len(_head(name)))
    if not isinstance(description, dict):
        raise ValueError("it sets no description")
    return description


def _base64(array):
    return base64.b64encode(array.tobytes()).decode("ascii")


def _round_up(number):
    """Two significant digits, never below the number; 0 stays 0."""
    if number == 0:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(number)) - 1)
    return float(f"{math.ceil(number / step) * step:.3g}")
