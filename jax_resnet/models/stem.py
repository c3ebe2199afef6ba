"""The stem of a network: the first convolution, and the layers between it and the first unit."""

from typing import NamedTuple

import flax.linen as nn
import jax

from jax_resnet.models.layer_factory import LayerFactory
from jax_resnet.models.max_pool import max_pool


class Stem(NamedTuple):
    """Settings of a network's stem. The defaults are for CIFAR.

    Attributes:
        channels, window, stride: output channels, kernel size and stride of the convolution.
        pool: whether the stem ends with 3x3 max pooling of stride 2 (ImageNet).
    """

    channels: int
    window: int = 3
    stride: int = 1
    pool: bool = False


class StemLayers(nn.Module):
    """The layers of a stem: `conv`, `norm`.

    Attributes:
        stem: its settings.
        activates: whether BatchNorm and ReLU follow the convolution.
        factory: makes its layers.
    """

    stem: Stem
    activates: bool
    factory: LayerFactory

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.factory.conv(self.stem.channels, self.stem.window, self.stem.stride)(x)
        if self.activates:
            x = nn.relu(self.factory.norm()(x))
        return max_pool(x) if self.stem.pool else x
