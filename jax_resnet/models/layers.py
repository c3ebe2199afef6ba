"""The layers of which stems, units and shortcuts are made, and the factory that makes them alike in a whole network."""

from collections.abc import Callable
from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.typing import Dtype
from jax.nn.initializers import Initializer

from jax_resnet.jax_options import independent

Apply = Callable[[jax.Array], jax.Array]
"""A layer, seen as a function from its input to its output."""


MakesLayer = Callable[..., Apply]
"""A class of layers, or a factory: see `LayerFactory.conv` and `LayerFactory.norm` for the arguments that it gets."""


@dataclass(frozen=True)
class LayerFactory:
    """A factory for layers. The network makes one, with dtype, initialization and mode, and passes it to all modules.

    Attributes:
        make_conv, make_norm: make a convolution and a normalization: `ResNet.conv` and `ResNet.norm`.
        kernel_init: initializer of the convolutions' kernels.
        dtype: dtype of the computation.
        train: whether the network is being trained.
    """

    make_conv: MakesLayer
    make_norm: MakesLayer
    kernel_init: Initializer
    dtype: Dtype | None = None
    train: bool = False

    def conv(
        self,
        channels: int,
        window: int,
        stride: int = 1,
        *,
        groups: int = 1,
        initial_bias: float | None = None,
        name: str = 'conv',
    ) -> Apply:
        """Makes a convolution with a window x window kernel. It has a bias only if `initial_bias` is given."""
        pad = window // 2  # not 'SAME': with a stride of 2, it would pad one side only
        return self.make_conv(
            channels,
            (window, window),
            (stride, stride),
            padding=((pad, pad), (pad, pad)),
            feature_group_count=groups,
            use_bias=initial_bias is not None,
            kernel_init=self.kernel_init,
            bias_init=nn.initializers.constant(initial_bias or 0.0),
            dtype=self.dtype,
            name=name,
        )

    def norm(self, *, zero_scale: bool = False, name: str = 'norm') -> Apply:
        """Makes a normalization. Its scale is initialized with 0 if `zero_scale`, else with 1."""
        scale_init = nn.initializers.zeros if zero_scale else nn.initializers.ones
        return self.make_norm(use_running_average=not self.train, scale_init=scale_init, dtype=self.dtype, name=name)

    def dropout(self, rate: float) -> Apply:
        """Makes a dropout of single activations. It acts in training only."""
        return nn.Dropout(rate, deterministic=not self.train)

    def drop_block(self, rate: float) -> Apply:
        """Makes a dropout of 3x3 squares. It acts in training only."""
        return DropBlock(rate, deterministic=not self.train)


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
    @independent
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


@jax.custom_jvp
def max_pool(x: jax.Array) -> jax.Array:
    """The maximum of each 3x3 window, with stride 2 and one row and column of padding on each side.

    Its gradient is not a scatter. It is faster, and every device can add it in a fixed order.

    The gradient of an output goes to the first of the largest inputs of its window, as with `nn.max_pool`, whose
    gradient is a scatter. If the largest input is not a number, the gradient is 0.

    Args:
        x: [batch, height, width, channels].

    Returns:
        [batch, ceil(height / 2), ceil(width / 2), channels].
    """
    return nn.max_pool(x, (3, 3), (2, 2), ((1, 1), (1, 1)))


@max_pool.defjvp
def _tangent(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    (x,), (dx,) = primals, tangents
    largest = max_pool(x)
    found, tangent = jnp.zeros(largest.shape, bool), jnp.zeros_like(largest)
    for value, change in zip(_slices(x, largest, -jnp.inf), _slices(dx, largest, 0.0), strict=True):
        is_first = (value == largest) & ~found
        found, tangent = found | is_first, tangent + jnp.where(is_first, change, 0)
    return largest, tangent


def _slices(x: jax.Array, like: jax.Array, padding: float) -> list[jax.Array]:
    """The inputs of each position in a window, in order; each slice has the shape of the output `like`."""
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=padding)
    rows, columns = (2 * (side - 1) + 1 for side in like.shape[1:3])
    return [padded[:, i : i + rows : 2, j : j + columns : 2] for i in range(3) for j in range(3)]
