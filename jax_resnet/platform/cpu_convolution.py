"""A convolution with hand-written gradients, for XLA's CPU compiler.

Inside a loop (`scan`, `while`), XLA's convolution is fast only with the dimension numbers NHWC, HWIO, NHWC (with three
spatial axes: NDHWC, DHWIO, NDHWC). JAX's own gradients of a convolution have other dimension numbers, and run 20 to
80 times slower. The gradients here are convolutions with the fast dimension numbers, or matrix products.

Only training on a CPU uses them. They do not support forward-mode differentiation, and XLA's GPU compiler recognizes
JAX's own gradients.

The kernel's gradient can be computed in several ways. The fastest one depends on the library that runs it (Eigen or
oneDNN). `benchmarks/convolutions.py` measures them.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

Sizes = tuple[int, int]
Padding = tuple[Sizes, Sizes]
KernelGradient = Callable[[jax.Array, Sizes, jax.Array, Sizes, Padding], jax.Array]
"""A function that computes the gradient of a convolution's kernel.

It takes the input [N, H, W, C], the kernel's height and width, the output's cotangent [N, h, w, O], the strides and the
padding. It returns the gradient [height, width, C, O].
"""

BLOCK = 8
"""Number of images that `channels_as_columns` uses as channels of one convolution. oneDNN's vectors have 8 numbers."""


