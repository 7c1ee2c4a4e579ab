"""The drawings of the lesson *LSTM* show what they are asked to show."""

from collections import Counter

import matplotlib.pyplot as plt
import pytest

from helpers.studies.lstm import lstm_cell, tank


@pytest.mark.parametrize(
    ("valves", "heads"),
    [
        ((0, 1, 0), []),
        ((1, 1, 0), [(0.3, 1.05)]),
        ((0, 0, 0), [(0.7, -0.6)]),
        ((1, 0, 1), [(0.3, 1.05), (0.7, -0.6), (1.65, 0.25)]),
    ],
)
def test_an_open_valve_is_an_arrow_and_a_shut_one_a_bar(valves, heads):
    figure, ax = plt.subplots()
    tank(ax, "a tank", 0.4, 0.4, *valves)
    assert [text.xy for text in ax.texts] == heads
    bars = [line for line in ax.lines if line.get_linewidth() == 4]
    assert len(bars) == 3 - len(heads)
    plt.close(figure)


def test_every_state_and_gate_of_the_cell_has_its_shape():
    figure = lstm_cell()
    texts = Counter(text.get_text() for text in figure.axes[0].texts)
    assert texts["(B, H)"] == 8  # four gates; c and h, old and new
    assert texts["(B, E)"] == 1
    assert [texts[name] for name in ("×", "+", "tanh")] == [3, 1, 1]
    assert texts["tanh\n$g_t$"] == 1
    plt.close(figure)
