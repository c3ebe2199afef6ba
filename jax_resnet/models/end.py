"""The end of a network: average pooling turns the last unit's output into features."""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jax_resnet.models.layer_factory import LayerFactory


class End(NamedTuple):
    """Settings of a network's end: by default global average pooling, as in both papers.

    Attributes:
        pooled_size: height and width after the pooling.
        drop_block: rate of DropBlock before the pooling, with 3x3 squares.
        dropout: rate of dropout on the features.
    """

    pooled_size: int = 1
    drop_block: float = 0.0
    dropout: float = 0.0


class EndLayers(nn.Module):
    """The layers of a network's end.

    Attributes:
        end: its settings.
        steps: layers before the pooling that the last unit does not have itself: '', 'relu' or 'norm relu'.
        factory: makes its layers.
    """

    end: End
    steps: str
    factory: LayerFactory

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Features [batch, pooled_size^2 x channels], at least float32. Raises ValueError as `average_pool`."""
        if 'norm' in self.steps:
            x = self.factory.norm()(x)
        if 'relu' in self.steps:
            x = nn.relu(x)
        x = self.factory.drop_block(self.end.drop_block)(x)
        x = average_pool(x, self.end.pooled_size).reshape(x.shape[0], -1)
        return self.factory.dropout(self.end.dropout)(x)


def average_pool(x: jax.Array, size: int) -> jax.Array:
    """Divides feature maps into size x size equal regions and averages each: [batch, size, size, channels].

    The result has at least float32 precision.

    Raises:
        ValueError: `size` does not divide the height or the width of the maps.
    """
    batch, height, width, channels = x.shape
    if height % size or width % size:
        raise ValueError(f'pooled_size must divide the size of the last map, {height} x {width}; got {size}')
    wide = jnp.promote_types(x.dtype, jnp.float32)
    if wide != x.dtype:
        # Rounds the map to its own dtype again, which changes no value. Without this rounding, jaxlib 0.11.2 to 0.12
        # returns NaN as the mean of a bfloat16 map, if the compiler fuses the mean with the operations before it.
        rounded = jnp.finfo(x.dtype)
        x = jax.lax.reduce_precision(x.astype(wide), rounded.nexp, rounded.nmant)
    return x.reshape(batch, size, height // size, size, width // size, channels).mean((2, 4), dtype=wide)
