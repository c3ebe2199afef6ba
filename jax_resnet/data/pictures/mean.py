"""The mean image of a streamed data set, which the papers subtract. It is computed once and cached."""

from dataclasses import replace
from hashlib import sha256

import numpy as np

from jax_resnet.data import cache
from jax_resnet.data.pictures.batches import Batches, iterate

MOST_PICTURES = 10_000
"""Maximum number of pictures in the mean. They are drawn at random from the split."""


def mean_image(batches: Batches, key: str, threads: int = 0, processes: int = 0) -> np.ndarray:
    """The mean of MOST_PICTURES views, or of all if there are fewer: float64 [size, size, 3], pixels from 0 to 255.

    Args:
        batches: batches of the split, in a random order.
        key: part of the cache key; it must differ for different pictures.
        threads, processes: as for `iterate`.
    """
    count = min(MOST_PICTURES, len(batches.pictures))
    drawn = replace(batches, count=-(-count // batches.batch_size))

    def make() -> dict[str, np.ndarray]:
        total, remaining = np.zeros((batches.size, batches.size, 3)), count
        for batch in iterate(drawn, 0, threads, processes):
            total += batch.images[:remaining].sum(0, dtype=np.float64)
            remaining -= len(batch.images[:remaining])
        return {'mean': total / count}

    about = repr((key, drawn.crop, drawn.size, drawn.interpolation, drawn.exif_rotation))
    return cache.load(f'mean-{sha256(about.encode()).hexdigest()[:32]}', make)['mean']
