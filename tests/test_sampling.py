import dataclasses
import inspect
import subprocess
import sys
from itertools import islice

import numpy as np
import pytest
import torch

from helpers import sampling
from helpers.cli import app
from helpers.corpus import Vocabulary
from helpers.fast import writing
from helpers.models import predict
from helpers.ngram import NGram
from helpers.numpy_lstm import NumpyCharLSTM
from helpers.sampling import SamplingSettings, generate, next_distribution, pick, stream
from tests import small
from tests.faults import planted

VOCAB = Vocabulary("abcdefg")
LOGITS = np.log(np.array([0.05, 0.4, 0.1, 0.2, 0.15, 0.07, 0.03]))
DRAWS = 20_000


def tiny(cell="lstm", **settings):
    """Weights four times as large as usual, so that what was read before matters."""
    model = small.tiny(cell, seed=1, **settings)
    with torch.no_grad():
        for weight in model.parameters():
            weight *= 4
    return model


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def by_definition(logits, temperature=1.0, top_k=None, top_p=None, min_p=None):
    """The distribution to draw from, put together one character at a time."""
    if temperature == 0:
        return np.array([float(i == logits.argmax()) for i in range(len(logits))])
    left = dict(enumerate(softmax(logits / temperature)))
    if top_k is not None:
        left = dict(sorted(left.items(), key=lambda item: (-item[1], item[0]))[:top_k])
    if top_p is not None:
        kept, total = {}, sum(left.values())
        for i, p in sorted(left.items(), key=lambda item: (-item[1], item[0])):
            if sum(kept.values()) < top_p * total:
                kept[i] = p
        left = kept
    if min_p is not None:
        left = {i: p for i, p in left.items() if p >= min_p * max(left.values())}
    return np.array([left.get(i, 0.0) for i in range(len(logits))]) / sum(left.values())


def test_temperature_divides_the_logits():
    np.testing.assert_allclose(next_distribution(LOGITS), softmax(LOGITS))
    np.testing.assert_allclose(next_distribution(LOGITS, 0.5), softmax(LOGITS / 0.5))
    np.testing.assert_allclose(next_distribution(LOGITS, 2.0), softmax(LOGITS / 2.0))


def test_temperature_zero_takes_the_most_probable():
    assert next_distribution(LOGITS, 0).tolist() == [0, 1, 0, 0, 0, 0, 0]


def test_top_k_keeps_exactly_k():
    p = next_distribution(LOGITS, top_k=3)
    np.testing.assert_allclose(p, np.array([0, 0.4, 0, 0.2, 0.15, 0, 0]) / 0.75)
    assert np.count_nonzero(next_distribution(np.zeros(7), top_k=3)) == 3
    np.testing.assert_allclose(next_distribution(LOGITS, top_k=99), softmax(LOGITS))


def test_of_equals_the_earlier_are_kept_in_a_large_vocabulary_too():
    logits = np.zeros(300)
    logits[7::30] = -1  # less probable than the others, so that sorting has to move things
    kept = np.flatnonzero(next_distribution(logits, top_k=100))
    assert kept.tolist() == np.flatnonzero(logits == 0)[:100].tolist()


@pytest.mark.parametrize(
    ("top_p", "kept"), [(0.3, 1), (0.41, 2), (0.59, 2), (0.7, 3), (0.99, 7), (1.0, 7)]
)
def test_top_p_keeps_the_fewest_that_reach_p(top_p, kept):
    p = next_distribution(LOGITS, top_p=top_p)
    assert np.count_nonzero(p) == kept
    mass = np.sort(softmax(LOGITS))[::-1].cumsum()
    assert mass[kept - 1] >= top_p - 1e-12
    assert kept == 1 or mass[kept - 2] < top_p


def test_min_p_is_relative_to_the_most_probable():
    p = next_distribution(LOGITS, min_p=0.3)  # 0.3 * 0.4 = 0.12
    np.testing.assert_allclose(p, np.array([0, 0.4, 0, 0.2, 0.15, 0, 0]) / 0.75)


