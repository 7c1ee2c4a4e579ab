"""The exercises as they are stored in the chapters: their form, stubs and solutions."""

import ast
from pathlib import Path

import nbformat
import pytest

from tools.notebooks import stubs

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "chapters").glob("*.ipynb"))

FOR_DRAWING = {"fig", "ax", "axes", "_"}  # names that a solution may set beside ..._solution


def names_set(source):
    """The names that a cell leaves behind at its top level."""
    names, waiting = set(), list(ast.parse(source).body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.alias):
            names.add((node.asname or node.name).partition(".")[0])
        elif not isinstance(
            node, (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
        ):
            waiting += ast.iter_child_nodes(node)
    return names


def printed(cells):
    return "".join(o.get("text", "") for cell in cells for o in cell.get("outputs", []))


def complaints(notebook):
    """What is wrong with the exercises of a chapter, as a list of sentences."""
    found, hidden = [], []
    exercises = stubs.exercises(notebook)
    if not 2 <= len(exercises) <= 6:
        found.append(f"{len(exercises)} exercises, where 2 to 6 are right")
    for exercise in exercises:
        hidden += exercise.solution_cells
        found += [f"{exercise.label}: {words}" for words in complaints_of(exercise)]
    found += [stubs.complaint(*difference) for difference in stubs.differences(notebook)]
    found += overwritten(notebook, exercises)
    for cell in notebook.cells:
        collapsed = cell.metadata.get("jupyter", {}).get("source_hidden", False)
        if cell.cell_type == "code" and collapsed != any(cell is other for other in hidden):
            found.append(f"a cell is collapsed, or is not, against its place: {cell.source[:60]}")
        if cell.cell_type == "code" and collapsed and cell.metadata.get("cellView") != "form":
            found.append(f"Colab would show a solution cell: {cell.source[:60]}")
    return found


def overwritten(notebook, exercises):
    """Names of the chapter that a stub sets and that a later cell still needs."""
    code = [c for c in notebook.cells if c.cell_type == "code"][1:]  # the first has shell commands
    ours = {id(c) for e in exercises for c in (*e.cells, *e.solution_cells)}
    chapter = {name for c in code if id(c) not in ours for name in names_set(c.source)}
    found = []
    for exercise in exercises:
        own = {id(c) for c in exercise.cells}
        last = max((i for i, c in enumerate(code) if id(c) in own), default=len(code))
        later = {
            node.id
            for c in code[last + 1 :]
            for node in ast.walk(ast.parse(c.source))
            if isinstance(node, ast.Name)
        }
        names = {name for c in exercise.stubs for name in names_set(c.source)} & chapter & later
        if names:
            found.append(
                f"{exercise.label}: its stub overwrites {', '.join(sorted(names))}, "
                "which the chapter needs later"
            )
    return found


def complaints_of(exercise):
    """What is wrong with one exercise and its solution."""
    found = []
    if not exercise.label.startswith("ex-") or not exercise.title:
        found.append("needs a title and a label that begins with ex-")
    if not stubs.OPENING.match(exercise.text.strip()):
        found.append("begins with its kind and time, as in *Implement, 10 minutes.*")
    if exercise.solution is None:
        return [*found, "has no solution"]
    if exercise.solution_label != f"{exercise.label}-solution":
        found.append("its solution's label is another")
    if len(exercise.solution.split()) < 20:
        found.append("its solution does not say why")
    if not printed(exercise.solution_cells):
        found.append("its solution computes nothing that one can compare with")
    calls = sum(len(stubs.CALL.findall(cell.source)) for cell in exercise.answers)
    untouched = printed(exercise.stubs).count(f": {stubs.NOT_ATTEMPTED}")
    if calls != untouched or calls != printed(exercise.answers).count(f": {stubs.CORRECT}"):
        found.append("as stored, a stub is attempted or a solution is not right")
    for cell in exercise.solution_cells:
        names = {n for n in names_set(cell.source) if not n.endswith("_solution")} - FOR_DRAWING
        if names:
            found.append(f"its solution could overwrite the reader's {', '.join(sorted(names))}")
    return found


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_exercises_are_as_they_should_be(path):
    notebook = nbformat.read(path, as_version=4)
    assert not any("{exercise}" in c.source for c in notebook.cells), "one without a solution"
    assert complaints(notebook) == []


def small_chapter():
    """A chapter of three exercises that is as it should be."""
    cells = []
    for name in "abc":
        answer = f'def {name}_solution(x):\n    """Twice."""\n    return 2 * x\n\n\n'
        solution = answer + f'check("{name}", {name}_solution)'
        cells += [
            nbformat.v4.new_markdown_cell(
                f":::{{exercise-start}} Title\n:label: ex-small-{name}\n:::\n\n"
                "*Implement, 5 minutes.* Do it."
            ),
            nbformat.v4.new_code_cell(
                stubs.stub_of(solution), outputs=said(f"{name}: not attempted yet\n")
            ),
            nbformat.v4.new_markdown_cell(":::{exercise-end}\n:::"),
            nbformat.v4.new_markdown_cell(
                f":::{{solution-start}} ex-small-{name}\n:label: ex-small-{name}-solution\n"
                ":class: dropdown\n:::\n\n" + "Because it is so. " * 6
            ),
            nbformat.v4.new_code_cell(
                solution,
                outputs=said(f"{name}: correct\n"),
                metadata={"jupyter": {"source_hidden": True}, "cellView": "form"},
            ),
            nbformat.v4.new_markdown_cell(":::{solution-end}\n:::"),
        ]
    return nbformat.v4.new_notebook(cells=cells)


def said(text):
    return [nbformat.v4.new_output("stream", name="stdout", text=text)]


def replaced(place, old, new):
    """A way to spoil the cell at a place."""

    def spoil(cells):
        assert old in cells[place].source
        cells[place].source = cells[place].source.replace(old, new)

    return spoil


def spoil_name_taken(cells):
    cells.insert(0, nbformat.v4.new_code_cell("first = 1"))
    cells.insert(1, nbformat.v4.new_code_cell("a = 3"))
    cells.append(nbformat.v4.new_code_cell("print(a)"))


def spoil_solution_shown(cells):
    cells[4].metadata["jupyter"]["source_hidden"] = False


def spoil_stub_collapsed(cells):
    cells[1].metadata["jupyter"] = {"source_hidden": True}
    cells[1].metadata["cellView"] = "form"


def spoil_cell_view(cells):
    del cells[4].metadata["cellView"]


def spoil_solution_output(cells):
    cells[4].outputs = said("a: not right yet: wrong sign\n")


def spoil_stub_output(cells):
    cells[1].outputs = said("a: correct\n")


def spoil_number(cells):
    del cells[6:]


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (replaced(1, "def a(x)", "def a(y)"), "stub and solution differ"),
        (replaced(4, "return 2 * x", "return 3 * x"), None),  # nothing that the stub shows
        (replaced(4, "def a_solution(x)", "def a_solution(x, y)"), "stub and solution differ"),
        (replaced(4, "def a_solution(x)", "def a_solution(x=0)"), "stub and solution differ"),
        (replaced(1, 'check("a", a)', 'check("b", a)'), "stub and solution differ"),
        (replaced(0, "*Implement, 5 minutes.*", "*Implement*"), "kind and time"),
        (replaced(0, "*Implement, 5", "*Ponder, 5"), "kind and time"),
        (replaced(3, "ex-small-a-solution", "ex-small-x"), "label is another"),
        (replaced(4, "return 2 * x\n", "return 2 * x\n\n\nloss = 3\n"), "the reader's loss"),
        (replaced(3, "Because it is so. " * 6, "So."), "does not say why"),
        (spoil_name_taken, "overwrites a, which"),
        (spoil_solution_shown, "against its place"),
        (spoil_stub_collapsed, "against its place"),
        (spoil_cell_view, "Colab"),
        (spoil_solution_output, "is not right"),
        (spoil_stub_output, "is attempted"),
        (spoil_number, "1 exercises"),
    ],
)
def test_a_spoilt_exercise_is_refused(spoil, complaint):
    notebook = small_chapter()
    assert complaints(notebook) == []
    spoil(notebook.cells)
    found = complaints(notebook)
    assert [complaint in sentence for sentence in found] == [True] if complaint else not found


