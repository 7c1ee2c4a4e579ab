"""The Transformer in the page against torch: cache, positions, attention, heads, stream."""

import copy

import numpy as np
import pytest
import torch

from helpers import models
from helpers.checkpoint import save
from helpers.cli.export import export
from helpers.corpus import Vocabulary
from helpers.models import evaluating, rotate, rotations, window_mask
from tests.site.engine import give, js_logits, torch_logits
from tests.small import tiny

VOCAB = Vocabulary("abc\n é—")
CONTEXT = 5  # of the tiny Transformer
TEXT = "abc a\nb—éa cba\n" * 3  # nine times as long as the context


@pytest.fixture(scope="module")
def both(engine, tmp_path_factory):
    """A Transformer with large weights in Python, and the name of the same in the page."""
    folder = tmp_path_factory.mktemp("transformer")
    model = tiny("transformer", vocab_size=len(VOCAB))
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(2)
    save(folder / "run", model, VOCAB)
    return model, give(engine, export(folder / "run", folder / "odd.js", "float32")["path"])


def watched(page, name, text, options=None):
    """After each character: logits, attention[layer][head], stream."""
    return page.evaluate(
        """([name, text, options]) => {
            const model = loaded[name], state = model.start(options);
            return model.encode(text).map((id) => {
                const logits = Array.from(model.step(state, id));
                const attention = state.attention.map((heads) => heads.map((w) => Array.from(w)));
                return [logits, attention, state.stream.map((x) => Array.from(x))];
            });
        }""",
        [name, text, options or {}],
    )


def attention_of(model, text):
    """What torch's heads look at: weights (T, T) by the formula, for each (layer, head)."""
    T, found, hooks = len(text), {}, []
    mask = window_mask(T, 0, CONTEXT)["attn_mask"]
    for layer, block in enumerate(model.blocks):

        def look(module, arguments, _, layer=layer):
            heads = module.qkv(arguments[0]).unflatten(2, (3, module.num_heads, -1))
            queries, keys, _ = heads.permute(2, 0, 3, 1, 4)
            size = keys.shape[-1]
            turned = [rotate(x, rotations(T, size, x.dtype)) for x in (queries, keys)]
            scores = turned[0] @ turned[1].transpose(2, 3) / size**0.5
            weights = scores.masked_fill(~mask, -torch.inf).softmax(dim=-1)[0]
            for head, each in enumerate(weights.numpy()):
                found[layer, head] = each

        hooks.append(block.attend.register_forward_hook(look))
    torch_logits(model, VOCAB, text)
    for hook in hooks:
        hook.remove()
    return found


def test_attention_weights_are_torchs_and_stay_in_the_window(engine, both, monkeypatch):
    model, name = both
    monkeypatch.setattr(models, "PIECE", len(TEXT))  # the whole text at once, without a cache
    monkeypatch.setitem(model.config, "context", CONTEXT)
    theirs = attention_of(model, TEXT)
    for t, (_, attention, _) in enumerate(watched(engine, name, TEXT)):
        first = max(0, t - CONTEXT + 1)
        for layer, heads in enumerate(attention):
            for head, weights in enumerate(heads):
                assert len(weights) == t + 1 - first
                expected = theirs[layer, head][t]
                assert np.abs(weights - expected[first : t + 1]).max() < 1e-5
                assert expected[:first].sum() == 0


@pytest.mark.parametrize("read_before", [0, 1, CONTEXT - 1, CONTEXT, 17])
def test_the_cache_gives_what_the_whole_text_gives(engine, both, monkeypatch, read_before):
    """One character at a time in the page; in Python the text at once, and in two parts."""
    model, name = both
    monkeypatch.setattr(models, "PIECE", len(TEXT))
    ours = js_logits(engine, name, TEXT)
    assert np.abs(ours - torch_logits(model, VOCAB, TEXT)).max() < 1e-5
    ids = torch.from_numpy(VOCAB.encode(TEXT)[None].astype(np.int64))
    with evaluating(model):
        state = model(ids[:, :read_before])[1] if read_before else None
        rest = model(ids[:, read_before:], state)[0][0].numpy()
    assert np.abs(ours[read_before:] - rest).max() < 1e-5