def test_filters_act_after_temperature_and_top_p_on_what_top_k_left():
    tempered = softmax(LOGITS / 3)
    p = next_distribution(LOGITS, temperature=3, top_k=4, top_p=0.5)
    left = np.sort(tempered)[::-1][:4] / np.sort(tempered)[::-1][:4].sum()
    kept = int(np.searchsorted(left.cumsum(), 0.5)) + 1
    assert np.count_nonzero(p) == kept
    assert np.count_nonzero(next_distribution(LOGITS, top_p=0.5)) == 2
    assert np.count_nonzero(next_distribution(LOGITS, temperature=3, top_p=0.5)) == 3


SETTINGS = [
    {},
    {"temperature": 0.5},
    {"temperature": 1.5},
    {"temperature": 0},
    {"top_k": 3},
    {"top_p": 0.7},
    {"min_p": 0.2},
    {"temperature": 1.3, "top_k": 5, "top_p": 0.8, "min_p": 0.2},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_frequencies_follow_the_distribution(settings):
    """Pearson's chi-squared over the characters that can be drawn; none of the others is."""
    p, rng = by_definition(LOGITS, **settings), np.random.default_rng(7)
    ours = next_distribution(LOGITS, **settings)
    np.testing.assert_allclose(ours, p, atol=1e-12)
    counts = np.bincount([pick(ours, rng.random()) for _ in range(DRAWS)], minlength=len(p))
    kept = p > 0
    assert counts[~kept].sum() == 0
    chi2 = ((counts[kept] - DRAWS * p[kept]) ** 2 / (DRAWS * p[kept])).sum()
    # The 99.9 % point of chi-squared with 6 degrees of freedom, the most there are.
    assert chi2 < 22.46


@pytest.mark.slow
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_generated_text_follows_the_model(settings):
    """A model without memory, so that all drawn characters have one distribution."""
    ids = VOCAB.encode("abbbbddc" * 40 + "efg" * 30)
    model = NGram(1, len(VOCAB), smoothing="add-one").fit(ids)
    text = generate(model, VOCAB, "a", length=4000, seed=3, **settings)[1:]
    p = by_definition(predict(model, ids[None, :1])[0][0, -1], **settings)
    counts = np.bincount(VOCAB.encode(text), minlength=len(VOCAB))
    kept = p > 0
    assert counts[~kept].sum() == 0
    chi2 = ((counts[kept] - 4000 * p[kept]) ** 2 / (4000 * p[kept])).sum()
    assert chi2 < 22.46


@pytest.mark.parametrize("settings", [{"top_k": 1}, {"top_p": 1e-9}, {"min_p": 1.0}], ids=str)
@pytest.mark.parametrize("fast", [True, False])
def test_a_cut_that_leaves_one_character_is_greedy(settings, fast):
    model = tiny("lstm")
    greedy = generate(model, VOCAB, ["ab", "g"], 40, temperature=0, fast=fast)
    assert generate(model, VOCAB, ["ab", "g"], 40, seed=1, fast=fast, **settings) == greedy


def test_pick_is_the_inverse_of_the_cumulative_sum():
    p = np.array([0.0, 0.25, 0.0, 0.5, 0.25, 0.0])
    assert [pick(p, u) for u in (0, 0.2499, 0.25, 0.7499, 0.75, 1 - 1e-16)] == [1, 1, 3, 3, 4, 4]


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_text_equals_a_loop_that_reads_everything_again(cell):
    """No state at all: the whole text so far is read for each new character."""
    model, rng = tiny(cell), np.random.default_rng([5, 0])
    text = "abc"
    for _ in range(30):
        with torch.no_grad():
            logits, _ = model(torch.as_tensor(VOCAB.encode(text))[None])
        p = next_distribution(logits[0, -1].double().numpy(), 1.5, top_k=6)
        text += VOCAB.chars[pick(p, rng.random())]
    assert generate(model, VOCAB, "abc", 30, temperature=1.5, top_k=6, seed=5) == text


def test_one_random_number_a_character_and_none_for_the_prompt():
    """A longer text begins with the shorter one."""
    model = tiny()
    long = generate(model, VOCAB, "gab", 40, seed=9)
    assert len(long) == 43
    assert generate(model, VOCAB, "gab", 10, seed=9) == long[:13]


def test_a_list_of_prompts_gives_a_list_of_texts_each_with_its_own_numbers():
    model = tiny()
    texts = generate(model, VOCAB, ["ab", "ab", "g"], 30, seed=4)
    assert texts[0] == generate(model, VOCAB, "ab", 30, seed=4)
    assert texts[0] != texts[1]
    assert texts[2].startswith("g")


ARCHITECTURES = ["rnn", "lstm", "gru", "transformer"]
PROMPTS = ["gab", "a", "cabbaged" * 2, "bag"]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("cell", ARCHITECTURES)
def test_the_fast_path_writes_the_slow_paths_text(cell, settings):
    """One prompt, and several of unequal lengths; far beyond the Transformer's context."""
    model = tiny(cell)
    for prompt in ("gab", PROMPTS):
        fast = generate(model, VOCAB, prompt, 80, seed=2, **settings)
        assert fast == generate(model, VOCAB, prompt, 80, seed=2, fast=False, **settings)


def test_a_long_text_is_the_slow_paths():
    model = tiny("gru")
    fast = generate(model, VOCAB, "gab", 2000, seed=2)
    assert fast == generate(model, VOCAB, "gab", 2000, seed=2, fast=False)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("num_layers", [2, 3])
def test_the_fast_path_has_all_layers(cell, num_layers):
    model = tiny(cell, num_layers=num_layers)
    fast = generate(model, VOCAB, PROMPTS, 100, seed=2)
    assert fast == generate(model, VOCAB, PROMPTS, 100, seed=2, fast=False)


def test_the_numpy_lstm_writes_the_torch_lstms_text():
    model = tiny("lstm")
    ours = NumpyCharLSTM.from_torch(model)
    text = generate(model, VOCAB, PROMPTS, 100, seed=2)
    assert generate(ours, VOCAB, PROMPTS, 100, seed=2) == text
    assert generate(ours, VOCAB, PROMPTS, 100, seed=2, fast=False) == text


@pytest.mark.parametrize("cell", ARCHITECTURES)
def test_the_fast_path_reads_the_prompt_and_calls_the_model_no_more(cell, monkeypatch):
    model, read = tiny(cell), []
    monkeypatch.setattr(
        sampling,
        "predict",
        lambda m, ids, *state: read.append(ids.shape) or predict(m, ids, *state),
    )
    generate(model, VOCAB, ["gab", "a", "bag"], 50, seed=1)
    assert read == [(1, 1), (2, 3)]  # those of equal length in one call


@pytest.mark.parametrize("cell", ARCHITECTURES)
def test_a_weight_update_is_never_missed(cell):
    model = tiny(cell)
    texts = [generate(model, VOCAB, "gab", 60, seed=2)]
    for name, weight in model.named_parameters():
        if name.endswith(("embedding.weight", "_hh_l0", "qkv.weight", "output.bias")):
            with torch.no_grad():
                weight += torch.randn(weight.shape, generator=torch.manual_seed(0)) * 3
            texts.append(generate(model, VOCAB, "gab", 60, seed=2))
            assert texts[-1] == generate(model, VOCAB, "gab", 60, seed=2, fast=False)
    assert len(set(texts)) == len(texts) >= 4


def test_an_update_of_the_numpy_lstm_is_not_missed_either():
    model = NumpyCharLSTM.from_torch(tiny("lstm"))
    before = generate(model, VOCAB, "gab", 60, seed=2)
    model.train_step(np.array([[0, 1, 2]]), np.array([[1, 2, 3]]), lr=0.5)
    after = generate(model, VOCAB, "gab", 60, seed=2)
    assert before != after == generate(model, VOCAB, "gab", 60, seed=2, fast=False)


@pytest.mark.parametrize("fast", [True, False])
def test_texts_side_by_side_have_random_numbers_of_their_own(fast):
    """Without memory, text i is what the numbers of default_rng([seed, i]) say."""
    model = tiny("rnn")
    with torch.no_grad():
        model.output.weight.zero_()
        model.output.bias.copy_(torch.as_tensor(LOGITS))
    texts = generate(model, VOCAB, ["a"] * 5, 400, seed=3, fast=fast)
    for i, text in enumerate(texts):
        draws = np.random.default_rng([3, i]).random(400)
        p = next_distribution(LOGITS.astype(np.float32))
        assert text[1:] == "".join(VOCAB.chars[pick(p, u)] for u in draws)
    assert len(set(texts)) == 5


@pytest.mark.parametrize("cell", ["gru", "transformer"])
def test_many_texts_are_written_in_groups_and_long_prompts_read_in_groups(cell, monkeypatch):
    model = tiny(cell)
    texts = generate(model, VOCAB, PROMPTS * 2, 30, seed=2)
    monkeypatch.setattr(writing, "TOGETHER", 3)
    monkeypatch.setattr(writing, "READ_AT_ONCE", 4)
    monkeypatch.setattr(writing, "BLOCK", 7)
    assert generate(model, VOCAB, PROMPTS * 2, 30, seed=2) == texts


@pytest.mark.parametrize("scale", [1e-3, 1e3, 1e5])
def test_extreme_logits_do_not_overflow(scale):
    model = tiny("lstm")
    with torch.no_grad():
        model.output.weight *= scale
        model.output.bias -= 2 * scale
    for temperature in (0.01, 1.0):
        settings = {"length": 50, "temperature": temperature, "seed": 2}
        for prompt in ("gab", PROMPTS):
            fast = generate(model, VOCAB, prompt, **settings)
            assert fast == generate(model, VOCAB, prompt, fast=False, **settings)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_rows_of_logits_give_what_each_gives_alone(settings):
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(5, 7)) * 3
    logits[3, :4] = logits[3, 4]  # equals, of which top-k takes the earlier
    rows, u = next_distribution(logits, **settings), rng.random(5)
    np.testing.assert_array_equal(rows, [next_distribution(z, **settings) for z in logits])
    assert pick(rows, u).tolist() == [pick(p, v) for p, v in zip(rows, u, strict=True)]


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("cell", ARCHITECTURES)
def test_a_stream_yields_the_characters_of_generate(cell, fast):
    model = tiny(cell)
    text = generate(model, VOCAB, "gab", 40, seed=6, temperature=1.2, top_k=5)
    settings = {"seed": 6, "temperature": 1.2, "top_k": 5, "fast": fast}
    assert list(stream(model, VOCAB, "gab", 40, **settings)) == list(text[3:])
    assert "".join(islice(stream(model, VOCAB, "gab", **settings), 40)) == text[3:]
    assert list(stream(model, VOCAB, "gab", 0)) == []


