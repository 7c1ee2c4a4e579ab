"""Sphinx extension: on a screen as narrow as a phone's, the figures that were drawn for one.

``python -m tools.notebooks.execute`` has kept them (tools/notebooks/narrow.py), each under the
SHA-256 of the picture in whose place it is shown, which is also the name that this picture has in
the site. A picture without a second rendering is shown as it is.
"""

import functools
import re

from tools.notebooks.narrow import FOLDER

SCREEN = "screen and (max-width: 600px)"  # as in book.css
IMAGE = re.compile(r'<img\b[^>]*\bsrc="([./]*)_images/([0-9a-f]{64})\.png"[^>]*>')


def with_second(html, folders):
    """A page's HTML with a second picture for a phone.

    folders : {SHA-256 of the first: the folder of the second below _static/narrow}
    """

    def both(found):
        image, (up, name) = found[0], found.groups()
        if name not in folders:
            return image
        source = f"{up}_static/narrow/{folders[name]}/{name}.png"
        return f'<picture><source media="{SCREEN}" srcset="{source}">{image}</picture>'

    return IMAGE.sub(both, html)


@functools.cache
def kept():
    """{SHA-256 of a picture: the folder of its second rendering}, looked up once for all pages."""
    return {path.stem: path.parent.name for path in FOLDER.rglob("*.png")}


def add_second(app, pagename, templatename, context, doctree):
    """Before a page is written."""
    if "body" in context:
        context["body"] = with_second(context["body"], kept())


def setup(app):
    app.connect("html-page-context", add_second)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
