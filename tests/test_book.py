"""The book as a whole: its notebooks as they are stored, and the site that is built from them."""

import ast
import json
import re
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup

from tools.notebooks import stubs
from tools.notebooks.tolerance import tolerance

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "chapters").glob("*.ipynb"))
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)


def code_cells(path):
    """The code cells of a notebook that hold any code."""
    cells = nbformat.read(path, as_version=4).cells
    return [c for c in cells if c.cell_type == "code" and c.source.strip()]


def tags(cell):
    return cell.metadata.get("tags", [])


def code_lines(cell):
    lines = [line.strip() for line in cell.source.split("\n")]
    return [line for line in lines if line and not line.startswith("#")]


def complaints(cells):
    """What is wrong with stored code cells, as a list of sentences; none when all is well."""
    found = []
    counts = [c.execution_count for c in cells]
    if not cells or not any(c.outputs for c in cells):
        found.append("stored without outputs: nbval would compare nothing")
    if counts != list(range(1, len(cells) + 1)):
        found.append(f"cells were not run once each, from the top: {counts}")
    for number, cell in enumerate(cells, start=1):
        if code_lines(cell) and code_lines(cell)[-1].endswith(";"):
            found.append(f"cell {number} ends in a semicolon, which nbval trips over")
        if len(code_lines(cell)) > (30 if "class " in cell.source else 15):
            found.append(f"cell {number} has {len(code_lines(cell))} lines of code")
        for output in cell.outputs:
            if output.output_type == "error" and "raises-exception" not in tags(cell):
                found.append(f"cell {number} is stored with an error")
            if output.get("name") == "stderr":
                found.append(f"cell {number} is stored with a warning or a progress bar")
            alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
            if "image/png" in output.get("data", {}) and len(alt) < 20:
                found.append(f"cell {number} draws a figure without alt text")
    return found


@each_notebook
def test_notebooks_are_stored_as_they_should_be(path):
    assert complaints(code_cells(path)) == []


def spoil_outputs(cells):
    for cell in cells:
        cell.outputs = []


def spoil_order(cells):
    cells[0].execution_count, cells[1].execution_count = 2, 1


def spoil_with_error(cells):
    cells[1].outputs = [nbformat.v4.new_output("error", ename="E", evalue="", traceback=[])]


def spoil_with_semicolon(cells):
    cells[1].source += "\nplt.plot(x);"


def spoil_with_progress(cells):
    cells[1].outputs = [nbformat.v4.new_output("stream", name="stderr", text="50 %")]


def spoil_with_length(cells):
    cells[1].source = "x = 1\n" * 16


def spoil_alt(cells):
    cells[1].outputs = [nbformat.v4.new_output("display_data", data={"image/png": "iVBO"})]


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (spoil_outputs, "without outputs"),
        (spoil_order, "from the top"),
        (spoil_with_error, "an error"),
        (spoil_with_semicolon, "semicolon"),
        (spoil_with_progress, "progress bar"),
        (spoil_with_length, "16 lines"),
        (spoil_alt, "alt text"),
    ],
)
def test_a_spoilt_notebook_is_refused(spoil, complaint):
    cells = [
        nbformat.v4.new_code_cell("x = 1", execution_count=1),
        nbformat.v4.new_code_cell(
            "print(x)",
            execution_count=2,
            outputs=[nbformat.v4.new_output("stream", name="stdout", text="1\n")],
        ),
    ]
    assert complaints(cells) == []
    spoil(cells)
    (found,) = complaints(cells)
    assert complaint in found


@each_notebook
def test_tolerances_are_stated_within_bounds(path):
    for cell in code_cells(path):
        tolerance(cell.metadata)


@each_notebook
def test_only_times_and_machine_facts_go_unchecked(path):
    """A cell that nbval ignores says why in its first line, and is short."""
    for cell in code_cells(path):
        if "nbval-ignore-output" in tags(cell):
            assert cell.source.startswith("# Not compared:"), cell.source
        assert "nbval-skip" not in tags(cell)


@each_notebook
def test_every_figure_is_followed_by_the_numbers_that_it_draws(path):
    """A drawing of boxes and arrows, tagged so, draws none."""
    cells = code_cells(path)
    for cell, after in zip(cells, [*cells[1:], None], strict=True):
        pictures = any("image/png" in o.get("data", {}) for o in cell.outputs)
        if pictures and "drawing" not in tags(cell):
            assert after is not None
            assert "describe(" in after.source, cell.source


USED = re.compile(r"\{glue:?\w*\}`([^`]+)`")


