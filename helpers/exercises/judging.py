"""Checks of a reader's answers: ``check("rnn-cell", rnn_cell)`` prints and returns a verdict.

A verdict is *not attempted yet*, *correct*, or *not right yet* with the kind of mistake. It
never contains the answer. A function is tried on fresh random inputs of unequal sizes, once as
NumPy arrays (float64) and once as torch tensors (float32), and is correct if it is so with either.

The checks themselves stand in ``helpers/exercises``, one file for each chapter. A check is a
function that is registered under a name, takes the reader's answer, and raises `NotRight`::

    @register("rnn-cell")
    def rnn_cell(answer):
        for _ in range(3):
            x, h, W = normal(5), normal(6), normal(6, 5)
            compare(call(answer, x, h, W), np.tanh(W @ x + h), "the new state")
"""

import difflib
import importlib
import inspect
import itertools
import math
import pkgutil
import warnings
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass

import numpy as np
import torch

TABLE = {}  # name -> Check
KIND = ContextVar("KIND", default="numpy")  # as what `call` hands arrays to the reader's function

NOT_ATTEMPTED = "not attempted yet"
CORRECT = "correct"
NOT_RIGHT = "not right yet"


class NotAttempted(Exception):
    """There is still a ``...`` where the answer should be."""


class NotRight(Exception):
    """The answer is wrong; the message says what kind of mistake it is."""


class Raised(NotRight):
    """The reader's function stopped with an exception of its own."""


@dataclass(frozen=True)
class Check:
    """One line of the table of checks."""

    name: str
    chapter: str
    wants: str  # "function", "class" or "value"
    judge: Callable


@dataclass(frozen=True)
class Verdict:
    """What `check` says of an answer; true if the answer is correct."""

    name: str
    status: str
    message: str = ""

    def __str__(self):
        return f"{self.name}: {self.status}" + (f": {self.message}" if self.message else "")

    def __bool__(self):
        return self.status == CORRECT

    def _ipython_display_(self):
        """Nothing: `check` has printed it, and a notebook would show it a second time."""


def register(name, wants="function"):
    """A decorator that enters a judging function in the table, for the chapter of its file."""

    def enter(judge):
        if name in TABLE:
            raise ValueError(f"there are two checks named {name!r}")
        chapter = judge.__module__.rpartition(".")[2].replace("_", "-")
        TABLE[name] = Check(name, chapter, wants, judge)
        return judge

    return enter


def all_checks():
    """The table of checks, name -> Check, with the files of all chapters read."""
    from helpers import exercises

    for module in pkgutil.iter_modules(exercises.__path__):
        importlib.import_module(f"helpers.exercises.{module.name}")
    return TABLE


def check(name, answer):
    """Say whether an answer is right, and what kind of mistake it has if it is not.

    ``answer`` is whatever the exercise asks for: a function, a class, a number, a text or a tuple
    of them. An answer that is or returns ``...`` has not been attempted. Returns a `Verdict`; a
    name that no exercise has is a ValueError.
    """
    verdict = judged(name, answer)
    print(verdict)
    return verdict


def judged(name, answer):
    """The verdict, without printing it."""
    table = all_checks()
    if name not in table:
        near = difflib.get_close_matches(name, table, n=1, cutoff=0.0)
        raise ValueError(f"there is no check named {name!r}; the nearest is {near[0]!r}")
    wants = table[name].wants
    first = None
    try:
        if unfilled(answer):
            raise NotAttempted
        if wants != "value" and not callable(answer):
            raise NotRight(f"a {wants} is expected, and this is {kind_of(answer)}")
        if wants == "class" and not inspect.isclass(answer):
            raise NotRight("the class itself is expected, without brackets behind its name")
        if wants == "value" and callable(answer):
            raise NotRight("a value is expected, and this is a function; was it called?")
        for kind in kinds_for(answer, wants):
            token = KIND.set(kind)
            try:
                table[name].judge(answer)
                return Verdict(name, CORRECT)
            except NotRight as mistake:
                if first is None or says_less(first, mistake):
                    first = mistake
            finally:
                KIND.reset(token)
    except NotAttempted:
        return Verdict(name, NOT_ATTEMPTED)
    except NotRight as mistake:
        first = mistake
    return Verdict(name, NOT_RIGHT, str(first))