def test_what_is_out_of_sight_of_every_layer_changes_nothing(engine, both):
    model, name = both
    reach = model.config["num_layers"] * (CONTEXT - 1) + 1
    known, other = js_logits(engine, name, TEXT), js_logits(engine, name, "cé" + TEXT[2:])
    changed = np.abs(known - other).max(axis=1) > 1e-9
    assert changed[: reach + 1].all()  # up to the last that sees place 1
    assert not changed[reach + 1 :].any()


def test_far_into_a_text_positions_are_as_exact(engine, both):
    """Distances count, not positions: after 20,000 characters the same text gives the same."""
    _, name = both
    far = engine.evaluate(
        """([name, text]) => {
            const model = loaded[name], state = model.start(), ids = model.encode(text);
            state.read = 20_000;
            for (const layer of state.keys) layer.fill(0);
            return ids.map((id) => Array.from(model.step(state, id)));
        }""",
        [name, TEXT],
    )
    settled = 2 * CONTEXT  # the made-up past is out of every layer's sight
    assert np.abs(np.array(far)[settled:] - js_logits(engine, name, TEXT)[settled:]).max() < 1e-9


def test_a_head_that_is_off_adds_nothing(engine, both):
    model, name = both
    size = model.config["embed_size"] // model.config["num_heads"]
    for layer, head in [(0, 0), (1, 2)]:
        out = model.blocks[layer].attend.out.weight
        kept = out.detach().clone()
        with torch.no_grad():
            out[:, head * size : (head + 1) * size] = 0
        theirs = torch_logits(model, VOCAB, TEXT)
        with torch.no_grad():
            out.copy_(kept)
        ours = np.array([row[0] for row in watched(engine, name, TEXT, {"off": [[layer, head]]})])
        assert np.abs(ours - theirs).max() < 1e-5
        assert np.abs(ours - torch_logits(model, VOCAB, TEXT)).max() > 0.01


def test_without_positions_as_torch_without_rotation(engine, both, monkeypatch):
    model, name = both
    known = torch_logits(model, VOCAB, TEXT)
    monkeypatch.setattr(models, "rotate", lambda x, cos_sin, start=0: x)
    theirs = torch_logits(model, VOCAB, TEXT)
    ours = np.array([row[0] for row in watched(engine, name, TEXT, {"rotary": False})])
    assert np.abs(ours - theirs).max() < 1e-5
    assert np.abs(ours - known).max() > 0.01


def test_the_residual_stream_is_torchs(engine, both):
    """In float64: torch's own float32 errs by 1e-5 in values of 17."""
    model, name = copy.deepcopy(both[0]).double(), both[1]
    found, hooks = [], []
    text = TEXT[:CONTEXT]

    def keep(module, arguments, result):
        found.append(result[0][0].numpy().copy())

    for block in model.blocks:
        hooks += [block.attend.register_forward_hook(keep), block.register_forward_hook(keep)]
    logits = torch_logits(model, VOCAB, text)
    for hook in hooks:
        hook.remove()
    stream = [model.embedding.weight.detach().numpy()[VOCAB.encode(text)]]
    for attended, after in zip(found[::2], found[1::2], strict=True):
        stream += [stream[-1] + attended, after]
    rows = watched(engine, name, text)
    ours = np.array([row[2] for row in rows])  # (T, 2 layers + 1, E)
    assert np.abs(ours - np.stack(stream, axis=1)).max() < 1e-6
    read = engine.evaluate(
        "([n, x]) => Array.from(loaded[n].logits(Float64Array.from(x)))", [name, rows[-1][2][-1]]
    )
    assert np.abs(np.array(read) - logits[-1]).max() < 1e-6
