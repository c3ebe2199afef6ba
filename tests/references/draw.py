"""Numbers that are the same everywhere and always: NumPy's legacy generator, seeded by a name."""

import zlib

import numpy as np
from sklearn.datasets import load_sample_images


def draw(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A parameter, statistic or batch of that name: float64, of a size that keeps activations near 1."""
    x = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape)
    leaf = name.rpartition('/')[2]
    if leaf == 'kernel':
        return x * np.sqrt(1.5 / np.prod(shape[:-1]))
    if leaf in ('scale', 'var'):
        return 1 + 0.3 * np.tanh(x)
    return 0.3 * x if leaf in ('bias', 'mean') else x


def draw_pytorch(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The tensor of that name and shape in a PyTorch network: float32."""
    x = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape)
    if len(shape) > 1:
        x = x * np.sqrt(1.5 / np.prod(shape[1:]))
    elif name.endswith(('.weight', 'var')):
        x = (0.7 if name.endswith('.weight') else 1) + 0.2 * np.tanh(x)  # or the sums of many units would explode
    else:
        x = 0.3 * x
    return x.astype(np.float32)


def real_images(size: int) -> np.ndarray:
    """16 squares cut from scikit-learn's two photographs: float32 [16, size, size, 3], from -1 to 1."""
    photographs = load_sample_images().images
    corners = [(top, left) for top in (40, 280) for left in (30, 180, 330, 480)]
    squares = [photo[top : top + size, left : left + size] for photo in photographs for top, left in corners]
    return np.stack(squares).astype(np.float32) / 127.5 - 1


def sample(x: np.ndarray) -> np.ndarray:
    """At most 20 numbers of an array."""
    return x.ravel()[:: max(1, x.size // 20)][:20]
