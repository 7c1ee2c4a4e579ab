"""Whole numbers as arguments: all functions of helpers take and refuse the same ones."""

import ast
import importlib
import inspect
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from helpers.cli.encoded import encode_texts
from helpers.corpus import Vocabulary, disjoint_windows, load_corpus
from helpers.gates import record_gates
from helpers.models import CharRNN, CharTransformer, window_mask
from helpers.ngram import NGram
from helpers.numpy_lstm import NumpyCharLSTM
from helpers.plotting import smooth
from helpers.sampling import generate, next_distribution, stream
from helpers.statistics import block_bootstrap
from helpers.studies.elsewhere import FlaxCharLSTM, JaxCharLSTM, KerasCharLSTM
from helpers.studies.memorisation import share_seen
from helpers.training import Training, character_losses, epoch_batches, evaluate, fit

V = 5
IDS = np.random.default_rng(0).integers(V, size=120)
TEXT = "".join("abcde"[i] for i in IDS)
VOCAB = Vocabulary(TEXT)
SERIES = np.arange(120.0)
SIZES = {"vocab_size": V, "embed_size": 8, "hidden_size": 3}


def logits(make, **sizes):
    torch.manual_seed(0)
    with torch.no_grad():
        return make(**sizes)(torch.as_tensor(IDS[None] % 4))[0].numpy()


def lstm(num_layers=6):
    torch.manual_seed(0)
    return CharRNN(V, 3, 4, cell="lstm", num_layers=num_layers)


def losses(**recipe):
    return fit(lstm(1), IDS, **{"steps": 4, "seq_len": 6, "batch_size": 2} | recipe).step_loss


def losses_of_epochs(epochs):
    return fit(lstm(1), IDS, epochs=epochs, seq_len=6, batch_size=4).step_loss


def training(**recipe):
    made = Training(lstm(1), IDS, **{"seq_len": 6, "batch_size": 2} | recipe)
    return [getattr(made, name) for name in recipe if hasattr(made, name)]


def without_a_framework(kind):
    built = type("Unbuilt", (kind,), {"_build": lambda self, seed: setattr(self, "seed", seed)})
    return lambda **sizes: vars(built(**SIZES | sizes))


# A function of helpers: how it is called here, and a whole number for each of its arguments.
CASES = {
    load_corpus: (lambda limit: load_corpus("austen", limit).text, {"limit": 4}),
    disjoint_windows: (lambda seq_len: disjoint_windows(IDS, seq_len), {"seq_len": 4}),
    NGram: (
        lambda order=2, vocab_size=V: NGram(order, vocab_size).fit(IDS % 4)(IDS[None] % 4)[0],
        {"order": 4, "vocab_size": 4},
    ),
    CharRNN: (
        lambda **sizes: logits(CharRNN, **SIZES | sizes),
        {"vocab_size": 4, "embed_size": 4, "hidden_size": 4, "num_layers": 4},
    ),
    CharTransformer: (
        lambda **sizes: logits(
            CharTransformer, **{"vocab_size": V, "embed_size": 8, "num_heads": 2} | sizes
        ),
        {"vocab_size": 4, "embed_size": 4, "num_heads": 4, "num_layers": 4, "context": 4},
    ),
    NumpyCharLSTM: (
        lambda **sizes: NumpyCharLSTM(**SIZES | sizes)(IDS[None] % 4)[0],
        {"vocab_size": 4, "embed_size": 4, "hidden_size": 4, "seed": 4},
    ),
    **{
        kind: (
            without_a_framework(kind),
            {"vocab_size": 4, "embed_size": 4, "hidden_size": 4, "seed": 4},
        )
        for kind in (JaxCharLSTM, FlaxCharLSTM, KerasCharLSTM)
    },
    fit: (
        lambda **given: losses_of_epochs(**given) if "epochs" in given else losses(**given),
        {"epochs": 4, "steps": 4, "seq_len": 4, "batch_size": 4, "seed": 4},
    ),
    Training: (training, {"epochs": 4, "steps": 4, "seq_len": 4, "batch_size": 4, "seed": 4}),
    evaluate: (lambda window: evaluate(lstm(1), IDS, window), {"window": 4}),
    character_losses: (
        lambda **given: character_losses(lstm(1), IDS, **given),
        {"window": 4, "chunk": 4},
    ),
    generate: (
        lambda **given: generate(lstm(1), VOCAB, "a", **{"length": 4, "seed": 0} | given),
        {"length": 4, "top_k": 4, "seed": 4},
    ),
    stream: (
        lambda **given: list(stream(lstm(1), VOCAB, "a", **{"length": 4, "seed": 0} | given)),
        {"length": 4, "top_k": 4, "seed": 4},
    ),
    next_distribution: (lambda top_k: next_distribution(SERIES[:9], top_k=top_k), {"top_k": 4}),
    record_gates: (lambda layer: record_gates(lstm(), IDS, layer), {"layer": 4}),
    block_bootstrap: (
        lambda **given: block_bootstrap(np.mean, SERIES, **{"block": 6, "resamples": 40} | given),
        {"block": 4, "resamples": 44, "seed": 4},
    ),
    smooth: (lambda width: smooth(SERIES, width), {"width": 4}),
    share_seen: (lambda length: share_seen(TEXT, TEXT[::-1], length), {"length": 4}),
}
ARGUMENTS = [(function, name) for function, (_, numbers) in CASES.items() for name in numbers]

