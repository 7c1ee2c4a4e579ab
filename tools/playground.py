"""Sphinx extension: the playground, and its scripts on the pages that have it and no other.

    :::{playground}
    :mode: write, surprise or compare; what is shown first
    A paragraph that introduces it, and stands there alone where no script runs.
    :::

Everything lies in extra/_static/playground. A file in _static itself would be linked into
every page.
"""

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

CLASS = "charbook-playground"
NO_SCRIPT = (
    "The playground runs in your browser and needs JavaScript, which is switched off. "
    "The rest of the book does not need it."
)


class Playground(SphinxDirective):
    """An introduction, and the place that the script fills."""

    has_content = True
    option_spec = {  # noqa: RUF012
        "mode": lambda mode: directives.choice(mode, ("write", "surprise", "compare")),
    }

    def run(self):
        holder = nodes.container(classes=[CLASS])
        self.state.nested_parse(self.content, self.content_offset, holder)
        mode = self.options.get("mode", "write")
        html = (
            f'<div class="pg-mount" data-mode="{mode}">'
            f"<noscript><p>{NO_SCRIPT}</p></noscript></div>"
        )
        holder += nodes.raw("", html, format="html")
        return [holder]


def add_files(app, pagename, templatename, context, doctree):
    """Link style and scripts into this page if the playground is on it."""
    if doctree is not None and any(CLASS in n["classes"] for n in doctree.findall(nodes.container)):
        app.add_css_file("playground/playground.css")
        app.add_js_file("playground/engine.js", loading_method="defer")
        app.add_js_file("playground/playground.js", loading_method="defer")


def setup(app):
    app.add_directive("playground", Playground)
    app.connect("html-page-context", add_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
