"""helpers.studies.where_the_loss_is: labels that look back only, sums that add up."""

import numpy as np
import pytest

from helpers.studies import where_the_loss_is as where

TEXT = "All:\nNay, go.\nWe 'll\n\nA Lord:\nAye"


def places(text):
    return [where.PLACES[k] for k in where.labels(text).place]


def test_the_places_of_a_small_text():
    name, after = "in a speaker's name", [f"{k} letters read" for k in (1, 2, 3)]
    one = "1 letter read"
    assert places(TEXT) == [
        *[name] * 4,
        "start of a speech", one, *after[1:], "after punctuation", "after a space", one, after[1],
        "after punctuation",
        "start of a line", one, after[1], "after a space", one, *after[1:],
        "start of a line",
        *[name] * 8,
        "start of a speech", one, after[1],
    ]  # fmt: skip


@pytest.mark.parametrize("cut", range(2, len(TEXT)))
def test_a_place_depends_on_nothing_that_comes_later(cut):
    changed = where.labels(TEXT[:cut] + "\n\nX:\nzz")
    assert np.array_equal(changed.place[: cut - 1], where.labels(TEXT).place[: cut - 1])
    assert changed.place[cut - 1] == where.labels(TEXT).place[cut - 1]


def test_columns_and_kinds():
    found = where.labels("A:\nGo on,\nSir")
    assert found.column.tolist() == [-1, -1, 0, 1, 2, 3, 4, 5, 6, 0, 1, 2]
    assert [where.CLASSES[k] for k in found.kind[:4]] == [
        "punctuation", "line break", "capital", "lower-case letter",
    ]  # fmt: skip


def test_sums_add_up_and_keep_their_blocks():
    rng = np.random.default_rng(0)
    values, label = rng.random(12_345), rng.integers(4, size=12_345)
    found = where.sums(values, label, 4)
    assert found.shape == (4, 3)
    assert found.sum() == pytest.approx(values.sum())
    assert found[2, 1] == pytest.approx(values[5000:10_000][label[5000:10_000] == 2].sum())


def test_repeats_are_new_words_of_speeches_close_enough():
    text = "Pip:\nPip saw a zebra. A zebra, Pip.\n\nPip:\n" + "oh " * 400 + "zebra"
    found = where.repeats(text, "saw a oh")
    assert [(r.word, r.distance) for r in found] == [("zebra", 9), ("Pip", 26)]
    assert [text[r.first :][: len(r.word)] for r in found] == ["zebra", "Pip"]
    assert all(r.first + r.distance == r.now for r in found)


def test_the_cost_of_a_word_is_that_of_its_letters():
    losses = np.arange(10.0)  # loss k is of character k + 1
    assert where.word_cost(losses, at=3, word="abc") == 2 + 3 + 4
