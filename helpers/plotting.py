"""Figures in one style: one colour and one line for each architecture, in every chapter.

Colours and lines are those of ``models.ARCHITECTURES``. Figures have a white ground; on the
site's dark pages a style sheet turns them over (see _static/book.css).
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from .models import ARCHITECTURES
from .support.arguments import whole_number

NAMES = {name: a.label for name, a in ARCHITECTURES.items()}
COLOURS = {name: a.colour for name, a in ARCHITECTURES.items()}
LINES = {name: a.line for name, a in ARCHITECTURES.items()}
ACCENT, MUTED = "#0072B2", "#9AA5B1"

# White for nothing, dark blue for much; and blue, white, orange around zero.
AMOUNT = LinearSegmentedColormap.from_list("amount", ["#FFFFFF", "#9CC3E6", "#0072B2", "#08244A"])
SIGNED = LinearSegmentedColormap.from_list("signed", ["#0072B2", "#FFFFFF", "#D55E00"])

VISIBLE = {" ": "␣", "\n": "↵", "\t": "⇥"}


def use_style():
    """Set the book's figure style for this session (and sharp pictures in a notebook)."""
    plt.rcParams.update(
        {
            "figure.figsize": (7.0, 3.4),
            "figure.dpi": 100,
            "figure.facecolor": "white",
            "figure.constrained_layout.use": True,
            "font.size": 11,
            "axes.titlesize": 11,
            "legend.fontsize": 10,
            "legend.frameon": False,
            "xtick.labelsize": 10,
            "ytick.labelsize": 10,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "lines.linewidth": 1.8,
            "axes.prop_cycle": plt.cycler(color=[ACCENT, "#D55E00", "#009E73", "#AA4499"]),
        }
    )
    try:
        from matplotlib_inline.backend_inline import set_matplotlib_formats
    except ImportError:  # not in a notebook
        return
    set_matplotlib_formats("retina")


def visible(text):
    """The text with space, newline and tab drawn as ␣, ↵ and ⇥, for labels."""
    return "".join(VISIBLE.get(c, c) for c in text)


def architecture(name):
    """Keyword arguments (colour, line, label) for a line that shows one architecture."""
    shown = ARCHITECTURES[name]
    return {"color": shown.colour, "linestyle": shown.line, "label": shown.label}


def smooth(values, width=25):
    """Running mean over ``width`` values: (N,) -> (N - width + 1,)."""
    values = np.asarray(values, dtype=float)
    width = whole_number("width", width, 1, len(values))
    return np.convolve(values, np.ones(width) / width, mode="valid")


def heatmap(ax, values, rows, columns, label, cmap=AMOUNT, vmin=None, vmax=None):
    """Draw values (R, C) with one label a row and a column and a colour bar with its unit.

    ``rows`` and ``columns`` are texts or lists of labels; spaces are made visible.
    """
    values = np.asarray(values)
    if values.shape != (len(rows), len(columns)):
        raise ValueError(
            f"{len(rows)} rows and {len(columns)} columns are named for values of {values.shape}"
        )
    image = ax.imshow(values, cmap=cmap, vmin=vmin, vmax=vmax, aspect="auto")
    ax.set_xticks(range(len(columns)), [visible(c) for c in columns])
    ax.set_yticks(range(len(rows)), [visible(r) for r in rows])
    ax.tick_params(length=0)
    ax.figure.colorbar(image, ax=ax, label=label)
    return image


def describe(**drawn):
    """Print count, mean, smallest and largest of what a figure shows.

    Pictures are not compared when the book is tested; this line under each of them is.
    """
    for name, values in drawn.items():
        values = np.asarray(values, dtype=float)
        if not values.size:
            raise ValueError(f"{name} is empty: the figure shows nothing of it")
        print(
            f"{name}: n {values.size}, mean {values.mean():.4f}, "
            f"min {values.min():.4f}, max {values.max():.4f}"
        )
