"""Sphinx extension: put MathJax into the built site, so that its pages need no network.

The files come from the PyPI package sphinx-mathjax-offline. Its own extension copies all
24 MB; a page of this book needs one script and the fonts, which is 1.6 MB.
"""

import shutil
from importlib import metadata
from pathlib import Path

NEEDED = ("tex-chtml.js", "output/chtml/fonts/woff-v2")


def copy_mathjax(app, error):
    """After a build without errors, copy what is needed beside the other static files."""
    if error is not None or app.builder.format != "html":
        return
    files = metadata.files("sphinx-mathjax-offline")
    script = next(f for f in files if f.as_posix().endswith("static/mathjax/tex-chtml.js"))
    source = Path(script.locate()).parent
    target = Path(app.outdir) / "_static" / "mathjax"
    for name in NEEDED:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name, dirs_exist_ok=True)
        else:
            shutil.copy2(source / name, target / name)


def setup(app):
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