def test_a_stream_of_an_ngram():
    model = NGram(2, len(VOCAB)).fit(VOCAB.encode("abcdefg" * 5))
    assert "".join(stream(model, VOCAB, "a", 9, temperature=0)) == "bcdefgabc"


@pytest.mark.parametrize("fast", [True, False])
def test_a_stream_that_waits_leaves_the_model_as_it_is(fast):
    """Dropout off for what is written, but not for what happens in between."""
    model = tiny(num_layers=2, dropout=0.9).train()
    text = generate(model, VOCAB, "a", 20, seed=1)
    new = "a"
    for char in stream(model, VOCAB, "a", 20, seed=1, fast=fast):
        new += char
        assert model.training
        assert torch.is_grad_enabled()
    assert new == text


def test_a_fast_stream_keeps_its_weights():
    model = tiny()
    text = generate(model, VOCAB, "a", 40, seed=1)
    new = stream(model, VOCAB, "a", 40, seed=1)
    start = "a" + "".join(islice(new, 10))
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
    assert start + "".join(new) == text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"temperature": -1}, "temperature must be"),
        ({"length": 2.5}, "length must be a whole number"),
        ({"seed": -1}, "seed must be a whole number"),
        ({"prompt": ""}, "prompt is empty"),
        ({"prompt": ["a"]}, r"a prompt must be a text, not \['a'\]"),
        ({"prompt": "aZ"}, "prompt cannot be read: character 'Z' at position 1"),
        ({"vocab": Vocabulary("ab")}, "knows 7 characters and the vocabulary has 2"),
    ],
)
def test_a_stream_refuses_at_once(arguments, message):
    with pytest.raises(ValueError, match=message):
        stream(**{"model": tiny(), "vocab": VOCAB, "prompt": "a"} | arguments)


