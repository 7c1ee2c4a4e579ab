"""Lessons and laboratory pages keep their rules: short, complete, the answer or the code first."""

import ast
import builtins
import re
import symtable
from pathlib import Path

import nbformat
import pytest
import yaml

from tools.notebooks import stubs

ROOT = Path(__file__).resolve().parent.parent
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
PARTS = {
    part["caption"]: [p for c in part["chapters"] if (p := ROOT / f"{c['file']}.ipynb").exists()]
    for part in TOC["parts"]
}
LESSONS, LABORATORY = PARTS["The course"], PARTS["The laboratory"]

WORDS, CELLS, TO_REMEMBER, EXERCISES = 2200, 25, 8, (3, 4)  # at most; the last: from, to
ENDING = ["To remember", "Exercises", "Sources"]

# Pages of the laboratory that are still to be rewritten; take off what is.
LAB_NOT_YET = set()

LAB_BEGINNING = ["The answer", "The design"]
LAB_ENDING = ["What this does not show", "Exercises", "Sources"]
LAB_WORDS, LAB_ANSWER, LAB_PARTS, LAB_EXERCISES = 2000, 120, 4, 2  # at most
LONG = {"claims": {"words": 6000, "parts": 100}}  # a page of twenty short parts
FOLDED = {"hide-cell", "hide-input"}
HIDDEN = {"remove-cell", "remove-input"}
OURS = {"glue", "describe"}  # what a reader's code never calls
BUILTINS = {*dir(builtins), "__file__", "__name__"}

HEADING = re.compile(r"^## (.+)$", flags=re.M)
TABLE = re.compile(r"(^\|.*\n)+(?:\|?[ :|-]*--[ :|-]*\n)(\|.*(\n|\Z))+", flags=re.M)
DRAWN = re.compile(r"^(?::{3,}|`{3,})\{(?:figure|image|list-table|csv-table)\}", flags=re.M)
# In this order: what is no prose goes, of links and roles their words stay.
NO_PROSE = [
    (re.compile(r"^(`{3,}|~{3,}).*?^\1`*$", flags=re.M | re.S), ""),  # code
    (re.compile(r"\$\$.*?\$\$", flags=re.S), ""),
    (re.compile(r"^(:[\w-]+:.*|%.*|\([\w-]+\)=|:{3,}(\{[\w-]+\})?)", flags=re.M), ""),
    (re.compile(r"<!--.*?-->|!\[[^]]*\]\([^)]*\)", flags=re.S), ""),
    (re.compile(r"\{glue[\w:]*\}`[^`]*`"), "1"),
    (re.compile(r"\{cite[\w:]*\}`[^`]*`"), ""),
    (re.compile(r"\{[\w:]+\}`([^`<]+)( <[^>]*>)?`"), r"\1"),
    (re.compile(r"(`+).+?\1"), ""),
    (re.compile(r"\$[^$\n]+\$"), ""),
    (re.compile(r"\]\([^)\s]*\)"), "]"),
]


def prose_words(text):
    """How many words of prose a Markdown text has; a glued number is one."""
    for pattern, instead in NO_PROSE:
        text = pattern.sub(instead, text)
    return sum(bool(re.search(r"\w", word)) for word in text.split())


def parts(notebook):
    """The cells before *To remember*, and the Markdown of what comes after it."""
    cells = notebook.cells
    at = (i for i, c in enumerate(cells) if ENDING[0] in HEADING.findall(c.source))
    end = next(at, len(cells))
    return cells[:end], markdown(cells[end:])


def headings(notebook):
    """The titles of a chapter's sections."""
    texts = (c.source for c in notebook.cells if c.cell_type == "markdown")
    return [title for text in texts for title in HEADING.findall(text)]


def tags(cell):
    return set(cell.metadata.get("tags", []))


def is_solution(cell):
    return cell.metadata.get("jupyter", {}).get("source_hidden", False)


def program(source):
    """A cell's code without the lines that only IPython understands."""
    return re.sub(r"^(\s*)[%!].*$", r"\1pass", source, flags=re.M)


def names(source):
    """The names that a cell sets at its top level, and those that it takes from outside."""
    tables, sets, takes = [symtable.symtable(program(source), "cell", "exec")], set(), set()
    for table in tables:  # grows as we go
        tables += table.get_children()
        for symbol in table.get_symbols():
            outside = table.get_type() == "module" or symbol.is_global()
            if outside and (symbol.is_assigned() or symbol.is_imported()):
                sets.add(symbol.get_name())
            elif outside and symbol.is_referenced():
                takes.add(symbol.get_name())
    return sets, takes


