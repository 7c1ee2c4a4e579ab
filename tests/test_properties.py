"""Statements that hold for every text, model and setting, tried on many that hypothesis makes up.

The examples are derived from the tests themselves (``derandomize``), so that a run can be
repeated; take it out to look for others.
"""

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from helpers.checkpoint import load, save
from helpers.cli import encoded
from helpers.cli.export import pack, unpack
from helpers.corpus import RARE, Vocabulary, disjoint_windows, load_corpus
from helpers.models import evaluating, predict
from helpers.ngram import NGram
from helpers.numpy_lstm import NumpyCharLSTM
from helpers.sampling import generate, next_distribution, pick
from helpers.training import character_losses, epoch_batches
from tests.small import V, random_ids, tiny

settings.register_profile("book", derandomize=True, deadline=None, max_examples=60, database=None)
settings.load_profile("book")

every_character = st.characters(exclude_categories=())  # lone surrogates and NUL too
texts = st.text(every_character, min_size=1)
logits = arrays(np.float64, st.integers(1, 9), elements=st.floats(-50, 50))
temperatures = st.floats(0.01, 20)
few_ids = arrays(np.int64, st.integers(2, 60), elements=st.integers(0, V - 1))
architectures = st.sampled_from(["rnn", "lstm", "gru", "transformer", "numpy", "n-gram"])


def small_model(kind, seed=0):
    """An untrained model of V characters; the n-gram has counted something."""
    if kind == "numpy":
        return NumpyCharLSTM(V, 3, 5, seed=seed)
    if kind == "n-gram":
        return NGram(3, V).fit(random_ids(80, seed))
    return tiny(kind, seed, num_layers=2).eval()


@given(texts)
def test_encode_and_decode_are_inverse_for_any_text(text):
    vocab = Vocabulary(text)
    ids = vocab.encode(text)
    assert vocab.decode(ids) == text
    np.testing.assert_array_equal(vocab.encode(vocab.decode(ids)), ids)


@given(texts, st.sets(every_character))
def test_one_symbol_stands_for_all_unknown_characters_and_no_other(text, known):
    vocab = Vocabulary(known | {RARE})
    found = vocab.decode(vocab.encode(text, unknown=RARE))
    assert found == "".join(c if c in known else RARE for c in text)


# What a file can hold: no lone surrogates, which UTF-8 does not have, and no NUL.
file_characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
parts = st.sampled_from(["\r\n", "\r", "\n", "\ufeff", "é", "🙂"]) | file_characters
file_texts = st.lists(parts, min_size=1).map("".join)


@given(file_texts, st.integers(1, 9), st.sampled_from(["", "\ufeff"]))
def test_a_file_read_in_blocks_of_any_size_is_the_text_read_at_once(
    tmp_path_factory, text, block, mark
):
    folder = tmp_path_factory.mktemp("encoded")
    (folder / "it.txt").write_bytes((mark + text).encode())
    assume(mark + text != "\ufeff")  # an empty file
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(encoded, "BLOCK", block)
        found = encoded.encode_texts([folder / "it.txt"], folder / "run")
    whole = load_corpus(folder / "it.txt")
    assert found.vocab == whole.vocab
    assert found.vocab.decode(found.ids) == whole.text


@given(texts, every_character)
def test_a_character_that_the_text_lacks_is_refused(text, stranger):
    assume(stranger not in text)
    with pytest.raises(ValueError, match="is not in the vocabulary"):
        Vocabulary(text).encode(text + stranger)


@given(st.integers(2, 400), st.integers(1, 60))
def test_disjoint_windows_cover_each_target_once(n, seq_len):
    assume(n > seq_len)
    x, y = disjoint_windows(np.arange(n), seq_len)
    np.testing.assert_array_equal(y.ravel(), 1 + np.arange(y.size))
    np.testing.assert_array_equal(x, y - 1)
    assert n - 1 - y.size < seq_len  # only what fills no window is left out


@given(st.integers(1, 9), st.integers(1, 6), st.integers(1, 4), st.integers(0, 30))
def test_an_epoch_meets_no_target_twice(seq_len, batch, batches, rest):
    ids = torch.arange(seq_len * batch * batches + 1 + rest % (seq_len * batch))
    for windows in ("disjoint", "stream"):
        met = [y for _, y in epoch_batches(ids, seq_len, batch, windows, torch.Generator())]
        met = torch.cat([y.flatten() for y in met])
        assert len(met) == seq_len * batch * batches
        assert len(met.unique()) == len(met)


@given(
    logits,
    temperatures,
    st.none() | st.integers(1, 12),
    st.none() | st.floats(0.01, 1),
    st.none() | st.floats(0.01, 1),
    st.floats(0, 1, exclude_max=True),
)
# The logits differ and their probabilities do not: of these the first is kept.
@example(np.array([-2.4e-203, 0.0]), 1.0, None, 0.5, None, 0.0)
@example(np.array([-2.4e-203, 0.0]), 1.0, 1, None, None, 0.0)
def test_what_the_filters_cut_off_is_never_drawn(scores, temperature, top_k, top_p, min_p, u):
    p = next_distribution(scores, temperature, top_k, top_p, min_p)
    plain = next_distribution(scores, temperature)
    assert p.sum() == pytest.approx(1)
    assert (p >= 0).all()
    assert p[plain.argmax()] == p.max() > 0  # the most probable one stays, of equals the first
    assert p[pick(p, u)] > 0
    if top_k is not None:
        assert (p > 0).sum() <= top_k
    if min_p is not None:
        assert p[p > 0].min() >= min_p * p.max() * (1 - 1e-12)
    if top_p is not None and top_k is None and min_p is None:
        kept = np.sort(plain[p > 0])  # the fewest that together reach top_p
        assert kept.sum() >= top_p - 1e-9
        assert kept[1:].sum() < top_p + 1e-9