# What writes: the model itself, a folded model, one text and several.
WAYS = [(prompt, fast) for prompt in ("a", ["a", "ga", "b"]) for fast in (True, False)]
ALL = [*["rnn", "lstm", "gru", "transformer"], "numpy", "n-gram"]
TEMPERATURES = [{"temperature": 0}, {"temperature": 1.0}, {"temperature": 0.5}, {"top_k": 2}]


def any_model(kind):
    if kind == "numpy":
        return NumpyCharLSTM.from_torch(tiny("lstm"))
    if kind == "n-gram":
        return NGram(2, len(VOCAB)).fit(VOCAB.encode("abacabadabacabaebfg"))
    return tiny(kind)


def change(model, name, place, value):
    """Set part of a weight of any model that has weights."""
    weights = model.params if isinstance(model, NumpyCharLSTM) else model.state_dict()
    weights[name][place] = value


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("settings", TEMPERATURES, ids=str)
@pytest.mark.parametrize("kind", [k for k in ALL if k != "n-gram"])
def test_logits_that_are_no_numbers_are_refused(kind, settings):
    """One NaN, one infinity, nothing but minus infinity."""
    for place, value in ((2, np.nan), (2, np.inf), (slice(None), -np.inf)):
        model = any_model(kind)
        change(model, "output.bias", place, value)
        for prompt, fast in WAYS:
            with pytest.raises(ValueError, match="guess is not a number"):
                generate(model, VOCAB, prompt, 5, fast=fast, **settings)
        with pytest.raises(ValueError, match="guess is not a number"):
            stream(model, VOCAB, "a", **settings)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("settings", TEMPERATURES, ids=str)
