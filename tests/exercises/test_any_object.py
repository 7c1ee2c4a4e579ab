"""Any Python object handed to any check gets a verdict: no exception, no warning, no *correct*."""

import functools
import itertools
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from helpers.exercises.judging import (
    NOT_ATTEMPTED,
    NOT_RIGHT,
    UNFORESEEN,
    all_checks,
    check,
    judged,
)

pytestmark = pytest.mark.slow


class Hostile:
    """Raises whatever is asked of it."""

    def refuse(self, *inputs, **named):
        raise RuntimeError("not with me")

    __eq__ = __array__ = __len__ = __iter__ = __bool__ = __float__ = __index__ = refuse
    __getitem__ = __contains__ = __repr__ = __str__ = __hash__ = __getattr__ = refuse


class Wordless(Exception):
    def __str__(self):
        raise RuntimeError("no words")


class Unmade:
    def __init__(self, *inputs):
        raise KeyError("never made")


class Idle:
    def __init__(self, *inputs):
        pass


class Echo(Idle):
    def encode(self, text):
        return text

    decode = encode


def itself():
    holds = []
    holds.append(holds)
    return holds


VALUES = {
    "None": None,
    "True": True,
    "five": 5,
    "minus one": -1,
    "half": 0.5,
    "infinity": 1e400,
    "NaN": float("nan"),
    "large": 1e308,
    "a huge integer": 10**400,
    "complex": 1 + 2j,
    "an empty text": "",
    "a text": "abc",
    "digits": "12",
    "half a surrogate pair": "\ud800",
    "bytes": b"x",
    "an empty tuple": (),
    "a pair": (1, 2),
    "three": (1, 2, 3),
    "five numbers": [1.0, 2, 3, 4, 5],
    "texts": ["a", "b", "c"],
    "Nones": (None,) * 5,
    "an empty list": [],
    "pairs": ([1, 2], [3, 4]),
    "three pairs": ([1, 2], [3, 4], [5, 6]),
    "ragged": [[1, 2], [3], 4],
    "NaNs": [float("nan")] * 2,
    "a pair with a function": (len, 3),
    "a pair with another function": (3, len),
    "functions": (len,) * 4,
    "itself": itself(),
    "an empty dict": {},
    "a dict": {1: 2},
    "a set": {1, 2},
    "a range": range(3),
    "a long range": range(10**12),
    "an empty array": np.zeros(0),
    "an array": np.zeros((2, 3)),
    "0-d": np.array(3.0),
    "three axes": np.ones((3, 2, 2)),
    "a long array": np.broadcast_to(1.0, (10**6, 10**6)),
    "an object array": np.array([None, "a", 3], dtype=object),
    "a string array": np.array(["1", "2"]),
    "dates": np.array(["2020-01-01", "2021-01-01"], dtype="datetime64[D]"),
    "a date": np.datetime64("2020-01-01"),
    "masked": np.ma.masked_array([1.0, 2.0], mask=[True, False]),
    "all masked": np.ma.masked,
    "a record": np.zeros(2, dtype=[("a", int), ("b", float)]),
    "complex numbers": np.ones(3) * 1j,
    "a tensor": torch.ones(3),
    "whole numbers": torch.arange(4),
    "bools": torch.tensor([True, False]),
    "half precision": torch.ones(2, dtype=torch.bfloat16),
    "with a gradient": torch.ones(2, requires_grad=True),
    "an empty tensor": torch.empty(0, 3),
    "sparse": torch.eye(3).to_sparse(),
    "a complex tensor": torch.ones(2, dtype=torch.complex64),
    "no memory": torch.empty(2, device="meta"),
    "a module": nn.Linear(2, 3),
    "an object": object(),
    "hostile": Hostile(),
    "hostile ones": [Hostile(), Hostile()],
    "three hostile ones": (Hostile(),) * 3,
    "a generator": (i for i in range(3)),
    "without end": itertools.count(),
    "a slice": slice(3),
    "an exception": ValueError("x"),
    "NotImplemented": NotImplemented,
    "a module of Python": np,
    "a type": int,
    "a class": Idle,
    "a class that repeats": Echo,
    "a class that cannot be made": Unmade,
    "an exception's type": Wordless,
}


def raises(error):
    def function(*inputs):
        raise error

    return function


def calls_itself(*inputs):
    return calls_itself(*inputs)


def spoils_its_inputs(*inputs):
    for value in inputs:
        if isinstance(value, (np.ndarray, torch.Tensor)):
            value[...] = 7
        elif isinstance(value, (dict, list)):
            value.clear()


def warns(*inputs):
    warnings.warn("loud", stacklevel=1)
    return np.log(np.zeros(2))


def yields(*inputs):
    yield from inputs


def first(*inputs):
    return inputs[0] if inputs else None


FUNCTIONS = {
    "no inputs": lambda: 1,
    "one input": lambda x: x,
    "the first input": first,
    "all inputs": lambda *inputs: inputs,
    "raises": raises(ValueError("x")),
    "raises without words": raises(Wordless()),
    "raises a pair of surrogates": raises(ValueError("\ud800" * 1000)),
    "leaves": raises(SystemExit(3)),
    "stops an iteration": raises(StopIteration()),
    "asserts": raises(AssertionError()),
    "calls itself": calls_itself,
    "spoils": spoils_its_inputs,
    "warns": warns,
    "yields": yields,
    "yields without end": lambda *inputs: itertools.repeat(1.0),
    "a partial": functools.partial(first, 3),
    "a built-in": len,
    "max": max,
    "a ufunc": np.add,
    "a method": "abc".join,
    "softmax": torch.softmax,
}
HOSTILE = {"hostile", "hostile ones", "three hostile ones", "itself"}


def returning(value):
    return lambda *inputs: value


@pytest.mark.parametrize("name", all_checks())
def test_any_object_gets_a_verdict(name, capsys):
    wants = all_checks()[name].wants
    answers = VALUES | FUNCTIONS
    if wants == "function":
        answers |= {f"returns {what}": returning(value) for what, value in VALUES.items()}
    elif wants == "value":  # each as one part of an answer that has several
        answers |= {
            f"{what}, {n} times": (value,) * n for what, value in VALUES.items() for n in (2, 3)
        }
    else:
        answers |= {f"has {what}": with_methods(value) for what, value in VALUES.items()}
    unforeseen = {}
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for what, answer in answers.items():
            verdict = judged(name, answer)
            assert verdict.status in (NOT_RIGHT, NOT_ATTEMPTED), (what, verdict)
            assert verdict.message, what
            str(verdict).encode("utf-8")
            if UNFORESEEN in verdict.message:
                unforeseen[what] = verdict.message
    assert not warned
    # What a reader may hand over by accident is refused in words of its own.
    assert not [m for what, m in unforeseen.items() if not any(h in what for h in HOSTILE)]


def with_methods(value):
    """A class whose methods give a value."""
    return type("Made", (Idle,), {"encode": returning(value), "decode": returning(value)})


def test_an_interrupt_reaches_the_reader():
    with pytest.raises(KeyboardInterrupt):
        judged("rnn-cell", raises(KeyboardInterrupt()))


@pytest.mark.parametrize("name", [None, 3, [], np.zeros(2)])
def test_a_name_that_is_no_text_is_an_error_of_one_line(name):
    with pytest.raises(ValueError, match="the name of an exercise comes first, as text"):
        check(name, 1)
