"""The stem: the first convolution, and what follows it before the first unit."""

from typing import NamedTuple

import flax.linen as nn
import jax

from jax_resnet.models.parts import Parts


class Stem(NamedTuple):
    """What a network's stem is: by default CIFAR's.

    Attributes:
        channels, window, stride: of the convolution.
        pool: whether a 3x3 max pooling of stride 2 ends it (ImageNet).
    """

    channels: int
    window: int = 3
    stride: int = 1
    pool: bool = False


class StemLayers(nn.Module):
    """A stem's layers: `conv`, `norm`.

    Attributes:
        stem: what it is.
        activates: whether BatchNorm and ReLU follow the convolution.
        parts: what it is built with.
    """

    stem: Stem
    activates: bool
    parts: Parts

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.parts.conv(self.stem.channels, self.stem.window, self.stem.stride)(x)
        if self.activates:
            x = nn.relu(self.parts.norm()(x))
        return nn.max_pool(x, (3, 3), (2, 2), ((1, 1), (1, 1))) if self.stem.pool else x
