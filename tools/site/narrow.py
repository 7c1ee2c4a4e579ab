"""Sphinx extension: on a screen as narrow as a phone's, the figures that were drawn for one.

``python -m tools.notebooks.execute`` has kept them (tools/notebooks/narrow.py), each under the
SHA-256 of the picture in whose place it is shown, which is also the name that this picture has in
the site. A picture without a second rendering is shown as it is.
"""

import re
from pathlib import Path

from tools.notebooks.narrow import FOLDER

SCREEN = "screen and (max-width: 600px)"  # as in book.css
IMAGE = re.compile(
    r"(<source [^>]*>)?"
    r'(<img\b[^>]*\bsrc="([./]*)_images/([0-9a-f]{64})\.png"[^>]*>)'
)


def with_second(html, folders):
    """A page with a second picture for a phone; doing it again changes nothing.

    folders : {SHA-256 of the first: the folder of the second below _static/narrow}
    """

    def both(found):
        done, image, up, name = found.groups()
        if done or name not in folders:
            return found[0]
        source = f"{up}_static/narrow/{folders[name]}/{name}.png"
        return f'<picture><source media="{SCREEN}" srcset="{source}">{image}</picture>'

    return IMAGE.sub(both, html)


def finish(app, error):
    """After a build without errors, go over all pages."""
    if error is not None or app.builder.format != "html":
        return
    folders = {path.stem: path.parent.name for path in FOLDER.rglob("*.png")}
    for page in Path(app.outdir).rglob("*.html"):
        html = page.read_text(encoding="utf-8")
        if (mended := with_second(html, folders)) != html:
            page.write_text(mended, encoding="utf-8")


def setup(app):
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
