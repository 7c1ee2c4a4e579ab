"""The drawings of the lesson *Attention*: a look back along a line, and one head."""

from __future__ import annotations

from .diagrams import INK, SHAPE, arrow, box, canvas

ASKS, FOUND = "#F4EFD9", "#9CC3E6"
PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 2}  # behind words on a line


def look_back(characters, at, found):
    """A line of characters, and the look from the one at ``at`` to the one at ``found``."""
    figure, ax = canvas(len(characters) + 1, 4.2)
    for i, character in enumerate(characters):
        fill = {at: ASKS, found: FOUND}.get(i, "white")
        box(ax, i + 0.5, 0.9, character, width=0.9, height=1.2, fill=fill, size=14)
    ax.text(len(characters) + 0.5, 0.9, "?", ha="center", va="center", size=16, color=INK)
    bend = {"arrowstyle": "-|>", "color": INK, "lw": 1.6, "connectionstyle": "arc3,rad=0.28"}
    ax.annotate("", xy=(found + 0.5, 1.6), xytext=(at + 0.5, 1.6), arrowprops=bend)
    middle = (at + found + 1) / 2
    ax.text(middle, 3.5, "what followed a b?", ha="center", size=12, color=INK, bbox=PAPER)
    return figure


def one_head():
    """Data flow through a causal head, each arrow with the shape of what flows along it."""
    figure, ax = canvas(14, 12.4)
    left, middle, right, merge = 2.6, 6.6, 11.4, 4.6
    ax.text(middle + 0.3, 0.35, "$x$   (B, T, E)", size=12, color=INK, va="center")
    for x, name in ((left, "q"), (middle, "k"), (right, "v")):
        arrow(ax, (middle, 0.1), (middle, 0.9), (x, 0.9), (x, 1.7))
        box(ax, x, 2.2, f"$W_{name}$", width=1.8, size=13)
    ax.plot(middle, 0.9, "o", color=INK, markersize=5)
    for x, name, to in ((left, "q", merge - 1), (middle, "k", merge + 1)):
        arrow(ax, (x, 2.7), (x, 3.6), (to, 3.6), (to, 4.4))
        ax.text(x + 0.15, 3.1, f"${name}$  (B, T, d)", size=11, color=SHAPE, va="center")
    steps = {4.9: "$q\\,k^\\top\\,/\\,\\sqrt{d}$", 6.9: "mask: future to $-\\infty$"}
    steps[8.9] = "softmax over each row"
    for y, text in steps.items():
        box(ax, merge, y, text, width=6.0)
        name = {4.9: "scores", 6.9: "scores", 8.9: "weights"}[y]
        label = f"{name}  (B, T, T)"
        arrow(ax, (merge, y + 0.5), (merge, y + 1.5), shape=label, size=11, offset=(0.2, 0))
    box(ax, merge, 10.9, "weights times values", width=6.0)
    arrow(ax, (right, 2.7), (right, 10.9), (merge + 3.0, 10.9))
    ax.text(right + 0.15, 6.9, "$v$\n(B, T, d)", size=11, color=SHAPE, va="center")
    arrow(ax, (merge, 11.4), (merge, 12.3))
    ax.text(merge + 0.2, 11.9, "$y$   (B, T, d)", size=12, color=INK, va="center")
    return figure