@given(logits, temperatures)
def test_sampling_is_right_in_distribution(scores, temperature):
    """Each character owns a stretch of [0, 1) as long as its probability."""
    p = next_distribution(scores, temperature)
    ends = np.cumsum(p)
    for i in np.flatnonzero(p > 1e-9):
        begin, end = ends[i] - p[i], ends[i]
        for u in begin + (end - begin) * np.array([0.01, 0.5, 0.99]):
            assert pick(p, min(u, 1 - 1e-16)) == i


@given(architectures, few_ids, st.data())
def test_a_text_read_in_parts_gives_the_logits_of_the_whole(kind, ids, data):
    model = small_model(kind)
    cuts = data.draw(st.lists(st.integers(1, len(ids)), max_size=4).map(sorted))
    parts, state = [], None
    with evaluating(model):
        whole, _ = predict(model, ids[None])
        for part in np.split(ids, cuts):
            if part.size:
                scores, state = predict(model, part[None], state)
                parts.append(scores)
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, atol=2e-5)


@given(
    arrays(np.float64, (3, 5), elements=st.floats(-50, 50)),
    temperatures,
    st.none() | st.integers(1, 6),
    st.none() | st.floats(0.01, 1),
    st.lists(st.floats(0, 1, exclude_max=True), min_size=3, max_size=3),
)
def test_a_row_of_a_batch_is_drawn_from_as_if_alone(scores, temperature, top_k, top_p, us):
    together = next_distribution(scores, temperature, top_k, top_p)
    picked = pick(together, np.array(us))
    for i, u in enumerate(us):
        alone = next_distribution(scores[i], temperature, top_k, top_p)
        np.testing.assert_array_equal(together[i], alone)
        assert picked[i] == pick(alone, u)


@settings(max_examples=25)
@given(
    st.sampled_from(["rnn", "lstm", "gru", "transformer"]),
    st.lists(st.text("abcdefg", min_size=1, max_size=9), min_size=1, max_size=4),
    st.integers(0, 9),
)
def test_a_text_is_written_as_if_alone_and_slowly(kind, prompts, seed):
    """The first of several prompts has the random numbers that it has alone."""
    model, vocab = small_model(kind), Vocabulary("abcdefg")
    together = generate(model, vocab, prompts, 8, seed=seed)
    assert together[0] == generate(model, vocab, prompts[0], 8, seed=seed)
    assert together[0] == generate(model, vocab, prompts[0], 8, seed=seed, fast=False)


@given(architectures, few_ids, st.data())
def test_no_guess_depends_on_what_comes_after_it(kind, ids, data):
    place = data.draw(st.integers(0, len(ids) - 1))
    other = ids.copy()
    other[place:] = data.draw(arrays(np.int64, len(ids) - place, elements=st.integers(0, V - 1)))
    model = small_model(kind)
    with evaluating(model):
        scores, others = (predict(model, x[None])[0][0, :place] for x in (ids, other))
    np.testing.assert_allclose(scores, others, atol=2e-5)


@given(architectures, arrays(np.int64, (3, 12), elements=st.integers(0, V - 1)), st.integers(0, 2))
def test_no_row_of_a_batch_depends_on_the_others(kind, rows, i):
    model = small_model(kind)
    with evaluating(model):
        together, _ = predict(model, rows)
        alone, _ = predict(model, rows[i : i + 1])
    np.testing.assert_allclose(together[i], alone[0], atol=2e-5)


@given(architectures, few_ids, st.integers(1, 60), st.none() | st.integers(1, 20))
def test_evaluation_does_not_depend_on_the_size_of_its_pieces(kind, ids, chunk, window):
    model = small_model(kind)
    once = character_losses(model, ids, window)
    np.testing.assert_allclose(character_losses(model, ids, window, chunk=chunk), once, atol=2e-5)
    assert once.shape == (len(ids) - 1,)


@settings(max_examples=25)
@given(
    st.sampled_from(["rnn", "lstm", "gru", "transformer"]),
    st.sets(every_character, min_size=V, max_size=V),
    st.integers(0, 2**32),
    st.dictionaries(st.text(min_size=1), st.integers() | st.text() | st.booleans(), max_size=3),
)
def test_checkpoints_come_back_as_they_were(tmp_path_factory, kind, characters, seed, more):
    model, vocab = small_model(kind, seed), Vocabulary(characters)
    folder = tmp_path_factory.mktemp("checkpoint")
    save(folder, model, vocab, notes=more)
    again, vocab_again, state = load(folder)
    assert vocab_again == vocab
    assert state["notes"] == more
    assert again.config == model.config
    for name, weight in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], weight), name


@given(
    arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 5)), elements=st.floats(
        -1000, 1000, width=32
    )),
    st.sampled_from(["int8", "float16", "float32"]),
)  # fmt: skip
def test_an_exported_weight_is_as_exact_as_its_precision(weight, precision):
    found = unpack(pack(weight, precision))
    assert found.shape == weight.shape
    step = {
        "float32": 0,
        "float16": np.maximum(np.abs(weight) * 2.0**-11, 2.0**-25),
        "int8": np.abs(weight).max(axis=1, keepdims=True).clip(min=1e-12) / 127 * 0.5001,
    }[precision]
    assert (np.abs(found - weight) <= step).all()
