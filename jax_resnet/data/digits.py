"""The handwritten digits in scikit-learn. This data set needs no download."""

import numpy as np

from jax_resnet.data.sources import Examples

SPLITS = {'train': 1_437, 'test': 360}
"""Sizes of the two splits of the 1,797 images. The splits are stratified by digit and always the same."""


def decode(split: str) -> Examples:
    """A split of scikit-learn's 1,797 digits: 8x8 pixels with 17 grey levels, enlarged to 16x16 by repeating pixels."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    images = np.round(digits.images * (255 / 16)).astype(np.uint8).repeat(2, axis=1).repeat(2, axis=2)
    numbers = np.arange(len(images))
    train, test = train_test_split(numbers, test_size=SPLITS['test'], stratify=digits.target, random_state=0)
    chosen = {'train': train, 'test': test}[split]
    return Examples(images[chosen, ..., None], digits.target[chosen].astype(np.int32))
