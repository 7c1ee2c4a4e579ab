"""A second rendering of each figure, for a screen as narrow as a phone's.

On a phone a figure of 7 inches is shown at 390 pixels, and 11-point letters are 8 pixels high.
Here it is drawn again, so that no letter is below 10 pixels there: plots on a narrower sheet, with
panels that stood side by side one below the other; diagrams, whose boxes have their places, with
larger letters.

``execute`` lets the kernel run ``install``, takes the second pictures out of the outputs again and
keeps them in _static/narrow under the SHA-256 of the first. tools/site/narrow.py puts both on the
page. This file runs in a chapter's kernel, without the rest of ``tools``.
"""

import base64
import io
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "_static" / "narrow"
MIME = "application/vnd.character-by-character.narrow"
INCHES = 4.7  # wide: 481 pixels with its margin, of which a phone shows 390
SMALLEST = 9.0  # points on such a sheet: 10 pixels on the phone
LARGER = 1.17  # for the letters of a diagram
COLOURS = 128
# Not drawn again: more letters stand along an axis, or in a drawing, than such a sheet can hold.
# On a phone these are wider than the screen, and scroll.
WIDE = {
    "fig-gates-three", "fig-gates-untrained", "fig-gru-passage", "fig-lstm-trace",
    "fig-sampling-loop", "fig-speed-roofline",
}  # fmt: skip
# What a kernel runs first, in whatever folder it is.
HOOK = f"__import__('runpy').run_path({str(Path(__file__).resolve())!r})['install']()"


def install():
    """Let this kernel show each figure in a second kind of output, too."""
    from IPython import get_ipython
    from IPython.core.formatters import BaseFormatter
    from traitlets import Unicode

    class Narrow(BaseFormatter):
        format_type = Unicode(MIME)

        def __call__(self, shown):  # not for_type, which Matplotlib undoes for all formatters
            kind = type(shown)
            is_figure = (kind.__module__, kind.__name__) == ("matplotlib.figure", "Figure")
            return picture(shown) if is_figure else None

    shown = get_ipython().display_formatter
    shown.formatters[MIME] = Narrow(parent=shown)
    shown.active_types = [*shown.formatters]


def picture(figure):
    """The figure drawn for a phone: a PNG in base64. The figure itself is changed."""
    from PIL import Image

    if len(figure.axes) < 3 and not any(ax.axison for ax in figure.axes):
        for text in texts(figure):
            text.set_fontsize(LARGER * text.get_fontsize())
    else:
        sheet(figure)
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=2 * figure.dpi, bbox_inches="tight", facecolor="white")
    few = Image.open(png).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    few.save(small := io.BytesIO(), "PNG", optimize=True)
    return base64.b64encode(small.getvalue()).decode("ascii")


def texts(figure):
    from matplotlib.text import Text

    return [text for text in figure.findobj(Text) if text.get_text()]


def sheet(figure):
    """Put a plot on a narrower sheet: panels that stood in one row in one column, or, of four and
    more, in two."""
    height = figure.get_figheight()
    placed = [ax for ax in figure.axes if ax.get_subplotspec() is not None]
    grids = {ax.get_subplotspec().get_topmost_subplotspec().get_gridspec() for ax in placed}
    rows = 1
    if len(grids) == 1 and grids.pop().nrows == 1 and len(placed) > 1:
        columns = 1 if len(placed) < 4 else 2
        rows = -(-len(placed) // columns)
        new = figure.add_gridspec(rows, columns)
        for place, ax in enumerate(placed):
            ax.set_subplotspec(new[divmod(place, columns)])
            if ax.axison:
                ax.tick_params(labelleft=True)
                ax.set_ylabel(ax.get_ylabel() or placed[0].get_ylabel())
    figure.set_size_inches(INCHES, height * (1 if rows == 1 else 0.85 * rows))
    figure.draw_without_rendering()  # ticks and their labels are made
    for text in texts(figure):
        text.set_fontsize(max(SMALLEST, text.get_fontsize()))
