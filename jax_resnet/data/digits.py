"""The handwritten digits of UCI, which lie in this package: no download is needed.

`digits.npz` has the 1,797 images of the test set of "Optical Recognition of Handwritten Digits" by E. Alpaydin and C.
Kaynak (UCI Machine Learning Repository, https://doi.org/10.24432/C50P49, licence CC BY 4.0), 8x8 pixels with 17 grey
levels. Their order here is a draw, stratified by digit: the first 1,437 are for training, the others for the test.
"""

from pathlib import Path

import numpy as np

from jax_resnet.data.sources import Examples

SPLITS = {'train': 1_437, 'test': 360}


def load(split: str) -> Examples:
    """Reads a split. Its images are enlarged to 16x16 by repeating pixels, and have grey levels from 0 to 255."""
    chosen = slice(0, SPLITS['train']) if split == 'train' else slice(SPLITS['train'], None)
    with np.load(Path(__file__).with_name('digits.npz'), allow_pickle=False) as file:
        images, labels = file['images'][chosen], file['labels'][chosen]
    images = np.round(images * (255 / 16)).astype(np.uint8).repeat(2, axis=1).repeat(2, axis=2)
    return Examples(images[..., None], labels.astype(np.int32))
