"""One kernel a layer and direction, in Pallas for NVIDIA GPUs (Triton): convolutions with BatchNorm and ReLU inside.

A convolution's output z is written as it is, beside sums of z and z squared. Who reads it normalizes it by those sums,
and adds the shortcut:

    h = relu(a z + b + shortcut),  a = scale / sqrt(var + epsilon),  b = bias - a mean.

So neither h nor its gradient is a pass over memory of its own. A program of a kernel makes some pixels of all channels,
as nine products of [pixels, channels] and [channels, features]. It writes its own sums, and who needs those of a
BatchNorm group adds its programs' in a fixed order, so that each start gives the same bits.
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
from jax_resnet.backend.fused.tiles import Gradient, Normalized, Shape
from jax_resnet.models.batch_norm import to_float32

SPLITS = 8
"""Programs for each BatchNorm group and tap, at most, among which the pixels of a kernel's gradient are split."""

TAPS = [(i, j) for i in range(3) for j in range(3)]


@partial(jax.jit, static_argnames=('of', 'to', 'shortcut', 'keep', 'epsilon'))
def forward(
    x: Normalized, of: Shape, kernel: jax.Array, to: Shape, shortcut: int, keep: bool, epsilon: float
) -> tuple[jax.Array, ...]:
    """(z, its sums) of the next layer; and, where `keep`, h at the centres of its windows.

    Args:
        x, of: the input and its shape.
        kernel: of the convolution, 3x3; its stride is the quotient of the sizes.
        to: the shape of the output.
        shortcut: channels of the input's shortcut; the others are zero.
        keep: whether h is needed, for the unit's shortcut.
        epsilon: of BatchNorm.
    """
    stride = of.size // to.size

    def program(
        group: jax.Array, number: jax.Array, i: Normalized, kernel: Any, z: Any, sums: Any, h: Any = None
    ) -> None:
        statistics = tiles.statistics(i.sums, of, group, epsilon)

        def make(turn: jax.Array, so_far: Sums) -> Sums:
            at = number * (to.block // to.tile) + turn
            image, row, column = tiles.pixels(at, to)
            total = jnp.zeros((to.tile, to.channels), x.sums.dtype)
            for tap, (down, right) in enumerate(TAPS):
                pixels = image, stride * row + down - 1, stride * column + right - 1
                value = tiles.activation(i, of, shortcut, statistics, pixels)
                if keep and (down, right) == (1, 1):
                    tiles.store(h, of.channels, at, value)
                total += _dot(value, _tap(kernel, tap, of, to))
            total = total.astype(x.z.dtype)
            tiles.store(z, to.channels, at, total)
            return _add(so_far, to_float32(total), jnp.square(to_float32(total)))

        tiles.store_sums(sums, to, number, _loop(to, x.sums.dtype, make))

    pixels = to.batch * to.size**2
    outputs = [_like(x.z, pixels * to.channels), _like(x.sums, to.sums)]
    outputs += [_like(x.z, pixels * of.channels)] if keep else []
    return _call(program, to, to.parts, outputs, x, kernel)


@partial(jax.jit, static_argnames=('of', 'to', 'shortcut', 'epsilon'))
def input_gradient(
    gradient: Gradient,
    to: Shape,
    kernel: jax.Array,
    x: Normalized,
    of: Shape,
    shortcut: int,
    more: jax.Array | None,
    epsilon: float,
) -> tuple[jax.Array, ...]:
    """(m, its sums) of the layer before: the gradient of what its BatchNorm made, and of the shortcut that was added.

    Args:
        gradient, to: of the convolution's output, and its shape.
        kernel, x, of, shortcut, epsilon: as of `forward`.
        more: of the shape of m, what is added to the gradient of h, where the unit's shortcut begins with it.
    """
    stride = of.size // to.size

    def program(
        group: jax.Array, number: jax.Array, g: Gradient, kernel: Any, i: Normalized, added: Any, m: Any, sums: Any
    ) -> None:
        statistics = tiles.statistics(i.sums, of, group, epsilon)
        coefficients = tiles.coefficients(g, to, group, epsilon)

        def make(turn: jax.Array, so_far: Sums) -> Sums:
            at = number * (of.block // of.tile) + turn
            image, row, column = tiles.pixels(at, of)
            total = jnp.zeros((of.tile, of.channels), x.sums.dtype)
            for tap, (down, right) in enumerate(TAPS):
                below, beside = row + 1 - down, column + 1 - right
                fits = (below % stride == 0) & (beside % stride == 0)
                value = tiles.z_gradient(g, to, coefficients, (image, below // stride, beside // stride), fits)
                total += _dot(value, _tap(kernel, tap, of, to).T)
            if more is not None:
                fits = (row % stride == 0) & (column % stride == 0)
                total += tiles.load(added, to, (image, row // stride, column // stride), fits, of.channels)
            h = tiles.activation(i, of, shortcut, statistics, (image, row, column))
            total = jnp.where(h > 0, total, 0).astype(x.z.dtype)
            tiles.store(m, of.channels, at, total)
            z = tiles.load(i.z, of, (image, row, column), True, of.channels)
            return _add(so_far, to_float32(total), to_float32(total) * to_float32(z))

        tiles.store_sums(sums, of, number, _loop(of, x.sums.dtype, make))

    outputs = [_like(x.z, x.z.shape), _like(x.sums, of.sums)]
    return _call(program, of, of.parts, outputs, gradient, kernel, x, more)


@partial(jax.jit, static_argnames=('of', 'to', 'shortcut', 'epsilon'))
def kernel_gradient(
    gradient: Gradient, to: Shape, x: Normalized, of: Shape, shortcut: int, epsilon: float
) -> jax.Array:
    """The kernel's gradient in parts to be added up, [parts, 3 x 3 x channels x features]; as `input_gradient`."""
    stride = of.size // to.size
    splits = min(SPLITS, max(1, to.count // 16))
    turns = max(1, to.count // splits // tiles.TILE)
    tile = to.count // splits // turns

    def program(group: jax.Array, number: jax.Array, g: Gradient, i: Normalized, kernel: Any) -> None:
        statistics = tiles.statistics(i.sums, of, group, epsilon)
        coefficients = tiles.coefficients(g, to, group, epsilon)
        tap = pl.program_id(1)

        def add(turn: jax.Array, total: jax.Array) -> jax.Array:
            image, row, column = tiles.pixels(number * turns + turn, to, tile)
            pixels = image, stride * row + tap // 3 - 1, stride * column + tap % 3 - 1
            value = tiles.activation(i, of, shortcut, statistics, pixels)
            return total + _dot(value.T, tiles.z_gradient(g, to, coefficients, (image, row, column), True))

        total = jax.lax.fori_loop(0, turns, add, jnp.zeros((of.channels, to.channels), x.sums.dtype))
        index = tiles.tap_index(tap, of.channels, to.channels) + number * 9 * of.channels * to.channels
        triton.store(kernel.at[index], total)

    output = _like(x.sums, to.groups * splits * 9 * of.channels * to.channels)
    (parts,) = _call(program, to, splits, [output], gradient, x, taps=len(TAPS))
    return parts.reshape(to.groups * splits, -1)


def _call(
    program: Callable[..., None], shape: Shape, parts: int, outputs: list[Any], *inputs: Any, taps: int = 1
) -> tuple[jax.Array, ...]:
    """Runs `program(group, number, *inputs, *outputs)` for each part of each group; on a CPU it is interpreted."""
    flat, tree = jax.tree.flatten(inputs)

    def kernel(*refs: Any) -> None:
        number = pl.program_id(0)
        program(number // parts, number, *jax.tree.unflatten(tree, refs[: len(flat)]), *refs[len(flat) :])

    def run(*arrays: jax.Array, interpret: bool) -> Any:
        parameters = None if interpret else triton.CompilerParams(num_warps=4, num_stages=1)
        grid = (shape.groups * parts, taps)
        call = pl.pallas_call(kernel, outputs, grid=grid, interpret=interpret, compiler_params=parameters)
        return call(*(x.ravel() for x in arrays))

    made = jax.lax.platform_dependent(*flat, cpu=partial(run, interpret=True), default=partial(run, interpret=False))
    return tuple(made)


def _like(x: jax.Array, shape: Any) -> jax.ShapeDtypeStruct:
    sides = (shape,) if isinstance(shape, int) else shape
    return jax.ShapeDtypeStruct((math.prod(sides),), x.dtype)


Sums = tuple[jax.Array, jax.Array]
"""A program's so far, [channels]."""


def _loop(of: Shape, dtype: Any, make: Callable[[jax.Array, Sums], Sums]) -> Sums:
    """The sums, from `make` for each tile of a program."""
    zeros = jnp.zeros((of.channels,), dtype)
    return jax.lax.fori_loop(0, of.block // of.tile, make, (zeros, zeros))


def _add(so_far: Sums, *tiles: jax.Array) -> Sums:
    first, second = (total + tile.sum(0) for total, tile in zip(so_far, tiles, strict=True))
    return first, second


def _tap(kernel: Any, tap: int, of: Shape, to: Shape) -> jax.Array:
    return triton.load(kernel.at[tiles.tap_index(tap, of.channels, to.channels)])


def _dot(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.dot(a, b, preferred_element_type=to_float32(a).dtype)
