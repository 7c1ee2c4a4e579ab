"""The drawings of the lesson *A small Transformer*: one attention, a block, window and cache."""

from __future__ import annotations

import numpy as np

from .diagrams import FILL, INK, SHAPE, arrow, box, canvas, circle

FEED = "#F4EFD9"  # what works on each position by itself
KEPT = "#0072B2"
SEEN = "#BFD7EE"


def attention_flow():
    """Attention with several heads, from x to what is added to the stream: a figure."""
    figure, ax = canvas(14, 9.4)
    left, middle, right = 3.2, 7.0, 10.8
    box(ax, middle, 1.5, "one matrix: q, k and v of all heads", width=9.4)
    arrow(ax, (middle, 0.1), (middle, 1.0), shape="x   (B, T, E)", size=11)
    for x, name in ((left, "q"), (middle, "k"), (right, "v")):
        arrow(ax, (x, 2.0), (x, 3.0), shape=f"{name}   (B, T, E)", size=11)
        box(ax, x, 3.45, "reshape", width=2.6, height=0.9, fill="white")
    for x in (left, middle):
        arrow(ax, (x, 3.9), (x, 4.9), shape="(B, n, T, d)", size=11)
        box(ax, x, 5.3, "rotate", width=2.6, height=0.8)
        arrow(ax, (x, 5.7), (x, 6.4))
    box(ax, (left + middle) / 2, 6.85, "scores, mask, softmax", width=6.4, height=0.9)
    arrow(ax, (right, 3.9), (right, 6.5), shape="(B, n, T, d)", size=11, at=0.4)
    arrow(ax, (8.3, 6.85), (right - 0.35, 6.85), shape="(B, n, T, T)", size=11, offset=(-1.1, 0.55))
    circle(ax, right, 6.85, "@")
    arrow(ax, (right, 7.2), (right, 8.75), (8.3, 8.75), shape="(B, n, T, d)", size=11,
          at=0.0, offset=(-2.4, -0.55))  # fmt: skip
    box(ax, 7.0, 8.75, "reshape", width=2.6, height=0.9, fill="white")
    arrow(ax, (5.7, 8.75), (4.5, 8.75))
    box(ax, 3.2, 8.75, "matrix", width=2.6, height=0.9)
    arrow(ax, (1.9, 8.75), (0.2, 8.75), shape="(B, T, E)", size=11, at=0.9, offset=(-0.1, 0.2))
    return figure


def block_diagram():
    """A block and what is around it, each arrow with its shape: a figure."""
    figure, ax = canvas(12, 12.4)
    stream = 3.2
    box(ax, stream, 0.6, "embedding", width=3.6)
    box(ax, stream, 11.8, "norm, then output layer", width=5.4)
    ax.plot([stream] * 2, [1.1, 10.6], color=INK, lw=4, zorder=1, solid_capstyle="butt")
    arrow(ax, (stream, 10.4), (stream, 11.3))
    for y in (1.5, 5.9, 10.9):
        ax.text(stream - 0.3, y, "(B, T, E)", size=11, color=SHAPE, ha="right", va="center")
    branch(ax, stream, 2.0, {"norm": "white", "attention": FILL})
    parts = {"norm": "white", "matrix": FEED, "GELU": FEED, "matrix ": FEED}
    branch(ax, stream, 6.2, parts, {"matrix": "(B, T, 4E)", "GELU": "(B, T, 4E)"})
    ax.plot([9.9, 10.2, 10.2, 9.9], [1.7, 1.7, 10.2, 10.2], color=SHAPE, lw=1.2)
    ax.text(10.4, 5.95, "one\nblock", size=11, color=SHAPE, va="center")
    return figure


def branch(ax, stream, low, parts, shapes=()):
    """Out of the stream at ``low``, up through the parts, and back to a plus sign."""
    side, step, y = 7.0, 0.95, low + 0.15
    arrow(ax, (stream, low - 0.1), (side, low - 0.1), (side, y + 0.2))
    for name, fill in parts.items():
        box(ax, side, y + 0.5, name.strip(), width=3.4, height=0.6, fill=fill)
        top = y + 0.8
        y += step
        if name != list(parts)[-1]:
            arrow(ax, (side, top), (side, y + 0.2))
        if name in shapes:
            ax.text(side + 1.8, y + 0.03, shapes[name], size=11, color=SHAPE, va="center")
    end = y + 0.25
    arrow(ax, (side, y - 0.15), (side, end), (stream + 0.35, end))
    circle(ax, stream, end, "+")


def window_and_cache(context=4, length=9):
    """What the newest position sees through two layers, and what is kept for the next: a figure."""
    figure, ax = canvas(14, 7.2)
    rows = {"into layer 1": 1.0, "into layer 2": 3.4, "out": 5.8}
    places = 2.9 + 1.25 * np.arange(length)
    for (name, y), reach in zip(rows.items(), (2, 1, 0), strict=True):
        ax.text(1.9, y, name, size=11, color=INK, ha="right", va="center")
        for t, x in enumerate(places):
            seen = t >= length - 1 - reach * (context - 1)
            kept = reach > 0 and t > length - context
            fill = KEPT if kept else SEEN if seen else "white"
            box(ax, x, y, "", width=0.7, height=0.7, fill=fill)
            if reach < 2 and seen:
                for u in range(max(0, t - context + 1), t + 1):
                    line = ([places[u], x], [list(rows.values())[1 - reach] + 0.35, y - 0.35])
                    ax.plot(*line, color=SHAPE, lw=1, zorder=1)
    ax.text(places[-1], 6.45, "newest", size=11, color=INK, ha="center")
    ax.text(places[-context], 0.15, "blue: kept in the cache", size=11, color=KEPT)
    return figure
