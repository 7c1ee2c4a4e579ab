"""Checks of the page *Carrying the state*."""

import numpy as np

from .answers import NotRight, as_array, call, compare, number, parts, truth
from .inputs import random_sizes
from .judging import register


@register("loader-order", wants="value")
def loader_order(answer):
    """Two window numbers, and goes_on(batches (n, B)) -> bool."""
    answer = parts(answer, 2, "two window numbers and a function")
    windows = as_array(answer[0], "the window numbers of batch 0 and batch 1", (2,))
    number(windows[0], 0, name="row 0 in batch 0", rtol=1e-9)
    slips = {"that is what a stream reads; here the next row has it": 1}
    number(windows[1], 64, slips, name="row 0 in batch 1", rtol=1e-9)
    for _ in range(3):
        batches, B = random_sizes(2, low=4, high=9)
        right = np.arange(batches * B).reshape(B, batches).T
        late = right.copy()
        late[-1, -1] += 1
        once = right.copy()
        once[batches // 2 :, 1] += 1
        cases = (
            (right, True, "a stream is refused"),
            (right + 5, True, "a stream need not begin with window 0"),
            (right.T[::-1].T, True, "which row reads which stretch does not matter"),
            (right.reshape(-1).reshape(batches, B) * 0 + np.arange(batches * B).reshape(batches, B),
             False, "the friend's order passes"),
            (np.random.default_rng().permutation(batches * B).reshape(batches, B),
             False, "a shuffled order passes"),
            (right[::-1], False, "windows in reverse pass"),
            (late, False, "one wrong window in the last batch passes"),
            (once, False, "a gap in one row passes"),
        )  # fmt: skip
        for order, expected, complaint in cases:
            if truth(call(answer[1], order), "the answer for all rows together") != expected:
                raise NotRight(complaint)


@register("break-among")
def break_among(answer):
    """break_among(read (n, 64), k, line_break) -> (n,) of true and false."""
    rng = np.random.default_rng()
    for k in (3, 8, 20):
        line_break = int(rng.integers(1, 5))
        read = rng.integers(0, 40, (50, 64))
        read[::3, k] = line_break  # is to be predicted, and does not count
        read[1::3, k - 1] = line_break  # has been read last
        read[2::7, 0] = line_break
        read[3::7, 1] = line_break
        found = read == line_break
        slips = {
            "the character to be predicted has not been read yet": found[:, : k + 1].any(axis=1),
            "the last of the k characters counts, too": found[:, : k - 1].any(axis=1),
            "the first of the k characters counts, too": found[:, 1:k].any(axis=1),
            "those read within k are asked for, not all": found.any(axis=1),
            "that asks whether all of them are": found[:, :k].all(axis=1),
            "that asks about the last one alone": found[:, k - 1],
            "true where there is one": ~found[:, :k].any(axis=1),
        }
        slips = {name: wrong.astype(float) for name, wrong in slips.items()}
        got = call(answer, read, k, line_break)
        compare(got, found[:, :k].any(axis=1), "the answer for each row", slips)
