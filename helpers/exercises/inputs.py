"""Fresh random inputs for a reader's function; global random states stay as they are."""

import numpy as np


def random_sizes(count, low=2, high=9):
    """``count`` whole numbers that all differ, in random order."""
    return [int(n) for n in np.random.default_rng().permutation(np.arange(low, high))[:count]]


def normal(*shape, scale=1.0):
    """Fresh normal numbers (shape); the global random state is left alone."""
    return scale * np.random.default_rng().standard_normal(shape)


def probabilities(*shape):
    """Random probabilities (shape) that sum to 1 over the last axis."""
    p = np.exp(1.5 * normal(*shape))
    return p / p.sum(axis=-1, keepdims=True)