def conv_general_dilated(
    x: jax.Array,
    kernel: jax.Array,
    window_strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    *,
    kernel_gradient: KernelGradient,
    **options: Any,
) -> jax.Array:
    """Replaces `lax.conv_general_dilated` in `nn.Conv(conv_general_dilated=...)`. Has its own gradients.

    Args:
        x: images [N, H, W, C].
        kernel: [height, width, C / groups, O].
        window_strides, padding: as in `lax.conv_general_dilated`.
        kernel_gradient: computes the gradient of the kernel.
        **options: further arguments that `nn.Conv` passes.

    Returns:
        [N, h, w, O].

    Raises:
        NotImplementedError: the options ask for dilation.
    """
    dilations = (*(options.get('lhs_dilation') or ()), *(options.get('rhs_dilation') or ()))
    if any(d != 1 for d in dilations):
        raise NotImplementedError('the convolution for CPUs has no dilation')
    strides, pads = tuple(window_strides), tuple(tuple(p) for p in padding)
    groups = options.get('feature_group_count', 1)
    if groups == 1:
        return _conv(x, kernel, strides, pads, kernel_gradient)
    x, kernel = (
        array.reshape(*array.shape[:3], *sizes)
        for array, sizes in ((x, (groups, -1)), (kernel, (groups, kernel.shape[3] // groups)))
    )
    y = jax.vmap(lambda x, kernel: _conv(x, kernel, strides, pads, kernel_gradient), (3, 3), 3)(x, kernel)
    return y.reshape(*y.shape[:3], -1)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def _conv(x: jax.Array, kernel: jax.Array, strides: Sizes, padding: Padding, _: KernelGradient) -> jax.Array:
    return _fast_conv(x, kernel, strides, padding)


def _forward(x: jax.Array, kernel: jax.Array, strides: Sizes, padding: Padding, _: KernelGradient) -> tuple:
    return _fast_conv(x, kernel, strides, padding), (x, kernel)


def _backward(
    strides: Sizes, padding: Padding, kernel_gradient: KernelGradient, saved: tuple, cotangent: jax.Array
) -> tuple:
    x, kernel = saved
    d_x = input_gradient(x.shape[1:3], kernel, cotangent, strides, padding)
    return d_x, kernel_gradient(x, kernel.shape[:2], cotangent, strides, padding)


_conv.defvjp(_forward, _backward)


def input_gradient(
    sizes: Sizes, kernel: jax.Array, cotangent: jax.Array, strides: Sizes, padding: Padding
) -> jax.Array:
    """Returns the gradient of the input: a convolution of the cotangent with the flipped kernel.

    With stride s along an axis, the gradient of pixel `s q + a` is a sum over m of tap `s m + a` of the kernel times
    the cotangent `q - m`. So one convolution with stride 1 computes blocks of s x s pixels, with the pixels of a block
    as channels. XLA takes several times as long for a convolution with `lhs_dilation`.

    Args:
        sizes: height and width of the input.
        kernel: [height, width, C, O].
        cotangent: [N, h, w, O].
        strides, padding: of the convolution.

    Returns:
        [N, H, W, C].
    """
    kernel_pads, pads = [], []
    for size, taps, cotangents, stride, (low, _) in zip(
        sizes, kernel.shape[:2], cotangent.shape[1:3], strides, padding, strict=True
    ):
        before = -low % stride  # so that the first block begins at pixel 0
        block_taps = math.ceil((before + taps) / stride)
        kernel_pads.append((before, block_taps * stride - before - taps))
        shift = (low + before) // stride
        pads.append((block_taps - 1 - shift, math.ceil(size / stride) + shift - cotangents))
    kernel = jnp.pad(kernel, (*kernel_pads, (0, 0), (0, 0)))
    (height, width, channels, features), (row_stride, column_stride) = kernel.shape, strides
    kernel = kernel.reshape(height // row_stride, row_stride, width // column_stride, column_stride, channels, features)
    kernel = kernel[::-1, :, ::-1].transpose(0, 2, 5, 1, 3, 4)
    blocks = _fast_conv(cotangent, kernel.reshape(*kernel.shape[:3], -1), (1, 1), tuple(pads))
    batch, rows, columns, _ = blocks.shape
    blocks = blocks.reshape(batch, rows, columns, row_stride, column_stride, channels).transpose(0, 1, 3, 2, 4, 5)
    return blocks.reshape(batch, rows * row_stride, columns * column_stride, channels)[:, : sizes[0], : sizes[1]]


def channels_as_batch(x: jax.Array, window: Sizes, cotangent: jax.Array, strides: Sizes, padding: Padding) -> jax.Array:
    """A `KernelGradient`: convolves the input with the dilated cotangent. Channels and batch are swapped."""
    pads = _pads(x, window, cotangent, strides, padding)
    kernel = _fast_conv(
        _transpose(x, (3, 1, 2, 0)), _transpose(cotangent, (1, 2, 0, 3)), (1, 1), pads, rhs_dilation=strides
    )
    return kernel.transpose(1, 2, 0, 3)


def channels_as_columns(
    x: jax.Array, window: Sizes, cotangent: jax.Array, strides: Sizes, padding: Padding
) -> jax.Array:
    """A `KernelGradient`: convolves the input with the dilated cotangent. The channels of a pixel become columns.

    Each image is [H, W C], and the cotangent's columns are dilated by C. The result is [height, width C, O]. The batch
    is divided into blocks of BLOCK images. The blocks are a third spatial axis, and the images of a block are the
    channels. This layout is fast in oneDNN, which computes many columns at once.
    """
    (low, high), (left, right) = _pads(x, window, cotangent, strides, padding)
    missing_images = -x.shape[0] % BLOCK
    # oneDNN has no negative padding.
    x = _pad(x, (0, missing_images), (0, min(high, 0)), (0, min(right, 0)), (0, 0))
    cotangent = _pad(cotangent, (0, missing_images), (0, 0), (0, 0), (0, 0))
    batch, height, width, channels = x.shape
    blocks = batch // BLOCK, BLOCK
    kernel = lax.conv_general_dilated(
        _transpose(x, (0, 1, 3, 4, 2), (1, *blocks, height, width * channels)),
        _transpose(cotangent, (0, 2, 3, 1, 4), (*blocks, *cotangent.shape[1:])),
        (1, 1, 1),
        ((0, 0), (low, max(high, 0)), (channels * left, channels * max(right, 0))),
        rhs_dilation=(1, strides[0], channels * strides[1]),
        dimension_numbers=('NDHWC', 'DHWIO', 'NDHWC'),
    )
    return kernel.reshape(*window, channels, -1)


def matrix_product(
    x: jax.Array, window: Sizes, cotangent: jax.Array, strides: Sizes, padding: Padding, most_parts: int = 1
) -> jax.Array:
    """A `KernelGradient` for 1x1 convolutions: the product of the pixels that the convolution reads and the cotangent.

    With few channels and many pixels, oneDNN is fast only if the product is divided into parts of some images each.

    Args:
        x, window, cotangent, strides, padding: as for `KernelGradient`.
        most_parts: maximum number of parts.
    """
    (low, high), (left, right) = _pads(x, window, cotangent, strides, padding)
    x = _pad(x, (0, 0), (low, high), (left, right), (0, 0))[:, :: strides[0], :: strides[1]]
    channels, features = x.shape[3], cotangent.shape[3]
    parts = math.gcd(x.shape[0], most_parts)
    if parts * channels * features > x.size:  # the products of the parts would be larger than the images
        parts = 1
    products = jnp.einsum('pkc,pko->pco', x.reshape(parts, -1, channels), cotangent.reshape(parts, -1, features))
    return products.sum(0)[None, None]


def for_xla(x: jax.Array, window: Sizes, cotangent: jax.Array, strides: Sizes, padding: Padding) -> jax.Array:
    """The `KernelGradient` that is fastest with XLA's own convolutions and matrix products (Eigen)."""
    gradient = matrix_product if window == (1, 1) else channels_as_batch
    return gradient(x, window, cotangent, strides, padding)


def for_one_dnn(x: jax.Array, window: Sizes, cotangent: jax.Array, strides: Sizes, padding: Padding) -> jax.Array:
    """The `KernelGradient` that is fastest with oneDNN. For dtypes other than float32, it is `for_xla`.

    oneDNN supports float32 on every CPU, but not the other dtypes.
    """
    if x.dtype != jnp.float32:
        return for_xla(x, window, cotangent, strides, padding)
    if window == (1, 1):
        return matrix_product(x, window, cotangent, strides, padding, most_parts=16)
    return channels_as_columns(x, window, cotangent, strides, padding)


def _pads(x: jax.Array, window: Sizes, cotangent: jax.Array, strides: Sizes, padding: Padding) -> Padding:
    """Padding of the input if the dilated cotangent is the kernel. A negative number removes rows or columns."""
    rows, columns = (
        (low, taps + (cotangents - 1) * stride - size - low)
        for (low, _), taps, cotangents, stride, size in zip(
            padding, window, cotangent.shape[1:3], strides, x.shape[1:3], strict=True
        )
    )
    return rows, columns


def _pad(x: jax.Array, *pads: tuple[int, int]) -> jax.Array:
    """Pads with zeros. A negative number removes rows or columns."""
    return lax.pad(x, jnp.zeros((), x.dtype), [(*pad, 0) for pad in pads]) if any(map(any, pads)) else x


def _fast_conv(x: jax.Array, kernel: jax.Array, strides: Sizes, padding: Sequence[Sizes], **dilation: Any) -> jax.Array:
    return lax.conv_general_dilated(x, kernel, strides, padding, dimension_numbers=('NHWC', 'HWIO', 'NHWC'), **dilation)


def _transpose(x: jax.Array, axes: Sequence[int], shape: Sequence[int] | None = None) -> jax.Array:
    """Reshapes and transposes. The barrier prevents fusion with the operation that makes `x`.

    Alone, the transpose runs as fast as a copy; fused, at a seventh of this speed. With a second barrier behind it, XLA
    would copy twice.
    """
    x = lax.optimization_barrier(x)
    return (x if shape is None else x.reshape(shape)).transpose(axes)


class Conv(nn.Conv):
    """`nn.Conv` with the gradients that are fastest with XLA's own convolutions."""

    conv_general_dilated: Any = partial(conv_general_dilated, kernel_gradient=for_xla)


class OneDnnConv(nn.Conv):
    """`nn.Conv` with the gradients that are fastest with oneDNN."""

    conv_general_dilated: Any = partial(conv_general_dilated, kernel_gradient=for_one_dnn)
