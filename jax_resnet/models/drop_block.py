"""DropBlock: dropout of square regions instead of single activations."""

import flax.linen as nn
import jax
import jax.numpy as jnp


class DropBlock(nn.Module):
    """DropBlock (Ghiasi, Lin, Le, 2018, arXiv 1810.12890, algorithm 1), with a mask for each channel.

    Training needs the random number stream `dropout`.

    Attributes:
        rate: approximate share of activations that are dropped.
        block_size: height and width of the squares; smaller if the feature map is smaller.
        deterministic: drop nothing (evaluation).
    """

    rate: float
    block_size: int = 3
    deterministic: bool = False

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Sets squares of x [batch, height, width, channels] to zero and scales the rest up to keep the mean."""
        if self.deterministic or self.rate == 0:
            return x
        batch, height, width, channels = x.shape
        size = min(self.block_size, height, width)
        corners = (height - size + 1, width - size + 1)  # positions of squares that lie fully in the map
        gamma = self.rate * height * width / (size**2 * corners[0] * corners[1])
        seeds = jax.random.bernoulli(self.make_rng('dropout'), gamma, (batch, *corners, channels))
        around = (size - 1, size - 1)
        dropped = nn.max_pool(seeds.astype(x.dtype), (size, size), padding=(around, around))
        kept = 1 - dropped
        share = kept.mean((1, 2, 3), keepdims=True, dtype=jnp.promote_types(x.dtype, jnp.float32))
        return x * kept / jnp.maximum(share, 1 / x[0].size).astype(x.dtype)