@pytest.mark.parametrize("kind", ALL)
def test_logits_that_become_no_numbers_in_the_middle_of_a_text_are_refused(kind, settings):
    """After d they are NaN, and d is what the model writes next."""
    model = any_model(kind)
    if kind == "n-gram":
        table = model._tables[1]
        table.share[table.starts[1] : table.ends[1]] = np.nan  # after b, which comes after a
    else:
        change(model, "output.bias", 3, 1e4)
        change(model, "embedding.weight", 3, np.nan)
    for fast in (True, False):
        new = stream(model, VOCAB, "a", 40, fast=fast, seed=0, **settings)
        next(new)
        with pytest.raises(ValueError, match="guess is not a number"):
            list(new)
    for prompt, fast in WAYS:
        with pytest.raises(ValueError, match="guess is not a number"):
            generate(model, VOCAB, prompt, 40, fast=fast, seed=0, **settings)


def test_probabilities_that_are_no_numbers_are_refused():
    for logits in ([0, np.nan], [0, np.inf], [-np.inf, -np.inf], [[0, 1], [np.nan, 0]]):
        for temperature in (0, 1):
            with pytest.raises(ValueError, match="guess is not a number"):
                next_distribution(np.array(logits), temperature)
    for p in ([0.5, np.nan, 0.5], [[0.5, 0.5], [np.nan, 0.5]], [0, 0], [[0, 0], [1, 0]]):
        with pytest.raises(ValueError, match="guess is not a number"):
            pick(np.array(p), np.full(len(p), 0.4) if np.ndim(p) == 2 else 0.4)


