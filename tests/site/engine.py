"""The engine of the live figures beside Python: models in a page, and what both make of a text."""

from pathlib import Path

import numpy as np
import torch

from helpers.checkpoint import save
from helpers.cli.export import export
from helpers.models import evaluating, predict
from tests.site.conftest import PLAYGROUND
from tests.small import tiny

CELLS = ("rnn", "lstm", "gru", "transformer")
MODELS = {cell: PLAYGROUND / "models" / f"{cell}.js" for cell in CELLS}  # the book's, trained


def give(page, path):
    """Load an exported model into the page, as charbookModels[stem] and as a Model."""
    page.add_script_tag(url=Path(path).as_uri())
    page.evaluate(
        "n => { (globalThis.loaded ??= {})[n] = charbook.engine.load(charbookModels[n]); }",
        Path(path).stem,
    )
    return Path(path).stem


def js_logits(page, name, text):
    """Logits (T, V) after each character of a text."""
    rows = page.evaluate(
        """([name, text]) => {
            const model = loaded[name], state = model.start();
            return model.encode(text).map((id) => Array.from(model.step(state, id)));
        }""",
        [name, text],
    )
    return np.array(rows)


def torch_logits(model, vocab, text):
    with evaluating(model):
        return predict(model, vocab.encode(text)[None])[0][0]


def random_model(cell, vocab, folder, precision="float32", sizes=(5, 6)):
    """A network of unequal odd sizes with large weights, saved and exported."""
    widths = dict(zip(("embed_size", "hidden_size"), sizes, strict=True))
    model = tiny(cell, vocab_size=len(vocab), **({} if cell == "transformer" else widths))
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(2)
    save(folder / "run", model, vocab)
    return model, export(folder / "run", folder / f"{cell}-{precision}.js", precision)
