"""Sphinx extension: names, colours and line styles of the architectures, from helpers.models,
and the colours of an LSTM's gates, from helpers.studies.lstm.

The site gets them as a style sheet, _static/architectures.css, which every page links, and as a
script, _static/playground/architectures.js, for the live figures: so that a figure, the text
beside it and the page's own figures agree, and a new architecture touches no style sheet.
"""

import json
from pathlib import Path

import numpy as np

from helpers.models import ARCHITECTURES
from helpers.studies.lstm import GATE_COLOURS

MODELS = Path(__file__).resolve().parents[2] / "extra/_static/playground/models"
BORDERS = {"-": "solid", "--": "dashed"}  # of matplotlib's line styles; the others are dotted
HUE_ROTATE_180 = np.array(  # Filter Effects Module Level 1, section 8.6
    [[-0.574, 1.430, 0.144], [0.426, 0.430, 0.144], [0.426, 1.430, -0.856]]
)


def on_dark_pages(colour):
    """What book.css makes of a figure's colour there: invert(1) hue-rotate(180deg)."""
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    turned = np.clip(np.round(HUE_ROTATE_180 @ (255 - rgb)), 0, 255).astype(int)
    return "#" + "".join(f"{part:02X}" for part in turned)


def style_sheet():
    """--cbc-NAME for each architecture and --cbc-gate-NAME for each gate, on light pages, dark
    pages and paper."""
    colours = {name: a.colour for name, a in ARCHITECTURES.items()}
    colours |= {f"gate-{name}": colour for name, colour in GATE_COLOURS.items()}
    light = " ".join(f"--cbc-{name}: {colour};" for name, colour in colours.items())
    dark = " ".join(f"--cbc-{name}: {on_dark_pages(colour)};" for name, colour in colours.items())
    return (
        f"html {{ {light} }}\n"
        f'html[data-theme="dark"] {{ {dark} }}\n'
        f'@media print {{ html, html[data-theme="dark"] {{ {light} }} }}\n'
    )


def script():
    """{architecture: {name, line, inPage}}, with the line as CSS names it, and whether the page can
    run it and has its weights, as a part of the playground."""
    table = {
        name: {
            "name": a.label,
            "line": BORDERS.get(a.line, "dotted"),
            "inPage": a.in_page and (MODELS / f"{name}.js").exists(),
        }
        for name, a in ARCHITECTURES.items()
    }
    return f'charbook.define("architectures", [], () => ({json.dumps(table)}));\n'


def write(app):
    if app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static"
    (static / "playground").mkdir(parents=True, exist_ok=True)
    (static / "architectures.css").write_text(style_sheet(), encoding="ascii")
    (static / "playground/architectures.js").write_text(script(), encoding="ascii")


def setup(app):
    app.connect("builder-inited", write)
    app.add_css_file("architectures.css")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
