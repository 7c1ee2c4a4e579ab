"""Arguments checked in one way everywhere: a value of the right kind, or one clear ValueError."""

from __future__ import annotations

import math
import operator

import numpy as np

LARGEST_SEED = 2**64 - 1  # what torch's generators take
MOST_SHOWN = 80  # characters of a value that was refused


def whole_number(name, value, at_least=1, at_most=None):
    """``value`` as an int. 4, 4.0, and the same from NumPy or torch, are whole numbers.

    Raises ValueError, which calls the argument ``name``, for anything else: a fraction, a
    bool, None, infinity, a text, an array, a number out of range.
    """
    number = _as_int(value)
    if number is None or number < at_least or (at_most is not None and number > at_most):
        wanted = f"of at least {at_least}" if at_most is None else f"from {at_least} to {at_most}"
        raise ValueError(f"{name} must be a whole number {wanted}, not {shown(value)}")
    return number


def seed(value, name="seed"):
    """A seed for torch's and NumPy's generators, as an int."""
    return whole_number(name, value, 0, LARGEST_SEED)


def ids_below(values, vocab_size):
    """Ids of characters as an array of integers, each from 0 to ``vocab_size`` - 1.

    Raises ValueError that names the first id outside, or the type of what is no integer.
    """
    values = np.asarray(values)
    if values.size and not np.issubdtype(values.dtype, np.integer):
        raise ValueError(f"ids are whole numbers, not {values.dtype}")
    # The extremes first: they need no memory, and a text on disk may have gigabytes.
    if values.size and (values.min() < 0 or values.max() >= vocab_size):
        outside = values[(values < 0) | (values >= vocab_size)][0]
        raise ValueError(f"id {outside} is outside the vocabulary's 0 to {vocab_size - 1}")
    return values


def is_number(value):
    """Whether a value is one real number, and neither a bool nor NaN. Infinity is a number.

    Of NumPy or torch too, so that ``float(value)`` is what to go on with.
    """
    value = _scalar(value)
    try:
        return type(value) in (int, float) and not math.isnan(value)
    except OverflowError:  # 10**400, which no float can hold
        return False


def one_of(name, value, allowed):
    """``value``, where it is among ``allowed``; ValueError, which lists them, where not."""
    try:
        if value in frozenset(allowed):  # in a tuple, an array would be compared item by item
            return value
    except TypeError:  # unhashable
        pass
    raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, not {shown(value)}")


def shown(value):
    """What an error shows of a value: its repr on one line, and of a long one the beginning."""
    line = " ".join(repr(value).split())
    return line if len(line) <= MOST_SHOWN else f"{line[:MOST_SHOWN]}…"


def _scalar(value):
    """A scalar of NumPy or torch as Python's; None for an array; all others as they are."""
    if not hasattr(value, "ndim"):
        return value
    return value.item() if value.ndim == 0 else None


def _as_int(value):
    """The whole number that a value is, or None."""
    value = _scalar(value)
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return int(value) if math.isfinite(value) and value == int(value) else None
    try:
        return operator.index(value)
    except TypeError:
        return None
