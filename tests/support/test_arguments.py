"""One way of checking arguments: what is taken, what is refused, and in which words."""

import math

import numpy as np
import pytest
import torch

from helpers.support.arguments import ids_below, is_number, one_of, seed, whole_number


@pytest.mark.parametrize(
    "value",
    [4, 4.0, np.int64(4), np.uint8(4), np.float32(4), np.array(4), torch.tensor(4),
     torch.tensor(4.0)],
)  # fmt: skip
def test_a_whole_number_becomes_an_int(value):
    found = whole_number("size", value)
    assert type(found) is int
    assert found == 4


@pytest.mark.parametrize(
    "value",
    [4.5, 0, -1, True, np.True_, None, math.inf, -math.inf, math.nan, "4", [4], 1 + 0j, ...,
     torch.tensor(True), torch.tensor([4]), np.array([4]), np.float32("inf"), np.zeros((9, 9))],
)  # fmt: skip
def test_anything_else_is_refused_by_name(value):
    with pytest.raises(ValueError, match=r"^size must be a whole number of at least 1, not "):
        whole_number("size", value)


def test_what_an_error_shows_is_one_short_line():
    with pytest.raises(ValueError, match=r"^size must be [^\n]{1,130}…$"):
        whole_number("size", np.zeros((9, 9)))
    with pytest.raises(ValueError, match=r"not 'a\\nb'$"):
        whole_number("size", "a\nb")


@pytest.mark.parametrize("values", [[0, 4], np.array([[4, 0]], np.uint8), torch.tensor([4]), []])
def test_ids_of_a_vocabulary_of_five_are_taken(values):
    np.testing.assert_array_equal(ids_below(values, 5), np.asarray(values))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0, 5, 9], "^id 5 is outside the vocabulary's 0 to 4$"),
        ([[0], [-1]], "^id -1 is outside"),
        ([1.0], "^ids are whole numbers, not float64$"),
        ([True], "^ids are whole numbers, not bool$"),
        (["a"], "^ids are whole numbers, not <U1$"),
        (None, "^ids are whole numbers, not object$"),
    ],
)
def test_what_is_no_id_is_named(values, message):
    with pytest.raises(ValueError, match=message):
        ids_below(values, 5)


def test_a_range_is_told():
    assert whole_number("size", 0, at_least=0) == 0
    with pytest.raises(ValueError, match=r"^top must be a whole number from 0 to 3, not 4$"):
        whole_number("top", 4, 0, 3)


@pytest.mark.parametrize("value", [-1, 2**64, 0.5, None])
def test_a_seed_is_what_both_generators_take(value):
    assert seed(2**64 - 1) == 2**64 - 1
    with pytest.raises(ValueError, match="seed"):
        seed(value)


def test_what_a_number_is():
    assert all(
        map(
            is_number, [0, 1.5, np.float32(2), np.int8(3), math.inf, torch.tensor(0.5), np.array(1)]
        )
    )
    assert not any(
        map(
            is_number,
            [
                True,
                None,
                "1",
                math.nan,
                [1],
                1j,
                np.array([1.0]),
                np.True_,
                torch.tensor(math.nan),
                10**400,
            ],
        )
    )


@pytest.mark.parametrize("value", ["c", None, [], {}, np.zeros(2), torch.zeros(2), ([],)])
@pytest.mark.parametrize("allowed", [("a", "b"), {"a": 1, "b": 2}, ["a", "b"]])
def test_one_of_lists_what_is_allowed(value, allowed):
    assert one_of("cell", "b", allowed) == "b"
    with pytest.raises(ValueError, match=r"^cell must be one of 'a', 'b', not"):
        one_of("cell", value, allowed)
