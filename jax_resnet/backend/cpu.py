"""What XLA's CPU compiler needs to be fast: a hand-written gradient of convolutions, what to keep for it, and options.

In jaxlib 0.10 a convolution inside a loop (`scan`, `while`) takes its fast form only with dimension
numbers NHWC, HWIO, NHWC; the gradients that JAX derives have others, and run 20 to 80 times slower.
`conv_general_dilated` has gradients of the fast form alone. It forbids forward-mode differentiation,
and a GPU's compiler recognises the plain gradients, so only training on a CPU uses it.
"""

import math
from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import flax.linen as nn
import jax
import jax.extend.core
import jax.numpy as jnp
from jax import lax

from jax_resnet.backend.base import Backend

Padding = tuple[tuple[int, int], ...]

COMPILER_OPTIONS: dict[str, str] = {
    # Of YNNPACK's fusions the reductions (BatchNorm's statistics) are fast, the convolutions slow.
    'xla_cpu_experimental_ynn_fusion_type': 'LIBRARY_FUSION_TYPE_REDUCE',
    # Keeps optimization_barrier until fusion is over, and with it the transposes below by themselves.
    'xla_disable_hlo_passes': 'cse_barrier_expander',
}

ONE_CALL_OPTIONS: dict[str, int] = {'xla_backend_optimization_level': 1}
"""For what runs once, such as initialization: less time in the compiler."""

UNROLL = 6
"""Units of a stage that run faster without a loop, and still compile in seconds."""


def backend() -> Backend:
    """How a CPU runs a network: stacked, short stages written out, with the gradients of this file."""
    return Backend(
        network={'stacked': True, 'unroll': UNROLL, 'conv': Conv, 'rematerialize': keep_convolutions},
        compiler_options=compiler_options(),
        one_call_options=ONE_CALL_OPTIONS,
    )


def keep_convolutions(primitive: jax.extend.core.Primitive, *_: Any, **__: Any) -> bool:
    """A policy of `jax.checkpoint`: for the backward pass, keep the convolutions' outputs and BatchNorm's statistics.

    What lies between is computed again where it is used, which costs less than to write, stack and read it.
    """
    return primitive.name in ('conv_general_dilated', 'reduce_sum', 'rsqrt')


@cache
def compiler_options() -> dict[str, str]:
    """Those of COMPILER_OPTIONS that the installed jaxlib knows, for `jax.jit(..., compiler_options=...)`."""
    known = {}
    for name, value in COMPILER_OPTIONS.items():
        try:
            jax.jit(lambda x: x + 1, compiler_options={name: value}).lower(0.0).compile()
        except Exception:  # jaxlib names no class of its own for an unknown option
            continue
        known[name] = value
    return known


def conv_general_dilated(
    x: jax.Array, kernel: jax.Array, window_strides: Sequence[int], padding: Sequence[tuple[int, int]], **options: Any
) -> jax.Array:
    """`lax.conv_general_dilated` for `nn.Conv(conv_general_dilated=...)`, of images [N, H, W, C] in one group."""
    dilations = (*(options.get('lhs_dilation') or ()), *(options.get('rhs_dilation') or ()))
    if options.get('feature_group_count', 1) != 1 or any(d != 1 for d in dilations):
        raise NotImplementedError('the convolution for CPUs has neither feature groups nor dilation')
    return _conv(x, kernel, tuple(window_strides), tuple(tuple(p) for p in padding))


class Conv(nn.Conv):
    """`nn.Conv` with the gradients of this file."""

    conv_general_dilated: Any = conv_general_dilated


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _conv(x: jax.Array, kernel: jax.Array, strides: tuple[int, ...], padding: Padding) -> jax.Array:
    return _fast_conv(x, kernel, strides, padding)


def _forward(x: jax.Array, kernel: jax.Array, strides: tuple[int, ...], padding: Padding) -> tuple:
    return _fast_conv(x, kernel, strides, padding), (x, kernel)


def _backward(strides: tuple[int, ...], padding: Padding, saved: tuple, cotangent: jax.Array) -> tuple:
    x, kernel = saved
    d_x = _input_gradient(x.shape[1:3], kernel, cotangent, strides, padding)
    return d_x, _kernel_gradient(x, kernel.shape[:2], cotangent, strides, padding)


def _input_gradient(
    sizes: Sequence[int], kernel: jax.Array, cotangent: jax.Array, strides: Sequence[int], padding: Padding
) -> jax.Array:
    """The cotangent, convolved with the kernel turned around.

    Of an axis with stride s, pixel `s q + a` takes taps `s m + a` of the kernel, from cotangents `q - m`: one
    convolution of stride 1 makes the s x s pixels of a block as channels. With `lhs_dilation`, XLA takes several
    times as long.
    """
    spread, pads = [], []
    for size, taps, cotangents, stride, (low, _) in zip(
        sizes, kernel.shape[:2], cotangent.shape[1:3], strides, padding, strict=True
    ):
        before = -low % stride  # so that a block begins at pixel 0
        turns = math.ceil((before + taps) / stride)
        spread.append((before, turns * stride - before - taps))
        ahead = (low + before) // stride
        pads.append((turns - 1 - ahead, math.ceil(size / stride) + ahead - cotangents))
    kernel = jnp.pad(kernel, (*spread, (0, 0), (0, 0)))
    (height, width, channels, features), (down, right) = kernel.shape, strides
    kernel = kernel.reshape(height // down, down, width // right, right, channels, features)
    kernel = kernel[::-1, :, ::-1].transpose(0, 2, 5, 1, 3, 4)
    blocks = _fast_conv(cotangent, kernel.reshape(*kernel.shape[:3], -1), (1, 1), tuple(pads))
    batch, rows, columns, _ = blocks.shape
    blocks = blocks.reshape(batch, rows, columns, down, right, channels).transpose(0, 1, 3, 2, 4, 5)
    return blocks.reshape(batch, rows * down, columns * right, channels)[:, : sizes[0], : sizes[1]]


def _kernel_gradient(
    x: jax.Array, windows: Sequence[int], cotangent: jax.Array, strides: Sequence[int], padding: Padding
) -> jax.Array:
    """The input convolved with the dilated cotangent: channels stand as the batch, the batch as channels."""
    pads = tuple(
        (low, window + (cotangents - 1) * stride - size - low)
        for (low, _), window, cotangents, stride, size in zip(
            padding, windows, cotangent.shape[1:3], strides, x.shape[1:3], strict=True
        )
    )
    kernel = _fast_conv(
        _transpose(x, (3, 1, 2, 0)), _transpose(cotangent, (1, 2, 0, 3)), (1, 1), pads, rhs_dilation=strides
    )
    return kernel.transpose(1, 2, 0, 3)


_conv.defvjp(_forward, _backward)


def _fast_conv(x: jax.Array, kernel: jax.Array, strides: Sequence[int], padding: Padding, **dilation: Any) -> jax.Array:
    return lax.conv_general_dilated(x, kernel, strides, padding, dimension_numbers=('NHWC', 'HWIO', 'NHWC'), **dilation)


def _transpose(x: jax.Array, axes: Sequence[int]) -> jax.Array:
    """A transpose that is not fused with what makes or takes it: alone it runs at copy speed, fused at a seventh."""
    return lax.optimization_barrier(jnp.transpose(lax.optimization_barrier(x), axes))
