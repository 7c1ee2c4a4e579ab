"""Which changes make a stored result stale, and which do not."""

import importlib
import json
import sys
from functools import partial

import pytest

from tools.runs import stamps

LIBRARY = '''
"""A library."""
import math

LIMIT = 3
SIZES = {"a": LIMIT}
KINDS = [k for k in "xyz"]
KINDS += ["w"]


def inner(x: float) -> float:
    """Twice x."""
    if x < 0:
        raise ValueError(f"{x} is below 0: {explain(x)}")
    print("so far", x)
    return 2 * x  # twice


def explain(x):
    return "use another one"


def apart(x):
    return x


class Base:
    def step(self, x):
        return inner(x)


class Model(Base):
    size = SIZES["a"]

    @property
    def twice(self):
        return deep(self.size)


def deep(x):
    return math.floor(x)
'''
SCRIPT = """
from charbook_library import Base, KINDS, Model
import charbook_library

ROOT = Path(__file__).resolve().parents[2]

START = 1


def outer(n=START):
    model = Model()
    apart = [model.step(k) for k in range(n)]
    return apart, KINDS, charbook_library.LIMIT


def other():
    return charbook_library.apart(1)
"""


@pytest.fixture
def stamp_of(tmp_path, monkeypatch):
    """The stamp of a function after replacements in the two files."""
    monkeypatch.setattr(stamps, "ROOT", tmp_path)
    monkeypatch.syspath_prepend(tmp_path / "helpers")
    monkeypatch.syspath_prepend(tmp_path / "tools")

    def of(name="outer", *replaced, settings=None):
        library, script = LIBRARY, SCRIPT
        for old, new in replaced:
            assert old in library + script
            library, script = library.replace(old, new), script.replace(old, new)
        for folder, file, text in (("helpers", "library", library), ("tools", "script", script)):
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / folder / f"charbook_{file}.py").write_text(text)
            sys.modules.pop(f"charbook_{file}", None)
        importlib.invalidate_caches()
        sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
        for cached in (stamps._definitions, stamps._file, stamps._piece):
            cached.cache_clear()
        function = getattr(importlib.import_module("charbook_script"), name)
        sys.dont_write_bytecode = before
        found = stamps.stamp(function if settings is None else partial(function, *settings))
        for cached in (stamps._definitions, stamps._file, stamps._piece):
            cached.cache_clear()
        return found

    yield of
    for name in ("charbook_library", "charbook_script"):
        sys.modules.pop(name, None)


def pieces(stamp):
    return {piece.split()[0] for text in stamp.values() for piece in text.split(", ")}


def test_a_stamp_follows_what_is_named_and_nothing_else(stamp_of):
    assert pieces(stamp_of()) == {
        "outer", "START", "Model", "Base", "inner", "SIZES", "LIMIT", "KINDS", "deep"
    }  # fmt: skip
    assert pieces(stamp_of("other")) == {"other", "apart"}
    assert set(stamp_of()) == {"helpers/charbook_library.py", "tools/charbook_script.py"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  # twice", "  # two times"),
        ('"""Twice x."""', '"""Two times x."""'),
        ('"""A library."""\n', ""),
        ("return 2 * x", "return (2\n        * x)"),
        ("below 0", "negative"),
        ('"use another one"', '"do not"'),
        ('    print("so far", x)\n', ""),
        ("(x: float) -> float", "(x)"),
        ("return x\n", "return -x\n"),  # of a function that is not reached
        ("START = 1\n", "UNUSED = 7\nSTART = 1\n"),
    ],
)
def test_words_and_layout_are_no_change(stamp_of, old, new):
    assert stamps.changed(stamp_of(), stamp_of("outer", (old, new))) == ""


@pytest.mark.parametrize(
    ("old", "new", "piece"),
    [
        ("2 * x", "3 * x", "helpers/charbook_library.py: inner"),
        ("x < 0", "x < 1", "helpers/charbook_library.py: inner"),
        ("LIMIT = 3", "LIMIT = 4", "helpers/charbook_library.py: LIMIT"),
        ("+= [", "= [", "helpers/charbook_library.py: KINDS"),
        ("floor", "ceil", "helpers/charbook_library.py: deep"),
        ("START = 1", "START = 2", "tools/charbook_script.py: START"),
        ("range(n)", "range(n + 1)", "tools/charbook_script.py: outer"),
        ("return inner(x)", "return x", "helpers/charbook_library.py: Base, inner"),
    ],
)
def test_a_change_of_what_is_computed_is_named(stamp_of, old, new, piece):
    assert stamps.changed(stamp_of(), stamp_of("outer", (old, new))) == piece


def test_settings_belong_to_the_stamp(stamp_of):
    one, same, other = (stamp_of(settings=[n]) for n in (2, 2, 3))
    assert stamps.changed(one, same) == ""
    assert stamps.changed(one, other) == "tools/charbook_script.py: outer(…)"


def test_a_restamp_believes_only_what_comes_out_again(tmp_path, capsys):
    path = tmp_path / "it.json"
    record = {"name": "it", "command": "python -m tools.runs.long_runs it"}
    record |= {"runs": [{"seed": 0, "first_losses": [2.0, 1.5]}, {"seed": 1, "first_losses": []}]}
    path.write_text(json.dumps(record))
    assert stamps.stale(record, stamps.stamp) == (
        "it is older than the code that makes it ("
        + stamps.changed({}, stamps.stamp(stamps.stamp))
        + "). Make it again: `python -m tools.runs.long_runs it`; or, if the change cannot move "
        "its numbers: `python -m tools.runs.long_runs --restamp it`"
    )
    with pytest.raises(SystemExit, match="gives other losses now: make it again with `python"):
        stamps.restamp(path, lambda run: [2.0, 1.5002], stamps.stamp)
    assert json.loads(path.read_text()) == record
    stamps.restamp(path, lambda run: [2.0, 1.50005], stamps.stamp)
    assert "losses of 1 runs came out again; what comes after" in capsys.readouterr().out
    stored = json.loads(path.read_text())
    assert stamps.stale(stored, stamps.stamp) == ""
    assert stored["runs"] == record["runs"]
    stamps.restamp(path, lambda run: 1 / 0, stamps.stamp)
    assert capsys.readouterr().out == "it: nothing has changed\n"
    path.write_text(json.dumps(record | {"runs": []}))
    with pytest.raises(SystemExit, match="has no losses to repeat"):
        stamps.restamp(path, lambda run: [], stamps.stamp)
