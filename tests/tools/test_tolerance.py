"""The comparison of stored outputs, which every chapter's check rests on (conftest.py)."""

import pytest

from conftest import compare_outputs, sanitize
from tools.notebooks.tolerance import Tolerant, tolerance


@pytest.mark.parametrize(
    ("stored", "new", "rtol", "same"),
    [
        ("loss 1.8123", "loss 1.8130", 1e-3, True),
        ("loss 1.8123", "loss 1.8200", 1e-3, False),
        ("loss 1.8123", "loss 1.8200", 1e-2, True),
        ("loss 1.8123", "gain 1.8123", 1e-1, False),  # a word
        ("epoch 10: 1.8123", "epoch 11: 1.8123", 1e-1, False),  # a whole number
        ("1.81 2.5", "1.81", 1e-1, False),  # one missing
        ("-0.50", "0.50", 1e-1, False),  # the sign
        ("0.07", "0.08", 1e-3, True),  # the last printed digit
        ("0.07", "0.09", 1e-3, False),
        ("1.2e-07", "1.3e-07", 1e-3, True),
        ("1.2e-07", "1.2e-06", 1e-3, False),
    ],
)
def test_numbers_may_differ_a_little_and_words_not(stored, new, rtol, same):
    assert (Tolerant(stored, rtol) == Tolerant(new, rtol)) is same
    assert (Tolerant(stored, rtol) != Tolerant(new, rtol)) is not same


def test_a_number_that_is_none_is_not_close():
    assert Tolerant("loss nan", 1e-1) != Tolerant("loss 1.0", 1e-1)


def test_the_tag_is_read_and_bounded():
    assert tolerance({"tags": ["hide-input", "nbval-rtol=2e-2"]}) == 0.02
    assert tolerance({"tags": ["hide-input"]}) is None
    assert tolerance({}) is None
    for tag in ("nbval-rtol=1e-6", "nbval-rtol=0.5"):
        with pytest.raises(ValueError, match="between 1e-4"):
            tolerance({"tags": [tag]})


class FakeCell:
    """What ``sanitize`` looks at in an nbval cell."""

    def __init__(self, *tags):
        self.cell = type("Cell", (), {"metadata": {"tags": list(tags)}})()


def test_without_a_tag_the_comparison_is_to_the_letter():
    assert sanitize(FakeCell(), "1.8123") != sanitize(FakeCell(), "1.8124")
    assert sanitize(FakeCell("nbval-rtol=1e-3"), "1.8123") == sanitize(
        FakeCell("nbval-rtol=1e-3"), "1.8124"
    )


def test_pictures_are_not_compared():
    assert sanitize(FakeCell(), "iVBORw0KGgoAAA") == sanitize(FakeCell(), "iVBORw0KGgoBBB")


def test_a_number_glued_under_another_name_is_another_output():
    cell = FakeCell()
    stored = [{"metadata": {"scrapbook": {"name": "gru-lead"}}, "data": {}}]
    new = [{"metadata": {"scrapbook": {"name": "gru-gain"}}, "data": {}}]
    assert not compare_outputs(cell, new, stored)
    assert cell.comparison_traceback == [
        "glued now: ['gru-gain']", "stored, and on the page: ['gru-lead']"
    ]  # fmt: skip
