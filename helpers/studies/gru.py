"""The cell of a GRU, drawn for its lesson."""

from __future__ import annotations

from .diagrams import INK, SHAPE, arrow, box, canvas, circle


def draw_cell():
    """The data flow of one step, reset after the product as in PyTorch: a figure."""
    figure, ax = canvas(14, 7.4)
    top, middle, low, h_bus, x_bus = 6.2, 4.5, 2.6, 1.2, 0.5
    words = {"ha": "center", "va": "center", "size": 12}
    ax.text(0.6, top, "$h_{t-1}$", **words)
    ax.text(0.6, x_bus, "$x_t$", **words)
    ax.text(13.5, top, "$h_t$", **words)

    # The old state: along the top to the new one, and down to the gates.
    arrow(ax, (1.1, top), (9.65, top), shape="(B, H)", at=0.42, offset=(0, 0.2), size=11)
    arrow(ax, (10.35, top), (11.65, top))
    arrow(ax, (12.35, top), (13.1, top))
    ax.text(13.5, top - 0.6, "(B, H)", ha="center", va="center", size=11, color=SHAPE)
    ax.plot([1.3, 1.3, 9.7], [top, h_bus, h_bus], color=INK, lw=1.4, zorder=2)
    ax.plot([1.0, 10.3], [x_bus, x_bus], color=INK, lw=1.4, zorder=2)
    ax.text(4.1, x_bus - 0.12, "(B, E)", ha="center", va="top", size=11, color=SHAPE)
    ax.text(4.1, h_bus + 0.15, "(B, H)", ha="center", va="bottom", size=11, color=SHAPE)
    for x in (2.6, 9.7):  # the gates read both
        arrow(ax, (x, h_bus), (x, low - 0.5))
        arrow(ax, (x + 0.6, x_bus), (x + 0.6, low - 0.5))
    arrow(ax, (5.4, h_bus), (5.4, low - 0.5))
    arrow(ax, (7.8, x_bus), (7.8, middle - 0.5))
    for x, y in ((1.3, top), (2.6, h_bus), (5.4, h_bus), (3.2, x_bus), (7.8, x_bus)):
        ax.plot(x, y, "o", color=INK, markersize=5, zorder=3)

    box(ax, 2.9, low, "$\\sigma$   reset")
    box(ax, 5.4, low, "$W_{hn}\\,h + b_{hn}$", width=2.6)
    box(ax, 7.8, middle, "tanh", width=1.5)
    box(ax, 10.0, low, "$\\sigma$   update", width=2.2)
    circle(ax, 5.4, middle, "×")
    circle(ax, 12.0, middle, "×")
    circle(ax, 12.0, low, "1−")
    circle(ax, 10.0, top, "×")
    circle(ax, 12.0, top, "+")
    arrow(
        ax,
        (2.9, low + 0.5),
        (2.9, middle),
        (5.05, middle),
        shape="$r_t$",
        offset=(-0.2, 0.2),
        size=12,
    )
    arrow(ax, (5.4, low + 0.5), (5.4, middle - 0.35))
    arrow(ax, (5.75, middle), (7.05, middle))
    arrow(ax, (8.55, middle), (11.65, middle), shape="$n_t$", at=0.2, offset=(0, 0.2), size=12)
    arrow(
        ax, (10.0, low + 0.5), (10.0, top - 0.35), shape="$z_t$", at=0.15, offset=(0.2, 0), size=12
    )
    arrow(ax, (11.1, low), (11.65, low))
    arrow(ax, (12.0, low + 0.35), (12.0, middle - 0.35))
    arrow(ax, (12.0, middle + 0.35), (12.0, top - 0.35))
    return figure
