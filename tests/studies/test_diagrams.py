"""The primitives of the diagrams: what is asked for is on the canvas, where it was asked for."""

import matplotlib.pyplot as plt
import pytest

from helpers.studies.diagrams import arrow, box, canvas, circle


@pytest.fixture
def ax():
    figure, ax = canvas(10, 5)
    yield ax
    plt.close(figure)


def test_box_and_circle_stand_around_their_text(ax):
    box(ax, 3, 2, "cell", width=2, height=1)
    circle(ax, 7, 2, "×")
    square, disc = ax.patches
    assert square.get_bbox().bounds == (2, 1.5, 2, 1)
    assert disc.center == (7, 2)
    assert [t.get_text() for t in ax.texts] == ["cell", "×"]


def test_an_arrow_ends_at_its_last_point_and_names_its_shape(ax):
    arrow(ax, (1, 1), (1, 4), (5, 4), (5, 3), shape="(B, H)", at=1, offset=(0.5, 0))
    head, label = ax.texts
    assert (head.xy, head.xyann) == ((5, 3), (5, 4))
    assert [list(map(tuple, line.get_xydata())) for line in ax.lines] == [
        [(1, 1), (1, 4)],
        [(1, 4), (5, 4)],
    ]
    assert (label.get_text(), label.get_position()) == ("(B, H)", (5.5, 3))
