"""Cases for the checks of *What we were told and what we measured*."""

import torch

from tests.exercises.cases import Case


def product(p, seeds, cases):
    chance = 1.0
    for _ in range(cases):
        for _ in range(seeds):
            chance *= p
    return chance


def clamped(summed=True, both=True, norm=False, of="updates"):
    """Update by update, or with a mistake."""

    def share(gradients, T, limit=5.0):
        rows = torch.as_tensor(gradients) * (T if summed else 1)
        if norm:
            return sum(float(row.norm()) > limit for row in rows) / len(rows)
        acts = (rows > limit) | ((rows < -limit) if both else False)
        return acts.double().mean() if of == "entries" else acts.any(dim=1).double().mean()

    return share


CASES = [
    Case(
        "called-true",
        other=product,
        wrong={
            "one case": (lambda p, seeds, cases: p**seeds, "not in one"),
            "one seed": (lambda p, seeds, cases: p**cases, "all seeds"),
            "the opposite": (lambda p, seeds, cases: 1 - p ** (seeds * cases), "not called true"),
            "a sum": (lambda p, seeds, cases: p ** (seeds + cases), "every comparison"),
        },
    ),
    Case(
        "share-clamped",
        other=clamped(),
        wrong={
            "of a mean": (clamped(summed=False), "of the sum"),
            "above alone": (clamped(both=False), "other side"),
            "the norm": (clamped(norm=True), "not at the norm"),
            "of entries": (clamped(of="entries"), "not of entries"),
        },
    ),
]
