"""Kernels in Pallas for NVIDIA GPUs (Triton): one for each layer and direction, with BatchNorm and ReLU inside.

A layer's kernel writes the output z of its convolution, and the sums of z and of z squared. The kernel of the next
layer normalizes z with these sums, and adds the shortcut:

    h = relu(a z + b + shortcut),  a = scale / sqrt(var + epsilon),  b = bias - a mean.

So neither h nor its gradient needs its own pass over memory. A kernel consists of many programs. Each program computes
all channels of some pixels, as nine products of [pixels, channels] and [channels, features], and writes the sums over
its pixels. A kernel that needs the sums over a BatchNorm group adds the sums of the group's programs in a fixed order.
So each start gives the same bits.

"Gradient" of an array means the gradient of the loss with respect to it.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

from jax_resnet.backend.fused import tiles
from jax_resnet.backend.fused.tiles import Gradient, Normalized, Pixels, Shape
from jax_resnet.models.batch_norm import to_float32

SPLITS = 8
"""Maximum number of programs for each BatchNorm group and tap in `kernel_gradient`. They share the group's pixels."""

TAPS = [(i, j) for i in range(3) for j in range(3)]
"""The positions in a 3x3 kernel of a convolution: row and column."""

Sums = tuple[jax.Array, jax.Array]
"""A program's two sums over its pixels, each [channels]."""


@partial(jax.jit, static_argnames=('in_shape', 'out_shape', 'shortcut', 'keep_h', 'epsilon'))
def forward(
    x: Normalized, in_shape: Shape, kernel: jax.Array, out_shape: Shape, shortcut: int, keep_h: bool, epsilon: float
) -> tuple[jax.Array, ...]:
    """Computes the next layer: h from its input, and the convolution of h.

    Args:
        x, in_shape: the layer's input and its shape.
        kernel: the 3x3 kernel of the convolution, flat. Its stride is the quotient of the two shapes' sizes.
        out_shape: shape of the output.
        shortcut: number of channels of the shortcut that is added to the input; 0 if there is none. If the input has
            more channels, the shortcut's other channels are zero.
        keep_h: whether to return h too, because the unit's shortcut needs it.
        epsilon: BatchNorm's epsilon.

    Returns:
        z, the output of the convolution; its sums, as `tiles.Shape.sums`; and with `keep_h`, h at the centres of the
        convolution's windows. All are flat.
    """
    stride = in_shape.size // out_shape.size

    def program(
        group: jax.Array,
        program_number: jax.Array,
        x_refs: Normalized,
        kernel_ref: Any,
        z_ref: Any,
        sums_ref: Any,
        h_ref: Any = None,
    ) -> None:
        statistics = tiles.statistics(x_refs.sums, in_shape, group, epsilon)

        def add_tile(i: jax.Array, sums: Sums) -> Sums:
            tile_number = program_number * out_shape.tiles_per_program + i
            image, row, column = tiles.tile_pixels(tile_number, out_shape)
            total = jnp.zeros((out_shape.tile, out_shape.channels), x.sums.dtype)
            for tap, (down, right) in enumerate(TAPS):
                pixels = image, stride * row + down - 1, stride * column + right - 1
                h = tiles.activation(x_refs, in_shape, shortcut, statistics, pixels)
                if keep_h and (down, right) == (1, 1):
                    tiles.store(h_ref, in_shape.channels, tile_number, h)
                total += _dot(h, _tap(kernel_ref, tap, in_shape, out_shape))
            z = total.astype(x.z.dtype)
            tiles.store(z_ref, out_shape.channels, tile_number, z)
            return _add(sums, to_float32(z), jnp.square(to_float32(z)))

        tiles.store_sums(sums_ref, out_shape, program_number, _sum_tiles(out_shape, x.sums.dtype, add_tile))

    pixel_count = out_shape.batch * out_shape.size**2
    outputs = [_like(x.z, pixel_count * out_shape.channels), _like(x.sums, out_shape.sums)]
    if keep_h:
        outputs.append(_like(x.z, pixel_count * in_shape.channels))
    return _call(program, out_shape, out_shape.parts, outputs, x, kernel)


