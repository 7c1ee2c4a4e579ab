"""What judging functions are made of: a call of the reader's function, and comparisons.

Each raises `NotRight` with a sentence for the reader, and nothing else, whatever it is given.
"""

import copy
import inspect
import itertools
import math
import re
from collections.abc import Iterator
from contextvars import ContextVar

import numpy as np
import torch

KIND = ContextVar("KIND", default="numpy")  # as what `call` hands arrays to the reader's function
TRIES = ContextVar("TRIES", default=None)  # what `compare` has found so far in this judging
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth",
            "ninth", "tenth", "eleventh", "twelfth")  # fmt: skip
MOST = 100_000  # numbers in a result; no exercise asks for nearly as many


class NotAttempted(Exception):
    """There is still a ``...`` where the answer should be."""


class NotRight(Exception):
    """The answer is wrong; the message says what kind of mistake it is."""


class Raised(NotRight):
    """The reader's code stopped with ``error``, an exception of its own."""

    def __init__(self, message, error):
        super().__init__(message)
        self.error = error


class Tries:
    """Mistakes of all comparisons in one judging.

    A mistake is named only if it explains the results for all inputs that were tried.
    """

    def __init__(self):
        self.has_arrays = False  # whether any input came as one kind of array or the other
        self.fits = {}  # (name, slip) -> whether it would have given every result so far
        self.wrong = []  # of each wrong result: name, slips, usual mistakes, what else to say

    def add(self, got, name, slips, rtol, usual=None, otherwise=""):
        """Enter one result; ``usual`` is None if it is right, else kind -> sentence."""
        for slip, value in slips.items():
            fits = np.shape(value) == got.shape and close(got, value, rtol)
            self.fits[name, slip] = self.fits.get((name, slip), True) and fits
        if usual is not None:
            self.wrong.append((name, slips, usual, otherwise))

    def conclude(self):
        """Raise NotRight for the first result that is wrong, if one is."""
        if not self.wrong:
            return
        name, slips, usual, otherwise = self.wrong[0]
        for slip in slips:
            if self.fits[name, slip]:
                raise NotRight(f"{name}: {slip}")
        same = [entry for entry in self.wrong if entry[0] == name]
        for kind, sentence in usual.items():
            if all(kind in entry[2] for entry in same):
                raise NotRight(sentence)
        raise NotRight(otherwise)


def call(function, *inputs, in_place=False, may_be_none=False):
    """What the reader's function returns for copies of the inputs; of an iterator, its items.

    Arrays arrive as the kind that is being tried. Raises NotAttempted where the result is or holds
    ``...``, and NotRight with the reader's own exception where there is one, where an input has
    changed (unless ``in_place``), and where the result is None (unless ``may_be_none``).
    """
    if not callable(function):
        raise NotRight(f"a function is expected, and this is {kind_of(function)}")
    handed = [handed_over(value, KIND.get()) for value in inputs]
    before = [kept_aside(value) for value in handed]
    try:
        result = function(*handed)
        if isinstance(result, Iterator):
            result = list(itertools.islice(result, MOST + 1))
    except (NotAttempted, NotRight):
        raise
    except (Exception, SystemExit) as error:
        shapes = [str(tuple(v.shape)) for v in inputs if isinstance(v, np.ndarray)]
        where = f" (inputs of the shapes {', '.join(shapes)})" if shapes else ""
        raise Raised(f"it stops with {described(error)}{where}", error) from error
    if isinstance(result, list) and len(result) > MOST:
        raise NotRight(f"it gives more than {MOST:,} items: does it ever end?")
    if unfilled(result):
        raise NotAttempted
    if result is None and not may_be_none:
        raise NotRight("it returns None: is a `return` missing?")
    if not in_place:
        for i, value in enumerate(handed):
            if not unchanged(value, before[i]):
                raise NotRight(f"it changes its input {input_name(function, i)}: work on a copy")
    return result


