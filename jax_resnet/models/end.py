"""The end: from the last unit's output to the features, by average pooling."""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jax_resnet.models.parts import Parts


class End(NamedTuple):
    """What a network's end is: by default global average pooling, as in both papers.

    Attributes:
        pooled_size: height and width after the pooling.
        drop_block: rate of a DropBlock before the pooling; its squares are 3x3.
        dropout: rate of a dropout of the features.
    """

    pooled_size: int = 1
    drop_block: float = 0.0
    dropout: float = 0.0


class EndLayers(nn.Module):
    """An end's layers.

    Attributes:
        end: what it is.
        steps: what comes before the pooling, as the units do not end with it: '', 'relu' or 'norm relu'.
        parts: what it is built with.
    """

    end: End
    steps: str
    parts: Parts

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Features [batch, pooled_size^2 x channels], float32 at least. Raises ValueError where sizes do not divide."""
        if 'norm' in self.steps:
            x = self.parts.norm()(x)
        if 'relu' in self.steps:
            x = nn.relu(x)
        x = self.parts.drop_block(self.end.drop_block)(x)
        x = average_pool(x, self.end.pooled_size).reshape(x.shape[0], -1)
        return self.parts.dropout(self.end.dropout)(x)


def average_pool(x: jax.Array, size: int) -> jax.Array:
    """The means over size x size equal parts of maps: [batch, size, size, channels], float32 at least.

    Raises:
        ValueError: the size does not divide the maps'.
    """
    batch, height, width, channels = x.shape
    if height % size or width % size:
        raise ValueError(f'pooled_size must divide the size of the last map, {height} x {width}; got {size}')
    wide = jnp.promote_types(x.dtype, jnp.float32)
    if wide != x.dtype:
        # Says that the map has been rounded to its dtype, which changes no number. Without it, jaxlib 0.11.2 to 0.12
        # makes the mean of a bfloat16 map NaN, where it fuses what comes before.
        rounded = jnp.finfo(x.dtype)
        x = jax.lax.reduce_precision(x.astype(wide), rounded.nexp, rounded.nmant)
    return x.reshape(batch, size, height // size, size, width // size, channels).mean((2, 4), dtype=wide)