def code_complaints(number, cell, known):
    """What is wrong with the code of one visible cell, given the names that a reader has met."""
    found = []
    for node in ast.walk(ast.parse(program(cell.source))):
        called = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
        if called in OURS:
            found.append(f"code cell {number} is visible and calls {called}()")
        if isinstance(node, ast.Assert):
            found.append(f"code cell {number} is visible and has an assertion")
    unknown = sorted(names(cell.source)[1] - known - BUILTINS)
    if unknown:
        found.append(f"code cell {number} uses {', '.join(unknown)}, defined where nobody looks")
    return found


def visible_code(notebook):
    """The code cells that a reader sees unfolded, and what is wrong with them."""
    found, known, seen = [], set(), []
    code = [c for c in notebook.cells if c.cell_type == "code"]
    for number, cell in enumerate(code, start=1):
        visible = not tags(cell) & (FOLDED | HIDDEN) and not is_solution(cell)
        if not tags(cell) & HIDDEN:
            known |= names(cell.source)[0]
        if visible:
            seen.append(cell)
            found += code_complaints(number, cell, known)
    return seen, found


def markdown(cells):
    return "\n\n".join(c.source for c in cells if c.cell_type == "markdown")


def complaints(notebook):
    """Which rules for a lesson a chapter breaks, as a list of sentences."""
    seen, found = visible_code(notebook)
    core, ending = parts(notebook)
    core_cells = sum(any(cell is c for c in core) for cell in seen)
    words = prose_words(markdown(core))
    if words > WORDS:
        found.append(f"{words} words before {ENDING[0]}, where {WORDS} are allowed")
    if core_cells > CELLS:
        found.append(f"{core_cells} visible code cells, where {CELLS} are allowed")
    titles = headings(notebook)
    if titles[-3:] != ENDING or any(titles.count(title) > 1 for title in ENDING):
        found.append(f"ends in {titles[-3:]}, where {ENDING} are wanted")
    lines = remembered(ending)
    if len(lines) > TO_REMEMBER:
        found.append(f"{len(lines)} lines to remember, where {TO_REMEMBER} are allowed")
    number = len(stubs.exercises(notebook))
    if not EXERCISES[0] <= number <= EXERCISES[1]:
        found.append(f"{number} exercises, where three or four are wanted")
    return found


def sections(notebook):
    """The cells before the first heading, then those of each section, cut at its heading."""
    found = [[]]
    for cell in notebook.cells:
        texts = [cell.source]
        if cell.cell_type == "markdown":
            texts = re.split(r"^(?=## )", cell.source, flags=re.M)
        for text in texts:
            if cell.cell_type == "markdown" and HEADING.match(text):
                found.append([])
            found[-1].append(nbformat.from_dict({**cell, "source": text}))
    return found


def shown(cells):
    """How many figures and tables a reader sees in these cells: drawn, printed or written."""
    text = markdown(cells)
    number = len(TABLE.findall(text)) + len(DRAWN.findall(text))
    for cell in cells:
        if cell.cell_type == "code" and not tags(cell) & {"remove-cell", "remove-output"}:
            number += any(
                output.output_type in ("stream", "display_data", "execute_result")
                and "scrapbook" not in output.get("metadata", {})
                for output in cell.outputs
            )
    return number


def paragraphs(text):
    """A Markdown text's blocks of prose, without headings and labels."""
    blocks = re.split(r"\n\s*\n", re.sub(r"^(#.*|\([\w-]+\)=)$", "", text, flags=re.M))
    return [block for block in blocks if block.strip()]


def lab_complaints(notebook, words=LAB_WORDS, parts=LAB_PARTS):
    """Which rules for a page of the laboratory a chapter breaks, as a list of sentences."""
    seen, found = visible_code(notebook)
    opening, *rest = sections(notebook)
    titles = headings(notebook)
    if titles[:2] != LAB_BEGINNING or titles[-3:] != LAB_ENDING or len(set(titles)) < len(titles):
        wanted = " · ".join([*LAB_BEGINNING, "…", *LAB_ENDING])
        found.append(f"the sections are {' · '.join(titles)}, where {wanted} are wanted")
    elif len(titles) - 5 > parts:
        found.append(f"{len(titles) - 5} sections of its own, where {parts} are allowed")
    if len(paragraphs(markdown(opening))) != 1 or shown(opening):
        found.append("before the answer stands more or less than one paragraph that says why")
    if any(cell.source == c.source for c in opening for cell in seen):
        found.append("before the answer stands code that is not folded")
    answer = rest[0] if rest else []
    answered = prose_words(TABLE.sub("", markdown(answer)))
    if answered > LAB_ANSWER:
        found.append(f"an answer of {answered} words, where {LAB_ANSWER} are allowed")
    if shown(answer) != 1:
        found.append(f"{shown(answer)} figures and tables in the answer, where one is wanted")
    counted = prose_words(markdown(notebook.cells))
    if counted > words:
        found.append(f"{counted} words, where {words} are allowed")
    number = len(stubs.exercises(notebook))
    if number > LAB_EXERCISES:
        found.append(f"{number} exercises, where {LAB_EXERCISES} are allowed")
    return found


