"""For every check: answers that are right and answers that are wrong.

One file a chapter with a list ``CASES``. The exercise's own solution and its untouched stub are
taken from the chapter; the file adds another right answer, written differently, and at least two
plausible wrong ones, each with a word that the verdict must contain.
"""

import ast
import contextlib
import importlib
import pkgutil
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import nbformat

from tools.notebooks.stubs import CALL, exercises

CHAPTERS = Path(__file__).resolve().parents[3] / "chapters"


@dataclass
class Case:
    """What a check must say of some answers.

    ``wrong`` maps a description to the wrong answer and a word of the verdict. ``given`` holds
    what the solution or the stub needs beside the chapter's imports, functions and classes.
    """

    name: str
    other: object
    wrong: dict
    given: dict = field(default_factory=dict)

    def answer(self, which):
        """The object that the chapter hands to the check: "solution" or "stub"."""
        for path, exercise in all_exercises():
            for cell in exercise.answers if which == "solution" else exercise.stubs:
                if self.name in CALL.findall(cell.source):
                    return evaluated(cell.source, self.name, {**namespace(path), **self.given})
        raise LookupError(f"no chapter has a {which} for the check {self.name!r}")


def all_cases():
    """The cases of all chapters."""
    modules = [importlib.import_module(f"tests.exercises.cases.{m.name}") for m in files()]
    return [case for module in modules for case in module.CASES]


def files():
    return pkgutil.iter_modules([str(Path(__file__).parent)])


@cache
def all_exercises():
    found = []
    for path in sorted(CHAPTERS.glob("*.ipynb")):
        found += [(path, e) for e in exercises(nbformat.read(path, as_version=4))]
    return found


@cache
def namespace(path):
    """A chapter's imports, functions, classes and plain constants, without running it."""
    names = {}
    cells = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    for cell in cells[1:]:  # the first has shell commands
        for node in ast.parse(cell.source).body:
            plain = isinstance(node, ast.Assign) and is_literal(node.value)
            definition = isinstance(
                node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
            )
            if plain or definition:
                # A default that the chapter computes; a framework that is not installed.
                with contextlib.suppress(NameError, ImportError):
                    exec(compile(ast.Module([node], []), path.name, "exec"), names)
    return names


def is_literal(node):
    try:
        ast.literal_eval(node)
    except ValueError:
        return False
    return True


def evaluated(source, name, names):
    """Run the definitions and settings of a cell; what it hands to ``check(name, ...)``."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Expr):
            call = node.value
            if (
                isinstance(call, ast.Call)
                and getattr(call.func, "id", "") == "check"
                and call.args[0].value == name
            ):
                return eval(compile(ast.Expression(call.args[1]), "answer", "eval"), names)
        else:
            exec(compile(ast.Module([node], []), "answer", "exec"), names)
    raise LookupError(name)
