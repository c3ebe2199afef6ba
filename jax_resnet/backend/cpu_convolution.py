"""A convolution with hand-written gradients, for XLA's CPU compiler.

In a loop (`scan`, `while`) XLA has a fast convolution for the dimension numbers NHWC, HWIO, NHWC alone (of images with
two spatial axes; NDHWC, DHWIO, NDHWC of three). The gradients that JAX derives have others, and run 20 to 80 times
slower. The gradients here are convolutions of the fast form, and matrix products. They forbid forward-mode
differentiation, and a GPU's compiler recognises the plain gradients, so only training on a CPU uses them.

Which form of the kernel's gradient is fast depends on the library that runs it: `benchmarks/convolutions.py` measures.
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
"""From an input [N, H, W, C], the kernel's height and width, the cotangent [N, h, w, O], strides and padding, to
[height, width, C, O]."""

BLOCK = 8
"""Images that `channels_as_columns` takes as the channels of one convolution: oneDNN's vectors of 8 are full."""


def conv_general_dilated(
    x: jax.Array,
    kernel: jax.Array,
    window_strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    *,
    kernel_gradient: KernelGradient,
    **options: Any,
) -> jax.Array:
    """`lax.conv_general_dilated` for `nn.Conv(conv_general_dilated=...)`, of images [N, H, W, C] in one group."""
    dilations = (*(options.get('lhs_dilation') or ()), *(options.get('rhs_dilation') or ()))
    if options.get('feature_group_count', 1) != 1 or any(d != 1 for d in dilations):
        raise NotImplementedError('the convolution for CPUs has neither feature groups nor dilation')
    return _conv(x, kernel, tuple(window_strides), tuple(tuple(p) for p in padding), kernel_gradient)


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


def channels_as_batch(x: jax.Array, window: Sizes, cotangent: jax.Array, strides: Sizes, padding: Padding) -> jax.Array:
    """The input convolved with the dilated cotangent: channels stand as the batch, the batch as channels."""
    pads = _pads(x, window, cotangent, strides, padding)
    kernel = _fast_conv(
        _transpose(x, (3, 1, 2, 0)), _transpose(cotangent, (1, 2, 0, 3)), (1, 1), pads, rhs_dilation=strides
    )
    return kernel.transpose(1, 2, 0, 3)


def channels_as_columns(
    x: jax.Array, window: Sizes, cotangent: jax.Array, strides: Sizes, padding: Padding
) -> jax.Array:
    """The input convolved with the dilated cotangent: each pixel's channels stand as neighbouring columns.

    The image is [H, W C]; the cotangent's columns are C apart. The result [height, width C, O] is the kernel. Blocks of
    images are a third spatial axis, those of one block the channels. oneDNN computes many
    columns at once.
    """
    (low, high), (left, right) = _pads(x, window, cotangent, strides, padding)
    more = -x.shape[0] % BLOCK
    # A negative padding leaves rows out, which oneDNN does not.
    x = _pad(x, (0, more), (0, min(high, 0)), (0, min(right, 0)), (0, 0))
    cotangent = _pad(cotangent, (0, more), (0, 0), (0, 0), (0, 0))
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
    """Of a 1x1 convolution: the pixels that it reads, times the cotangent; a sum of up to `most_parts` products.

    A product of few channels over all pixels is fast in oneDNN only by parts, of some images each.
    """
    (low, high), (left, right) = _pads(x, window, cotangent, strides, padding)
    x = _pad(x, (0, 0), (low, high), (left, right), (0, 0))[:, :: strides[0], :: strides[1]]
    channels, features = x.shape[3], cotangent.shape[3]
    parts = math.gcd(x.shape[0], most_parts)
    if parts * channels * features > x.size:  # where the parts would be larger than the images
        parts = 1
    products = jnp.einsum('pkc,pko->pco', x.reshape(parts, -1, channels), cotangent.reshape(parts, -1, features))
    return products.sum(0)[None, None]


def for_xla(x: jax.Array, window: Sizes, cotangent: jax.Array, strides: Sizes, padding: Padding) -> jax.Array:
    """The kernel's gradient in the form that is fastest in XLA's own convolutions and products (Eigen)."""
    form = matrix_product if window == (1, 1) else channels_as_batch
    return form(x, window, cotangent, strides, padding)


def for_one_dnn(x: jax.Array, window: Sizes, cotangent: jax.Array, strides: Sizes, padding: Padding) -> jax.Array:
    """The kernel's gradient in the form that is fastest in oneDNN, which has float32 on every CPU."""
    if x.dtype != jnp.float32:
        return for_xla(x, window, cotangent, strides, padding)
    if window == (1, 1):
        return matrix_product(x, window, cotangent, strides, padding, most_parts=16)
    return channels_as_columns(x, window, cotangent, strides, padding)


def _pads(x: jax.Array, window: Sizes, cotangent: jax.Array, strides: Sizes, padding: Padding) -> Padding:
    """Rows and columns to add to the input, or to leave out, where the dilated cotangent is the kernel."""
    rows, columns = (
        (low, taps + (cotangents - 1) * stride - size - low)
        for (low, _), taps, cotangents, stride, size in zip(
            padding, window, cotangent.shape[1:3], strides, x.shape[1:3], strict=True
        )
    )
    return rows, columns


def _pad(x: jax.Array, *pads: tuple[int, int]) -> jax.Array:
    """With zeros at the edges; negative numbers leave out."""
    return lax.pad(x, jnp.zeros((), x.dtype), [(*pad, 0) for pad in pads]) if any(map(any, pads)) else x


def _fast_conv(x: jax.Array, kernel: jax.Array, strides: Sizes, padding: Sequence[Sizes], **dilation: Any) -> jax.Array:
    return lax.conv_general_dilated(x, kernel, strides, padding, dimension_numbers=('NHWC', 'HWIO', 'NHWC'), **dilation)


def _transpose(x: jax.Array, axes: Sequence[int], shape: Sequence[int] | None = None) -> jax.Array:
    """Reshapes and transposes, not fused with what makes `x`: alone it runs at copy speed, fused at a seventh.

    A barrier behind it, too, would make XLA copy twice.
    """
    x = lax.optimization_barrier(x)
    return (x if shape is None else x.reshape(shape)).transpose(axes)


class Conv(nn.Conv):
    """`nn.Conv` with the gradients of this file, as XLA's own convolutions are fastest."""

    conv_general_dilated: Any = partial(conv_general_dilated, kernel_gradient=for_xla)


class OneDnnConv(nn.Conv):
    """`nn.Conv` with the gradients of this file, as oneDNN's convolutions are fastest."""

    conv_general_dilated: Any = partial(conv_general_dilated, kernel_gradient=for_one_dnn)