def glued(cell):
    """The names under which a cell's stored outputs hold numbers, texts or figures for the page."""
    metadata = (output.get("metadata", {}) for output in cell.outputs)
    return [m["scrapbook"]["name"] for m in metadata if "scrapbook" in m]


def glue_calls(code):
    """The names that code glues, as patterns: a part that is computed may be anything."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "glue":
            parts = getattr(node.args[0], "values", [node.args[0]])
            fixed = (isinstance(p, ast.Constant) and isinstance(p.value, str) for p in parts)
            found.append("".join(p.value if f else "*" for p, f in zip(parts, fixed, strict=True)))
    return found


def stale_glue(cells):
    """Names that a chapter's stored outputs hold and its code no longer glues, or the reverse."""
    stored = [name for cell in cells for name in glued(cell)]
    patterns = [name for c in cells if "glue(" in c.source for name in glue_calls(c.source)]
    lost = [n for n in stored if not any(fnmatchcase(n, p) for p in patterns)]
    new = [p for p in patterns if not any(fnmatchcase(n, p) for n in stored)]
    return [f"no cell glues {n} any more" for n in lost] + [f"{p} was never stored" for p in new]


@each_notebook
def test_what_is_glued_is_what_the_cells_glue(path):
    again = f"run `python -m tools.notebooks.execute {path.relative_to(ROOT)}` again"
    assert stale_glue(code_cells(path)) == [], again


def test_a_glued_number_without_its_cell_is_found():
    output = nbformat.v4.new_output("display_data", metadata={"scrapbook": {"name": "x-lead-3"}})
    cells = [nbformat.v4.new_code_cell('glue(f"x-{key}-3", 1)', outputs=[output])]
    assert stale_glue(cells) == []
    cells[0].source = 'glue(f"y-{key}", 1)\nglue("x-other", 2)'
    assert stale_glue(cells) == [
        "no cell glues x-lead-3 any more", "y-* was never stored", "x-other was never stored"
    ]  # fmt: skip


def test_every_glued_number_in_a_sentence_is_stored():
    """By name, as Sphinx's warning says it too, but after building the whole site."""
    stored = {name for path in NOTEBOOKS for cell in code_cells(path) for name in glued(cell)}
    for path in [*NOTEBOOKS, *ROOT.glob("chapters/*.md"), ROOT / "intro.md"]:
        if path.suffix == ".md":
            text = path.read_text(encoding="utf-8")
        else:
            cells = nbformat.read(path, as_version=4).cells
            text = "\n".join(c.source for c in cells if c.cell_type == "markdown")
        missing = sorted(set(USED.findall(text)) - stored)
        assert not missing, f"{path.name} uses {', '.join(missing)}, glued by no cell"


def trained_on_held_out(code):
    """The held-out names that a program trains on: what ``split()`` gave second, and parts of it.

    ``fit(model, ids)``, ``ngram.fit(ids)`` and ``epoch_batches(ids, ...)`` train on ids.
    """
    tree, held_out, found = ast.parse(code), set(), []
    names = lambda node: {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}  # noqa: E731
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
            call = node.value
            is_split = isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "split"
            if (
                is_split
                and len(node.targets[0].elts) == 2
                and not names(call.func) & {"np", "torch"}
            ):
                held_out |= names(node.targets[0].elts[1])
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            is_method = isinstance(node.func, ast.Attribute)
            name = node.func.attr if is_method else getattr(node.func, "id", "")
            place = {"fit": 0 if is_method else 1, "epoch_batches": 0}.get(name)
            if place is not None and len(node.args) > place:
                found += sorted(names(node.args[place]) & held_out)
    return found


@each_notebook
def test_no_chapter_trains_on_held_out_text(path):
    code = "\n".join(c.source for c in code_cells(path)[1:])  # the first has shell commands
    assert trained_on_held_out(code) == []


@pytest.mark.parametrize(
    "leak",
    ["fit(model, b)", "NGram(3, V).fit(b[:100])", "epoch_batches(cat(a, b), 5, 5, w, g)"],
)
def test_training_on_held_out_text_is_found(leak):
    code = "a, b = corpus.split()\nfit(model, a, b)\nNGram(3, V).fit(a)\n"
    assert trained_on_held_out(code) == []
    assert trained_on_held_out(code + leak) == ["b"]


def test_the_contents_list_every_chapter_once():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    listed = [c["file"] for part in toc["parts"] for c in part["chapters"]]
    stored = {f"chapters/{p.stem}" for p in (ROOT / "chapters").glob("*.*") if p.suffix != ".part"}
    assert len(listed) == len(set(listed))
    assert set(listed) == stored


