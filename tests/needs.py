"""What some tests need and not every machine has: each skip says which command brings it."""

from contextlib import contextmanager

import pytest

from helpers.corpus import load_corpus

TINY_SHAKESPEARE = (
    "Tiny Shakespeare is not here: set CHARBOOK_DATA to a folder that has tinyshakespeare.txt "
    "(data/README.md says where it is to be had)"
)


def tiny_shakespeare(limit=None):
    """The corpus of that name; the test is skipped where it cannot be had."""
    with its_corpus():
        return load_corpus("tinyshakespeare", limit=limit)


@contextmanager
def its_corpus():
    """Skips a test in which Tiny Shakespeare, the one corpus that is downloaded, is not here."""
    try:
        yield
    except ConnectionError:
        pytest.skip(TINY_SHAKESPEARE)
