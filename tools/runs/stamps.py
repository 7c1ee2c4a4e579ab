"""What a stored result came from: a stamp of the code that its run reaches, piece by piece.

A piece is a function, a class or a constant of helpers/ or tools/. Its stamp is a digest of
what it means to Python, so that comments, docstrings, annotations, layout, printed lines and
the words of an error do not count: a run that was stored met no error. From the function
that makes a result, everything is followed that is named on the way.

What is promised: where no piece has changed, the result is that of the code as it is (on the
same machine with the same packages). Where one has changed, tests/test_long_runs.py fails and
names it. The result may still be right: make it again, or, where the change cannot move its
numbers, say so with ``--restamp``, which repeats the first losses before it believes it.
What comes after those it cannot know.

What is not seen: code that is named by a text alone (``getattr``), other packages, and the
pieces in APART.
"""

import ast
import dis
import functools
import hashlib
import importlib
import inspect
import json
import re
import sys
from datetime import date
from pathlib import Path
from types import CodeType, ModuleType

ROOT = Path(__file__).resolve().parents[2]
OURS = ("helpers", "tools")
WITHIN = 1e-4  # nats by which a loss may differ from machine to machine
APART = {
    "helpers/corpus.py locate": "a corpus is compared by its own SHA-256",
    "helpers/training.py progress_bar": "it shows, and changes nothing",
}


def stamp(*roots):
    """Functions (or partials of them) -> {file: "piece digest, piece digest, …"}."""
    found = {}
    for (file, name), digest in sorted(_follow(roots).items()):
        found.setdefault(file, []).append(f"{name} {digest}")
    return {file: ", ".join(pieces) for file, pieces in found.items()}


def changed(stored, now):
    """What differs between two stamps, in words: "helpers/training.py: fit, train_step"; or ""."""
    names = []
    for file in sorted(stored.keys() | now.keys()):
        one, other = (set(filter(None, s.get(file, "").split(", "))) for s in (stored, now))
        if pieces := sorted({piece.split()[0] for piece in one ^ other}):
            names.append(f"{file}: {', '.join(pieces)}")
    return "; ".join(names)


def stale(record, *roots):
    """A sentence on how a stored result is older than its code, or ""."""
    if not (what := changed(record.get("code", {}), stamp(*roots))):
        return ""
    name, command = record["name"], record["command"]
    return (
        f"{name} is older than the code that makes it ({what}). Make it again: `{command}`; or, "
        f"if the change cannot move its numbers: `{command.replace('.py', '.py --restamp', 1)}`"
    )


def repeated(record):
    """The runs of a stored result that are repeated: those of its first seed."""
    runs = record.get("runs", [])
    return [run for run in runs if run["seed"] == runs[0]["seed"]]


def restamp(path, repeat, *roots):
    """Stamp a stored result anew, once ``repeat(run)`` gives the first losses of its runs.

    Exits with a sentence where they are others, or where there are none to repeat.
    """
    record = json.loads(path.read_text(encoding="utf-8"))
    name, again = record["name"], repeated(record)
    if not stale(record, *roots):
        print(f"{name}: nothing has changed")
        return
    if not again:
        sys.exit(f"{name} has no losses to repeat: make it again with `{record['command']}`")
    for run in again:
        losses = zip(repeat(run), run["first_losses"], strict=True)
        if not max(abs(a - b) for a, b in losses) <= WITHIN:
            sys.exit(f"{name} gives other losses now: make it again with `{record['command']}`")
    record = {k: v for k, v in record.items() if k not in ("code", "restamped")}
    write(path, record | {"code": stamp(*roots), "restamped": date.today().isoformat()})
    print(f"{name}: restamped. The first losses of {len(again)} runs came out again; what comes "
          "after those was not looked at", flush=True)  # fmt: skip


def write(path, record):
    """Write a result, whole or not at all: a line for each entry, a list of numbers in one."""
    numbers = re.compile(r"\[\s+(-?\d[^][{}\"]*?)\s+\]")
    text = json.dumps(record, indent=1)
    text = numbers.sub(lambda found: "[" + " ".join(found[1].split()) + "]", text)
    unfinished = path.with_suffix(".part")
    unfinished.write_text(text + "\n")
    unfinished.replace(path)


def _follow(roots):
    """{(file, piece): digest} of everything that roots reach."""
    found, waiting = {}, []
    for root in roots:
        if isinstance(root, functools.partial):
            settings = [repr(root.args), repr(root.keywords)]
            root = root.func
            found[_file(_module(root)), f"{root.__name__}(…)"] = _digest(settings)
        waiting.append((_module(root), root.__name__))
    while waiting:
        module, name = waiting.pop()
        piece = (_file(module), name)
        if piece in found or " ".join(piece) in APART:
            continue
        found[piece], reached = _piece(module, name)
        waiting += reached
    return found


