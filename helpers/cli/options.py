"""Options of the command line that are numbers, each checked before anything is done."""

from __future__ import annotations

import math
from typing import Annotated

import typer

# The checks are imported where they are needed: they import NumPy, and --help answers at once.

MOST = 10**12  # of anything: what is larger would be told in the words of another library


def whole(text, kind=int | None, at_least=1, default=False, *names):
    """A whole number with a help text."""

    def parse(word):
        from ..support.arguments import whole_number

        return in_words(whole_number, "it", as_number(int, word), at_least, MOST)

    return option(kind, text, parse, "<int>", default, *names)


def seed_number(text, kind=int | None, default=False):
    """A seed of the generators."""

    def parse(word):
        from ..support.arguments import seed

        return in_words(seed, as_number(int, word), "it")

    return option(kind, text, parse, "<int>", default)


def number(text, wanted, fits, kind=float):
    """A number that ``fits``, or an error that says what is ``wanted``."""

    def parse(word):
        value = as_number(float, word)
        if isinstance(value, str) or not fits(value):
            raise typer.BadParameter(f"it must be {wanted}, not {word}")
        return value

    return option(kind, text, parse, "<float>", kind is float)


def positive(text):
    """A finite number above 0."""
    return number(text, "a finite number above 0", lambda x: 0 < x < math.inf)


def share(text):
    """A part of 1, which may be 0."""
    return number(text, "a number of at least 0 and below 1", lambda x: 0 <= x < 1)


def probability(text):
    """An optional probability, which may be 1."""
    return number(text, "above 0 and at most 1", lambda x: 0 < x <= 1, float | None)


def option(kind, text, parse, metavar, default, *names):
    """An option whose value is what ``parse`` makes of its word."""
    made = typer.Option(*names, help=text, parser=parse, metavar=metavar, show_default=default)
    return Annotated[kind, made]


def as_number(kind, word):
    """The number that a word is; the word itself, which a check will refuse, if it is none."""
    try:
        return kind(word)
    except ValueError:
        return word


def in_words(check, *arguments):
    """What a check of the library gives; its error as that of the option it is about."""
    try:
        return check(*arguments)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
