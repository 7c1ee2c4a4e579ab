"""Arguments checked in one way everywhere: a value of the right kind, or one clear ValueError."""

from __future__ import annotations

import math
import operator

import numpy as np

LARGEST_SEED = 2**64 - 1  # what torch's generators take


def whole_number(name, value, at_least=1, at_most=None):
    """``value`` as an int. 4, 4.0 and NumPy's or torch's integers are whole numbers.

    Raises ValueError, which calls the argument ``name``, for anything else: a fraction, a
    bool, None, infinity, a text, a number out of range.
    """
    number = _as_int(value)
    if number is None or number < at_least or (at_most is not None and number > at_most):
        wanted = f"of at least {at_least}" if at_most is None else f"from {at_least} to {at_most}"
        raise ValueError(f"{name} must be a whole number {wanted}, not {value!r}")
    return number


def seed(value, name="seed"):
    """A seed for torch's and NumPy's generators, as an int."""
    return whole_number(name, value, 0, LARGEST_SEED)


def is_number(value):
    """Whether a value is one real number, and neither a bool nor NaN. Infinity is a number."""
    is_real = isinstance(value, int | float | np.integer | np.floating)
    return is_real and not isinstance(value, bool) and not math.isnan(value)


def one_of(name, value, allowed):
    """``value``, where it is among ``allowed``; ValueError, which lists them, where not."""
    try:
        if value in allowed:
            return value
    except TypeError:  # unhashable, and so no key of a table
        pass
    raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, not {value!r}")


def _as_int(value):
    """The whole number that a value is, or None."""
    if isinstance(value, bool | np.bool_):
        return None
    if isinstance(value, float | np.floating):
        return int(value) if math.isfinite(value) and value == int(value) else None
    try:
        return operator.index(value)
    except TypeError:
        return None
