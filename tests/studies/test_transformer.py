"""The drawings of the lesson *A small Transformer* show what they are asked to show."""

from collections import Counter

import matplotlib.pyplot as plt
import pytest
from matplotlib.colors import to_hex

from helpers.studies.transformer import (
    FEED,
    KEPT,
    SEEN,
    attention_flow,
    block_diagram,
    window_and_cache,
)


def test_queries_keys_and_values_are_reshaped_and_all_but_the_values_are_rotated():
    figure = attention_flow()
    texts = Counter(text.get_text() for text in figure.axes[0].texts)
    assert (texts["reshape"], texts["rotate"], texts["(B, n, T, d)"]) == (4, 2, 4)
    assert texts["(B, n, T, T)"] == 1
    plt.close(figure)


def test_a_block_adds_twice_to_the_stream():
    figure = block_diagram()
    texts = Counter(text.get_text() for text in figure.axes[0].texts)
    assert (texts["+"], texts["norm"], texts["matrix"], texts["(B, T, 4E)"]) == (2, 2, 2, 2)
    fills = Counter(to_hex(patch.get_facecolor()).upper() for patch in figure.axes[0].patches)
    assert fills[FEED] == 3
    plt.close(figure)


@pytest.mark.parametrize(("context", "length"), [(4, 9), (3, 9), (2, 5)])
def test_two_layers_reach_twice_as_far_as_one_and_all_but_one_position_is_cached(context, length):
    figure = window_and_cache(context, length)
    fills = Counter(to_hex(patch.get_facecolor()).upper() for patch in figure.axes[0].patches)
    assert fills[KEPT] == 2 * (context - 1)
    seen = 1 + context + 2 * (context - 1) + 1  # of the last row, of the middle, of the first
    assert fills[SEEN] + fills[KEPT] == seen
    plt.close(figure)
