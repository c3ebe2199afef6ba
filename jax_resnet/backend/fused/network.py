"""A residual network in training, by the kernels of `layers`: the stem's convolution and the head are XLA's."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from jax_resnet import models
from jax_resnet.backend.fused import layers, tiles
from jax_resnet.backend.fused.tiles import Normalized, Shape
from jax_resnet.backend.gpu_batch_norm import two_sums
from jax_resnet.models.batch_norm import count_groups, to_float32
from jax_resnet.models.end import average_pool
from jax_resnet.models.units import LAYERS


@dataclass(frozen=True)
class Plan:
    """What is known of a network before its arrays.

    Attributes:
        shapes: of each BatchNorm's input: the stem's output, then of each convolution's.
        shortcuts: whether units have one: option A.
        epsilon: of BatchNorm.
    """

    shapes: tuple[Shape, ...]
    shortcuts: bool
    epsilon: float

    def at(self, i: int) -> int:
        """Where the numbers of BatchNorm i begin among those of all."""
        return sum(of.channels for of in self.shapes[:i])

    def shortcut(self, i: int) -> int:
        """Channels of the shortcut that is added to what BatchNorm i makes; 0 where none is."""
        return self.shapes[i - 2].channels if self.shortcuts and i and i % 2 == 0 else 0

    def begins_unit(self, i: int) -> bool:
        """Whether convolution i, counted from 1, begins a unit whose shortcut has the same input."""
        return self.shortcuts and i % 2 == 1


@dataclass(frozen=True)
class Fused:
    """A network as `models.ResNet` with `apply`; in training by fused kernels, else as it is.

    Attributes:
        net: of basic units in the original order with shortcut A or none, with CIFAR's stem, unstacked.

    Raises:
        ValueError: another network.
    """

    net: models.ResNet

    def __post_init__(self) -> None:
        net = self.net
        known = {
            'order': net.order == 'original',
            'layers': set(net.layers) == {LAYERS['basic']},
            'shortcut': net.shortcut in ('A', 'none'),
            'stem': (net.stem.window, net.stem.stride, net.stem.pool) == (3, 1, False),
            'end': net.end == models.ResNet.end,
            'norm': isinstance(net.norm, models.BatchNorms),
            'channels': net.stem.channels == net.widths[0],
        }
        for what, is_known in known.items():
            if not is_known:
                raise ValueError(f"is for CIFAR's networks of basic units; not with this {what}")

    @property
    def stacked(self) -> bool:
        """Never."""
        return False

    def apply(self, variables: Mapping[str, Any], images: jax.Array, train: bool = False, **options: Any) -> Any:
        """As `models.ResNet.apply`; with `train=True` it returns (logits, {'batch_stats': ...})."""
        net = self.net
        if not train:
            return net.apply(variables, images, **options)
        dtype = net.dtype or images.dtype
        params = variables['params']
        units = [params[f'stage{s}'][f'unit{u}'] for s, n in enumerate(net.stage_sizes, 1) for u in range(1, n + 1)]
        stem = params['stem']
        convolutions = [unit[f'conv{i}']['kernel'] for unit in units for i in (1, 2)]
        kernels = [kernel.astype(dtype).ravel() for kernel in convolutions]
        norms = [stem['norm'], *(unit[f'norm{i}'] for unit in units for i in (1, 2))]
        scales, biases = (jnp.concatenate([norm[name] for norm in norms]) for name in ('scale', 'bias'))
        kernel, numbers = stem['conv']['kernel'].astype(dtype), ('NHWC', 'HWIO', 'NHWC')
        z = lax.conv_general_dilated(images.astype(dtype), kernel, (1, 1), 'SAME', dimension_numbers=numbers)
        plan = self.plan(len(images), images.shape[1])
        h, sums = _trunk(plan, z.ravel(), kernels, scales, biases)
        last = plan.shapes[-1]
        x = average_pool(h.reshape(last.batch, last.size, last.size, last.channels), 1).reshape(last.batch, -1)
        if net.num_classes:
            x = nn.Dense(net.num_classes, dtype=net.dtype).apply({'params': params['head']}, x)  # type: ignore[assignment]
        return to_float32(x), {'batch_stats': self._statistics(plan, sums, variables['batch_stats'])}

    @property
    def _norm(self) -> models.BatchNorms:
        assert isinstance(self.net.norm, models.BatchNorms)
        return self.net.norm

    def plan(self, batch: int, size: int) -> Plan:
        """Of a batch of images, size x size pixels. Raises ValueError where kernels cannot share their pixels."""
        net = self.net
        groups = count_groups(batch, self._norm.group_size)
        shapes = [Shape(groups, batch, size, net.stem.channels)]
        for stage, (count, width) in enumerate(zip(net.stage_sizes, net.widths, strict=True)):
            shapes += 2 * count * [Shape(groups, batch, size >> stage, width)]
        for of in shapes:
            if any(number & (number - 1) for number in (of.count, of.channels)) or size % 4:
                raise ValueError(
                    'takes numbers of pixels in a BatchNorm group and of channels that are powers of two, and images '
                    f'of a multiple of 4; got {of.count:,} pixels, {of.channels} channels, images of {size}'
                )
        return Plan(tuple(shapes), net.shortcut == 'A', self._norm.epsilon)

    def _statistics(self, plan: Plan, sums: Sequence[jax.Array], running: Mapping[str, Any]) -> Any:
        """The running statistics after this batch, from the sums of each BatchNorm."""
        keep = self._norm.momentum
        names: list[tuple[str, ...]] = [('stem', 'norm')]
        for s, count in enumerate(self.net.stage_sizes, 1):
            names += [(f'stage{s}', f'unit{u}', f'norm{i}') for u in range(1, count + 1) for i in (1, 2)]
        new: dict[str, Any] = {}
        groups = _groups(plan, sums)
        for name, group in zip(names, groups, strict=True):
            old: Any = running
            place = new
            for part in name:
                old, place = old[part], place.setdefault(part, {})
            var = jnp.maximum(group.unclipped, 0)
            place['mean'] = keep * old['mean'] + (1 - keep) * group.mean.mean(0)
            place['var'] = keep * old['var'] + (1 - keep) * var.mean(0)
        return new


def _total(plan: Plan, sums: Sequence[jax.Array]) -> list[jax.Array]:
    """Of each BatchNorm both sums over each group, [groups, 2, channels]; added up for all of one shape together."""
    totals: list[jax.Array] = []
    for of, run in itertools.groupby(zip(plan.shapes, sums, strict=True), key=lambda pair: pair[0]):
        totals += list(jnp.stack([x.reshape(of.sums) for _, x in run]).sum(-1))
    return totals


def _groups(plan: Plan, sums: Sequence[jax.Array]) -> list[tiles.Statistics]:
    """Of each BatchNorm the statistics of each group, [groups, channels]."""
    totals = zip(plan.shapes, _total(plan, sums), strict=True)
    return [tiles.from_sums(total[:, 0], total[:, 1], of.count, plan.epsilon) for of, total in totals]


def _sums(of: Shape, a: jax.Array, b: jax.Array) -> jax.Array:
    """Both sums of each part, as the kernels write them."""
    a, b = (x.reshape(of.groups, of.parts, of.block, of.channels) for x in (a, b))
    both = two_sums(a, b, (2,))
    return jnp.stack(both, 1).swapaxes(2, 3).ravel()


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _trunk(
    plan: Plan, z: jax.Array, kernels: list[jax.Array], scales: jax.Array, biases: jax.Array
) -> tuple[jax.Array, list[jax.Array]]:
    """The last unit's output and the sums of each BatchNorm, from the stem's convolution."""
    return _forward(plan, z, kernels, scales, biases)[0]


def _forward(plan: Plan, z: jax.Array, kernels: list[jax.Array], scales: jax.Array, biases: jax.Array) -> tuple:
    inputs: list[Normalized] = []
    kept: list[jax.Array] = []
    sums = _sums(plan.shapes[0], to_float32(z), jnp.square(to_float32(z)))
    for i, of in enumerate(plan.shapes):
        shortcut = kept[i // 2 - 1] if plan.shortcut(i) else None
        inputs.append(Normalized(z, sums, scales, biases, jnp.array([plan.at(i)], jnp.int32), shortcut))
        if i < len(kernels):
            case = plan.shortcut(i), plan.begins_unit(i + 1), plan.epsilon
            z, sums, *h = layers.forward(inputs[i], of, kernels[i], plan.shapes[i + 1], *case)
            kept += h
    h = _activation(plan, inputs[-1])
    return (h, [x.sums for x in inputs]), (h, kernels, inputs)


def _activation(plan: Plan, x: Normalized) -> jax.Array:
    """The last unit's output: what no kernel of a next layer makes."""
    of, last = plan.shapes[-1], len(plan.shapes) - 1
    total = x.sums.reshape(of.sums).sum(-1)
    group = tiles.from_sums(total[:, 0], total[:, 1], of.count, plan.epsilon)
    scale, bias = (numbers[plan.at(last) :] for numbers in (x.scales, x.biases))
    factor = scale * group.rsqrt
    images = to_float32(x.z).reshape(of.groups, -1, of.channels)
    images = images * factor[:, None] + (bias - factor * group.mean)[:, None]
    if x.shortcut is not None:
        shortcut = x.shortcut.reshape(of.groups, images.shape[1], -1)
        images += jnp.pad(shortcut, ((0, 0), (0, 0), (0, of.channels - shortcut.shape[-1])))
    return jax.nn.relu(images).astype(x.z.dtype).ravel()


