"""Checks of a reader's answers: ``check("rnn-cell", rnn_cell)`` prints and returns a verdict.

A verdict is *not attempted yet*, *correct*, or *not right yet* with the kind of mistake. It
never contains the answer. A function is tried on fresh random inputs of unequal sizes, once as
NumPy arrays (float64) and once as torch tensors (float32), and is correct if it is so with either.
Any Python object gets a verdict: no answer makes a check raise or warn.

The checks themselves stand in ``helpers/exercises``, one file for each chapter. A check is a
function that is registered under a name, takes the reader's answer, and raises `NotRight`::

    @register("rnn-cell")
    def rnn_cell(answer):
        for _ in range(3):
            x, h, W = normal(5), normal(6), normal(6, 5)
            compare(call(answer, x, h, W), np.tanh(W @ x + h), "the new state")
"""

import difflib
import functools
import importlib
import inspect
import pkgutil
import types
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .answers import (
    KIND,
    TRIES,
    NotAttempted,
    NotRight,
    Raised,
    Tries,
    described,
    kind_of,
    unfilled,
)

TABLE = {}  # name -> Check

NOT_ATTEMPTED = "not attempted yet"
CORRECT = "correct"
NOT_RIGHT = "not right yet"
UNFORESEEN = "this has a form that cannot be judged"


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


@functools.cache
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
    if not isinstance(name, str):
        raise ValueError(f"the name of an exercise comes first, as text, not {kind_of(name)}")
    if name not in table:
        near = difflib.get_close_matches(name, table, n=1, cutoff=0.0)
        raise ValueError(f"there is no check named {name!r}; the nearest is {near[0]!r}")
    wants, mistakes = table[name].wants, []
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # np.tanh of a tensor, say: right, and deprecated
        for kind in kinds_for(answer, wants):
            tries = Tries()
            tokens = KIND.set(kind), TRIES.set(tries)
            try:
                refuse_other_kinds(answer, wants)
                judge(table[name], answer)
                return Verdict(name, CORRECT)
            except NotAttempted:
                return Verdict(name, NOT_ATTEMPTED)
            except NotRight as mistake:
                mistakes.append(mistake)
            except Exception as error:  # from an object that the judging function did not foresee
                mistakes.append(Raised(f"{UNFORESEEN} ({described(error)})", error))
            finally:
                KIND.reset(tokens[0])
                TRIES.reset(tokens[1])
            if not tries.has_arrays:
                break  # the other kind would make no difference
    return Verdict(name, NOT_RIGHT, str(max(mistakes, key=tells)))


def judge(entry, answer):
    """Raise NotRight or NotAttempted unless an answer passes; of many mistakes, the first."""
    try:
        entry.judge(answer)
    except Exception:
        TRIES.get().conclude()
        raise
    TRIES.get().conclude()


def refuse_other_kinds(answer, wants):
    """Raise NotRight unless an answer is of the kind that the exercise wants."""
    if unfilled(answer):
        raise NotAttempted
    if wants != "value" and not callable(answer):
        raise NotRight(f"a {wants} is expected, and this is {kind_of(answer)}")
    if wants == "class" and not inspect.isclass(answer):
        raise NotRight("the class itself is expected, without brackets behind its name")
    if wants == "value" and callable(answer):
        raise NotRight("a value is expected, and this is a function; was it called?")


def kinds_for(answer, wants):
    """As which kinds arrays are handed over, the likelier one first."""
    if wants == "value":
        return ("numpy",)
    is_function = type(answer) in (types.FunctionType, types.MethodType)
    names = answer.__code__.co_names if is_function else ()
    return ("torch", "numpy") if {"torch", "F", "nn"} & set(names) else ("numpy", "torch")


def tells(mistake):
    """How much a mistake tells the reader: most, if it is about a result.

    A TypeError or an AttributeError may only mean that arrays came as the other kind.
    """
    if not isinstance(mistake, Raised):
        return 2
    return 0 if isinstance(mistake.error, (TypeError, AttributeError)) else 1
