"""The drawing of the lesson *An LSTM in NumPy* is the backward pass."""

from collections import Counter

import matplotlib.pyplot as plt

from helpers.studies.numpy_lstm import GATES, backward_step


def arrows(ax):
    """Where the arrows of a drawing begin and end: ((x, y), (x, y)) each."""
    return [(a.xyann, a.xy) for a in ax.texts if getattr(a, "arrow_patch", None) is not None]


def test_no_arrow_of_the_backward_pass_leads_up_and_each_gate_gets_a_gradient():
    figure = backward_step()
    drawn = arrows(figure.axes[0])
    assert len(drawn) > 20
    assert all(end[1] <= start[1] for start, end in drawn)
    ends = Counter(end for _, end in drawn)
    assert all(ends[x, 7.0] == 1 for x in GATES.values())
    plt.close(figure)


def test_two_gradients_meet_at_each_plus():
    figure = backward_step()
    ax = figure.axes[0]
    plus = [text.get_position() for text in ax.texts if text.get_text() == "+"]
    assert len(plus) == 2
    for x, y in plus:
        near = [e for _, e in arrows(ax) if abs(e[0] - x) < 0.4 and abs(e[1] - y) < 0.4]
        assert len(near) == 2
    plt.close(figure)
