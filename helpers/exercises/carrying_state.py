"""Checks of the chapter *Carrying the state*."""

import numpy as np
import torch

from .answers import NotRight, Raised, as_array, call, compare, number, parts, truth
from .inputs import normal, random_sizes
from .judging import register

BATCHES = 47  # of 64 windows of 50, and of 320 windows of 10, in an epoch


@register("cold-starts", wants="value")
def cold_starts(answer):
    """Cold starts of an epoch: T = 50 shuffled and in streams, T = 10 the same, one stream."""
    answer = parts(answer, 5, "five numbers")
    wanted = (
        ("windows of 50, shuffled", 64 * BATCHES, 64),
        ("windows of 50, in streams", 64, 64),
        ("windows of 10, shuffled", 320 * BATCHES, 320),
        ("windows of 10, in streams", 320, 320),
        ("one stream", 1, 1),
    )
    for given, (name, right, rows) in zip(answer, wanted, strict=True):
        slips = {
            "that is one for each batch; a batch has many rows": BATCHES,
            "that is a row's first window alone; every window starts from zero here": rows,
            "the state goes on from batch to batch": rows * BATCHES,
            "that counts the characters, not the cold starts": 64 * BATCHES * 50,
            "that is the share": 1 / 50 if rows == 64 else 1 / 10,
            "even the first window starts from somewhere": 0,
        }
        number(given, right, slips, rtol=1e-9, name=name)


@register("record-price")
def record_price(answer):
    """prices(n, T) -> the n-th update, all n, all n with detach."""
    for _ in range(3):
        n, T = random_sizes(2, low=3, high=30)
        last, total = n * T, T * n * (n + 1) / 2
        names = ("the n-th update", "the sum over all updates", "the sum with detach")
        slips = {
            "it goes back through all windows so far": (T, None, None),
            "the updates are not all as long as the last": (None, n * n * T, None),
            "the first update goes back through one window": (None, T * n * (n - 1) / 2, None),
            "do characters count, or windows?": (n, n * (n + 1) / 2, n),
            "that is one update; all together are asked for": (None, None, T),
        }
        compare(call(answer, n, T), (last, total, last), names, slips)


@register("handed-on")
def handed_on(answer):
    """handed_on((h, c)), each (1, B, H) -> rolled by one row, the first row zero, detached."""
    for _ in range(2):
        B, H = random_sizes(2, low=3)
        parts = normal(1, B, H), normal(1, B, H)

        def moved(part, step):
            new = np.roll(part, step, axis=1)
            new[:, 0 if step > 0 else -1] = 0
            return new

        wrong = {
            "reversed: row 1 continues where row 0 stopped": [moved(p, -1) for p in parts],
            "reversed, and the last has no predecessor": [np.roll(p, -1, axis=1) for p in parts],
            "row 0 has no predecessor": [np.roll(p, 1, axis=1) for p in parts],
            "this rolls the units, not the rows": [np.roll(p, 1, axis=2) for p in parts],
            "nothing has moved": parts,
            "no state is passed on": [0 * p for p in parts],
        }
        slips = {name: tuple(both) for name, both in wrong.items()}
        expected = tuple(moved(p, 1) for p in parts)
        compare(call(answer, parts), expected, ("h", "c"), slips)
    carried = tuple(torch.ones(1, 3, 2, requires_grad=True) * 2 for _ in "hc")
    try:
        got = call(answer, carried)
    except Raised:
        return  # written in NumPy: there is no gradient to be cut
    if any(isinstance(part, torch.Tensor) and part.requires_grad for part in got):
        raise NotRight("the state is not detached: a gradient would go back into the last epoch")


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


@register("some-reset")
def some_reset(answer):
    """some_reset((h, c), hit (B,)), (1, B, H) each -> the same with zeros in the rows hit."""
    for _ in range(3):
        B, H = random_sizes(2, low=4)
        parts, hit = (normal(1, B, H), normal(1, B, H)), np.arange(B) % 3 == 1
        kept = ~hit[:, None]
        units = np.arange(H) % 3 == 1
        wrong = {
            "the rows that were not hit are zero": [p * ~kept for p in parts],
            "nothing is zero": parts,
            "if one row is hit, the others keep their state": [0 * p for p in parts],
            "these are units and not rows": [p * ~units for p in parts],
        }
        slips = {name: tuple(both) for name, both in wrong.items()}
        expected = tuple(p * kept for p in parts)
        compare(call(answer, parts, hit), expected, ("h", "c"), slips)
