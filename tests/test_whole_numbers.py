"""Whole numbers as arguments: all functions of helpers take and refuse the same ones."""

import math

import numpy as np
import pytest
import torch

from helpers.corpus import disjoint_windows, load_corpus
from helpers.gates import gate_effect, record_gates
from helpers.models import CharRNN
from helpers.ngram import NGram
from helpers.plotting import smooth
from helpers.statistics import block_bootstrap
from helpers.studies import elsewhere
from helpers.studies.memorisation import share_seen

V = 5
IDS = np.random.default_rng(0).integers(V, size=120)
TEXT = "".join("abcde"[i] for i in IDS)
SERIES = np.arange(120.0)
MASKS = {"mask_a": SERIES % 3 == 0, "mask_b": SERIES % 3 == 1}
LSTM = CharRNN(V, 3, 4, cell="lstm", num_layers=6)
SIZES = {"vocab_size": V, "embed_size": 3, "hidden_size": 4}


class Unbuilt(elsewhere.JaxCharLSTM):
    """What the models of all three frameworks have in common, without a framework."""

    def _build(self, seed):
        self.seed = seed


def ngram(order=2, vocab_size=V):
    return NGram(order, vocab_size).fit(IDS % 4)(IDS[None] % 4)[0]


def bootstrap(block=6, resamples=40, seed=0):
    return block_bootstrap(np.mean, SERIES, block=block, resamples=resamples, seed=seed)


def effect(block=6, resamples=40, seed=0):
    return gate_effect(SERIES[:, None], **MASKS, block=block, resamples=resamples, seed=seed)


# (function, argument): what to call, with a whole number to call it with
CASES = {
    (load_corpus, "limit"): (lambda limit: load_corpus("austen", limit).text, 4),
    (disjoint_windows, "seq_len"): (lambda seq_len: disjoint_windows(IDS, seq_len), 4),
    (NGram, "order"): (ngram, 4),
    (NGram, "vocab_size"): (ngram, 4),
    (block_bootstrap, "block"): (bootstrap, 4),
    (block_bootstrap, "resamples"): (bootstrap, 44),
    (block_bootstrap, "seed"): (bootstrap, 4),
    (record_gates, "layer"): (lambda layer: record_gates(LSTM, IDS, layer), 4),
    (gate_effect, "block"): (effect, 4),
    (gate_effect, "resamples"): (effect, 44),
    (gate_effect, "seed"): (effect, 4),
    (smooth, "width"): (lambda width: smooth(SERIES, width), 4),
    (share_seen, "length"): (lambda length: share_seen(TEXT, TEXT[::-1], length), 4),
}
for argument in ("vocab_size", "embed_size", "hidden_size", "seed"):
    CASES[elsewhere.JaxCharLSTM, argument] = (lambda **more: vars(Unbuilt(**SIZES | more)), 4)

NONE_IS_ALLOWED = {(load_corpus, "limit"), (elsewhere.JaxCharLSTM, "seed")}
FROM_ZERO = {"seed", "layer"}
REFUSED = [
    -1, 2.5, True, np.True_, math.nan, math.inf, -math.inf, "4", "", [4], (), {}, np.zeros(2),
    4 + 0j, ...,
]  # fmt: skip

every_case = pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c[0].__name__}({c[1]})")


@every_case
def test_a_whole_number_may_be_of_any_type(case):
    call, number = CASES[case]
    expected = call(**{case[1]: number})
    for of_type in (float, np.int64, np.uint8, np.float32, np.array, torch.tensor):
        np.testing.assert_equal(call(**{case[1]: of_type(number)}), expected)


@every_case
def test_anything_else_is_refused_in_the_same_words(case):
    call, argument = CASES[case][0], case[1]
    refused = REFUSED + [0] * (argument not in FROM_ZERO) + [None] * (case not in NONE_IS_ALLOWED)
    for value in refused:
        with pytest.raises(ValueError, match=rf"^{argument}\b.* must be a whole number (of|from) "):
            call(**{argument: value})
