"""The structure of ``helpers``: a true map, imports that point down, files that stay small."""

import ast
import re
from pathlib import Path

import pytest

import helpers

ROOT = Path(__file__).resolve().parent.parent
HELPERS = ROOT / "helpers"
DOORS = {"checks": "exercises", "__main__": "cli"}  # each opens one upper floor
MAP = re.compile(r"^ *(\d)  (\w+)/? +\S", flags=re.M)
FLOORS = {room: int(floor) for floor, room in MAP.findall(helpers.__doc__)}
MODULES = sorted(path.relative_to(HELPERS) for path in HELPERS.rglob("*.py"))


def room(path):
    """The room of the map that a module of ``helpers`` belongs to."""
    return path.parts[0].removesuffix(".py")


def imported_rooms(source, path):
    """The rooms of ``helpers`` that the code of one of its modules imports, at any depth of it."""
    package = ["helpers", *path.parts[:-1]]
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = base + (node.module.split(".") if node.module else [])
            names = [[*base, alias.name] for alias in node.names]
        else:
            continue
        found |= {name[1] for name in names if name[0] == "helpers" and len(name) > 1}
    return found & {room(p) for p in MODULES}


def complaints(source, path):
    """Imports of a module that point up or sideways."""
    mine = room(path)
    allowed = {DOORS[mine]} if mine in DOORS else set()
    return [
        f"{path}: {mine} imports {other}, which is not below it"
        for other in sorted(imported_rooms(source, path) - {mine, "__init__"} - allowed)
        if mine in DOORS or FLOORS.get(other, 9) >= FLOORS[mine]
    ]


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_point_down(path):
    if path.name != "__init__.py" or len(path.parts) > 1:
        assert complaints((HELPERS / path).read_text(encoding="utf-8"), path) == []


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("corpus.py", "from .models import CharRNN"),
        ("corpus.py", "def late():\n    import helpers.training"),
        ("training.py", "from .cli.resume import resume"),
        ("training.py", "from . import sampling"),
        ("fast/layers.py", "from ..training import fit"),
        ("plotting.py", "from helpers import exercises"),
        ("checks.py", "from .cli import app"),
    ],
)
def test_an_import_that_points_up_is_found(path, line):
    assert len(complaints(line, Path(path))) == 1


def test_every_module_is_on_the_map():
    assert FLOORS.keys() | DOORS.keys() == {room(p) for p in MODULES} - {"__init__"}


def test_readme_shows_the_same_map():
    lines = [line.strip() for line in helpers.__doc__.splitlines() if MAP.match(line)]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = [line.strip() for line in readme.splitlines() if MAP.match(line)]
    assert shown == lines


def test_one_look_takes_in_the_library():
    """A limit that is reached says: what serves one audience alone goes one level down."""
    lines = {p.name: len(p.read_text(encoding="utf-8").splitlines()) for p in HELPERS.glob("*.py")}
    assert len(lines) <= 14
    assert sum(lines.values()) <= 2300
    # The two files that everybody opens: 280 and 220 lines, and some room for an honest addition.
    assert lines["training.py"] <= 300
    assert lines["sampling.py"] <= 240
