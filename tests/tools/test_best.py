"""The mixtures of the longest runs: what each model makes of a text, and classes of characters."""

import numpy as np
import pytest
import torch

from helpers.models import CharRNN, predict
from helpers.ngram import NGram
from helpers.training import character_losses
from tools.runs.best import known_lengths, read, thirds, weights_for

V, RNG = 5, np.random.default_rng(0)
TEXTS = [RNG.integers(0, V, size=n) for n in (1203, 700)]


def network():
    torch.manual_seed(0)
    return CharRNN(V, embed_size=4, hidden_size=8, cell="lstm")


@pytest.mark.parametrize("model", [network(), NGram(3, V).fit(TEXTS[0][:400])])
def test_nats_are_those_of_each_text_alone_and_the_highest_probability_is_that_of_all(model):
    nats, highest = read(model, TEXTS)
    for ids, losses, most in zip(TEXTS, nats, highest, strict=True):
        assert np.allclose(losses, character_losses(model, ids, progress=False), atol=1e-5)
        with torch.no_grad():
            logits = predict(model, ids[None, :-1])[0][0]
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        assert np.allclose(np.exp(most), p.max(axis=1), atol=1e-5)


def test_the_longest_context_that_was_counted():
    counted = NGram(3, V).fit(np.array([0, 1, 2, 3]))
    # After 0; 0 1; 0 1 2; then 4 was never seen, 0 alone was, and so was 0 1, but not 4 0 1.
    assert known_lengths(counted, np.array([0, 1, 2, 4, 0, 1, 1])).tolist() == [1, 2, 3, 0, 1, 2]


def test_each_third_of_one_model_is_divided_by_those_of_the_other():
    one, other = np.array([-3.0, -1.5, -0.5, -0.5]), np.array([-0.1, -0.3, -0.9, -0.1])
    limits = [(-2, -1), (-0.5, -0.2)]
    assert thirds(([one], [other]), limits)[0].tolist() == [2, 4, 6, 8]


def test_each_class_has_the_weight_that_is_best_for_its_characters():
    sure, unsure = np.array([0.1, 0.1, 2.0, 2.0]), np.array([2.0, 2.0, 0.1, 0.1])
    both = weights_for(([sure], [unsure]), [np.zeros(4, dtype=int)])
    each = weights_for(([sure], [unsure]), [np.array([0, 0, 3, 3])])
    assert both[0] == 0.5
    assert (each[0], each[3]) == (1, 0)
