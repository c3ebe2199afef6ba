"""Data sets, the order of their examples in training, and the preprocessing of their images."""

from jax_resnet.data.datasets import DATASETS, image_shape, open_source
from jax_resnet.data.sources import Examples, PictureSource, Source

__all__ = ['DATASETS', 'Examples', 'PictureSource', 'Source', 'image_shape', 'open_source']
