"""What the live figures on attention compute, held equal to Python; for any weights."""

import numpy as np
import pytest
import torch

from helpers import models
from helpers.cli.export import read
from helpers.models import evaluating, predict, rotate, rotations, window_mask
from tests.site.engine import MODELS
from tests.site.live_pages import figures_page

TEXT = "Where is the king? The king is in the forest.\nIs the king with the queen, or is he not?\n"


@pytest.fixture(scope="module")
def page(browser, static):
    """A page with the scripts of both figures and with the trained Transformer, and no figure."""
    model = '<script defer src="_static/playground/models/transformer.js"></script>'
    names = ("attention", "transformer")
    with figures_page(browser, static, names, places=False, before=model) as it:
        it.evaluate(
            """() => { globalThis.model = charbook.engine.load(charbookModels.transformer);
            globalThis.run = (steps) => {
                let s; do s = steps.next(); while (!s.done); return s.value; }; }"""
        )
        yield it


@pytest.fixture
def transformer():
    model, vocab, _ = read(MODELS["transformer"])
    return model, vocab


def attention_of(model, ids):
    """Weights (layers, heads, T, T) of the whole text, by the formula of the lessons."""
    T, tables = len(ids), []

    def look(module, arguments, _):
        heads = module.qkv(arguments[0]).unflatten(2, (3, module.num_heads, -1))
        queries, keys, _ = heads.permute(2, 0, 3, 1, 4)
        size = keys.shape[-1]
        q, k = (rotate(x, rotations(T, size, x.dtype)) for x in (queries, keys))
        scores = q @ k.transpose(2, 3) / size**0.5
        mask = window_mask(T, 0, model.config["context"])["attn_mask"]
        tables.append(scores.masked_fill(~mask, -torch.inf).softmax(dim=-1)[0].numpy())

    for block in model.blocks:
        block.attend.register_forward_hook(look)
    with evaluating(model):
        predict(model, ids[None])
    return np.array(tables)


def test_what_a_head_looks_at_is_what_torchs_looks_at(page, transformer, monkeypatch):
    model, vocab = transformer
    monkeypatch.setattr(models, "PIECE", len(TEXT))
    context = model.config["context"]
    assert len(TEXT) > context + 10
    monkeypatch.setitem(model.config, "context", context)
    theirs = attention_of(model, vocab.encode(TEXT)[: context + 10])
    page.evaluate(
        """text => { globalThis.seen = run(
            charbook["live/attention"].read(model, model.encode(text))); }""",
        TEXT[: context + 10],
    )
    for t in (0, 5, context - 1, context, context + 9):
        for layer, head in ((0, 0), (1, 2), (model.config["num_layers"] - 1, 3)):
            ours = page.evaluate(
                "place => charbook['live/attention'].looks(seen, ...place)", [t, layer, head]
            )
            hidden = [weight is None for weight in ours]
            first = max(0, t + 1 - context)
            assert hidden == [not first <= u <= t for u in range(len(ours))]
            weights = np.array([weight or 0 for weight in ours])
            assert np.abs(weights - theirs[layer, head, t]).max() < 1e-4
            most = page.evaluate("w => charbook['live/attention'].heaviest(w, 3)", ours)
            visible = min(3, t + 1)
            assert most == np.argsort(-weights, kind="stable")[:visible].tolist()


def nats(model, ids):
    """Loss of each character but the first: (T - 1,)."""
    with evaluating(model):
        logits = torch.from_numpy(predict(model, ids[None])[0][0, :-1])
    wanted = torch.from_numpy(ids[1:].astype(np.int64))
    return torch.nn.functional.cross_entropy(logits, wanted, reduction="none").numpy()


def losses(page, **options):
    return page.evaluate(
        """([text, options]) => run(
            charbook["live/transformer"].losses(model, model.encode(text), options))""",
        [TEXT, options],
    )


def test_losses_with_heads_off_are_those_of_torch_with_their_weights_at_zero(page, transformer):
    model, vocab = transformer
    ids = vocab.encode(TEXT)
    assert np.abs(losses(page) - nats(model, ids)).max() < 1e-4
    off = [[0, 1], [2, 3]]
    size = model.config["embed_size"] // model.config["num_heads"]
    for layer, head in off:  # what a head found enters through these columns alone
        columns = slice(head * size, (head + 1) * size)
        model.blocks[layer].attend.out.weight.data[:, columns] = 0
    without = nats(model, ids)
    assert np.abs(losses(page, off=off) - without).max() < 1e-4
    assert np.abs(losses(page) - without).max() > 0.01


def test_losses_without_positions_are_those_of_torch_without_rotations(
    page, transformer, monkeypatch
):
    model, vocab = transformer
    ids = vocab.encode(TEXT)

    def none(length, size, dtype=None, device=None):
        return torch.ones(length, size // 2), torch.zeros(length, size // 2)

    with_positions = nats(model, ids)
    monkeypatch.setattr(models, "rotations", none)
    without = nats(model, ids)
    assert np.abs(losses(page, rotary=False) - without).max() < 1e-4
    assert np.abs(with_positions - without).max() > 0.01
