"""The check of the page *The same model elsewhere*; it needs no other framework."""

import numpy as np

from .answers import call, compare
from .inputs import normal, random_sizes
from .judging import register


@register("split-bias")
def split_bias(answer):
    """moved(slope (G,), rest, n, lr, limit) -> how far the sum of n equal biases moves, (G,)."""
    for limit in (1e9, 2.0, 2.0):
        (G,) = random_sizes(1, low=3)
        n, lr, slope = int(np.random.default_rng().integers(2, 6)), 0.1, normal(G)
        rest = 4.0
        own = (slope**2).sum()

        def step(parts, counted, limit=limit, lr=lr, slope=slope, own=own, rest=rest):
            length = np.sqrt(counted * own + rest**2)
            return -parts * lr * slope * min(1, limit / length)

        slips = {
            "each part moves, and the moves are added": step(1, n),
            "the gradient is not shared out: each part has all of it": step(1, 1),
            "the parts make the whole gradient longer": step(n, 1),
            "lengths are added as squares": step(n, n**2),
            "descent goes against the gradient": -step(n, n),
        }
        compare(call(answer, slope, rest, n, lr, limit), step(n, n), "the step", slips)