def _backward(plan: Plan, saved: tuple, cotangents: tuple) -> tuple:
    h, kernels, inputs = saved
    last = len(kernels)
    m = jnp.where(h > 0, cotangents[0], 0)
    sums = _sums(plan.shapes[last], to_float32(m), to_float32(m) * to_float32(inputs[last].z))
    gradients = {last: inputs[last].gradient(m, sums)}
    d_kernels: list[jax.Array] = []
    for i in range(last, 0, -1):
        of, to = plan.shapes[i - 1 : i + 1]
        x, kernel, case = inputs[i - 1], kernels[i - 1], plan.shortcut(i - 1)
        parts = layers.kernel_gradient(gradients[i], to, x, of, case, plan.epsilon)
        d_kernels.insert(0, parts.sum(0).astype(kernel.dtype))
        more = gradients[i + 1].m if plan.begins_unit(i) else None
        m, sums = layers.input_gradient(gradients[i], to, kernel, x, of, case, more, plan.epsilon)
        gradients[i - 1] = x.gradient(m, sums)
    groups = _groups(plan, [x.sums for x in inputs])
    totals = _total(plan, [gradients[i].m_sums for i in range(last + 1)])
    pairs = list(zip(groups, totals, strict=True))
    d_scales = [(group.rsqrt * (total[:, 1] - group.mean * total[:, 0])).sum(0) for group, total in pairs]
    d_biases = [total[:, 0].sum(0) for total in totals]
    of, (group, total) = plan.shapes[0], pairs[0]
    by = tiles.gradient_of_z(group, inputs[0].scales[: of.channels], total[:, 0], total[:, 1], of.count)
    m, z = (to_float32(x).reshape(of.groups, -1, of.channels) for x in (gradients[0].m, gradients[0].z))
    d_z = m * by.m[:, None] + z * by.z[:, None] + by.constant[:, None]
    return d_z.astype(h.dtype).ravel(), d_kernels, jnp.concatenate(d_scales), jnp.concatenate(d_biases)


_trunk.defvjp(_forward, _backward)
