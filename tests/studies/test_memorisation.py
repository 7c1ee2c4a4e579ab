import random

import numpy as np
import pytest

from helpers.studies.memorisation import longest_match, match_lengths, share_seen, sorted_suffixes


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
    found = longest_match(text, source)
    assert found == text[wanted.index(max(wanted)) :][: max(wanted)]
    assert found in source
    for length in range(1, len(text) + 1):
        assert share_seen(text, source, length) == pytest.approx(naive_share(text, source, length))


@pytest.mark.parametrize("source", ["a", "aaaaaaa", "bananarama", "ab" * 40 + "c", "é\n😀a"])
def test_suffixes_are_in_alphabetical_order(source):
    assert list(sorted_suffixes(source)) == sorted(range(len(source)), key=lambda s: source[s:])


def test_the_example_of_the_chapter():
    assert match_lengths("ananasbana", "bananarama").tolist() == [5, 4, 3, 2, 1, 0, 4, 3, 2, 1]
    assert longest_match("ananasbana", "bananarama") == "anana"
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
    assert longest_match(text, source) == source[400:1700]


def test_a_match_at_either_end_of_the_source():
    source = "xabcde"
    assert match_lengths("xabq", source).tolist() == [3, 2, 1, 0]
    assert match_lengths("cdeq", source).tolist() == [3, 2, 1, 0]


def test_repeated_stretches_count_each_time():
    assert share_seen("ababzz", "ab", 2) == 2 / 5
    assert share_seen("ab", "ab", 2) == 1.0


def test_nothing_shared():
    assert longest_match("xyz", "abc") == ""
    assert longest_match("", "abc") == ""
    assert np.array_equal(match_lengths("xyz", "abc"), [0, 0, 0])


def test_a_text_shorter_than_the_stretch_is_refused():
    with pytest.raises(ValueError, match="no stretch of 4"):
        share_seen("abc", "abcdef", 4)


@pytest.mark.parametrize("function", [match_lengths, longest_match])
def test_an_empty_source_is_refused(function):
    with pytest.raises(ValueError, match="empty"):
        function("abc", "")
