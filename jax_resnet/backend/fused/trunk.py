"""All units of a network as one function, `trunk`, whose forward and backward pass run the kernels of `layers`."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp

from jax_resnet.backend.fused import layers, tiles
from jax_resnet.backend.fused.tiles import Normalized, Shape
from jax_resnet.backend.gpu_batch_norm import two_sums
from jax_resnet.models.batch_norm import to_float32


@dataclass(frozen=True)
class Plan:
    """The shapes and constants of a network. BatchNorm i takes the output of convolution i; the stem's number is 0.

    Attributes:
        shapes: shape of each BatchNorm's input: the stem's output, then the output of each other convolution.
        shortcuts: whether units have shortcuts (option A).
        epsilon: BatchNorm's epsilon.
    """

    shapes: tuple[Shape, ...]
    shortcuts: bool
    epsilon: float

    def offset(self, i: int) -> int:
        """Position of the first scale of BatchNorm i among those of all BatchNorms."""
        return sum(shape.channels for shape in self.shapes[:i])

    def shortcut(self, i: int) -> int:
        """Number of channels of the shortcut that is added to the output of BatchNorm i; 0 if there is none."""
        if self.shortcuts and i > 0 and i % 2 == 0:
            return self.shapes[i - 2].channels
        return 0

    def begins_unit(self, i: int) -> bool:
        """Whether convolution i is the first of a unit with a shortcut, so that both have the same input."""
        return self.shortcuts and i % 2 == 1


def _totals(plan: Plan, sums: Sequence[jax.Array]) -> list[jax.Array]:
    """Returns for each BatchNorm the two sums over each group, [groups, 2, channels].

    Consecutive BatchNorms of one shape are added in one operation.
    """
    totals: list[jax.Array] = []
    for shape, pairs in itertools.groupby(zip(plan.shapes, sums, strict=True), key=lambda pair: pair[0]):
        totals += list(jnp.stack([x.reshape(shape.sums) for _, x in pairs]).sum(-1))
    return totals


def statistics(plan: Plan, sums: Sequence[jax.Array]) -> list[tiles.Statistics]:
    """Returns for each BatchNorm the statistics of each group, each [groups, channels]."""
    totals = zip(plan.shapes, _totals(plan, sums), strict=True)
    return [tiles.from_sums(total[:, 0], total[:, 1], shape.count, plan.epsilon) for shape, total in totals]


def _sums(shape: Shape, a: jax.Array, b: jax.Array) -> jax.Array:
    """Returns the two sums of each part, as the kernels write them: `Shape.sums`, flat."""
    a, b = (x.reshape(shape.groups, shape.parts, shape.block, shape.channels) for x in (a, b))
    both = two_sums(a, b, (2,))
    return jnp.stack(both, 1).swapaxes(2, 3).ravel()


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def trunk(
    plan: Plan, z: jax.Array, kernels: list[jax.Array], scales: jax.Array, biases: jax.Array
) -> tuple[jax.Array, list[jax.Array]]:
    """Computes all units. Returns the last unit's output and the sums of each BatchNorm.

    Args:
        plan: the network's shapes.
        z: output of the stem's convolution, flat.
        kernels: kernels of the other convolutions, flat.
        scales, biases: those of all BatchNorms, one after another.
    """
    return _forward(plan, z, kernels, scales, biases)[0]


def _forward(plan: Plan, z: jax.Array, kernels: list[jax.Array], scales: jax.Array, biases: jax.Array) -> tuple:
    inputs: list[Normalized] = []
    shortcuts: list[jax.Array] = []
    sums = _sums(plan.shapes[0], to_float32(z), jnp.square(to_float32(z)))
    for i, in_shape in enumerate(plan.shapes):
        shortcut = shortcuts[i // 2 - 1] if plan.shortcut(i) else None
        inputs.append(Normalized(z, sums, scales, biases, jnp.array([plan.offset(i)], jnp.int32), shortcut))
        if i < len(kernels):
            options = plan.shortcut(i), plan.begins_unit(i + 1), plan.epsilon
            z, sums, *h = layers.forward(inputs[i], in_shape, kernels[i], plan.shapes[i + 1], *options)
            shortcuts += h
    h = _activation(plan, inputs[-1])
    return (h, [x.sums for x in inputs]), (h, kernels, inputs)


def _activation(plan: Plan, x: Normalized) -> jax.Array:
    """Returns the last unit's output, flat. No kernel computes it, because there is no next layer."""
    shape, last = plan.shapes[-1], len(plan.shapes) - 1
    total = x.sums.reshape(shape.sums).sum(-1)
    group = tiles.from_sums(total[:, 0], total[:, 1], shape.count, plan.epsilon)
    scale, bias = (values[plan.offset(last) :] for values in (x.scales, x.biases))
    factor = scale * group.rsqrt
    images = to_float32(x.z).reshape(shape.groups, -1, shape.channels)
    images = images * factor[:, None] + (bias - factor * group.mean)[:, None]
    if x.shortcut is not None:
        shortcut = x.shortcut.reshape(shape.groups, images.shape[1], -1)
        images += jnp.pad(shortcut, ((0, 0), (0, 0), (0, shape.channels - shortcut.shape[-1])))
    return jax.nn.relu(images).astype(x.z.dtype).ravel()


def _backward(plan: Plan, saved: tuple, cotangents: tuple) -> tuple:
    h, kernels, inputs = saved
    last = len(kernels)
    m = jnp.where(h > 0, cotangents[0], 0)
    sums = _sums(plan.shapes[last], to_float32(m), to_float32(m) * to_float32(inputs[last].z))
    gradients = {last: inputs[last].gradient(m, sums)}
    d_kernels: list[jax.Array] = []
    for i in range(last, 0, -1):
        in_shape, out_shape = plan.shapes[i - 1 : i + 1]
        x, kernel, shortcut = inputs[i - 1], kernels[i - 1], plan.shortcut(i - 1)
        parts = layers.kernel_gradient(gradients[i], out_shape, x, in_shape, shortcut, plan.epsilon)
        d_kernels.insert(0, parts.sum(0).astype(kernel.dtype))
        through_shortcut = gradients[i + 1].m if plan.begins_unit(i) else None
        m, sums = layers.input_gradient(
            gradients[i], out_shape, kernel, x, in_shape, shortcut, through_shortcut, plan.epsilon
        )
        gradients[i - 1] = x.gradient(m, sums)
    totals = _totals(plan, [gradients[i].m_sums for i in range(last + 1)])
    pairs = list(zip(statistics(plan, [x.sums for x in inputs]), totals, strict=True))
    d_scales = [(group.rsqrt * (total[:, 1] - group.mean * total[:, 0])).sum(0) for group, total in pairs]
    d_biases = [total[:, 0].sum(0) for total in totals]
    shape, (group, total) = plan.shapes[0], pairs[0]
    scale = inputs[0].scales[: shape.channels]
    factors = tiles.coefficients_from_sums(group, scale, total[:, 0], total[:, 1], shape.count)
    m, z = (to_float32(x).reshape(shape.groups, -1, shape.channels) for x in (gradients[0].m, gradients[0].z))
    d_z = m * factors.m_factor[:, None] + z * factors.z_factor[:, None] + factors.constant[:, None]
    return d_z.astype(h.dtype).ravel(), d_kernels, jnp.concatenate(d_scales), jnp.concatenate(d_biases)


trunk.defvjp(_forward, _backward)
