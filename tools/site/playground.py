"""Sphinx extension: the playground, and its scripts on the pages that have it and no other.

    :::{playground}
    :mode: write, surprise or compare; what is shown first
    :arrive:
    A paragraph that introduces it.
    :::

    :::{train-here}
    The same for the place where a network is trained in the page.
    :::

With ``:arrive:`` it begins by itself when it comes into view.
In the place itself stands a sentence, which the last script replaces: where one is missing, or
the browser does not understand one, it stays.

Everything lies in extra/_static/playground, but for the book's texts: a page from the disk
can load a script and no other file, so each text is written into the site as one. A file in
_static itself would be linked into every page.
"""

import json
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

from helpers.corpus import load_corpus
from helpers.support.plays import ALL, TRAINING
from tools.site.live import needed

CLASS = "charbook-playground"
TRAINS = "charbook-train-here"  # a page where a network is trained
WITHOUT = (
    "This figure needs JavaScript and a browser of 2021 or later. The rest of the book does not."
)
SCRIPTS = needed(["playground"])
TRAINING_SCRIPTS = needed(["trainHere"], SCRIPTS)[len(SCRIPTS) :]
TEXTS = ("coriolanus", "austen")
PLAYS, HELD_OUT = "plays", "the-tempest"  # the training plays as a text, and what is held out


class Playground(SphinxDirective):
    """An introduction, and the place that the script fills."""

    has_content = True
    option_spec = {  # noqa: RUF012
        "mode": lambda mode: directives.choice(mode, ("write", "surprise", "compare")),
        "arrive": directives.flag,
    }
    classes, mount = [CLASS], "pg-mount"

    def run(self):
        holder = nodes.container(classes=list(self.classes))
        self.state.nested_parse(self.content, self.content_offset, holder)
        mode = self.options.get("mode", "write")
        arrive = " data-arrive" if "arrive" in self.options else ""
        html = f'<div class="{self.mount}" data-mode="{mode}"{arrive}><p>{WITHOUT}</p></div>'
        holder += nodes.raw("", html, format="html")
        return [holder]


class TrainHere(Playground):
    """The same, where a network is trained."""

    classes, mount = [CLASS, TRAINS], "tr-mount"


def add_files(app, pagename, templatename, context, doctree):
    """Link style and scripts into this page if the playground is on it."""
    holders = [] if doctree is None else doctree.findall(nodes.container)
    classes = {name for holder in holders for name in holder["classes"]}
    scripts = list(SCRIPTS) if CLASS in classes else []
    if TRAINS in classes:
        scripts += TRAINING_SCRIPTS
        app.add_css_file("playground/train-here.css", priority=510)  # after the other
    if scripts:
        app.add_css_file("playground/playground.css")
    for name in scripts:
        app.add_js_file(f"{name}.js", loading_method="defer")


def write_texts(folder):
    """Texts as scripts in ``folder``; each sets charbookTexts[name]. That of the plays says
    what is held out, a whole test play."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {name: load_corpus(name).text for name in TEXTS}
    plays = load_corpus(ALL)
    held = plays.text[slice(*plays.plays[HELD_OUT])]
    train = plays.text[: plays.plays[TRAINING[-1]][1]]
    texts[PLAYS] = {"train": train, "held": held, "heldName": "The Tempest"}
    for name, text in texts.items():
        script = f"(globalThis.charbookTexts ??= {{}}).{name} = {json.dumps(text)};\n"
        (folder / f"{name}.js").write_text(script, encoding="ascii")


def finish(app, error):
    if error is None and app.builder.format == "html":
        write_texts(Path(app.outdir) / "_static/playground/texts")


def setup(app):
    app.add_directive("playground", Playground)
    app.add_directive("train-here", TrainHere)
    app.connect("html-page-context", add_files)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