def kinds_for(answer, wants):
    """As which kinds arrays are handed over, the likelier one first."""
    if wants == "value":
        return ("numpy",)
    names = getattr(getattr(answer, "__code__", None), "co_names", ())
    return ("torch", "numpy") if {"torch", "F", "nn"} & set(names) else ("numpy", "torch")


def says_less(first, second):
    """Whether the mistake seen with a second kind of arrays tells more than that with the first.

    A wrong result tells more than an exception, and an exception more than a complaint that an
    array is no tensor.
    """
    wrong_kind = any(word in str(first) for word in ("Tensor", "ndarray"))
    return isinstance(first, Raised) and (wrong_kind or not isinstance(second, Raised))


# What judging functions are made of: inputs, calling the reader's function, comparing.


def random_sizes(count, low=2, high=9):
    """``count`` whole numbers that all differ, in random order."""
    return [int(n) for n in np.random.default_rng().permutation(np.arange(low, high))[:count]]


def normal(*shape, scale=1.0):
    """Fresh normal numbers (shape); the global random state is left alone."""
    return scale * np.random.default_rng().standard_normal(shape)


def call(function, *inputs):
    """What the reader's function returns for copies of the inputs.

    Arrays arrive as the kind that is being tried. Raises NotAttempted where the result is or holds
    ``...``, and NotRight with the reader's own exception where there is one.
    """
    handed = [handed_over(value, KIND.get()) for value in inputs]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # np.tanh of a tensor, say: right, and deprecated
            result = function(*handed)
            if isinstance(result, Iterator):
                result = list(result)
    except (NotAttempted, NotRight):
        raise
    except Exception as error:
        shapes = [str(tuple(v.shape)) for v in inputs if isinstance(v, np.ndarray)]
        where = f" (inputs of the shapes {', '.join(shapes)})" if shapes else ""
        raise Raised(f"it stops with {type(error).__name__}: {error}{where}") from error
    if unfilled(result):
        raise NotAttempted
    return result


def compare(got, expected, names="the result", slips=None, rtol=3e-4):
    """Raise NotRight, with the kind of mistake, unless ``got`` is ``expected``.

    ``expected`` is a number, an array, or a tuple of them; ``names`` is one name or a tuple of as
    many. ``slips`` maps the name of a likely mistake to what that mistake would give, in the form
    of ``expected``, with None for an output that it does not touch. Numbers may differ by
    ``rtol`` times the largest number that is expected.
    """
    slips = slips or {}
    if not isinstance(expected, tuple):
        compare_one(got, expected, names, slips, rtol)
        return
    if not isinstance(got, (tuple, list)) or len(got) != len(expected):
        count = len(got) if isinstance(got, (tuple, list)) else 1
        raise NotRight(
            f"it gives back {count} thing{'s' * (count > 1)} where {len(expected)} are expected: "
            + ", ".join(names)
        )
    for i, name in enumerate(names):
        mine = {slip: wrong[i] for slip, wrong in slips.items() if wrong[i] is not None}
        compare_one(got[i], expected[i], name, mine, rtol)


def compare_one(got, expected, name, slips, rtol):
    """`compare` for one number or array."""
    got = as_array(got, name)
    expected = np.asarray(expected, dtype=float)
    if got.shape != expected.shape:
        if got.ndim > 1 and got.T.shape == expected.shape and close(got.T, expected, rtol):
            raise NotRight(f"{name} is transposed: its shape is {got.shape}")
        if got.ndim > 2 and any(
            close(got.transpose(order), expected, rtol)
            for order in itertools.permutations(range(got.ndim))
            if got.transpose(order).shape == expected.shape
        ):
            raise NotRight(f"{name} has its axes in another order: {got.shape}")
        raise NotRight(
            f"{name} has the wrong shape: {got.shape} where {expected.shape} is expected"
        )
    if not np.isfinite(got).all():
        raise NotRight(f"{name} has numbers that are infinite or not a number (NaN)")
    if close(got, expected, rtol):
        return
    for slip, wrong in slips.items():
        if np.shape(wrong) == got.shape and close(got, wrong, rtol):
            raise NotRight(f"{name}: {slip}")
    common = number_slip(got, expected, rtol) if got.size == 1 else array_slip(got, expected, rtol)
    if common:
        raise NotRight(f"{name} {common}")
    largest = np.abs(got - expected).max()
    raise NotRight(
        f"{name}: the largest difference is {largest:.2g}, "
        f"where the numbers go up to {np.abs(expected).max():.2g}"
    )