@pytest.mark.parametrize("settings", TEMPERATURES, ids=str)
@pytest.mark.parametrize("kind", ["gru", "transformer", "numpy"])
def test_a_character_whose_logit_is_minus_infinity_is_never_written(kind, settings):
    model = any_model(kind)
    free = generate(model, VOCAB, ["a", "b"], 200, seed=1, **settings)
    banned = max(VOCAB.chars, key="".join(free).count)
    change(model, "output.bias", VOCAB.chars.index(banned), -np.inf)
    for prompt, fast in WAYS:
        texts = generate(model, VOCAB, prompt, 100, seed=1, fast=fast, **settings)
        texts = [texts] if isinstance(texts, str) else texts
        assert not any(banned in text[len("ga") :] for text in texts)


@pytest.mark.parametrize("temperature", [5e-324, 1e-320, 1e-300])
@pytest.mark.parametrize("kind", ALL)
def test_next_to_no_temperature_is_greedy(kind, temperature):
    """Also 5e-324, by which nothing above 1e-16 can be divided."""
    model = any_model(kind)
    for prompt, fast in WAYS:
        greedy = generate(model, VOCAB, prompt, 12, temperature=0, fast=fast)
        assert generate(model, VOCAB, prompt, 12, temperature, seed=1, fast=fast) == greedy


