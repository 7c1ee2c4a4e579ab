"""The drawings of the lesson *LSTM*: the tank with its three valves, and the cell."""

from __future__ import annotations

import matplotlib.pyplot as plt

from .diagrams import INK, SHAPE, arrow, box, canvas, circle

WATER, CANDIDATE = "#9CC3E6", "#F4EFD9"

# One colour for each gate, in every figure; the live ones have them from
# tools/site/architectures.py.
GATE_COLOURS = {
    "input": "#3A9BD9",
    "forget": "#08244A",
    "output": "#E69F00",
    "candidate": "#B5679E",
}


def tank(ax, title, level, before, add, keep, show):
    """A tank filled to ``level``, a dashed line at the level ``before``, and its three valves."""
    ax.add_patch(plt.Rectangle((0, 0), 1, level, color=WATER, lw=0))
    ax.plot([0, 0, 1, 1], [1.05, 0, 0, 1.05], color=INK, lw=2)
    if before != level:
        ax.plot([0, 1], [before, before], color=INK, lw=1.2, ls="--")
    pipes = {"add": ((0.3, 1.75), (0.3, 1.05)), "drain": ((0.7, 0), (0.7, -0.6))}
    pipes["show"] = ((1, 0.25), (1.65, 0.25))
    for (start, end), is_open in zip(pipes.values(), (add, not keep, show), strict=True):
        if is_open:
            arrow(ax, start, end)
        else:
            valve(ax, start, end)
    ax.set_title(f"{title}\n$i$ = {add}, $f$ = {keep}, $o$ = {show}", fontsize=11)
    ax.set(xlim=(-0.2, 1.75), ylim=(-0.7, 1.85), aspect="equal")
    ax.axis("off")


def valve(ax, start, end):
    """A pipe that is shut: a dotted line, and a bar across its beginning."""
    ax.plot(*zip(start, end, strict=True), color=SHAPE, lw=1.4, ls=":")
    (x, y), across = start, 0.16
    flat = start[0] == end[0]  # a bar across an upright pipe
    ends = ([x - across, x + across], [y, y]) if flat else ([x, x], [y - across, y + across])
    ax.plot(*ends, color=INK, lw=4, solid_capstyle="butt", zorder=4)


GATES = {"f": 3.0, "i": 5.4, "g": 7.8, "o": 10.2}  # where their boxes stand
NAMES = {"f": "forget", "i": "input", "g": "candidate", "o": "output"}


def lstm_cell():
    """One step of the LSTM's cell, each arrow with the shape of what flows along it: a figure."""
    figure, ax = canvas(14, 9.6)
    top, row, bottom, out = 8.2, 4.0, 1.9, 12.4
    box(ax, 6.6, bottom, "$W_x\\,x_t + W_h\\,h_{t-1} + b$     (B, 4H), cut into four", width=9.6)
    for name, x in GATES.items():
        squash = "tanh" if name == "g" else "σ"
        fill = {"fill": CANDIDATE} if name == "g" else {}
        box(ax, x, row, f"{squash}\n${name}_t$", width=1.7, height=1.4, **fill)
        arrow(ax, (x, bottom + 0.5), (x, row - 0.7), shape="(B, H)", size=11)
        ax.text(x + 0.1, row + 0.8, NAMES[name], size=11, color=SHAPE, va="bottom")
    middle = (GATES["i"] + GATES["g"]) / 2
    states(ax, top, middle, bottom, out)
    ways(ax, top, row, middle, out)
    return figure


def states(ax, top, middle, bottom, out):
    """The two states on their ways through the cell, and what is read."""
    arrow(ax, (0, top), (GATES["f"] - 0.35, top))
    arrow(ax, (GATES["f"] + 0.35, top), (middle - 0.35, top))
    arrow(ax, (middle + 0.35, top), (14, top))
    arrow(ax, (0, bottom), (1.8, bottom))
    arrow(ax, (6.6, 0), (6.6, bottom - 0.5))
    arrow(ax, (out, 5.65), (out, bottom), (14, bottom))
    places = {"$c_{t-1}$": (0, top), "$c_t$": (13, top), "$h_{t-1}$": (0, bottom)}
    places |= {"$h_t$": (13, bottom), "$x_t$": (6.8, 0.55)}
    for name, (x, y) in places.items():
        ax.text(x, y + 0.2, name, size=13, color=INK)
        shape = "(B, E)" if name == "$x_t$" else "(B, H)"
        ax.text(x, y - 0.2, shape, size=11, color=SHAPE, va="top")


def ways(ax, top, row, middle, out):
    """From the gates to what they multiply."""
    circle(ax, GATES["f"], top, "×")
    circle(ax, middle, top, "+")
    circle(ax, middle, 6.2, "×")
    circle(ax, out, 6.0, "×")
    box(ax, out, 7.1, "tanh", width=1.5, height=0.8, fill="white")
    arrow(ax, (GATES["f"], row + 0.7), (GATES["f"], top - 0.35))
    for name, side in (("i", -0.35), ("g", 0.35)):
        arrow(ax, (GATES[name], row + 0.7), (GATES[name], 6.2), (middle + side, 6.2))
    arrow(ax, (middle, 6.55), (middle, top - 0.35))
    arrow(ax, (GATES["o"], row + 0.7), (GATES["o"], 6.0), (out - 0.35, 6.0))
    arrow(ax, (out, top), (out, 7.5))
    arrow(ax, (out, 6.7), (out, 6.35))
