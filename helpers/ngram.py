"""Counting: the n-gram model of characters. NumPy alone."""

from __future__ import annotations

import numpy as np

SMOOTHINGS = ("add-one",)


class NGram:
    """Next-character probabilities from counts of the ``order - 1`` characters before it.

    Order 1 is character frequencies. Add-one (Laplace) smoothing gives each of the V
    characters one count more than was seen. Where less text stands before a position than
    the order looks at, the counts of the shorter context are used.

    Called like every model of the book: ids (B, T), state -> logits (B, T, V), state;
    the logits are log-probabilities and the state is the last ``order - 1`` ids.
    """

    def __init__(self, order, vocab_size, smoothing="add-one"):
        if isinstance(order, bool) or int(order) != order or order < 1:
            raise ValueError(f"order must be a whole number of at least 1, not {order!r}")
        if smoothing not in SMOOTHINGS:
            known = ", ".join(map(repr, SMOOTHINGS))
            raise ValueError(f"smoothing must be one of {known}, not {smoothing!r}")
        if vocab_size**order >= 2**63:
            raise ValueError(f"order {order} with {vocab_size} characters is too large to count")
        self.order, self.vocab_size, self.smoothing = order, vocab_size, smoothing
        self.counts = []  # counts[k]: sorted codes of the (k + 1)-grams seen, and how often

    def fit(self, ids):
        """Count all n-grams up to the order in ids (N,); returns self."""
        ids = np.asarray(ids, dtype=np.int64)
        if len(ids) < self.order:
            raise ValueError(
                f"a text of {len(ids)} characters is too short to count {self.order}-grams"
            )
        self.counts = [
            np.unique(self._codes(ids, k), return_counts=True) for k in range(1, self.order + 1)
        ]
        return self

    def __call__(self, ids, state=None):
        """ids (B, T), state (B, up to order - 1) or None -> log-probabilities (B, T, V), state."""
        if not self.counts:
            raise RuntimeError("the n-gram has counted nothing yet: call fit(ids) first")
        ids = np.asarray(ids, dtype=np.int64)
        past = ids[:, :0] if state is None else state  # (B, S)
        text = np.concatenate([past, ids], axis=1)  # (B, S + T)
        logits = np.empty((*ids.shape, self.vocab_size))
        for row, out in zip(text, logits, strict=True):
            self._log_probabilities(row, out, past.shape[1])
        keep = min(self.order - 1, text.shape[1])
        return logits, text[:, text.shape[1] - keep :]

    def _log_probabilities(self, row, out, first):
        """Fill out (T, V) for the positions of row from ``first`` on."""
        lengths = np.minimum(np.arange(1, len(row) + 1), self.order - 1)  # of each context
        for length in np.unique(lengths[first:]):
            at = first + np.flatnonzero(lengths[first:] == length)
            contexts = self._codes(row, length)[at - length + 1]  # those that end at `at`
            out[at - first] = self._smoothed(contexts, length)

    def _smoothed(self, contexts, length):
        """Codes of contexts of that length (n,) -> log-probabilities (n, V)."""
        codes = contexts[:, None] * self.vocab_size + np.arange(self.vocab_size)  # (n, V)
        seen, times = self.counts[length]
        at = np.searchsorted(seen, codes).clip(max=len(seen) - 1)
        counts = np.where(seen[at] == codes, times[at], 0) + 1.0
        return np.log(counts / counts.sum(axis=1, keepdims=True))

    def _codes(self, ids, k):
        """Each run of k ids as one number in base V: (N,) -> (N - k + 1,); zeros for k = 0."""
        if k == 0:
            return np.zeros(len(ids) + 1, dtype=np.int64)
        windows = np.lib.stride_tricks.sliding_window_view(ids, k)  # (N - k + 1, k)
        return windows @ (self.vocab_size ** np.arange(k - 1, -1, -1, dtype=np.int64))
