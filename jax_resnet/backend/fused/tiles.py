"""What a program of the fused kernels reads and writes: tiles of some pixels and all channels, and sums.

Images and kernels are flat: [batch x size x size x channels], [3 x 3 x channels x features].
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.experimental.pallas import triton

from jax_resnet.models.batch_norm import to_float32

PARTS = 64
"""Programs for each BatchNorm group, at most: whoever needs the sums reads so many."""

TILE = 128
"""Pixels that a program has in hand at a time, at most: more would not fit its registers."""

Pixels = tuple[jax.Array, jax.Array, jax.Array]
"""Image, row and column of each of a tile's pixels."""


@dataclass(frozen=True)
class Shape:
    """Of flat images, in `groups` BatchNorm groups of equal size."""

    groups: int
    batch: int
    size: int
    channels: int

    @property
    def count(self) -> int:
        """Pixels of a group."""
        return self.batch * self.size**2 // self.groups

    @property
    def parts(self) -> int:
        """Programs for each group."""
        return min(PARTS, max(1, self.count // 16))

    @property
    def block(self) -> int:
        """Pixels of a program."""
        return self.count // self.parts

    @property
    def tile(self) -> int:
        """Pixels that a program has in hand at a time."""
        return min(TILE, self.block)

    @property
    def sums(self) -> tuple[int, int, int, int]:
        """Of the two sums of each channel that each program writes."""
        return self.groups, 2, self.channels, self.parts


class Normalized(NamedTuple):
    """What is normalized before it is used.

    Attributes:
        z, sums: images, and their sums.
        scales, biases: of all BatchNorms, one after another: of each by itself would take a kernel to cut out.
        at: int32 [1], where this one's begin.
        shortcut: images to be added, or None.
    """

    z: Any
    sums: Any
    scales: Any
    biases: Any
    at: Any
    shortcut: Any = None

    def gradient(self, m: Any, m_sums: Any) -> 'Gradient':
        """Of these images."""
        return Gradient(m, m_sums, self.z, self.sums, self.scales, self.at)


class Gradient(NamedTuple):
    """The gradient m of what BatchNorm made of z, with the sums of m and m z; and z and the rest as in `Normalized`."""

    m: Any
    m_sums: Any
    z: Any
    sums: Any
    scales: Any
    at: Any


def pixels(number: jax.Array, shape: Shape, tile: int = 0) -> Pixels:
    """Of the tile of that number, of the shape's tiles or of `tile` pixels."""
    at = number * (tile or shape.tile) + jnp.arange(tile or shape.tile)
    return at // shape.size**2, at // shape.size % shape.size, at % shape.size


def load(ref: Any, shape: Shape, at: Pixels, where: Any, width: int) -> jax.Array:
    """[pixels, width]: zero outside the images, where `where` is not, and beyond their channels."""
    image, row, column = at
    inside = _inside(shape, at) & where
    lane = jnp.arange(width)
    index = ((image * shape.size + row) * shape.size + column)[:, None] * shape.channels + lane[None]
    mask = inside[:, None] & (lane < shape.channels)[None]
    return triton.load(ref.at[jnp.where(mask, index, 0)], mask=mask, other=0.0)


def _inside(shape: Shape, at: Pixels) -> jax.Array:
    _, row, column = at
    return (row >= 0) & (row < shape.size) & (column >= 0) & (column < shape.size)


def store(ref: Any, channels: int, number: jax.Array, tile: jax.Array) -> None:
    """Writes the tile of that number."""
    at = number * tile.shape[0] + jnp.arange(tile.shape[0])
    triton.store(ref.at[at[:, None] * channels + jnp.arange(channels)[None]], tile)


def tap_index(tap: Any, channels: int, features: int) -> jax.Array:
    """[channels, features]: where the numbers of a tap lie in a flat kernel."""
    return (tap * channels + jnp.arange(channels)[:, None]) * features + jnp.arange(features)[None]


def store_sums(ref: Any, shape: Shape, number: jax.Array, sums: Sequence[jax.Array]) -> None:
    """Writes a program's two sums, [channels]."""
    group, part = number // shape.parts, number % shape.parts
    for which, total in enumerate(sums):
        row = (2 * group + which) * shape.channels + jnp.arange(shape.channels)
        triton.store(ref.at[row * shape.parts + part], total)


def _sums(ref: Any, shape: Shape, group: jax.Array) -> list[jax.Array]:
    """Both, [channels], over the group."""
    rows = [(2 * group + which) * shape.channels + jnp.arange(shape.channels) for which in range(2)]
    return [triton.load(ref.at[row[:, None] * shape.parts + jnp.arange(shape.parts)]).sum(1) for row in rows]


class Statistics(NamedTuple):
    """A group's, [channels]: mean, variance before it is kept from being negative, 1 / standard deviation."""

    mean: jax.Array
    unclipped: jax.Array
    rsqrt: jax.Array


def statistics(ref: Any, shape: Shape, group: jax.Array, epsilon: float) -> Statistics:
    """From the sums of z and z squared."""
    total, squares = _sums(ref, shape, group)
    return from_sums(total, squares, shape.count, epsilon)


def from_sums(total: jax.Array, squares: jax.Array, count: int, epsilon: float) -> Statistics:
    """From the sums over `count` numbers, and over their squares."""
    mean = total / count
    unclipped = squares / count - mean * mean
    return Statistics(mean, unclipped, jax.lax.rsqrt(jnp.maximum(unclipped, 0) + epsilon))


def activation(x: Normalized, shape: Shape, shortcut: int, group: Statistics, at: Pixels) -> jax.Array:
    """A tile of h = relu(a z + b + shortcut), in z's type; zero outside.

    Args:
        x, shape: the input and its shape.
        shortcut: channels of its shortcut; 0 where it has none.
        group: of the pixels' group.
        at: the tile's pixels.
    """
    numbers = x.at[0] + jnp.arange(shape.channels)
    a = triton.load(x.scales.at[numbers]) * group.rsqrt
    b = triton.load(x.biases.at[numbers]) - a * group.mean
    z = load(x.z, shape, at, True, shape.channels)
    value = to_float32(z) * a[None] + b[None]
    if shortcut:
        of = Shape(shape.groups, shape.batch, shape.size, shortcut)
        value += to_float32(load(x.shortcut, of, at, True, shape.channels))
    inside = _inside(shape, at).astype(value.dtype)  # Triton does not take a choice as what a product is of
    return (jnp.maximum(value, 0) * inside[:, None]).astype(z.dtype)


class Coefficients(NamedTuple):
    """Of the gradient of z, by m, by z and constant, [channels] each: of a group."""

    m: jax.Array
    z: jax.Array
    constant: jax.Array


def coefficients(g: Gradient, shape: Shape, group: jax.Array, epsilon: float) -> Coefficients:
    """BatchNorm's, from its sums of both passes."""
    mean, unclipped, rsqrt = statistics(g.sums, shape, group, epsilon)
    by_bias, with_z = _sums(g.m_sums, shape, group)
    scale = triton.load(g.scales.at[g.at[0] + jnp.arange(shape.channels)])
    return gradient_of_z(Statistics(mean, unclipped, rsqrt), scale, by_bias, with_z, shape.count)


def gradient_of_z(
    group: Statistics, scale: jax.Array, by_bias: jax.Array, with_z: jax.Array, count: int
) -> Coefficients:
    """As `coefficients`; `by_bias` and `with_z` are the sums of m and of m z."""
    factor = scale * group.rsqrt
    by_scale = group.rsqrt * (with_z - group.mean * by_bias)
    by_var = jnp.where(group.unclipped > 0, factor * group.rsqrt * by_scale / count, 0)
    return Coefficients(factor, -by_var, by_var * group.mean - factor * by_bias / count)


def z_gradient(g: Gradient, shape: Shape, by: Coefficients, at: Pixels, where: Any) -> jax.Array:
    """A tile of the gradient of z, in its type; zero outside."""
    m, z = (load(x, shape, at, where, shape.channels) for x in (g.m, g.z))
    value = to_float32(m) * by.m[None] + to_float32(z) * by.z[None] + by.constant[None]
    inside = (_inside(shape, at) & where).astype(value.dtype)
    return (value * inside[:, None]).astype(m.dtype)