@functools.cache
def _piece(module, name):
    """The digest of a piece, and the pieces [(module, name)] that it reaches."""
    nodes = _definitions(_file(module))[0][name]
    attributes = {n.attr for n in _within(nodes) if isinstance(n, ast.Attribute)}
    used = _names(vars(module)[name], nodes)
    return _digest(_form(nodes)), [p for n in used for p in _lookup(module, n, attributes)]


def _lookup(module, name, attributes):
    """Where the global ``name`` of a module is defined: [(module, name)], if it is ours.

    A name of one of our modules stands for those of its definitions whose names are among
    the attributes that the code asks for.
    """
    value = vars(module).get(name)
    here, imported = _definitions(_file(module))
    if isinstance(value, ModuleType):
        own = _definitions(_file(value))[0] if _file(value) else {}
        return [(value, attribute) for attribute in sorted(attributes & own.keys())]
    if name in here:
        return [(module, name)]
    if name in imported:
        level, source, original = imported[name]
        home = importlib.import_module("." * level + source, module.__package__ or None)
        return _lookup(home, original, attributes) if _file(home) else []
    return []


def _module(value):
    """The module in which a function or a class was defined, or None."""
    return sys.modules.get(getattr(inspect.unwrap(value), "__module__", None))


@functools.cache
def _file(module):
    """The path of a module of ours from the root of the book, or None."""
    path = getattr(module, "__file__", None)
    if not path or not Path(path).resolve().is_relative_to(ROOT):
        return None
    path = Path(path).resolve().relative_to(ROOT).as_posix()
    return path if path.split("/")[0] in OURS else None


@functools.cache
def _definitions(file):
    """What a file defines {name: [node]}, and what it imports {name: (level, module, name)}."""
    here, imported = {}, {}
    for node in _Bare().visit(ast.parse((ROOT / file).read_text(encoding="utf-8"))).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            here[node.name] = [node]
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                imported[alias.asname or alias.name] = node.level, node.module or "", alias.name
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            for part in _within(getattr(node, "targets", None) or [node.target]):
                if isinstance(part, ast.Name):
                    here.setdefault(part.id, []).append(node)
    return here, imported


class _Bare(ast.NodeTransformer):
    """Takes away what has no part in a result: words, printed lines, annotations, errors."""

    def visit_Expr(self, node):
        printed = isinstance(node.value, ast.Call) and getattr(node.value.func, "id", "") == "print"
        return None if printed or isinstance(node.value, ast.Constant) else node

    def visit_Raise(self, node):
        return ast.Raise()

    def visit_arg(self, node):
        return ast.arg(node.arg)

    def visit_FunctionDef(self, node):
        node.returns = None
        return self.generic_visit(node)


def _form(node):
    """A tree of Python's as nested lists without empty parts, the same in every version."""
    if isinstance(node, list):
        return [_form(part) for part in node]
    if not isinstance(node, ast.AST):
        return repr(node)
    parts = ((k, v) for k, v in ast.iter_fields(node) if v not in (None, []) and k != "kind")
    return [type(node).__name__, *((k, _form(v)) for k, v in parts)]


def _within(nodes):
    return [part for node in nodes for part in ast.walk(node)]


def _names(value, nodes):
    """The globals that a function, a class or a constant uses."""
    there = {part.id for part in _within(nodes) if isinstance(part, ast.Name)}
    if not isinstance(nodes[0], (ast.FunctionDef, ast.ClassDef)):
        return sorted(there)
    loaded = {
        step.argval
        for code in _codes(value)
        for step in dis.get_instructions(code)
        if step.opname == "LOAD_GLOBAL"
    }
    return sorted(loaded & there | set(_at_definition(nodes[0])))


def _at_definition(node):
    """The names that are looked up when a definition is read: decorators, defaults, bases."""
    for child in ast.iter_child_nodes(node):
        if isinstance(node, ast.FunctionDef) and child in node.body:
            continue
        if isinstance(child, ast.Name):
            yield child.id
        yield from _at_definition(child)


def _codes(value):
    """The code of a function, or of a class's methods, and of the functions inside of it."""
    if inspect.isclass(value):
        for part in vars(value).values():
            part = getattr(part, "fget", None) or getattr(part, "__func__", part)
            if inspect.isroutine(part):
                yield from _codes(part)
        return
    waiting = [getattr(inspect.unwrap(value), "__code__", None)]
    while waiting:
        code = waiting.pop()
        if isinstance(code, CodeType):
            yield code
            waiting += code.co_consts


def _digest(form):
    return hashlib.sha256(repr(form).encode()).hexdigest()[:8]
