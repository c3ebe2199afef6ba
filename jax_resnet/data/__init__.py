"""Data sets, the order in which training sees them, and what the network sees of them."""

from jax_resnet.data.preprocessing import Augmentation, CentreView, Normalization
from jax_resnet.data.sources import SHAPES, SOURCES, Examples, Source, open_source

__all__ = ['SHAPES', 'SOURCES', 'Augmentation', 'CentreView', 'Examples', 'Normalization', 'Source', 'open_source']
