"""The n-gram model of characters, with three ways of smoothing. NumPy alone."""

from __future__ import annotations

import math

import numpy as np

from .support.arguments import ids_below, one_of, whole_number

SMOOTHINGS = ("kneser-ney", "witten-bell", "add-one")


class NGram:
    """Next-character probabilities from counts of the ``order - 1`` characters before it.

    Every smoothing interpolates. With N the count of a character after a context and n the
    sum of these counts over the V characters, each character gets a share of probability
    for its N, and the rest is distributed as by a lower-order model. A context that was
    never counted leaves all of it to the lower order.

    "add-one" (Laplace)  share N / (n + V); the lower order is the uniform distribution,
        1 / V. The sum is (N + 1) / (n + V): one count more for each character.
    "witten-bell" (Witten and Bell 1991, method C)  share N / (n + k), where k different
        characters have followed the context; the lower order is the same rule for the
        context without its first character, and below order 1 the uniform distribution.
    "kneser-ney"  modified and interpolated (Chen and Goodman 1999). Share (N - D) / n; the
        lower orders are those of Witten-Bell. In all but the longest context, N is not the
        count of a run of characters but the number of different characters that stood
        before it (``completions``), and n is the sum of these. D is one of the three
        ``discounts`` for N = 1, N = 2 and N of 3 or more.

    The beginning of a text: where fewer than ``order - 1`` characters stand before a
    position, the prediction is that of the order that fits (the first character of a text
    is followed by the prediction of order 2). In counting completions, the beginning of
    the counted text is one predecessor more, different from all characters.

    Called like every model of the book: ids (B, T), state -> logits (B, T, V), state;
    the logits are log-probabilities and the state is the last ``order - 1`` ids.
    """

    def __init__(self, order, vocab_size, smoothing="kneser-ney"):
        order, vocab_size = whole_number("order", order), whole_number("vocab_size", vocab_size)
        smoothing = one_of("smoothing", smoothing, SMOOTHINGS)
        if order * math.log2(vocab_size) >= 63:  # codes are int64
            raise ValueError(f"order {order} with {vocab_size} characters is too large to count")
        self.order, self.vocab_size, self.smoothing = order, vocab_size, smoothing
        self.counts = []  # counts[k - 1]: sorted codes of the k-grams seen, and how often
        self._tables = []  # _tables[length]: from the counts, for contexts of that length
        self._lower = []  # the same from completions, where the context is not the longest

    def fit(self, ids):
        """Count all n-grams up to the order in ids (N,); returns self."""
        ids = self._as_ids(ids)
        if len(ids) < self.order:
            raise ValueError(
                f"a text of {len(ids)} characters is too short to count {self.order}-grams"
            )
        self.counts = [
            np.unique(self._codes(ids, k), return_counts=True) for k in range(1, self.order + 1)
        ]
        self._tables = [self._table(codes, times) for codes, times in self.counts]
        self._lower = []
        if self.smoothing == "kneser-ney":
            for k in range(1, self.order):
                codes, longer = self.counts[k - 1][0], self.counts[k][0]
                endings = np.append(longer % self.vocab_size**k, self._codes(ids[:k], k))
                self._lower.append(self._table(codes, completions(codes, endings)))
        return self

    def __call__(self, ids, state=None):
        """ids (B, T), state (B, up to order - 1) or None -> log-probabilities (B, T, V), state."""
        if not self.counts:
            raise RuntimeError("the n-gram has counted nothing yet: call fit(ids) first")
        ids = self._as_ids(ids)
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
            out[at - first] = np.log(self._probabilities(contexts, length))

    def _probabilities(self, contexts, length):
        """Codes of contexts of that length (n,) -> probabilities (n, V)."""
        p = np.full((len(contexts), self.vocab_size), 1 / self.vocab_size)
        for shorter, table in self._mixed(length):
            table.add_to(p, contexts % self.vocab_size**shorter)
        return p

    def _mixed(self, length):
        """The tables for a context of that length, from the lowest order: [(length, table)]."""
        if self.smoothing == "add-one":
            return [(length, self._tables[length])]
        below = self._lower if self.smoothing == "kneser-ney" else self._tables
        return list(enumerate([*below[:length], self._tables[length]]))

    def _table(self, codes, counts):
        """The smoothing's shares for runs of characters (K,) that were counted (K,) times."""
        contexts, starts = np.unique(codes // self.vocab_size, return_index=True)  # (M,)
        ends = np.append(starts[1:], len(codes))
        total = np.add.reduceat(counts, starts)  # n of each context
        if self.smoothing == "kneser-ney":
            discount = discounts(counts)[np.minimum(counts, 3)]  # of each count
            left_over = np.add.reduceat(discount, starts)
        else:
            discount = 0.0
            left_over = ends - starts if self.smoothing == "witten-bell" else self.vocab_size
            total = total + left_over
        share = (counts - discount) / np.repeat(total, ends - starts)
        return _Table(contexts, starts, ends, codes % self.vocab_size, share, left_over / total)

    def _as_ids(self, ids):
        """The ids as int64, in which codes of many characters fit; refused if one is none."""
        return ids_below(ids, self.vocab_size).astype(np.int64, copy=False)

    def _codes(self, ids, k):
        """Each run of k ids as one number in base V: (N,) -> (N - k + 1,); zeros for k = 0."""
        if k == 0:
            return np.zeros(len(ids) + 1, dtype=np.int64)
        windows = np.lib.stride_tricks.sliding_window_view(ids, k)  # (N - k + 1, k)
        return windows @ (self.vocab_size ** np.arange(k - 1, -1, -1, dtype=np.int64))


class _Table:
    """For M contexts: their followers lie from ``starts`` to ``ends`` among K, each with
    a share; ``rest`` is the weight of the lower order, so that all sum to one."""

    def __init__(self, contexts, starts, ends, followers, share, rest):
        self.contexts, self.starts, self.ends, self.rest = contexts, starts, ends, rest  # (M,)
        self.followers, self.share = followers, share  # (K,)

    def add_to(self, p, contexts):
        """Interpolate with the lower order p (n, V), in place, where contexts (n,) are known.

        The work and the memory grow with the followers that were seen, not with V.
        """
        at = np.searchsorted(self.contexts, contexts).clip(max=len(self.contexts) - 1)
        rows = np.flatnonzero(self.contexts[at] == contexts)
        at = at[rows]
        p[rows] *= self.rest[at, None]
        sizes = self.ends[at] - self.starts[at]
        # For each row in turn the places starts, starts + 1, ... ends - 1.
        places = np.arange(sizes.sum()) + np.repeat(self.ends[at] - sizes.cumsum(), sizes)
        p[np.repeat(rows, sizes), self.followers[places]] += self.share[places]


def completions(codes, endings):
    """How many different characters stood before each run of k characters: (K,), 1 or more.

    codes (K,) of all k-grams, sorted; endings: the code of the last k characters of each
    different (k + 1)-gram, and the k-gram at the beginning of the text, before which there
    is the beginning itself.
    """
    return np.bincount(np.searchsorted(codes, endings), minlength=len(codes))


def discounts(counts):
    """The discounts of a count of 0, 1, 2 and 3 or more: (4,), from counts (K,) above 0.

    With n1, n2, n3, n4 for the number of counts that are 1, 2, 3, 4, and
    Y = n1 / (n1 + 2 n2), Chen and Goodman (1999) take

        1 - 2 Y n2 / n1,    2 - 3 Y n3 / n2,    3 - 4 Y n4 / n3.

    None of them can be above its count. If one of the four numbers is
    zero, or a discount comes out at 0 or below, all three are Y, the single discount of Ney,
    Essen and Kneser (1994). If n1 or n2 is zero, Y says nothing, and all three are 0.5.
    """
    n1, n2, n3, n4 = np.bincount(counts, minlength=5)[1:5].tolist()
    if not (n1 and n2):
        return np.array([0, 0.5, 0.5, 0.5])
    y = n1 / (n1 + 2 * n2)
    if n3 and n4:
        three = [1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3]
        if min(three) > 0:
            return np.array([0, *three])
    return np.array([0, y, y, y])