def test_an_exercise_without_its_solution_is_refused():
    notebook = small_chapter()
    del notebook.cells[3:6]
    found = complaints(notebook)
    assert "has no solution" in found[0]
    assert "no solution cell belongs to" in found[1]


@pytest.mark.parametrize(
    ("place", "old", "new", "error"),
    [
        (2, ":::{exercise-end}\n:::", "", "solution-start inside"),
        (3, "{solution-start} ex-small-a", "{solution-start} ex-small-b", "stands under"),
        (3, ":class: dropdown\n", "", "no dropdown"),
        (5, ":::{solution-end}\n:::", "", "exercise-start inside"),
        (-1, ":::{solution-end}\n:::", "", "is missing at the end"),
    ],
)
def test_gates_out_of_place_are_refused(place, old, new, error):
    notebook = small_chapter()
    replaced(place, old, new)(notebook.cells)
    with pytest.raises(ValueError, match=error):
        stubs.exercises(notebook)


SOLUTION = '''\
import math


class Counter_solution(Base):
    """Counts."""

    def __init__(self, size):
        super().__init__()
        # your lines
        self.size = size
        # end
        self.seen = 0

    def count(self, ids,
              step=1):
        """Over two lines."""
        # how it is done
        return len(ids) * step


def total_solution(counter):
    """All of them,

    summed.
    """
    sums = []
    for part in counter:
        # your lines
        here = part + 1
        # end
        sums.append(here)
    return sums


parts_solution = math.log(
    3)  # nats
check("total", total_solution)
check("parts", (parts_solution, Counter_solution))
print(parts_solution)'''

STUB = '''\
class Counter(Base):
    """Counts."""

    def __init__(self, size):
        super().__init__()
        ...  # your lines, instead of this one
        self.seen = 0

    def count(self, ids,
              step=1):
        """Over two lines."""
        return ...


def total(counter):
    """All of them,

    summed.
    """
    sums = []
    for part in counter:
        return ...  # your lines, instead of this one
        sums.append(here)
    return sums


parts = ...  # nats
check("total", total)
check("parts", (parts, Counter))'''


def test_a_stub_is_the_solution_without_what_the_reader_is_to_write():
    assert stubs.stub_of(SOLUTION).replace("\n\n\nparts", "\nparts") == STUB.replace(
        "\n\n\nparts", "\nparts"
    )
    ast.parse(STUB)


def test_the_command_writes_the_stubs_and_is_then_content(tmp_path, capsys):
    notebook = small_chapter()
    notebook.cells[1].source = "# stub"
    notebook.cells[4].source = SOLUTION
    path = tmp_path / "small.ipynb"
    nbformat.write(notebook, path)
    for arguments, code in (["--check"], 1), ([], 0), (["--check"], 0):
        with pytest.raises(SystemExit) as ended:
            stubs.main([*arguments, str(path)])
        assert ended.value.code == code
    assert nbformat.read(path, as_version=4).cells[1].source == stubs.stub_of(SOLUTION)
    said_so = capsys.readouterr().out
    assert "ex-small-a: stub and solution differ" in said_so
    assert "1 stub written" in said_so
