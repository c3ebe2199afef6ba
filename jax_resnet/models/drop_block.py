"""DropBlock: dropout of squares instead of single numbers."""

import flax.linen as nn
import jax
import jax.numpy as jnp


class DropBlock(nn.Module):
    """DropBlock (Ghiasi, Lin, Le, 2018, arXiv 1810.12890, algorithm 1), with a mask for each channel.

    Needs the stream of random numbers `dropout` in training.

    Attributes:
        rate: the share of activations that are dropped, about.
        block_size: height and width of the squares; at most those of the map.
        deterministic: drop nothing (evaluation).
    """

    rate: float
    block_size: int = 3
    deterministic: bool = False

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """The maps x, [batch, height, width, channels], with squares of zeros, scaled up to keep their mean."""
        if self.deterministic or self.rate == 0:
            return x
        batch, height, width, channels = x.shape
        size = min(self.block_size, height, width)
        corners = (height - size + 1, width - size + 1)  # of the squares that lie in the map
        gamma = self.rate * height * width / (size**2 * corners[0] * corners[1])
        seeds = jax.random.bernoulli(self.make_rng('dropout'), gamma, (batch, *corners, channels))
        around = (size - 1, size - 1)
        dropped = nn.max_pool(seeds.astype(x.dtype), (size, size), padding=(around, around))
        kept = 1 - dropped
        share = kept.mean((1, 2, 3), keepdims=True, dtype=jnp.promote_types(x.dtype, jnp.float32))
        return x * kept / jnp.maximum(share, 1 / x[0].size).astype(x.dtype)
