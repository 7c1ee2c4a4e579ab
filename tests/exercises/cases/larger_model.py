"""Cases for the checks of *More text, more weights*."""

import math

import numpy as np
import torch

from tests.exercises.cases import Case


def mixed(share_first=True, of="probabilities", mean=True):
    """The loss of a mixture in torch, or with a mistake."""

    def loss(log_p, log_q, share):
        log_p, log_q = torch.as_tensor(log_p), torch.as_tensor(log_q)
        if not share_first:
            log_p, log_q = log_q, log_p
        if of == "losses":
            return -(share * log_p + (1 - share) * log_q).mean()
        if of == "texts":
            return -math.log((share * log_p.exp() + (1 - share) * log_q.exp()).mean())
        parts = torch.stack([log_p + math.log(share), log_q + math.log(1 - share)])
        each = torch.logsumexp(parts, dim=0)
        return -each.mean() if mean else -each.sum()

    return loss


def stop(late=0, keep="best", rises=False):
    """Stopping with patience, or with a mistake."""

    def stopped(losses, patience):
        losses = [float(x) for x in losses]
        waited, at = 0, len(losses) - 1
        for k in range(1, len(losses)):
            good = losses[k] < (losses[k - 1] if rises else min(losses[:k]))
            waited = 0 if good else waited + 1
            if waited == patience + late:
                at = k
                break
        best = min(range(at + 1), key=losses.__getitem__)
        whole = min(range(len(losses)), key=losses.__getitem__)
        return at, {"best": best, "last": at, "whole": whole}[keep]

    return stopped


CASES = [
    Case(
        "next-doublings",
        other=(torch.tensor(1.61), 1.455),
        wrong={
            "each character": ((1.516, 0.671), "step to the right"),
            "all the way": ((1.577, 1.366), "use its end"),
            "one doubling for both": ((1.608, 1.608), "how many doublings"),
            "nothing more": ((1.7, 1.7), "lowers the loss as well"),
            "one number": (1.6, "two numbers"),
        },
    ),
    Case(
        "runs-needed",
        other=lambda R, share: -R * np.log1p(-share),
        wrong={
            "the other share": (lambda R, share: -R * math.log(share), "missing share"),
            "none twice": (lambda R, share: R * share, "came twice"),
            "base 2": (lambda R, share: -R * math.log2(1 - share), "natural logarithm"),
            "sign": (lambda R, share: R * math.log(1 - share), "sign"),
        },
    ),
    Case(
        "one-more-run",
        other=lambda p, m: sum(float(q) * (1 - (1 - q) ** (m + 1)) - q * (1 - (1 - q) ** m)
                               for q in p),
        wrong={
            "p once": (lambda p, m: (p * (1 - p) ** m).sum(), "counts twice"),
            "one too many": (lambda p, m: (p**2 * (1 - p) ** (m + 1)).sum(), "not after m + 1"),
            "known": (lambda p, m: (p * (1 - (1 - p) ** m)).sum(), "what is added"),
        },
    ),
    Case(
        "mixture-loss",
        other=mixed(),
        wrong={
            "the other way round": (mixed(share_first=False), "first model"),
            "losses": (mixed(of="losses"), "probabilities"),
            "whole texts": (mixed(of="texts"), "mean of the logarithms"),
            "a sum": (mixed(mean=False), "number of characters"),
        },
    ),
    Case(
        "four-leaks",
        other=("Other units", "a peek ", "overlap", "training loss"),
        wrong={
            "exchanged": (("other units", "overlap", "a peek", "training loss"), "while it writes"),
            "units": (("training loss", "a peek", "overlap", "other units"), "uniform"),
            "other words": (("base 10", "a peek", "overlap", "training loss"), "one of"),
        },
    ),
    Case(
        "stopped-at",
        other=stop(),
        wrong={
            "one too late": (stop(late=1), "too late"),
            "the last ones": (stop(keep="last"), "lowest loss are kept"),
            "of all": (stop(keep="whole"), "nothing after the stop"),
            "rises in a row": (stop(rises=True), "lowest loss, not the last"),
            "one number": (lambda losses, patience: int(losses.argmin()), "two places"),
        },
    ),
]  # fmt: skip