def title(path):
    """The first heading of a page."""
    if path.suffix == ".ipynb":
        text = "\n".join(c.source for c in nbformat.read(path, as_version=4).cells[:1])
    else:
        text = path.read_text(encoding="utf-8")
    return re.search(r"^# (.+)$", text, flags=re.M)[1]


def test_the_landing_page_lists_the_chapters_in_the_order_of_the_contents():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    listed = [c["file"] for part in toc["parts"] if part.get("numbered") for c in part["chapters"]]
    intro = (ROOT / "intro.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\d+\. \[(.+?)\]\((.+?)\.(?:ipynb|md)\)", intro, flags=re.M)
    assert [address for _, address in shown] == listed
    for name, address in shown:
        (path,) = ROOT.glob(f"{address}.*")
        assert name == title(path)


def test_each_chapter_has_a_measured_time():
    seconds = json.loads((ROOT / "data/results/chapter-seconds.json").read_text(encoding="utf-8"))
    assert set(seconds) == {p.stem for p in NOTEBOOKS}


def test_tiny_shakespeare_is_not_in_the_repository():
    line = b"I'll not budge an " + b"inch"  # of a play that neither of our corpora has
    for path in (ROOT / "data").rglob("*"):
        assert not path.is_file() or line not in path.read_bytes(), path


@pytest.fixture(scope="module")
def pages(site):
    """Path of each page -> its parsed HTML."""
    found = [p for p in site.rglob("*.html") if "_static" not in p.parts]
    return {p: BeautifulSoup(p.read_text(encoding="utf-8"), "html.parser") for p in found}


def test_the_site_has_a_page_for_each_notebook(pages, site):
    assert site / "index.html" in pages
    for path in NOTEBOOKS:
        assert site / "chapters" / f"{path.stem}.html" in pages


def test_every_picture_has_alt_text(pages):
    pictures = [
        (p.name, img) for p, soup in pages.items() for img in soup.select("article.bd-article img")
    ]
    assert len(pictures) >= len(NOTEBOOKS)
    for name, img in pictures:
        assert len(img.get("alt", "")) >= 20, (name, img.get("src"))
        assert not img["alt"].startswith("../_images"), (name, img.get("src"))


def test_links_inside_the_site_lead_somewhere(pages, site):
    targets = {p: {t["id"] for t in soup.find_all(id=True)} for p, soup in pages.items()}
    checked = 0
    for page, soup in pages.items():
        for link in soup.select("a[href]"):
            url = urlsplit(link["href"])
            if url.scheme or url.netloc or link["href"] == "#":
                continue
            target = (page.parent / unquote(url.path)).resolve() if url.path else page
            assert target.exists(), f"{page.name}: {link['href']}"
            if url.fragment and target in targets:
                assert unquote(url.fragment) in targets[target], f"{page.name}: {link['href']}"
            checked += 1
    assert checked > 50


def test_each_solution_stands_under_its_exercise_and_has_its_number(pages, site):
    for path in NOTEBOOKS:
        page = pages[site / "chapters" / f"{path.stem}.html"]
        wanted = stubs.exercises(nbformat.read(path, as_version=4))
        titles = page.select("div.exercise > p.admonition-title")
        numbers = [title.get_text().split()[1] for title in titles]
        assert [n.rpartition(".")[2] for n in numbers] == [str(i + 1) for i in range(len(numbers))]
        for exercise, number in zip(wanted, numbers, strict=False):
            box = page.find(id=exercise.label)
            under = box.find_next_sibling("div")
            assert under["id"] == f"{exercise.label}-solution"
            assert "dropdown" in under["class"]
            assert f"Exercise {number} " in under.select_one(".admonition-title").get_text()


def test_pages_ask_nothing_of_the_network(pages, site):
    for page, soup in pages.items():
        used = soup.select("script[src]") + soup.select("img[src]")
        used += [t for t in soup.select("link[href]") if "canonical" not in t.get("rel", [])]
        for tag in used:
            address = tag.get("src") or tag.get("href")
            assert not urlsplit(address).netloc, f"{page.name} loads {address}"
    assert (site / "_static/mathjax/tex-chtml.js").exists()


def test_glued_numbers_are_on_the_pages(pages):
    """A number whose key no cell glues any more would leave a gap or its name."""
    for page, soup in pages.items():
        for gap in soup.select(".problematic, .system-message"):
            pytest.fail(f"{page.name}: {gap}")
        assert "{glue" not in soup.get_text(), page.name