@partial(jax.jit, static_argnames=('in_shape', 'out_shape', 'shortcut', 'epsilon'))
def input_gradient(
    gradient: Gradient,
    out_shape: Shape,
    kernel: jax.Array,
    x: Normalized,
    in_shape: Shape,
    shortcut: int,
    shortcut_gradient: jax.Array | None,
    epsilon: float,
) -> tuple[jax.Array, ...]:
    """Computes the gradient m of the layer's input before the ReLU: of BatchNorm's output plus the shortcut.

    Args:
        gradient, out_shape: the gradient of the convolution's output, and its shape.
        kernel, x, in_shape, shortcut, epsilon: as for `forward`.
        shortcut_gradient: if a unit's shortcut begins at h, the gradient that h gets from this shortcut, which has
            `out_shape`; else None.

    Returns:
        m; and the sums of m and of m z, as `tiles.Shape.sums`. Both are flat.
    """
    stride = in_shape.size // out_shape.size

    def program(
        group: jax.Array,
        program_number: jax.Array,
        gradient_refs: Gradient,
        kernel_ref: Any,
        x_refs: Normalized,
        shortcut_ref: Any,
        m_ref: Any,
        sums_ref: Any,
    ) -> None:
        statistics = tiles.statistics(x_refs.sums, in_shape, group, epsilon)
        coefficients = tiles.coefficients(gradient_refs, out_shape, group, epsilon)

        def add_tile(i: jax.Array, sums: Sums) -> Sums:
            tile_number = program_number * in_shape.tiles_per_program + i
            image, row, column = pixels = tiles.tile_pixels(tile_number, in_shape)
            total = jnp.zeros((in_shape.tile, in_shape.channels), x.sums.dtype)
            for tap, (down, right) in enumerate(TAPS):
                out_pixels, is_read = _divide((image, row + 1 - down, column + 1 - right), stride)
                z_gradient = tiles.z_gradient(gradient_refs, out_shape, coefficients, out_pixels, is_read)
                total += _dot(z_gradient, _tap(kernel_ref, tap, in_shape, out_shape).T)
            if shortcut_gradient is not None:
                out_pixels, is_read = _divide(pixels, stride)
                total += tiles.load(shortcut_ref, out_shape, out_pixels, is_read, in_shape.channels)
            h = tiles.activation(x_refs, in_shape, shortcut, statistics, pixels)
            m = jnp.where(h > 0, total, 0).astype(x.z.dtype)
            tiles.store(m_ref, in_shape.channels, tile_number, m)
            z = tiles.load(x_refs.z, in_shape, pixels, True, in_shape.channels)
            return _add(sums, to_float32(m), to_float32(m) * to_float32(z))

        tiles.store_sums(sums_ref, in_shape, program_number, _sum_tiles(in_shape, x.sums.dtype, add_tile))

    outputs = [_like(x.z, x.z.shape), _like(x.sums, in_shape.sums)]
    return _call(program, in_shape, in_shape.parts, outputs, gradient, kernel, x, shortcut_gradient)


