"""Cases for the checks of *Smoothing*."""

from collections import Counter

import torch

from tests.exercises.cases import Case


def discounted(twice=2, one=False, upside_down=False, left=False, weighted=False):
    """From a table of counts of counts, or with a mistake."""

    def three(counts):
        n = Counter(counts)
        if weighted:
            y = n[1] / (n[1] + 2 * n[2])
            n = Counter({r: r * times for r, times in n.items()})
        else:
            y = n[1] / (n[1] + twice * n[2])
        if one:
            return [y] * 3
        ratios = [n[r + 1] / n[r] for r in (1, 2, 3)]
        taken = [
            r - (r + 1) * y * (1 / q if upside_down else q) for r, q in enumerate(ratios, start=1)
        ]
        return [r - D for r, D in enumerate(taken, start=1)] if left else taken

    return three


def along_beta(sign=1, total=False):
    """By autograd, through the loss as a function of beta."""

    def slope(log_p, targets):
        log_p, targets = torch.as_tensor(log_p), torch.as_tensor(targets)
        beta = torch.ones((), dtype=torch.float64, requires_grad=True)
        z = beta * log_p
        loss = (z.logsumexp(1) - z.gather(1, targets[:, None])[:, 0]).mean()
        (found,) = torch.autograd.grad(loss, beta)
        return sign * found * (len(targets) if total else 1)

    return slope


CASES = [
    Case(
        "three-discounts",
        other=discounted(),
        wrong={
            "n_2 once": (discounted(twice=1), "2 n_2 below"),
            "Y alone": (discounted(one=True), "for all three"),
            "upside down": (discounted(upside_down=True), "denominator"),
            "what is left": (discounted(left=True), "what is left"),
            "characters": (discounted(weighted=True), "how many runs"),
        },
    ),
    Case(
        "slope-of-sharpening",
        other=along_beta(),
        wrong={
            "reversed": (along_beta(sign=-1), "reversed"),
            "sum": (along_beta(total=True), "not the sum"),
            "the loss": (
                lambda log_p, targets: -log_p[range(len(targets)), targets].mean(),
                "that is the loss",
            ),
        },
    ),
]