def close(got, expected, rtol):
    expected = np.asarray(expected, dtype=float)
    return np.abs(got - expected).max(initial=0) <= rtol * np.abs(expected).max(initial=0) + 1e-9


def array_slip(got, expected, rtol):
    """The usual mistakes that make an array wrong, or None."""
    if got.ndim > 1 and got.shape == got.T.shape and close(got.T, expected, rtol):
        return "is transposed"
    if close(-got, expected, rtol):
        return "has the wrong sign"
    if close(got[::-1], expected, rtol):
        return "runs backwards: the last is first"
    for step, which in ((1, "late"), (-1, "early")):
        kept = slice(step, None) if step > 0 else slice(None, step)
        if len(got) > 2 and close(got[kept], np.roll(expected, step, axis=0)[kept], rtol):
            return f"is off by one: everything stands one place too {which}"
    norm = (expected * expected).sum()
    factor = (got * expected).sum() / norm if norm else 1.0
    if got.any() and close(got / factor, expected, rtol):
        return f"is {factor:.3g} times what it should be, everywhere: a factor, or a sum for a mean"
    if np.ptp(got - expected) <= rtol * np.abs(expected).max():
        return "is off by the same amount everywhere"
    return None


def number_slip(got, expected, rtol):
    """The usual mistakes that make one number wrong, or None. Their order matters."""
    value, right = float(got.reshape(-1)[0]), float(expected.reshape(-1)[0])
    near = lambda wrong: math.isclose(value, wrong, rel_tol=rtol)  # noqa: E731
    if near(-right):
        return "has the wrong sign"
    if right.is_integer() and value.is_integer() and abs(value - right) == 1:
        return "is off by one"
    slips = [
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
    for slip, wrong in slips:
        if wrong != right and near(wrong):
            return slip
    return None


def number(answer, expected, slips=None, rtol=1e-3, name="the number"):
    """Raise NotRight unless the reader has worked out the one number that is expected.

    Takes ints, floats and tensors of one element; ``slips`` as in `compare`.
    """
    if isinstance(answer, str):
        raise NotRight(f"{name} should be a number, and this is a text")
    if as_array(answer, name).size != 1:
        raise NotRight(f"one number is expected, and this has {as_array(answer, name).size}")
    got = as_array(answer, name).reshape(())
    if close(got, expected, rtol):
        return
    for slip, wrong in (slips or {}).items():
        if close(got, wrong, rtol):
            raise NotRight(f"{name}: {slip}")
    if not np.isfinite(got):
        raise NotRight(f"{name} is infinite or not a number (NaN)")
    # No difference here: with the one number that was given it would be the answer.
    way = "too small" if got < expected else "too large"
    raise NotRight(f"{name} {number_slip(got, np.asarray(expected), rtol) or f'is {way}'}")


def choice(answer, right, options, why=None, name="the answer"):
    """One of a few words. ``why`` gives, for a wrong one, what to think about."""
    said = answer.strip().lower() if isinstance(answer, str) else answer
    if said not in options:
        raise NotRight(f"{name} should be one of: {', '.join(map(repr, options))}")
    if said != right:
        raise NotRight(f"{name}: " + (why or {}).get(said, "think again"))


def same_text(got, expected, name="the text"):
    """Texts, compared character by character."""
    if not isinstance(got, str):
        raise NotRight(f"{name} should be a text, and this is {kind_of(got)}")
    if got == expected:
        return
    if len(got) != len(expected):
        raise NotRight(
            f"{name} has {len(got)} characters where {len(expected)} are expected"
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
        if kind == "numpy":
            return value.copy()
        return torch.tensor(value, dtype=torch.float32 if value.dtype.kind == "f" else None)
    if type(value) is dict:  # tables of other kinds, such as Counter, stay what they are
        return {key: handed_over(part, kind) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(handed_over(part, kind) for part in value)
    return value


def as_array(value, name):
    """Numbers of any kind as a float array."""
    if value is None:
        raise NotRight(f"{name} is None: is a `return` missing?")
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
    if isinstance(value, (list, tuple)):
        value = [as_array(part, name) for part in value]
    try:
        return np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise NotRight(f"{name} should be numbers, and this is {kind_of(value)}") from None


def kind_of(value):
    word = type(value).__name__
    return {"str": "a text", "NoneType": "None", "function": "a function"}.get(
        word, f"{'an' if word[0] in 'aeiou' else 'a'} {word}"
    )
