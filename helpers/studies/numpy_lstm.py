"""The backward pass through one step of a character LSTM, drawn for *An LSTM in NumPy*."""

from __future__ import annotations

from .diagrams import SHAPE, arrow, box, canvas, circle

BACK, WARM = "#9A5B00", "#FBF0DC"  # the backward pass is drawn in amber
GATES = {"f": 3.0, "i": 5.4, "g": 7.7, "o": 10.6}  # the order in which they meet the cell state
STATE, HIDDEN, OUTPUT = 9.3, 12.0, 13.5  # heights: cell state, hidden state, output layer
GATE_ROW, SUMS, LOOK_UP = 6.3, 4.2, 2.1
MIDDLE, TANH = (GATES["i"] + GATES["g"]) / 2, 8.9


def back(ax, *points, **keywords):
    """An arrow of the backward pass."""
    arrow(ax, *points, colour=BACK, size=11, **keywords)


def backward_step():
    """One step with all arrows against the direction of the computation: a figure.

    On each arrow is the shape of the gradient that flows along it; an amber box is the
    gradient of an array of weights.
    """
    figure, ax = canvas(16, 14.5)
    ax.set_ylim(1.4, 15.9)
    boxes(ax)
    from_the_loss(ax)
    along_the_cell_state(ax)
    into_the_weights(ax)
    return figure


def boxes(ax):
    """Layers, gates and operations; thick rings where two gradients are added."""
    box(ax, GATES["o"], 15.3, "loss", width=2.2)
    box(ax, GATES["o"], OUTPUT, "output layer", width=3.2)
    box(ax, TANH, 10.7, "tanh", width=1.5, height=0.8, fill="white")
    for name, x in GATES.items():
        squash = "tanh" if name == "g" else "σ"
        box(ax, x, GATE_ROW, f"{squash}\n${name}_t$", width=1.6, height=1.4)
    box(ax, 6.8, SUMS, "$a_t = W_x\\,x_t + W_h\\,h_{t-1} + b$", width=9.2)
    box(ax, 6.8, LOOK_UP, "embedding: look up a row", width=6.0)
    for x, y in ((GATES["f"], STATE), (MIDDLE, 8.1), (GATES["o"], 10.7)):
        circle(ax, x, y, "×")
    for x, y in ((TANH, STATE), (GATES["o"], HIDDEN)):
        circle(ax, x, y, "+", fill=WARM)
    ax.plot(MIDDLE, STATE, "o", color=BACK, markersize=5, zorder=4)


def from_the_loss(ax):
    """Through the output layer to the hidden state, and from there to tanh and output gate."""
    o = GATES["o"]
    back(ax, (o, 14.8), (o, OUTPUT + 0.5), shape="(B, V)", at=0.8)
    back(ax, (o, OUTPUT - 0.5), (o, HIDDEN + 0.35), shape="(B, H)", at=0.8)
    back(ax, (15.8, HIDDEN), (o + 0.35, HIDDEN), shape="from $t+1$   (B, H)", at=0.9)
    back(ax, (o, HIDDEN - 0.35), (o, 11.05), shape="(B, H)", at=0.7)
    back(ax, (o - 0.35, 10.7), (TANH + 0.75, 10.7))
    back(ax, (o, 10.35), (o, GATE_ROW + 0.7), shape="(B, H)", at=0.65)


def along_the_cell_state(ax):
    """From the tanh to the cell state, to three gates, and on to the step before."""
    back(ax, (TANH, 10.3), (TANH, STATE + 0.35))
    back(ax, (15.8, STATE), (TANH + 0.35, STATE), shape="from $t+1$   (B, H)", at=0.65)
    back(ax, (TANH - 0.35, STATE), (GATES["f"] + 0.35, STATE), shape="(B, H)", at=0.65)
    back(ax, (GATES["f"] - 0.35, STATE), (0.2, STATE), shape="$c_{t-1}$   (B, H)", at=0.95)
    back(ax, (GATES["f"], STATE - 0.35), (GATES["f"], GATE_ROW + 0.7), shape="(B, H)")
    back(ax, (MIDDLE, STATE), (MIDDLE, 8.45))
    for name, side in (("i", -0.35), ("g", 0.35)):
        back(ax, (MIDDLE + side, 8.1), (GATES[name], 8.1), (GATES[name], GATE_ROW + 0.7))


def into_the_weights(ax):
    """From the gates to the sums, to the step before, to the embedding and to all weights."""
    for x in GATES.values():
        back(ax, (x, GATE_ROW - 0.7), (x, SUMS + 0.5), shape="(B, H)", at=0.75)
    back(ax, (2.2, SUMS), (0.2, SUMS), shape="$h_{t-1}$", at=0.9, offset=(0, 0.25))
    ax.text(0.2, SUMS - 0.3, "(B, H)", size=11, color=SHAPE, va="top")
    back(ax, (6.8, SUMS - 0.5), (6.8, LOOK_UP + 0.5), shape="(B, E)", at=0.7)
    weights = {
        (3.9, OUTPUT): ("$W_y$ (V, H),  $b_y$ (V)", GATES["o"] - 1.6),
        (13.9, SUMS): ("$W_x$ (4H, E)\n$W_h$ (4H, H)\n$b$ (4H)", 11.4),
        (13.9, LOOK_UP): ("table (V, E)", 9.8),
    }
    for (x, y), (text, start) in weights.items():
        half = 2.9 if x < start else 1.7
        box(ax, x, y, text, width=2 * half, height=1 if "\n" not in text else 2.0, fill=WARM)
        back(ax, (start, y), (x + half if x < start else x - half, y))
