"""Trains a residual network with the kernels of `layers`. XLA runs the stem's convolution and the head."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from jax_resnet import models
from jax_resnet.backend.fused.tiles import Shape
from jax_resnet.backend.fused.trunk import Plan, statistics, trunk
from jax_resnet.models.batch_norm import count_groups, to_float32
from jax_resnet.models.end import average_pool
from jax_resnet.models.units import LAYERS


@dataclass(frozen=True)
class Fused:
    """A network with the `apply` of `models.ResNet`. It trains with the fused kernels; its evaluation is that of `net`.

    Attributes:
        net: an unstacked network of basic units in the original order, with shortcut A or none, and with CIFAR's stem.

    Raises:
        ValueError: `net` is another network.
    """

    net: models.ResNet

    def __post_init__(self) -> None:
        net = self.net
        supported = {
            'order': net.order == 'original',
            'layers': set(net.layers) == {LAYERS['basic']},
            'shortcut': net.shortcut in ('A', 'none'),
            'stem': (net.stem.window, net.stem.stride, net.stem.pool) == (3, 1, False),
            'end': net.end == models.ResNet.end,
            'norm': isinstance(net.norm, models.BatchNorms),
            'channels': net.stem.channels == net.widths[0],
        }
        for attribute, is_supported in supported.items():
            if not is_supported:
                raise ValueError(f"is for CIFAR's networks of basic units; this {attribute} is not supported")

    @property
    def stacked(self) -> bool:
        """False: fused networks are not stacked."""
        return False

    def apply(self, variables: Mapping[str, Any], images: jax.Array, train: bool = False, **options: Any) -> Any:
        """Runs the network, like `models.ResNet.apply`. With `train=True` it returns (logits, {'batch_stats': ...}).

        Args:
            variables: the network's variables.
            images: [batch, size, size, channels].
            train: whether to use the batch's statistics.
            **options: further arguments of `models.ResNet.apply` for evaluation; ignored in training.

        Raises:
            ValueError: as for `plan`, with `train=True`.
        """
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
        kernel, dimensions = stem['conv']['kernel'].astype(dtype), ('NHWC', 'HWIO', 'NHWC')
        z = lax.conv_general_dilated(images.astype(dtype), kernel, (1, 1), 'SAME', dimension_numbers=dimensions)
        plan = self.plan(len(images), images.shape[1])
        h, sums = trunk(plan, z.ravel(), kernels, scales, biases)
        last = plan.shapes[-1]
        x = average_pool(h.reshape(last.batch, last.size, last.size, last.channels), 1).reshape(last.batch, -1)
        if net.num_classes:
            x = nn.Dense(net.num_classes, dtype=net.dtype).apply({'params': params['head']}, x)  # type: ignore[assignment]
        return to_float32(x), {'batch_stats': self._running_statistics(plan, sums, variables['batch_stats'])}

    @property
    def _norm(self) -> models.BatchNorms:
        assert isinstance(self.net.norm, models.BatchNorms)
        return self.net.norm

    def plan(self, batch: int, size: int) -> Plan:
        """Returns the plan for a batch of images of size x size pixels.

        Raises:
            ValueError: a number of pixels or channels is not supported, or BatchNorm's groups do not divide the batch.
        """
        net = self.net
        groups = count_groups(batch, self._norm.group_size)
        shapes = [Shape(groups, batch, size, net.stem.channels)]
        for stage, (count, width) in enumerate(zip(net.stage_sizes, net.widths, strict=True)):
            shapes += 2 * count * [Shape(groups, batch, size >> stage, width)]
        for shape in shapes:
            if shape.count.bit_count() != 1 or shape.channels.bit_count() != 1 or size % 4:
                raise ValueError(
                    'needs powers of two for the number of pixels in a BatchNorm group and for the number of channels, '
                    f'and an image size that is a multiple of 4; got {shape.count:,} pixels, {shape.channels} '
                    f'channels, image size {size}'
                )
        return Plan(tuple(shapes), net.shortcut == 'A', self._norm.epsilon)

    def _running_statistics(self, plan: Plan, sums: Sequence[jax.Array], running: Mapping[str, Any]) -> Any:
        """Returns the running statistics after this batch, from the sums of each BatchNorm."""
        momentum = self._norm.momentum
        names: list[tuple[str, ...]] = [('stem', 'norm')]
        for s, count in enumerate(self.net.stage_sizes, 1):
            names += [(f'stage{s}', f'unit{u}', f'norm{i}') for u in range(1, count + 1) for i in (1, 2)]
        new: dict[str, Any] = {}
        for name, group in zip(names, statistics(plan, sums), strict=True):
            old: Any = running
            updated = new
            for part in name:
                old, updated = old[part], updated.setdefault(part, {})
            var = jnp.maximum(group.unclipped, 0)
            updated['mean'] = momentum * old['mean'] + (1 - momentum) * group.mean.mean(0)
            updated['var'] = momentum * old['var'] + (1 - momentum) * var.mean(0)
        return new
