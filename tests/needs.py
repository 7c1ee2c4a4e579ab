"""What some tests need and not every machine has: each skip says which command brings it."""

import pytest

from helpers.corpus import load_corpus

TINY_SHAKESPEARE = (
    "Tiny Shakespeare is not here: set CHARBOOK_DATA to a folder that has tinyshakespeare.txt "
    "(data/README.md says where it is to be had)"
)


def tiny_shakespeare():
    """The corpus of that name; the test is skipped where it cannot be had."""
    try:
        return load_corpus("tinyshakespeare")
    except ConnectionError:
        pytest.skip(TINY_SHAKESPEARE)
