"""Cases for the checks of *Is it memorising?*."""

from math import log2

from tests.exercises.cases import Case


def one_by_one(p, n, N):
    same = sum(float(x) ** 2 for x in p)
    for _ in range(n):
        N = N * same
    return N


def in_order(ties=0.5, share=True):
    """Counted pair by pair, with a mistake or without."""

    def probability(trained, left_out):
        found = sum((a < b) + ties * (a == b) for a in trained for b in left_out)
        return found / (len(trained) * len(left_out)) if share else found

    return probability


CASES = [
    Case(
        "membership",
        other=in_order(),
        wrong={
            "the other way round": (lambda a, b: in_order()(b, a), "sign of a trained page"),
            "ties lost": (in_order(ties=0), "counts one half"),
            "ties won": (in_order(ties=1), "only one half"),
            "a number": (in_order(share=False), "not their number"),
        },
    ),
    Case(
        "chance-matches",
        other=one_by_one,
        wrong={
            "one place": (lambda p, n, N: (p**2).sum() ** n, "how many are there"),
            "even": (lambda p, n, N: N * len(p) ** -float(n), "uniformly"),
            "commonest": (lambda p, n, N: N * max(p) ** n, "commonest"),
            "entropy": (
                lambda p, n, N: N * 2 ** (n * sum(float(x) * log2(float(x)) for x in p)),
                "two draws",
            ),
            "n times": (lambda p, n, N: N * n * (p**2).sum(), "one after the other"),
        },
    ),
]
