"""Numbers that are the same everywhere and always: NumPy's legacy generator, seeded by a name."""

import zlib
from pathlib import Path

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
    """16 squares of photographs: float32 [16, size, size, 3], from -1 to 1, with a size of at most 64.

    `photographs.npz` has squares of scikit-learn's two sample images: china.jpg by danielbuechele and flower.jpg by
    vultilion, both on Flickr, licence CC BY 2.0.
    """
    with np.load(Path(__file__).with_name('photographs.npz')) as file:
        return file['squares'][:, :size, :size].astype(np.float32) / 127.5 - 1


def sample(x: np.ndarray) -> np.ndarray:
    """At most 20 numbers of an array."""
    return x.ravel()[:: max(1, x.size // 20)][:20]
