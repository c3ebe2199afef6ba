"""What the programs of the fused kernels read and write: tiles, which are all channels of some pixels, and sums.

Images are flat, [batch x size x size x channels]. Convolutions' kernels are flat, [3 x 3 x channels x features].
The notation is that of `layers`: z is the output of a convolution, and m the gradient of BatchNorm's output.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.experimental.pallas import triton

from jax_resnet.models.batch_norm import to_float32

PARTS = 64
"""Maximum number of programs for each BatchNorm group. A program that needs the group's sums adds this many parts."""

TILE = 128
"""Maximum number of pixels of a tile. More pixels would not fit in a program's registers."""

Pixels = tuple[jax.Array, jax.Array, jax.Array]
"""The positions of a tile's pixels: image, row and column of each, int32 [pixels]."""


@dataclass(frozen=True)
class Shape:
    """The shape of flat images: `batch` images of size x size pixels, in `groups` BatchNorm groups of equal size."""

    groups: int
    batch: int
    size: int
    channels: int

    @property
    def count(self) -> int:
        """Number of pixels in a group."""
        return self.batch * self.size**2 // self.groups

    @property
    def parts(self) -> int:
        """Number of programs for each group."""
        return min(PARTS, max(1, self.count // 16))

    @property
    def block(self) -> int:
        """Number of pixels of each program."""
        return self.count // self.parts

    @property
    def tile(self) -> int:
        """Number of pixels in a tile, which a program computes at once."""
        return min(TILE, self.block)

    @property
    def tiles_per_program(self) -> int:
        """Number of tiles that each program computes, one after another."""
        return self.block // self.tile

    @property
    def sums(self) -> tuple[int, int, int, int]:
        """Shape of the two sums for each channel that each program writes."""
        return self.groups, 2, self.channels, self.parts


class Normalized(NamedTuple):
    """The input of a layer, before BatchNorm.

    Attributes:
        z: images.
        sums: sums of z and of z squared, `Shape.sums`.
        scales, biases: those of all BatchNorms of the network, one after another. To cut out those of one BatchNorm
            would take another kernel.
        offset: int32 [1], the position of this BatchNorm's first scale and bias.
        shortcut: images to add after BatchNorm, or None.
    """

    z: Any
    sums: Any
    scales: Any
    biases: Any
    offset: Any
    shortcut: Any = None

    def gradient(self, m: Any, m_sums: Any) -> 'Gradient':
        """Returns the gradient of z, as a `Gradient`."""
        return Gradient(m, m_sums, self.z, self.sums, self.scales, self.offset)


class Gradient(NamedTuple):
    """The gradient of z, before BatchNorm's backward pass.

    Attributes:
        m: the gradient of BatchNorm's output.
        m_sums: sums of m and of m z, `Shape.sums`.
        z, sums, scales, offset: as in `Normalized`.
    """

    m: Any
    m_sums: Any
    z: Any
    sums: Any
    scales: Any
    offset: Any


def tile_pixels(tile_number: jax.Array, shape: Shape, tile: int | None = None) -> Pixels:
    """Returns the pixels of a tile. Tiles have `tile` pixels; by default, `shape.tile`."""
    size = shape.tile if tile is None else tile
    index = tile_number * size + jnp.arange(size)
    return index // shape.size**2, index // shape.size % shape.size, index % shape.size


def load(ref: Any, shape: Shape, pixels: Pixels, where: Any, width: int) -> jax.Array:
    """Reads a tile, [pixels, width]. Zero outside the images, where `where` is False, and beyond their channels."""
    image, row, column = pixels
    inside = _inside(shape, pixels) & where
    channel_numbers = jnp.arange(width)
    index = ((image * shape.size + row) * shape.size + column)[:, None] * shape.channels + channel_numbers[None]
    mask = inside[:, None] & (channel_numbers < shape.channels)[None]
    return triton.load(ref.at[jnp.where(mask, index, 0)], mask=mask, other=0.0)


def _inside(shape: Shape, pixels: Pixels) -> jax.Array:
    """Returns for each pixel whether it lies inside its image."""
    _, row, column = pixels
    return (row >= 0) & (row < shape.size) & (column >= 0) & (column < shape.size)


def store(ref: Any, channels: int, tile_number: jax.Array, tile: jax.Array) -> None:
    """Writes a tile, [pixels, channels]."""
    index = tile_number * tile.shape[0] + jnp.arange(tile.shape[0])
    triton.store(ref.at[index[:, None] * channels + jnp.arange(channels)[None]], tile)


def tap_index(tap: Any, channels: int, features: int) -> jax.Array:
    """Returns the positions of the numbers of a tap in a flat kernel of a convolution, [channels, features]."""
    return (tap * channels + jnp.arange(channels)[:, None]) * features + jnp.arange(features)[None]


def store_sums(ref: Any, shape: Shape, program_number: jax.Array, sums: Sequence[jax.Array]) -> None:
    """Writes a program's two sums, each [channels]."""
    group, part = program_number // shape.parts, program_number % shape.parts
    for which, total in enumerate(sums):
        row = (2 * group + which) * shape.channels + jnp.arange(shape.channels)
        triton.store(ref.at[row * shape.parts + part], total)


def _sums(ref: Any, shape: Shape, group: jax.Array) -> list[jax.Array]:
    """Returns the two sums over a group, each [channels]."""
    rows = [(2 * group + which) * shape.channels + jnp.arange(shape.channels) for which in range(2)]
    return [triton.load(ref.at[row[:, None] * shape.parts + jnp.arange(shape.parts)]).sum(1) for row in rows]


class Statistics(NamedTuple):
    """BatchNorm's statistics of a group, each [channels].

    Attributes:
        mean: the mean.
        unclipped: the variance, which rounding can make negative.
        rsqrt: 1 / sqrt(var + epsilon), with negative variances replaced by 0.
    """

    mean: jax.Array
    unclipped: jax.Array
    rsqrt: jax.Array


def statistics(ref: Any, shape: Shape, group: jax.Array, epsilon: float) -> Statistics:
    """Returns the statistics of a group, from a reference to the sums of z and of z squared."""
    total, squares = _sums(ref, shape, group)
    return from_sums(total, squares, shape.count, epsilon)


def from_sums(total: jax.Array, squares: jax.Array, count: int, epsilon: float) -> Statistics:
    """Returns the statistics of `count` numbers, from their sum and the sum of their squares."""
    mean = total / count
    unclipped = squares / count - mean * mean
    return Statistics(mean, unclipped, jax.lax.rsqrt(jnp.maximum(unclipped, 0) + epsilon))


def activation(x: Normalized, shape: Shape, shortcut: int, group: Statistics, pixels: Pixels) -> jax.Array:
    """Computes a tile of h = relu(a z + b + shortcut), [pixels, channels], in z's dtype. It is zero outside the images.

    Args:
        x, shape: references to the layer's input, and its shape.
        shortcut: number of channels of the shortcut; 0 if there is none.
        group: statistics of the pixels' group.
        pixels: the tile's pixels.
    """
    index = x.offset[0] + jnp.arange(shape.channels)
    a = triton.load(x.scales.at[index]) * group.rsqrt
    b = triton.load(x.biases.at[index]) - a * group.mean
    z = load(x.z, shape, pixels, True, shape.channels)
    value = to_float32(z) * a[None] + b[None]
    if shortcut:
        shortcut_shape = Shape(shape.groups, shape.batch, shape.size, shortcut)
        value += to_float32(load(x.shortcut, shortcut_shape, pixels, True, shape.channels))
    inside = _inside(shape, pixels).astype(value.dtype)  # Triton does not support `where` on an operand of `dot`
    return (jnp.maximum(value, 0) * inside[:, None]).astype(z.dtype)


class Coefficients(NamedTuple):
    """BatchNorm's backward pass in a group: the gradient of z is `m_factor * m + z_factor * z + constant`.

    Each coefficient is [channels].
    """

    m_factor: jax.Array
    z_factor: jax.Array
    constant: jax.Array


def coefficients(g: Gradient, shape: Shape, group: jax.Array, epsilon: float) -> Coefficients:
    """Returns the coefficients of a group, from references to the sums of the forward and the backward pass."""
    scale = triton.load(g.scales.at[g.offset[0] + jnp.arange(shape.channels)])
    m_sum, m_z_sum = _sums(g.m_sums, shape, group)
    return coefficients_from_sums(statistics(g.sums, shape, group, epsilon), scale, m_sum, m_z_sum, shape.count)


def coefficients_from_sums(
    group: Statistics, scale: jax.Array, m_sum: jax.Array, m_z_sum: jax.Array, count: int
) -> Coefficients:
    """Returns the coefficients of a group of `count` pixels, from the sums of m and of m z over the group."""
    m_factor = scale * group.rsqrt
    scale_gradient = group.rsqrt * (m_z_sum - group.mean * m_sum)
    z_factor = jnp.where(group.unclipped > 0, -m_factor * group.rsqrt * scale_gradient / count, 0)
    return Coefficients(m_factor, z_factor, -z_factor * group.mean - m_factor * m_sum / count)


def z_gradient(g: Gradient, shape: Shape, group: Coefficients, pixels: Pixels, where: Any) -> jax.Array:
    """Computes a tile of the gradient of z, in m's dtype. It is zero outside the images and where `where` is False."""
    m, z = (load(x, shape, pixels, where, shape.channels) for x in (g.m, g.z))
    value = to_float32(m) * group.m_factor[None] + to_float32(z) * group.z_factor[None] + group.constant[None]
    inside = (_inside(shape, pixels) & where).astype(value.dtype)
    return (value * inside[:, None]).astype(m.dtype)
