"""Sphinx extension: on a text page, show what a notebook has glued, with alt text and caption.

    ```{pasted} the-key
    :doc: chapters/lstm.ipynb
    :alt: what the picture shows, for somebody who cannot see it
    A caption.
    ```

    ... comes to {pasted}`the-key <chapters/lstm.ipynb>` nats.

The key is one of ``glue``, or the name of a figure (``fig-...``) in the notebook: then its own
alt text serves where none is given. The role takes glued texts and numbers.

myst-nb 1.4 can paste from another document too, but without an alt text, and it names a
picture that it does not write unless the notebook's own page shows it. A glued text is
shown as it is, line by line, and takes neither alt text nor caption.
"""

import ast
import hashlib
import json
import re
from base64 import b64decode
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

logger = logging.getLogger(__name__)


class Pasted(SphinxDirective):
    """A figure, or a text, that waits until all notebooks have been read."""

    required_arguments = 1
    has_content = True
    option_spec = {  # noqa: RUF012
        "doc": directives.unchanged_required,
        "alt": directives.unchanged_required,
    }

    def run(self):
        file, path = self.env.relfn2path(self.options["doc"])
        self.env.note_dependency(file)  # this page is built again when the notebook changes
        holder = nodes.container(classes=["cell_output"])
        holder["pasted"] = {
            "key": self.arguments[0],
            "doc": self.env.path2doc(path),
            "alt": self.options.get("alt", ""),
        }
        self.set_source_info(holder)
        if not self.content:
            return [holder]
        caption = nodes.Element()
        self.state.nested_parse(self.content, self.content_offset, caption)
        return [nodes.figure("", holder, nodes.caption("", "", *caption[0].children))]


class PastedText(SphinxRole):
    """A glued text or number within a sentence."""

    def run(self):
        asked = re.fullmatch(r"\s*(\S+)\s*<(.+)>\s*", self.text)
        if not asked:
            message = f"pasted: {self.text!r} should be: key <notebook>"
            return [], [self.inliner.reporter.error(message, line=self.lineno)]
        file, path = self.env.relfn2path(asked[2])
        self.env.note_dependency(file)
        holder = nodes.inline(classes=["pasted-text"])
        holder["pasted"] = {"key": asked[1], "doc": self.env.path2doc(path), "alt": ""}
        self.set_source_info(holder)
        return [holder], []


class Finish(SphinxPostTransform):
    """Fill each holder from what myst-nb has stored of the notebook's glued outputs."""

    default_priority = 6

    def run(self):
        for holder in [
            *self.document.findall(nodes.container),
            *self.document.findall(nodes.inline),
        ]:
            if "pasted" in holder:
                self.fill(holder, **holder["pasted"])
                del holder["pasted"]

    def fill(self, holder, key, doc, alt):
        if key.startswith("fig-"):
            png, size, own_alt = figure(Path(self.env.doc2path(doc)), key)
            if png and (alt or own_alt):
                holder += self.picture(b64decode(png), alt or own_alt, size)
            else:
                why = "needs an alt text" if png else f"is no figure of {doc}"
                logger.warning("pasted: %r %s", key, why, location=holder)
            return
        stored = Path(self.env.mystnb_config.output_folder) / f"{doc}.glue.json"
        glued = json.loads(stored.read_text(encoding="utf-8")) if stored.is_file() else {}
        data = glued.get(key, {}).get("data", {})
        if "image/png" in data and alt:
            size = glued[key].get("metadata", {}).get("image/png", {})
            holder += self.picture(b64decode(data["image/png"]), alt, size)
        elif "text/plain" in data and "image/png" not in data:
            text = data["text/plain"]
            if text[:1] in "'\"":  # the repr of a glued str
                text = ast.literal_eval(text)
            if isinstance(holder, nodes.inline):
                holder += nodes.Text(text)
            else:
                holder += nodes.literal_block(text, text, language="none")
        else:
            why = "needs an alt text" if data else f"is not glued in {doc}"
            logger.warning("pasted: %r %s", key, why, location=holder)

    def picture(self, png, alt, size):
        """Write the picture beside the site's other ones; an image node that shows it."""
        builder = self.app.builder
        name = f"{hashlib.sha256(png).hexdigest()}.png"
        folder = Path(builder.outdir) / builder.imagedir
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(png)
        up = "../" * self.env.docname.count("/")
        uri = f"{up}{builder.imagedir}/{name}"
        image = nodes.image(uri=uri, alt=alt, candidates={"*": uri})
        if "width" in size:  # a sharp picture has twice as many pixels as it should take up
            image["width"] = f"{size['width']}px"
        return image


def figure(notebook, name):
    """A named figure as it is stored in a notebook: (PNG in base64, size, alt text)."""
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        about = cell["metadata"].get("mystnb", {})
        if about.get("figure", {}).get("name") == name:
            for output in cell.get("outputs", []):
                if "image/png" in output.get("data", {}):
                    size = output.get("metadata", {}).get("image/png", {})
                    return output["data"]["image/png"], size, about.get("image", {}).get("alt", "")
    return None, {}, ""


def setup(app):
    app.add_directive("pasted", Pasted)
    app.add_role("pasted", PastedText())
    app.add_post_transform(Finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