SIZES = [(6, 2, 5), (36, 17, 60), (64, 59, 60), (130, 3, 57), (128, 40, 58)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", [k for k in ALL if k != "n-gram"])
def test_greedy_writes_the_first_of_equal_logits(kind, dtype):
    """Two output rows are the same. BLAS does not always make the same sums of them, but of
    zeros it does, and then a model that writes without ``fast`` has equal logits too."""
    vocab = Vocabulary(chr(i) for i in range(100, 161))
    for hidden, first, second in SIZES:
        sizes = {"hidden_size": hidden}
        if kind == "transformer":
            sizes = {"embed_size": hidden, "num_heads": 1}
        model = small.tiny("lstm" if kind == "numpy" else kind, 3, len(vocab), **sizes).to(dtype)
        for zeros in (False, True):
            with torch.no_grad():
                model.output.weight[first] *= not zeros
                model.output.weight[second] = model.output.weight[first]
                model.output.bias[[first, second]] = 50
            writer = NumpyCharLSTM.from_torch(model) if kind == "numpy" else model
            ways = [("f", True), (list("fghij"), True), ("f", False)]
            for prompt, fast in ways if zeros else ways[:2]:
                texts = generate(writer, vocab, prompt, 20, temperature=0, fast=fast)
                for text in [texts] if isinstance(texts, str) else texts:
                    assert text[1:] == vocab.chars[first] * 20, (hidden, zeros, fast)


@pytest.mark.parametrize("four", [4.0, np.int8(4), np.uint64(4), np.float32(4)])
def test_whole_numbers_in_any_form(four):
    for model in (tiny("gru"), any_model("n-gram")):
        expected = generate(model, VOCAB, "a", 4, top_k=4, seed=4)
        assert generate(model, VOCAB, "a", four, top_k=four, seed=four) == expected
        assert "a" + "".join(stream(model, VOCAB, "a", four, top_k=four, seed=four)) == expected


@pytest.mark.parametrize("name", ["length", "top_k", "seed"])
@pytest.mark.parametrize("bad", [2.5, -1, float("inf"), float("nan"), "4", True, 1j, [4]])
def test_what_is_no_whole_number_is_refused_by_name(name, bad):
    for write in (generate, stream):
        with pytest.raises(ValueError, match=f"{name} must be a whole number"):
            write(tiny(), VOCAB, "a", **{name: bad})


def test_seeds_end_where_those_of_torch_do():
    model = tiny()
    assert generate(model, VOCAB, "a", 9, seed=2**64 - 1)
    for bad in (2**64, 1e30):
        with pytest.raises(ValueError, match="seed must be a whole number from 0 to 18446744073"):
            generate(model, VOCAB, "a", 9, seed=bad)
    with pytest.raises(ValueError, match="length must be a whole number of at least 0, not None"):
        generate(model, VOCAB, "a", None)


@pytest.mark.parametrize("prompts", [[], (), iter([])])
def test_no_prompts_give_no_texts(prompts):
    assert generate(tiny(), VOCAB, prompts, 9) == []


@pytest.mark.parametrize(
    ("prompt", "named"),
    [(None, "None"), (3, "3"), (b"ab", "97"), (["ab", 3], "3"), ([["a"]], r"\['a'\]")],
)
def test_a_prompt_that_is_no_text_is_refused(prompt, named):
    for fast in (True, False):
        with pytest.raises(ValueError, match=f"a prompt must be a text, not {named}"):
            generate(tiny(), VOCAB, prompt, fast=fast)


def test_prompts_may_come_from_any_iterable():
    model = tiny()
    expected = generate(model, VOCAB, ["a", "b"], 9, seed=1)
    for prompts in (("a", "b"), iter("ab"), {"a": 1, "b": 2}, np.array(["a", "b"])):
        assert generate(model, VOCAB, prompts, 9, seed=1) == expected


@pytest.mark.slow
def test_without_the_fast_paths_the_text_is_the_same():
    """As if helpers/fast were deleted."""
    code = (
        "import sys; sys.modules['helpers.fast'] = None;"
        "from helpers import sampling; assert sampling.fast_writing is None;"
        "from helpers.corpus import Vocabulary; from tests import small;"
        "print([sampling.generate(small.tiny(cell, 1), Vocabulary('abcdefg'), p, 40, seed=3)"
        f" for cell in {ARCHITECTURES} for p in ('gab', {PROMPTS})])"
    )
    slow = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, encoding="utf-8"
    )
    fast = [
        generate(small.tiny(cell, 1), VOCAB, prompt, 40, seed=3)
        for cell in ARCHITECTURES
        for prompt in ("gab", PROMPTS)
    ]
    assert slow.stdout.strip() == repr(fast)


def test_the_settings_stand_in_one_place():
    """What writes, and the command line, takes the fields of SamplingSettings, as it has them."""
    fields = {f.name: f.default for f in dataclasses.fields(SamplingSettings)}
    for function in (generate, stream, next_distribution, app.sample):
        parameters = inspect.signature(function).parameters
        assert fields == {name: parameters[name].default for name in fields}, function


def test_settings_are_kept_as_plain_numbers():
    settings = SamplingSettings(np.float32(0.5), 4.0, np.float64(0.9), 1)
    assert repr(settings) == "SamplingSettings(temperature=0.5, top_k=4, top_p=0.9, min_p=1.0)"
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.top_k = 0
    assert not SamplingSettings(0.5).cuts
    for cut in ({"top_k": 9}, {"top_p": 1}, {"min_p": 0.1}):
        assert SamplingSettings(**cut).cuts


@pytest.mark.skipif(
    not torch.cuda.is_available(),
    reason="they need a CUDA GPU; where there is one, `make test` runs them",
)
@pytest.mark.parametrize("cell", ARCHITECTURES)
def test_a_model_on_cuda_is_copied(cell):
    model = tiny(cell)
    text = generate(model, VOCAB, PROMPTS, 60, seed=2)
    assert generate(model.cuda(), VOCAB, PROMPTS, 60, seed=2) == text
    assert generate(model, VOCAB, PROMPTS, 60, seed=2, fast=False) == text


def test_without_a_seed_texts_differ():
    model = tiny()
    assert generate(model, VOCAB, "a", 60) != generate(model, VOCAB, "a", 60)