# Where None says something: no limit, all of the text, any seed.
NONE_IS_ALLOWED = {
    (load_corpus, "limit"), (fit, "steps"), (Training, "steps"), (evaluate, "window"),
    (character_losses, "window"), (generate, "top_k"), (generate, "seed"), (stream, "top_k"),
    (stream, "seed"), (stream, "length"), (next_distribution, "top_k"), (JaxCharLSTM, "seed"),
    (FlaxCharLSTM, "seed"), (KerasCharLSTM, "seed"),
}  # fmt: skip
ZERO_IS_ALLOWED = {pair for pair in ARGUMENTS if pair[1] in ("seed", "layer")}
ZERO_IS_ALLOWED |= {(generate, "length"), (stream, "length")}
REFUSED = [
    -1, 2.5, True, np.True_, math.nan, math.inf, -math.inf, "4", "", [4], (), {}, np.zeros(2),
    4 + 0j, ...,
]  # fmt: skip

# What Training and the command line call, which have checked the numbers.
CALLED_WITH_CHECKED = {epoch_batches, encode_texts, window_mask}
DRAWINGS = ("helpers.studies.diagrams", "helpers.studies.gru", "helpers.studies.lstm")  # sizes

each_argument = pytest.mark.parametrize(
    ("function", "name"), ARGUMENTS, ids=[f"{f.__name__}({name})" for f, name in ARGUMENTS]
)


@each_argument
def test_a_whole_number_may_be_of_any_type(function, name):
    call, numbers = CASES[function]
    expected = call(**{name: numbers[name]})
    for of_type in (float, np.int64, np.uint8, np.float32, np.array, torch.tensor):
        np.testing.assert_equal(call(**{name: of_type(numbers[name])}), expected)


@each_argument
def test_anything_else_is_refused_in_the_same_words(function, name):
    refused = list(REFUSED)
    if (function, name) not in ZERO_IS_ALLOWED:
        refused.append(0)
    if (function, name) not in NONE_IS_ALLOWED:
        refused.append(None)
    for value in refused:
        with pytest.raises(ValueError, match=rf"^{name}\b.* must be a whole number (of|from) "):
            CASES[function][0](**{name: value})


def imported_by_chapters():
    """The functions and classes of helpers that the chapters import."""
    for path in (Path(__file__).parents[1] / "chapters").glob("*.ipynb"):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            source = re.sub(r"(?m)^( *)%.*", r"\1pass", "".join(cell["source"]))
            if cell["cell_type"] != "code" or "from helpers" not in source:
                continue
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.ImportFrom) and node.module.startswith("helpers"):
                    module = importlib.import_module(node.module)
                    for alias in node.names:
                        if hasattr(module, alias.name):  # else a module, not yet imported
                            yield getattr(module, alias.name)


def test_no_function_of_a_chapter_is_missing():
    names = {name for _, name in ARGUMENTS}
    functions = {f for f in imported_by_chapters() if inspect.isroutine(f) or inspect.isclass(f)}
    drawings = {f for f in functions if f.__module__ in DRAWINGS}
    for function in functions - CALLED_WITH_CHECKED - drawings:
        for name, parameter in inspect.signature(function).parameters.items():
            if name in names or type(parameter.default) is int:
                assert (function, name) in ARGUMENTS, f"{function.__name__}({name})"