def remembered(ending):
    """The lines of *To remember*; a formula set apart is one."""
    section = HEADING.split(ending)[2] if HEADING.search(ending) else ""
    section = re.sub(r"\$\$.*?\$\$", "formula", section, flags=re.S)
    section = re.sub(r"^(:{3,}.*|:[\w-]+:.*|\([\w-]+\)=|%.*)$", "", section, flags=re.M)
    return [line for line in section.split("\n") if line.strip()]


@pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)
def test_each_chapter_of_the_course_is_a_lesson(path):
    assert complaints(nbformat.read(path, as_version=4)) == []


@pytest.mark.parametrize("path", LABORATORY, ids=lambda p: p.stem)
def test_each_page_of_the_laboratory_answers_first_or_is_still_to_be_rewritten(path):
    notebook = nbformat.read(path, as_version=4)
    if path.stem in LAB_NOT_YET:
        title = LAB_BEGINNING[0]
        assert title not in headings(notebook), f"{path.stem} is rewritten: take it off LAB_NOT_YET"
    else:
        assert lab_complaints(notebook, **LONG.get(path.stem, {})) == []


def test_what_is_still_to_be_rewritten_is_in_the_book():
    assert {p.stem for p in LABORATORY} >= LAB_NOT_YET


def small_lesson():
    """A lesson that keeps every rule, at the limit of each."""
    code, text = nbformat.v4.new_code_cell, nbformat.v4.new_markdown_cell
    exercise = ":::{exercise-start} T\n:label: ex-x\n:::\n\nDo.\n\n:::{exercise-end}\n:::"
    return nbformat.v4.new_notebook(
        cells=[
            text("(label)=\n# Title\n\n" + "word " * 2196 + "{glue:text}`x-y` [a link](x.md)."),
            code(
                "from helpers import describe, glue, math\n%pip install x",
                metadata={"tags": ["hide-cell"]},
            ),
            code("factor = 2\nglue('x-y', 3)", metadata={"tags": ["hide-input"]}),
            code("secret = 1\nassert secret", metadata={"tags": ["remove-cell"]}),
            code("def double(x):\n    y = [n for n in x]\n    return factor * len(y)"),
            *[code("print(double([math.pi]))") for _ in range(24)],
            text("## To remember\n\n" + "- a line\n" * 7 + "$$\nx\n= y\n$$"),
            text("## Exercises\n\n" + f"{exercise}\n\n" * 4),
            code("def double(x):\n    return ..."),
            code("assert double", metadata={"jupyter": {"source_hidden": True}}),
            text("## Sources\n\nNone."),
        ]
    )


def appended(place, text):
    """A way to spoil the cell at a place."""

    def spoil(cells):
        cells[place].source += text

    return spoil


def spoil_cells(cells):
    cells.insert(5, nbformat.v4.new_code_cell("1"))


def spoil_order(cells):
    cells[-1], cells[-4] = cells[-4], cells[-1]


def spoil_twice(cells):
    cells[0].source = cells[0].source.replace("# Title", "## Exercises")


def spoil_ending(cells):
    del cells[-1]


def spoil_folded(cells):
    cells[2].metadata["tags"] = ["remove-input"]


