"""Cases for the checks of *Comparing architectures*."""

import numpy as np
import torch

from tests.exercises.cases import Case

CASES = [
    Case(
        "comparing-seeds",
        other=(torch.tensor(0.375), 11.0),
        wrong={
            "one side": ((6 / 32, 11), "whichever way"),
            "exactly four": ((10 / 32, 11), "all five agree as well"),
            "ten": ((0.375, 10), "one side"),
            "a percentage": ((37.5, 11), "percentage"),
        },
    ),
    Case(
        "reported-loss",
        other=lambda test, validation: [
            min(map(min, test.tolist())),
            float(sum(row[int(np.argmin(np.asarray(validation)))] for row in test) / len(test)),
        ],
        wrong={
            "chosen by the test plays": (
                lambda test, validation: (test.min(), test.mean(0).min()),
                "by the validation losses",
            ),
            "one seed": (
                lambda test, validation: (test.min(), test[:, int(validation.argmin())].min()),
                "mean of the seeds",
            ),
            "means alone": (
                lambda test, validation: (
                    test.mean(0).min(),
                    test[:, int(validation.argmin())].mean(),
                ),
                "the reported",
            ),
            "one number": (lambda test, validation: test.min(), "2 are expected"),
        },
    ),
]
