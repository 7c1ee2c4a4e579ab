"""Derive the stubs of the exercises from their solutions, so that the two cannot drift apart.

    python -m tools.notebooks.stubs [chapters/lstm.ipynb ...]    (all chapters by default)
    python -m tools.notebooks.stubs --check [...]          change nothing; 1 if any differs

An exercise stands between ``exercise-start`` and ``exercise-end``, its solution between
``solution-start`` and ``solution-end``. Each solution cell that calls ``check("name", ...)`` has
a stub in the exercise: what it defines, without ``_solution`` in the names and with
``return ...`` for the body, and the same calls of ``check``. Only the lines of a body between
``# your lines`` and ``# end`` are left out where it has such lines. The stub cells stand in the
order of the solution cells; a cell that holds nothing but ``# stub`` is filled in.
"""

import argparse
import ast
import difflib
import re
import sys
from dataclasses import dataclass, field

import nbformat

from tools.notebooks.execute import CHAPTERS, notebook_file

NOT_ATTEMPTED, CORRECT = "not attempted yet", "correct"  # what helpers.checks prints
GATE = re.compile(
    r"^:{3,}\{(exercise|solution)-(start|end)\}[ ]*(.*)\n((?:[ ]*:[\w-]+:.*\n)*)", flags=re.M
)
CALL = re.compile(r'\bcheck\(\s*"([^"]+)"')
KINDS = ("Predict", "Derive", "Implement", "Diagnose", "Measure")
OPENING = re.compile(rf"\*({'|'.join(KINDS)}), (\d+) minutes\.\*")


@dataclass
class Exercise:
    """An exercise of a chapter: its words, its cells and those of its solution."""

    title: str
    label: str
    text: str = ""
    cells: list = field(default_factory=list)  # code cells between exercise-start and -end
    solution: str | None = None  # its words; None where there is no solution
    solution_label: str = ""
    solution_cells: list = field(default_factory=list)

    @property
    def stubs(self):
        """The cells that the reader fills in."""
        return [c for c in self.cells if CALL.search(c.source) or c.source.strip() == "# stub"]

    @property
    def answers(self):
        """The solution's cells that are held against a check."""
        return [c for c in self.solution_cells if CALL.search(c.source)]


def exercises(notebook):
    """The exercises of a notebook in their order; ValueError where a gate is out of place."""
    found, inside = [], None
    for cell in notebook.cells:
        if cell.cell_type == "code":
            if inside:
                (found[-1].cells if inside == "exercise" else found[-1].solution_cells).append(cell)
            continue
        at, source = 0, cell.source + "\n"
        for gate in GATE.finditer(source):
            add_words(found, inside, source[at : gate.start()])
            at, (what, which, argument, options) = gate.end(), gate.groups()
            options = dict(re.findall(r":([\w-]+):[ ]*(.*)", options))
            if which == "end" and inside != what:
                raise ValueError(f"{what}-end without its start, after {titles(found)}")
            if which == "start" and inside:
                raise ValueError(f"{what}-start inside of {titles(found)}")
            if which == "start" and what == "exercise":
                found.append(Exercise(argument.strip(), options.get("label", "")))
            elif which == "start":
                begin_solution(found, argument.strip(), options)
            inside = what if which == "start" else None
        add_words(found, inside, source[at:])
    if inside:
        raise ValueError(f"{inside}-end is missing at the end, after {titles(found)}")
    return found


def begin_solution(found, label, options):
    if not found or found[-1].label != label or found[-1].solution is not None:
        raise ValueError(f"the solution of {label!r} stands under {titles(found)}")
    if options.get("class") != "dropdown":
        raise ValueError(f"the solution of {label!r} is no dropdown")
    found[-1].solution, found[-1].solution_label = "", options.get("label", "")


def add_words(found, inside, words):
    words = re.sub(r"^:{3,}\n", "", words)  # what closes the gate itself
    if inside == "exercise":
        found[-1].text += words
    elif inside == "solution":
        found[-1].solution += words


def titles(found):
    return repr(found[-1].title) if found else "the chapter's beginning"