def test_generating_switches_dropout_off_and_back_on():
    model = tiny(num_layers=2, dropout=0.9).train()
    assert generate(model, VOCAB, "a", 40, seed=1) == generate(model, VOCAB, "a", 40, seed=1)
    assert model.training


def test_no_new_characters_gives_the_prompt():
    assert generate(tiny(), VOCAB, "abc", 0) == "abc"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"temperature": -1},
            r"temperature must be a finite number, 0 \(greedy\) or above, not -1",
        ),
        ({"temperature": float("nan")}, "temperature .* not nan"),
        ({"temperature": float("inf")}, "temperature .* not inf"),
        ({"temperature": "hot"}, "temperature .* not 'hot'"),
        ({"temperature": True}, "temperature .* not True"),
        ({"top_k": 0}, "top_k must be a whole number of at least 1, or None .* not 0"),
        ({"top_k": -3}, "top_k .* not -3"),
        ({"top_k": 2.5}, "top_k .* not 2.5"),
        ({"temperature": 10**400}, "temperature must be a finite number"),
        ({"temperature": None}, "temperature .* not None"),
        ({"top_p": 0}, "top_p must be above 0 and at most 1, or None .* not 0"),
        ({"top_p": 1.5}, "top_p .* not 1.5"),
        ({"top_p": float("nan")}, "top_p .* not nan"),
        ({"min_p": 0}, "min_p must be above 0 and at most 1, or None .* not 0"),
        ({"min_p": 2}, "min_p .* not 2"),
        ({"length": -1}, "length must be a whole number"),
    ],
)
def test_settings_out_of_range_say_what_would_be_right(settings, message):
    with pytest.raises(ValueError, match=message):
        generate(tiny(), VOCAB, "a", **settings)


def test_a_prompt_that_cannot_be_read_is_refused():
    with pytest.raises(ValueError, match="prompt is empty"):
        generate(tiny(), VOCAB, "")
    with pytest.raises(ValueError, match="prompt cannot be read: character 'Z' at position 2"):
        generate(tiny(), VOCAB, "abZ")


def test_a_vocabulary_of_another_model_is_refused():
    with pytest.raises(ValueError, match="knows 7 characters and the vocabulary has 2"):
        generate(tiny(), Vocabulary("ab"), "a")


@planted(SamplingSettings.probabilities, test_temperature_divides_the_logits)
def test_fault_temperature_multiplied(right, settings, logits):
    """Hot is cold."""
    return right(dataclasses.replace(settings, temperature=1 / settings.temperature), logits)


@planted(SamplingSettings.probabilities, test_top_p_keeps_the_fewest_that_reach_p, 0.59, 2)
def test_fault_top_p_keeps_one_too_few(right, settings, logits):
    """The character that reaches top_p is cut off too."""
    p = right(dataclasses.replace(settings, top_p=None), logits)
    order = np.argsort(-p)
    p[order[p[order].cumsum() >= settings.top_p]] = 0
    return p / p.sum()


@planted(SamplingSettings.probabilities, test_min_p_is_relative_to_the_most_probable)
def test_fault_min_p_of_one(right, settings, logits):
    """An absolute bound, which cuts more the less the model is sure."""
    p = right(dataclasses.replace(settings, min_p=None), logits)
    return np.where(p < settings.min_p, 0, p) / p[p >= settings.min_p].sum()


@planted(predict, test_the_fast_path_writes_the_slow_paths_text, "lstm", {})
def test_fault_state_not_passed_on(right, model, ids, state):
    """Each character is guessed from the one before it alone."""
    return right(model, ids)


@planted(
    sampling._generators, test_a_list_of_prompts_gives_a_list_of_texts_each_with_its_own_numbers
)
def test_fault_texts_share_their_random_numbers(right, seed, n):
    """The same prompt twice gives the same text twice."""
    return [right(seed, 1)[0] for _ in range(n)]