def spoil_exercises(cells):
    cells[-4].source = cells[-4].source[: cells[-4].source.index(":::{exercise-end}") + 20]


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (appended(0, " more"), "2201 words"),
        (appended(0, "\n\n:::{admonition} More\n:class: tip\n:::"), "2201 words"),
        (appended(0, " $x$ `y` {cite}`z` —\n\n```\nno prose\n```\n\n$$\nx y\n$$"), None),
        (spoil_cells, "26 visible code cells"),
        (appended(4, "\nglue('x', 1)"), "calls glue"),
        (appended(4, "\nif factor:\n    describe(x=1)"), "calls describe"),
        (appended(4, "\nassert factor"), "has an assertion"),
        (appended(-3, "\nassert factor"), "has an assertion"),
        (appended(4, "\n\n\ndef f():\n    return secret"), "uses secret,"),
        (appended(4, "\n[y for n in x]"), "uses x, y,"),
        (spoil_folded, "uses factor,"),
        (spoil_order, "ends in"),
        (spoil_ending, "ends in"),
        (spoil_twice, "ends in"),
        (appended(-5, "\n\none more"), "9 lines"),
        (appended(-4, "\n\n:::{exercise-start} T\n:::\n\n:::{exercise-end}\n:::"), "5 exercises"),
        (spoil_exercises, "1 exercises"),
    ],
)
def test_a_spoilt_lesson_is_refused(spoil, complaint):
    notebook = small_lesson()
    assert complaints(notebook) == []
    spoil(notebook.cells)
    found = complaints(notebook)
    assert [complaint in sentence for sentence in found] == [True] if complaint else not found


def small_page():
    """A page of the laboratory that keeps every rule, at the limit of each."""
    code, text = nbformat.v4.new_code_cell, nbformat.v4.new_markdown_cell
    exercise = ":::{exercise-start} T\n:label: ex-x\n:::\n\nDo.\n\n:::{exercise-end}\n:::"
    drawn = nbformat.v4.new_output("display_data", {"image/png": ""})
    glued = nbformat.v4.new_output("display_data", {}, metadata={"scrapbook": {"name": "x"}})
    printed = nbformat.v4.new_output("stream", text="1")
    return nbformat.v4.new_notebook(
        cells=[
            text("(label)=\n# Title\n\n" + "why " * 80),
            code("factor = 2", metadata={"tags": ["hide-cell"]}, outputs=[glued]),
            text("## The answer\n\n" + "word " * 118),
            code("factor", metadata={"tags": ["hide-input"]}, outputs=[drawn]),
            code("1", metadata={"tags": ["remove-cell"]}, outputs=[printed]),
            text("## The design\n\n" + "word " * 1778 + "\n\n| a |\n|---|\n| b |"),
            code("factor", outputs=[printed]),
            text("".join(f"## {letter}\n\n" for letter in "ABCD")),
            text("## What this does not show\n\nMuch."),
            text("## Exercises\n\n" + f"{exercise}\n\n" * 2),
            text("## Sources\n\nNone."),
        ]
    )


def swapped(one, other):
    """A way to spoil the order of two cells."""

    def spoil(cells):
        cells[one], cells[other] = cells[other], cells[one]

    return spoil


def spoil_first(cells):
    cells.insert(2, cells.pop(6))


def spoil_figure(cells):
    cells[3].metadata["tags"] = ["remove-output"]


def spoil_drawn(cells):
    cells[3].outputs = []
    cells[2].source = cells[2].source.replace("word", ":::{figure} x.svg\n:::\n\n", 1)


def spoil_printed(cells):
    del cells[4].metadata["tags"]


@pytest.mark.parametrize(
    ("spoil", "wanted"),
    [
        (appended(-1, " more"), ["2001 words"]),
        (appended(2, " " + "`x` $y$ " * 9), []),
        (appended(7, "## E"), ["5 sections of its own", "2001 words"]),
        (swapped(2, 5), ["the sections are", "an answer of 1780", "2 figures"]),
        (swapped(-1, -2), ["the sections are"]),
        (appended(-3, "\n\n## A"), ["the sections are", "2001 words"]),
        (appended(0, "\n\nOr"), ["one paragraph", "2001 words"]),
        (spoil_first, ["one paragraph", "code that is not folded"]),
        (appended(2, " more"), ["an answer of 121 words", "2001 words"]),
        (appended(2, "\n\n| `a` |\n|---|\n| `b` |"), ["2 figures"]),
        (spoil_figure, ["0 figures"]),
        (spoil_drawn, []),
        (spoil_printed, ["2 figures"]),
        (appended(6, "\nglue(unknown)"), ["calls glue", "uses glue, unknown"]),
        (
            appended(-2, ":::{exercise-start} `T`\n:::\n\n:::{exercise-end}\n:::"),
            ["3 exercises"],
        ),
    ],
)
def test_a_spoilt_page_of_the_laboratory_is_refused(spoil, wanted):
    notebook = small_page()
    assert lab_complaints(notebook) == []
    spoil(notebook.cells)
    found = lab_complaints(notebook)
    for complaint in wanted:
        assert any(complaint in sentence for sentence in found), found
    assert len(found) == len(wanted), found
