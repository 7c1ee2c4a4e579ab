"""Printed numbers compared within the tolerance that a cell's metadata states.

A cell with the tag ``nbval-rtol=1e-3`` is compared so: words, and whole numbers, exactly; each
decimal number within that relative difference (or one in the last printed digit, whichever is
more). Cells without the tag are compared to the letter.
"""

import re

DECIMAL = re.compile(r"-?\d+\.\d+(?:e[-+]?\d+)?|-?\d+e[-+]?\d+")
TIGHTEST, LOOSEST = 1e-4, 0.2


class Tolerant(str):
    """A text that equals another whose decimal numbers are within a relative tolerance."""

    def __new__(cls, text, rtol):
        self = super().__new__(cls, text)
        self.rtol = rtol
        return self

    def __eq__(self, other):
        if DECIMAL.sub("#", self) != DECIMAL.sub("#", other):
            return False
        pairs = zip(DECIMAL.findall(self), DECIMAL.findall(other), strict=True)
        return all(difference(a, b) <= self.rtol for a, b in pairs)

    def __ne__(self, other):
        return not self == other

    __hash__ = str.__hash__


def difference(a, b):
    """The relative difference of two printed numbers; 0 for one in the last printed digit."""
    apart = abs(float(a) - float(b))
    if apart <= 1.001 * max(last_digit(a), last_digit(b)):
        return 0.0
    return apart / max(abs(float(a)), abs(float(b)))


def last_digit(number):
    """What one step in the last printed digit is worth: 0.001 for "2.345"."""
    mantissa, _, exponent = number.partition("e")
    decimals = len(mantissa.partition(".")[2])
    return 10.0 ** (int(exponent or 0) - decimals)


def tolerance(metadata):
    """The ``nbval-rtol`` of a cell's metadata, or None; ValueError where it is no tolerance."""
    for tag in metadata.get("tags", []):
        if tag.startswith("nbval-rtol"):
            value = float(tag.partition("=")[2])
            if not TIGHTEST <= value <= LOOSEST:
                raise ValueError(f"tag {tag!r}: a tolerance lies between 1e-4 and {LOOSEST}")
            return value
    return None
