"""Sphinx extension: live figures, and the scripts of each on the pages that have it and no other.

    :::{live} ladder
    A sentence that says what to do and what to look for.
    :::

The sentence stays where JavaScript is off, in print and in the notebook. The figure is
extra/_static/live/figures/ladder.js; which parts it needs stands in its first lines
(extra/_static/live/live.js), and each part says the same of itself, so that nothing is listed here.
"""

import re
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "extra/_static"
COPIED = [ROOT / "extra", ROOT / "_static"]  # into the site
CLASS = "charbook-live"
WITHOUT = "The figure that stands here needs JavaScript and a browser of 2021 or later."
# charbook.define("bars", ["sampling", "page"], …, and charbook.live of a figure.
DECLARATION = re.compile(r'^charbook\.(?:define|live)\(\s*"([\w/-]+)",\s*\[([^\]]*)\]', flags=re.M)
PARTS = "playground/parts"  # of every page that has scripts, the first


def declared(path):
    """The name that a script declares, and those of the parts that it needs."""
    name, needs = DECLARATION.search(path.read_text(encoding="utf-8")).groups()
    return name, re.findall(r'"([^"]+)"', needs)


def parts():
    """Where each part is defined and what it needs: {name: (script without .js, [names])}."""
    found = {"architectures": ("playground/architectures", [])}  # which the build writes
    for folder in ("playground", "live"):
        for path in sorted((STATIC / folder).glob("*.js")):
            if path.stem != "parts":
                name, needs = declared(path)
                found[name] = f"{folder}/{path.stem}", needs
    return found


def figures():
    """The names of the figures that there are."""
    return sorted(path.stem for path in (STATIC / "live/figures").glob("*.js"))


def needed(names, first=(PARTS,)):
    """The scripts of some parts without .js, each after those that it needs."""
    known, listed = parts(), list(first)

    def add(needs):
        for need in needs:
            script, its_needs = known[need]
            if script not in listed:
                add(its_needs)
                listed.append(script)

    add(names)
    return listed


def scripts(name):
    """The scripts of a figure without .js, each after those that it needs."""
    needs = declared(STATIC / f"live/figures/{name}.js")[1]
    return [*needed(["live", *needs]), f"live/figures/{name}"]


class Live(SphinxDirective):
    """A sentence, and the place that the figure's script fills."""

    has_content = True
    required_arguments = 1

    def run(self):
        name = self.arguments[0]
        if name not in figures():
            raise self.error(f'there is no live figure "{name}", but {", ".join(figures())}')
        self.assert_has_content()
        holder = nodes.container(classes=[CLASS, f"{CLASS}-{name}"])
        self.state.nested_parse(self.content, self.content_offset, holder)
        html = f'<div class="lv-mount" data-live="{name}"><p>{WITHOUT}</p></div>'
        holder += nodes.raw("", html, format="html")
        return [holder]


def add_files(app, pagename, templatename, context, doctree):
    """Link style and scripts into this page, of the figures that are on it."""
    holders = [] if doctree is None else doctree.findall(nodes.container)
    classes = [name for holder in holders for name in holder["classes"]]
    for name in [c.removeprefix(f"{CLASS}-") for c in classes if c.startswith(f"{CLASS}-")]:
        app.add_css_file("playground/playground.css")
        app.add_css_file("live/live.css", priority=510)  # after the other
        for script in scripts(name):
            app.add_js_file(f"{script}.js", loading_method="defer")


def copied_again(app, env, added, changed, removed):
    """The first page as one to be written again, where a script or a style sheet is newer than it:
    Sphinx copies those only when it writes a page."""
    first = Path(app.outdir) / f"{app.config.root_doc}.html"
    written = first.stat().st_mtime if first.is_file() else 0
    files = (file for folder in COPIED for file in folder.rglob("*"))
    return [app.config.root_doc] if any(file.stat().st_mtime > written for file in files) else []


def setup(app):
    app.add_directive("live", Live)
    app.connect("env-get-outdated", copied_again)
    app.connect("html-page-context", add_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
