"""What XLA's CPU compiler needs to be fast: a hand-written gradient of convolutions, what to keep for it, and options.

In jaxlib 0.10 a convolution inside a loop (`scan`, `while`) takes its fast form only with dimension
numbers NHWC, HWIO, NHWC; the gradients that JAX derives have others, and run 20 to 80 times slower.
`conv_general_dilated` has gradients of the fast form alone. It forbids forward-mode differentiation,
and a GPU's compiler recognises the plain gradients, so only training on a CPU uses it.
"""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import jax
import jax.extend.core
import jax.numpy as jnp
from jax import lax

Padding = tuple[tuple[int, int], ...]

COMPILER_OPTIONS: dict[str, str] = {
    # Of YNNPACK's fusions the reductions (BatchNorm's statistics) are fast, the convolutions slow.
    'xla_cpu_experimental_ynn_fusion_type': 'LIBRARY_FUSION_TYPE_REDUCE',
    # Keeps optimization_barrier until fusion is over, and with it the transposes below by themselves.
    'xla_disable_hlo_passes': 'cse_barrier_expander',
}

ONE_CALL_OPTIONS: dict[str, int] = {'xla_backend_optimization_level': 1}
"""For what runs once, such as initialization: less time in the compiler."""


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


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _conv(x: jax.Array, kernel: jax.Array, strides: tuple[int, ...], padding: Padding) -> jax.Array:
    return _fast_conv(x, kernel, strides, padding)


def _forward(x: jax.Array, kernel: jax.Array, strides: tuple[int, ...], padding: Padding) -> tuple:
    return _fast_conv(x, kernel, strides, padding), (x, kernel)


def _backward(strides: tuple[int, ...], padding: Padding, saved: tuple, cotangent: jax.Array) -> tuple:
    x, kernel = saved
    sizes, windows = x.shape[1:3], kernel.shape[:2]
    reaches = [(n - 1) * s + 1 for n, s in zip(cotangent.shape[1:3], strides, strict=True)]

    # Input: the dilated cotangent, convolved with the kernel flipped, its channels swapped.
    lows = [k - 1 - low for k, (low, _) in zip(windows, padding, strict=True)]
    pads = tuple((low, n + k - 1 - r - low) for low, n, k, r in zip(lows, sizes, windows, reaches, strict=True))
    d_x = _fast_conv(cotangent, kernel[::-1, ::-1].swapaxes(2, 3), (1, 1), pads, lhs_dilation=strides)

    # Kernel: channels as the batch, the batch as channels, and the dilated cotangent as the kernel.
    pads = tuple((low, k + r - 1 - n - low) for (low, _), n, k, r in zip(padding, sizes, windows, reaches, strict=True))
    d_kernel = _fast_conv(
        _transpose(x, (3, 1, 2, 0)), _transpose(cotangent, (1, 2, 0, 3)), (1, 1), pads, rhs_dilation=strides
    )
    return d_x, d_kernel.transpose(1, 2, 0, 3)


_conv.defvjp(_forward, _backward)


def _fast_conv(x: jax.Array, kernel: jax.Array, strides: Sequence[int], padding: Padding, **dilation: Any) -> jax.Array:
    return lax.conv_general_dilated(x, kernel, strides, padding, dimension_numbers=('NHWC', 'HWIO', 'NHWC'), **dilation)


def _transpose(x: jax.Array, axes: Sequence[int]) -> jax.Array:
    """A transpose that is not fused with what makes or takes it: alone it runs at copy speed, fused at a seventh."""
    return lax.optimization_barrier(jnp.transpose(lax.optimization_barrier(x), axes))