def stub_of(source):
    """The stub that belongs to a solution cell."""
    lines = source.split("\n")
    parts, calls = [], []
    for node in ast.parse(source).body:
        code = "\n".join(lines[node.lineno - 1 : node.end_lineno])
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name.endswith("_solution"):
            parts.append(definition_stub(node, lines))
        elif isinstance(node, ast.Assign) and assigned(node).endswith("_solution"):
            comment = re.search(r"[ ]{2}#.*$", lines[node.end_lineno - 1])
            last = lines[node.end_lineno - 1][node.end_col_offset :]
            parts.append(f"{assigned(node)} = ...{last if comment else ''}")
        elif isinstance(node, ast.Expr) and CALL.match(code):
            calls.append(code)
    stub = ""
    for part in parts:
        roomy = part.startswith(("def ", "class ")) or stub.endswith("\n\n\n")
        stub = stub.rstrip("\n") + ("\n\n\n" if roomy else "\n") if stub else ""
        stub += part + ("\n\n\n" if part.startswith(("def ", "class ")) else "\n")
    return re.sub(r"\b(\w+)_solution\b", r"\1", (stub + "\n".join(calls)).strip("\n"))


def assigned(node):
    """The one name that an assignment sets, or an empty text."""
    target = node.targets[0]
    return target.id if len(node.targets) == 1 and isinstance(target, ast.Name) else ""


def definition_stub(node, lines):
    """A function's head and docstring and ``return ...``; a class with its methods so."""
    body, kept = node.body, []
    if isinstance(body[0], ast.Expr) and isinstance(getattr(body[0], "value", None), ast.Constant):
        body = body[1:]
    head_end = body[0].lineno - 1 if body else node.end_lineno
    if body and getattr(body[0], "decorator_list", None):
        head_end = body[0].decorator_list[0].lineno - 1
    kept = lines[node.lineno - 1 : head_end]
    while kept and (not kept[-1].strip() or kept[-1].strip().startswith("#")):
        kept.pop()
    if isinstance(node, ast.ClassDef):
        methods = [n for n in body if isinstance(n, ast.FunctionDef)]
        parts = ["\n".join(kept), *(definition_stub(method, lines) for method in methods)]
        return "\n\n".join(parts)
    indent = " " * (node.col_offset + 4)
    hole = "..." if node.name == "__init__" else "return ..."
    given = lines[head_end : node.end_lineno]
    starts = [i for i, line in enumerate(given) if line.strip() == "# your lines"]
    if not starts:
        return "\n".join([*kept, indent + hole])
    for start in reversed(starts):  # from the end, so that the earlier places stay
        end = next(i for i in range(start, len(given)) if given[i].strip() == "# end")
        deep = given[start][: len(given[start]) - len(given[start].lstrip())]
        given[start : end + 1] = [f"{deep}{hole}  # your lines, instead of this one"]
    return "\n".join(kept + given)


def differences(notebook):
    """What stubs would have to change: a list of (exercise, stub cell or None, wanted source)."""
    found = []
    for exercise in exercises(notebook):
        wanted = [stub_of(cell.source) for cell in exercise.answers]
        stubs = exercise.stubs
        for i in range(max(len(wanted), len(stubs))):
            cell = stubs[i] if i < len(stubs) else None
            new = wanted[i] if i < len(wanted) else None
            if cell is None or new is None or cell.source != new:
                found.append((exercise, cell, new))
    return found


def complaint(exercise, cell, wanted):
    """One difference in words."""
    if cell is None:
        return f"{exercise.label}: the solution has an answer that has no stub:\n{wanted}"
    if wanted is None:
        return f"{exercise.label}: a stub that no solution cell belongs to:\n{cell.source}"
    lines = difflib.unified_diff(
        cell.source.split("\n"), wanted.split("\n"), "the stub", "from the solution", lineterm=""
    )
    return f"{exercise.label}: stub and solution differ:\n" + "\n".join(lines)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=notebook_file, help="all chapters by default")
    parser.add_argument("--check", action="store_true", help="change nothing; 1 if any differs")
    options = parser.parse_args(arguments)
    wrong = 0
    for path in options.notebooks or sorted(CHAPTERS.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        changed = 0
        for exercise, cell, wanted in differences(notebook):
            if options.check or cell is None or wanted is None:
                print(f"{path.name}, {complaint(exercise, cell, wanted)}")
                wrong += 1
                continue
            cell.source, cell.outputs, cell.execution_count = wanted, [], None
            changed += 1
        if changed:
            nbformat.write(notebook, path)
            print(
                f"{path.name}: {changed} stub{'s' * (changed > 1)} written; now run: "
                f"python -m tools.notebooks.execute {path}"
            )
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
