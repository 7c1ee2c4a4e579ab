import itertools
import random

import numpy as np
import pytest
import torch

from helpers.corpus import Vocabulary
from helpers.models import CharRNN, evaluating, predict
from helpers.ngram import NGram
from helpers.studies import memorisation
from helpers.studies.memorisation import match_lengths, share_seen, sorted_suffixes

VOCAB = Vocabulary("\n .:'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


def naive_lengths(text, source):
    lengths = []
    for i in range(len(text)):
        length = 0
        while i + length < len(text) and text[i : i + length + 1] in source:
            length += 1
        lengths.append(length)
    return lengths


def naive_share(text, source, length):
    stretches = [text[i : i + length] for i in range(len(text) - length + 1)]
    return sum(stretch in source for stretch in stretches) / len(stretches)


def pairs_of_texts():
    """Small texts of few letters, so that long matches, ties and borders all come up."""
    rng = random.Random(0)
    for letters in ("a", "ab", "abc", "a\nZ é"):
        for n_text, n_source in ((1, 1), (5, 3), (7, 40), (60, 13), (90, 200)):
            yield (
                "".join(rng.choices(letters, k=n_text)),
                "".join(rng.choices(letters, k=n_source)),
            )


@pytest.mark.parametrize(("text", "source"), list(pairs_of_texts()))
def test_equal_to_a_naive_loop(text, source):
    wanted = naive_lengths(text, source)
    assert match_lengths(text, source).tolist() == wanted
    for length in range(1, len(text) + 1):
        assert share_seen(text, source, length) == pytest.approx(naive_share(text, source, length))


@pytest.mark.parametrize("source", ["a", "aaaaaaa", "bananarama", "ab" * 40 + "c", "é\n😀a"])
def test_suffixes_are_in_alphabetical_order(source):
    assert list(sorted_suffixes(source)) == sorted(range(len(source)), key=lambda s: source[s:])


def test_the_example_of_the_chapter():
    assert match_lengths("ananasbana", "bananarama").tolist() == [5, 4, 3, 2, 1, 0, 4, 3, 2, 1]
    assert share_seen("ananasbana", "bananarama", 3) == 5 / 8


def test_matches_much_longer_than_what_is_compared_at_first():
    rng = random.Random(1)
    source = "".join(rng.choices("abcd", k=3000))
    text = "zz" + source[400:1700] + "z" + source[:33] + "z" + source[2968:]
    lengths = match_lengths(text, source)
    assert lengths[2] == 1300
    assert lengths[3] == 1299
    assert lengths[2 + 1300 + 1] == 33
    assert lengths[2 + 1300 + 1 + 33 + 1] == 32


def test_a_match_at_either_end_of_the_source():
    source = "xabcde"
    assert match_lengths("xabq", source).tolist() == [3, 2, 1, 0]
    assert match_lengths("cdeq", source).tolist() == [3, 2, 1, 0]


def test_repeated_stretches_count_each_time():
    assert share_seen("ababzz", "ab", 2) == 2 / 5
    assert share_seen("ab", "ab", 2) == 1.0


def test_nothing_shared():
    assert np.array_equal(match_lengths("xyz", "abc"), [0, 0, 0])


def test_a_text_shorter_than_the_stretch_is_refused():
    with pytest.raises(ValueError, match="no stretch of 4"):
        share_seen("abc", "abcdef", 4)


def test_an_empty_source_is_refused():
    with pytest.raises(ValueError, match="empty"):
        match_lengths("abc", "")


def test_pages_are_the_text_and_end_with_an_empty_line():
    text = "".join(f"A:\n{'word ' * k}\n\n" for k in range(40))
    found = memorisation.pages(text, size=50)
    assert text.startswith("".join(found))
    assert all(page.endswith("\n\n") and len(page) >= 52 for page in found)


def test_of_two_neighbours_one_is_in_either_half():
    found = np.array(memorisation.halves(240))
    assert np.array_equal(found[::2] + found[1::2], np.ones(120))
    assert 0 < found[::2].sum() < 120


def test_a_canary_stands_in_the_text_as_often_as_it_says():
    planted = [c for c in memorisation.canaries(True) if c.half == 1]
    pages = ["A:\nNo.\n\n", "B:\nYes.\n\n"]
    text = memorisation.plant(pages, planted)
    assert len(planted) == 20
    for canary in planted:
        assert (text.count(canary.speech), text.count(canary.word + ".")) == (canary.copies,) * 2
    assert all(page in text for page in pages)


def models():
    torch.manual_seed(0)
    text = "\n\nMessenger:\nThe watchword of Rome is abc.\n\n" * 3
    return {
        "lstm": CharRNN(len(VOCAB), 4, 8, cell="lstm"),
        "ngram": NGram(3, len(VOCAB)).fit(VOCAB.encode(text)),
    }


@pytest.mark.parametrize("name", ["lstm", "ngram"])
def test_word_scores_are_the_models_own(name):
    model, letters = models()[name], VOCAB.encode("abc")
    prompt = VOCAB.encode("Rome is ")
    scores = memorisation.word_scores(model, prompt, letters, 3)
    assert scores.shape == (3, 3, 3)
    for word in itertools.product(range(3), repeat=3):
        ids = [*prompt, *(letters[k] for k in word)]
        with evaluating(model):
            logits, _ = predict(model, np.array([ids[:-1]]))
        log_p = logits[0] - np.log(np.exp(logits[0]).sum(axis=1, keepdims=True))
        wanted = sum(log_p[t - 1, ids[t]] for t in range(len(prompt), len(ids)))
        assert scores[word] == pytest.approx(wanted, abs=1e-5)


def test_exposure_is_highest_for_what_was_planted_and_low_for_another_word():
    model = models()["ngram"]
    planted = memorisation.Canary("Rome", "abc", 1, 0)
    assert memorisation.exposure(model, VOCAB, planted) == pytest.approx(np.log2(26**3))
    other = memorisation.Canary("Rome", "zzz", 1, 0)
    assert memorisation.exposure(model, VOCAB, other) < 5


def test_a_model_that_knows_a_page_continues_it():
    page = "".join(np.random.default_rng(0).permutation(list("abcdefghij" * 40)).tolist())
    model = NGram(8, len(VOCAB)).fit(VOCAB.encode(page))
    known, unknown = memorisation.right_before_wrong(model, VOCAB, [page, page[::-1]])
    assert known > 20 > 5 > unknown
