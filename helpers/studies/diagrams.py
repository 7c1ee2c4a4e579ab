"""Boxes, arrows and shapes: the data-flow diagrams of the lessons.

One unit of the canvas is about one line of text. Every arrow may carry the shape of what flows
along it.
"""

from __future__ import annotations

import itertools

import matplotlib.pyplot as plt

INK, FILL, SHAPE = "#08244A", "#EAF2FA", "#5A6672"


def canvas(width, height, inches=7.0):
    """An empty drawing of ``width`` by ``height`` units, ``inches`` wide: figure and axes."""
    figure, ax = plt.subplots(figsize=(inches, inches * height / width))
    ax.set(xlim=(0, width), ylim=(0, height), aspect="equal")
    ax.axis("off")
    return figure, ax


def box(ax, x, y, text, width=2.0, height=1.0, fill=FILL, size=11):
    """A box with its centre at (x, y) and a text in it (a layer or a value)."""
    left, bottom = x - width / 2, y - height / 2
    ax.add_patch(plt.Rectangle((left, bottom), width, height, fc=fill, ec=INK, lw=1.2, zorder=3))
    ax.text(x, y, text, ha="center", va="center", size=size, color=INK, zorder=4)


def circle(ax, x, y, text, radius=0.35, fill="white", size=11):
    """A circle with its centre at (x, y): an operation entry by entry, such as × or +."""
    ax.add_patch(plt.Circle((x, y), radius, fc=fill, ec=INK, lw=1.2, zorder=3))
    ax.text(x, y, text, ha="center", va="center", size=size, color=INK, zorder=4)


def arrow(ax, *points, shape=None, at=0.5, offset=(0.1, 0.1), colour=INK, style="-|>", size=10):
    """An arrow through two or more points; ``shape`` is written beside its last part.

    at : where along the last part, 0 at its beginning and 1 at its head
    offset : from there, in units of the canvas
    """
    start, end = points[-2:]
    for a, b in itertools.pairwise(points[:-1]):
        ax.plot(*zip(a, b, strict=True), color=colour, lw=1.4, solid_capstyle="round", zorder=2)
    drawn = {"arrowstyle": style, "color": colour, "lw": 1.4, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", xy=end, xytext=start, arrowprops=drawn, zorder=2)
    if shape is not None:
        x, y = (a + at * (b - a) for a, b in zip(start, end, strict=True))
        ax.text(x + offset[0], y + offset[1], shape, size=size, color=SHAPE, zorder=4)
