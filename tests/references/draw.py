"""Numbers that are the same everywhere and always: NumPy's legacy generator, seeded by a name."""

import zlib

import numpy as np


def draw(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A parameter, statistic or batch of that name: float64, of a size that keeps activations near 1."""
    x = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape)
    leaf = name.rpartition('/')[2]
    if leaf == 'kernel':
        return x * np.sqrt(1.5 / np.prod(shape[:-1]))
    if leaf in ('scale', 'var'):
        return 1 + 0.3 * np.tanh(x)
    return 0.3 * x if leaf in ('bias', 'mean') else x