def kept_aside(value):
    """A deep copy of the numbers in an input; what cannot change, or may, as it is."""
    if isinstance(value, torch.nn.Module):
        return kept_aside(value.state_dict())
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, dict):
        return {key: kept_aside(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [kept_aside(part) for part in value]
    return value


def unchanged(value, before):
    """Whether an input is as `kept_aside` found it, but for rounding."""
    if isinstance(value, torch.nn.Module):
        value = dict(value.state_dict())
    if isinstance(before, dict):
        return (
            isinstance(value, dict)
            and value.keys() == before.keys()
            and all(unchanged(value[key], before[key]) for key in before)
        )
    if isinstance(before, list):
        return (
            isinstance(value, (list, tuple))
            and len(value) == len(before)
            and all(map(unchanged, value, before))
        )
    if isinstance(before, (np.ndarray, torch.Tensor)):
        if type(value) is not type(before) or value.shape != before.shape:
            return False
        value, before = (as_array(part, "an input") for part in (value, before))
        return close(value, before, 1e-9 if KIND.get() == "numpy" else 1e-5)
    return value is before or bool(value == before)


def input_name(function, place):
    """What the reader calls an input of a function, or its number."""
    try:
        names = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        names = []
    if place < len(names) and names[place].kind is not names[place].VAR_POSITIONAL:
        return names[place].name
    return f"number {place + 1}"


def parts(answer, count, what=None, name="this"):
    """The ``count`` parts of an answer that is a tuple, a list or an array of them.

    ``what`` says in the verdict which parts are expected.
    """
    is_array = isinstance(answer, (np.ndarray, torch.Tensor))
    if is_array and answer.ndim and len(answer) == count:
        answer = list(answer)
    if not isinstance(answer, (tuple, list)) or len(answer) != count:
        size = f" of {len(answer)}" if isinstance(answer, (tuple, list)) else ""
        what = what or f"{count} answers"
        raise NotRight(f"{name} should be {what}, and it is {kind_of(answer)}{size}")
    return answer


def compare(got, expected, names="the result", slips=None, rtol=3e-4, where=""):
    """Raise NotRight, with the kind of mistake, unless ``got`` is ``expected``.

    ``expected`` is a number, an array, or a tuple of them; ``names`` is one name or a tuple of as
    many. ``slips`` maps the name of a likely mistake to what that mistake would give, in the form
    of ``expected``, with None for an output that it does not touch. Numbers may differ by
    ``rtol`` times the largest number that is expected. ``where`` says for which inputs that was.

    In a check a wrong number is entered into TRIES and nothing is raised, so that more inputs are
    tried before a mistake is named.
    """
    slips = slips or {}
    if not isinstance(expected, tuple):
        slips = {slip: wrong for slip, wrong in slips.items() if wrong is not None}
        compare_one(got, expected, names, slips, rtol, where)
        return
    if not isinstance(got, (tuple, list)) or len(got) != len(expected):
        count = len(got) if isinstance(got, (tuple, list)) else 1
        raise NotRight(
            f"it returns {plural(count, 'thing')} where {len(expected)} are expected: "
            + ", ".join(names)
        )
    for i, name in enumerate(names):
        mine = {slip: wrong[i] for slip, wrong in slips.items() if wrong[i] is not None}
        compare_one(got[i], expected[i], name, mine, rtol, where)


def compare_one(got, expected, name, slips, rtol, where=""):
    """`compare` for one number or array."""
    got = as_array(got, name)
    is_whole = np.asarray(expected).dtype.kind in "iu"
    expected = np.asarray(expected, dtype=float)
    has = agreeing(name, "has", "have")
    if got.shape != expected.shape:
        if got.ndim > 1 and got.T.shape == expected.shape and close(got.T, expected, rtol):
            raise NotRight(
                f"{name} {agreeing(name, 'is', 'are')} transposed: the shape is {got.shape}"
            )
        if got.ndim > 2 and any(
            close(got.transpose(order), expected, rtol)
            for order in itertools.permutations(range(got.ndim))
            if got.transpose(order).shape == expected.shape
        ):
            raise NotRight(f"{name} {has} the axes in another order: {got.shape}")
        raise NotRight(
            f"{name} {has} the wrong shape: {got.shape} where {expected.shape} is expected"
        )
    if not np.isfinite(got).all():
        raise NotRight(f"{name}{where} {has} numbers that are infinite or not a number (NaN)")
    if close(got, expected, rtol):
        enter(got, name, slips, rtol)
        return
    if got.size == 1:
        usual = number_slips(got, expected, rtol)
    else:
        usual = array_slips(got, expected, rtol, lambda *forms: agreeing(name, *forms))
    if is_whole and got.ndim == 1:
        place = next(i for i in range(len(got)) if not close(got[i], expected[i], rtol))
        which = f"the {ORDINALS[place]}" if place < len(ORDINALS) else f"number {place + 1}"
        otherwise = f"{name}{where} {agreeing(name, 'differs', 'differ')} from {which} on"
    elif got.size == 1:
        difference, right = np.abs(got - expected).item(), expected.item()
        otherwise = (
            f"{name}{where}: the difference is {difference:.2g}, where the number is {right:.2g}"
        )
    else:
        otherwise = (
            f"{name}{where}: the largest difference is {np.abs(got - expected).max():.2g}, "
            f"where the numbers go up to {np.abs(expected).max():.2g}"
        )
    usual = {kind: f"{name}{where} {sentence}" for kind, sentence in usual.items()}
    enter(got, name, slips, rtol, usual, otherwise)


def enter(*result):
    """Enter a result into the tries of this check; outside of one, judge it at once."""
    tries = TRIES.get() or Tries()
    tries.add(*result)
    if tries is not TRIES.get():
        tries.conclude()


def agreeing(name, singular, plural):
    """The form of a verb that goes with a name: by the last letters of its noun."""
    noun = re.split(r",? (?:of|for|after|with|to|in) ", name)[0]
    is_plural = noun.endswith("s") and not noun.endswith(("ss", "us", "is", "bias"))
    return plural if is_plural else singular


def plural(count, noun):
    """A number with its noun: 1 character, 2 characters."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def close(got, expected, rtol):
    expected = np.asarray(expected, dtype=float)
    return np.abs(got - expected).max(initial=0) <= rtol * np.abs(expected).max(initial=0) + 1e-9


def array_slips(got, expected, rtol, verb):
    """The usual mistakes that would make this array, kind -> sentence; ``verb`` agrees with it."""
    found = {}
    if got.ndim > 1 and got.shape == got.T.shape and close(got.T, expected, rtol):
        found["transposed"] = f"{verb('is', 'are')} transposed"
    if close(-got, expected, rtol):
        found["sign"] = f"{verb('has', 'have')} the wrong sign"
    if close(got[::-1], expected, rtol):
        found["reversed"] = f"{verb('runs', 'run')} backwards: the last is first"
    for step, which in ((1, "late"), (-1, "early")):
        kept = slice(step, None) if step > 0 else slice(None, step)
        if len(got) > 2 and close(got[kept], np.roll(expected, step, axis=0)[kept], rtol):
            found[which] = (
                f"{verb('is', 'are')} off by one: everything stands one place too {which}"
            )
    norm = (expected * expected).sum()
    factor = (got * expected).sum() / norm if norm else 1.0
    shown = f"{factor:.4g}"
    if factor and float(shown) != 1 and close(got / factor, expected, rtol):
        found["factor"] = (
            f"{verb('is', 'are')} {shown} times what {verb('it', 'they')} should be, everywhere: "
            "a factor, or a sum for a mean"
        )
    if np.ptp(got - expected) <= rtol * np.abs(expected).max():
        found["offset"] = f"{verb('is', 'are')} off by the same amount everywhere"
    return found


def number_slips(got, expected, rtol):
    """The usual mistakes that would make this number, kind -> sentence. Their order matters."""
    value, right = float(got.reshape(-1)[0]), float(expected.reshape(-1)[0])
    near = lambda wrong: math.isclose(value, wrong, rel_tol=rtol)  # noqa: E731
    slips = [("has the wrong sign", -right)]
    if right.is_integer() and value.is_integer() and abs(value - right) == 1:
        slips.append(("is off by one", value))
    slips += [
        ("is in bits, and nats are asked for", right / math.log(2)),
        ("is in nats, and bits are asked for", right * math.log(2)),
        ("looks like a logarithm to base 10", right / math.log(10)),
        ("is too large by a factor of 2", 2 * right),
        ("is too small by a factor of 2", right / 2),
        ("is the square of what is asked for", right**2),
        ("is a percentage, and a share is asked for", 100 * right),
    ]
    if right > 0:
        slips += [
            ("is a loss, and the perplexity is asked for", math.log(right)),
            ("is one divided by what is asked for", 1 / right),
            ("is the square root of what is asked for", math.sqrt(right)),
        ]
    if right < 50:
        slips.append(("is a perplexity, and the loss is asked for", math.exp(right)))
    return {slip: slip for slip, wrong in slips if wrong != right and near(wrong)}


def number(answer, expected, slips=None, rtol=1e-3, name="the number", where=""):
    """Raise NotRight unless the reader has worked out the one number that is expected.

    Takes ints, floats and tensors of one element; ``slips`` and ``where`` as in `compare`.
    """
    if isinstance(answer, str):
        raise NotRight(f"{name} should be a number, and this is a text")
    got = as_array(answer, name)
    if got.size != 1:
        raise NotRight(f"one number is expected, and this has {got.size}")
    got = got.reshape(())
    if not np.isfinite(got):
        raise NotRight(f"{name}{where} is infinite or not a number (NaN)")
    if close(got, expected, rtol):
        enter(got, name, slips or {}, rtol)
        return
    # No difference here: with the one number that was given it would be the answer.
    way = "too small" if got < expected else "too large"
    usual = number_slips(got, np.asarray(expected), rtol) | {way: f"is {way}"}
    usual = {kind: f"{name}{where} {sentence}" for kind, sentence in usual.items()}
    otherwise = f"{name} is too small for some inputs and too large for others"
    enter(got, name, slips or {}, rtol, usual, otherwise)


def choice(answer, right, options, why=None, name="the answer"):
    """One of a few words. ``why`` gives, for a wrong one, what to think about."""
    word = answer.strip().lower() if isinstance(answer, str) else None
    if word not in options:
        raise NotRight(f"{name} should be one of: {', '.join(map(repr, options))}")
    if word != right:
        raise NotRight(f"{name}: " + (why or {}).get(word, "think again"))


def same_text(got, expected, name="the text"):
    """Texts, compared character by character."""
    if not isinstance(got, str):
        raise NotRight(f"{name} should be a text, and this is {kind_of(got)}")
    if got == expected:
        return
    if len(got) != len(expected):
        raise NotRight(
            f"{name} has {plural(len(got), 'character')} where {len(expected)} are expected"
            + (": off by one" if abs(len(got) - len(expected)) == 1 else "")
        )
    place = next(i for i, (a, b) in enumerate(zip(got, expected, strict=True)) if a != b)
    raise NotRight(f"{name} is wrong from its character {place} on (counted from 0)")


def unfilled(value):
    """Whether a value is ``...`` or a list, tuple or dict that holds one."""
    if isinstance(value, dict):
        value = list(value.values())
    return value is ... or (isinstance(value, (list, tuple)) and any(map(unfilled, value)))


def handed_over(value, kind):
    """A copy of an input: arrays as NumPy (float64) or torch (float32), also inside containers."""
    if isinstance(value, np.ndarray):
        if TRIES.get():
            TRIES.get().has_arrays = True
        if kind == "numpy":
            return value.copy()
        return torch.tensor(value, dtype=torch.float32 if value.dtype.kind == "f" else None)
    if type(value) is dict:
        return {key: handed_over(part, kind) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(handed_over(part, kind) for part in value)
    return copy.copy(value) if isinstance(value, dict) else value  # a Counter stays one


def as_array(value, name, shape=None):
    """Numbers of any kind as a float array, of this shape where one is given."""
    if value is None:
        raise NotRight(f"{name} {agreeing(name, 'is', 'are')} None, where numbers are expected")
    try:
        array = _numbers(value, name)
    except NotRight:
        raise
    except Exception:
        raise NotRight(f"{name} should be numbers, and this is {kind_of(value)}") from None
    if shape is not None and array.shape != shape:
        raise NotRight(f"{name} has the wrong shape: {array.shape} where {shape} is expected")
    return array


def _numbers(value, name):
    """`as_array` of what is not None; raises anything for what is no numbers."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().to_dense().resolve_conj().resolve_neg()
        value = (value if value.is_complex() else value.double()).numpy()
    size = value.size if isinstance(value, np.ndarray) else len(value) if _is_sized(value) else 1
    if size > MOST:
        raise NotRight(f"{name} has {size:,} entries, far more than are expected")
    if isinstance(value, (list, tuple)):
        value = [as_array(part, name) for part in value]
    array = np.asarray(value)
    if array.dtype.kind == "c":
        raise NotRight(f"{name} should be real numbers, and these are complex")
    if array.dtype.kind not in "biufO":  # texts and dates, which NumPy would turn into numbers
        raise TypeError
    return array.astype(float)


def _is_sized(value):
    return hasattr(type(value), "__len__") and not isinstance(value, torch.Tensor)


def single(value, name):
    """One finite number as a float."""
    array = as_array(value, name)
    if array.size != 1:
        raise NotRight(f"{name} should be one number, and this has {array.size}")
    if not np.isfinite(array).all():
        raise NotRight(f"{name} is infinite or not a number (NaN)")
    return array.item()


def whole(value, name):
    """One whole number as an int."""
    if single(value, name) % 1:
        raise NotRight(f"{name} should be a whole number")
    return int(single(value, name))


def truth(value, name="the answer"):
    """One True or False as a bool."""
    if as_array(value, name).size != 1:
        raise NotRight(f"{name} should be one True or False")
    return bool(single(value, name))


def kind_of(value):
    """What a value is, with its article."""
    word = type(value).__name__
    return {"str": "a text", "NoneType": "None", "function": "a function"}.get(
        word, f"{'an' if word[0] in 'aeiou' else 'a'} {word}"
    )


def described(error):
    """An exception's type and message on one line, of a long one the beginning."""
    try:
        message = " ".join(str(error).split()).encode("utf-8", "backslashreplace").decode()
    except Exception:
        message = ""
    message = message if len(message) <= 200 else f"{message[:200]}…"
    return type(error).__name__ + (f": {message}" if message else "")