@partial(jax.jit, static_argnames=('in_shape', 'out_shape', 'shortcut', 'epsilon'))
def kernel_gradient(
    gradient: Gradient, out_shape: Shape, x: Normalized, in_shape: Shape, shortcut: int, epsilon: float
) -> jax.Array:
    """Computes the gradient of the convolution's kernel. The arguments are as for `input_gradient`.

    Returns:
        [parts, 3 x 3 x channels x features]. The gradient is the sum over the parts.
    """
    stride = in_shape.size // out_shape.size
    splits = min(SPLITS, max(1, out_shape.count // 16))
    tile_count = max(1, out_shape.count // splits // tiles.TILE)
    tile = out_shape.count // splits // tile_count
    kernel_size = len(TAPS) * in_shape.channels * out_shape.channels

    def program(
        group: jax.Array, program_number: jax.Array, gradient_refs: Gradient, x_refs: Normalized, kernel_ref: Any
    ) -> None:
        statistics = tiles.statistics(x_refs.sums, in_shape, group, epsilon)
        coefficients = tiles.coefficients(gradient_refs, out_shape, group, epsilon)
        tap = pl.program_id(1)

        def add_tile(i: jax.Array, total: jax.Array) -> jax.Array:
            image, row, column = out_pixels = tiles.tile_pixels(program_number * tile_count + i, out_shape, tile)
            pixels = image, stride * row + tap // 3 - 1, stride * column + tap % 3 - 1
            h = tiles.activation(x_refs, in_shape, shortcut, statistics, pixels)
            return total + _dot(h.T, tiles.z_gradient(gradient_refs, out_shape, coefficients, out_pixels, True))

        zeros = jnp.zeros((in_shape.channels, out_shape.channels), x.sums.dtype)
        total = jax.lax.fori_loop(0, tile_count, add_tile, zeros)
        index = tiles.tap_index(tap, in_shape.channels, out_shape.channels) + program_number * kernel_size
        triton.store(kernel_ref.at[index], total)

    output = _like(x.sums, out_shape.groups * splits * kernel_size)
    (parts,) = _call(program, out_shape, splits, [output], gradient, x, taps=len(TAPS))
    return parts.reshape(out_shape.groups * splits, -1)


def _call(
    program: Callable[..., None], shape: Shape, parts: int, outputs: list[Any], *inputs: Any, taps: int = 1
) -> tuple[jax.Array, ...]:
    """Runs a kernel: `program(group, program_number, *inputs, *outputs)` for each part of each group and each tap.

    A CPU interprets the kernel.
    """
    flat, tree = jax.tree.flatten(inputs)

    def kernel(*refs: Any) -> None:
        program_number = pl.program_id(0)
        group, input_refs = program_number // parts, jax.tree.unflatten(tree, refs[: len(flat)])
        program(group, program_number, *input_refs, *refs[len(flat) :])

    def run(*arrays: jax.Array, interpret: bool) -> Any:
        parameters = None if interpret else triton.CompilerParams(num_warps=4, num_stages=1)
        grid = (shape.groups * parts, taps)
        call = pl.pallas_call(kernel, outputs, grid=grid, interpret=interpret, compiler_params=parameters)
        return call(*(x.ravel() for x in arrays))

    results = jax.lax.platform_dependent(*flat, cpu=partial(run, interpret=True), default=partial(run, interpret=False))
    return tuple(results)


def _like(x: jax.Array, shape: Any) -> jax.ShapeDtypeStruct:
    """Describes a flat output of this many numbers, with the dtype of `x`."""
    sides = (shape,) if isinstance(shape, int) else shape
    return jax.ShapeDtypeStruct((math.prod(sides),), x.dtype)


def _divide(pixels: Pixels, stride: int) -> tuple[Pixels, jax.Array]:
    """Divides rows and columns by the stride. Returns also where this has no remainder."""
    image, row, column = pixels
    return (image, row // stride, column // stride), (row % stride == 0) & (column % stride == 0)


def _sum_tiles(shape: Shape, dtype: Any, add_tile: Callable[[jax.Array, Sums], Sums]) -> Sums:
    """Returns a program's sums over its tiles. `add_tile(i, sums)` adds those of its tile i."""
    zeros = jnp.zeros((shape.channels,), dtype)
    return jax.lax.fori_loop(0, shape.tiles_per_program, add_tile, (zeros, zeros))


def _add(sums: Sums, first: jax.Array, second: jax.Array) -> Sums:
    """Adds the sums over the pixels of a tile, of two arrays [pixels, channels]."""
    return sums[0] + first.sum(0), sums[1] + second.sum(0)


def _tap(kernel_ref: Any, tap: int, in_shape: Shape, out_shape: Shape) -> jax.Array:
    """Reads the numbers of a tap, [channels, features]."""
    return triton.load(kernel_ref.at[tiles.tap_index(tap, in_shape.channels, out_shape.channels)])


def _dot(a: jax.Array, b: jax.Array) -> jax.Array:
    """Returns the product of two matrices, accumulated in at least float32."""
    return jnp.dot(a, b, preferred_element_type=to_float32(a).dtype)
