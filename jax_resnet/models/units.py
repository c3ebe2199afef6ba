"""Residual units: the blocks that stages are stacks of.

A unit is a few convolutions (LAYERS), an order of convolution, BatchNorm and ReLU (ORDERS), and a shortcut. A new
kind of unit is a line in one of these tables.
"""

from collections.abc import Sequence
from typing import NamedTuple

import flax.linen as nn
import jax

from jax_resnet.models.parts import ModuleDef, Parts


class Layer(NamedTuple):
    """A convolution of a unit: its window, what the unit's channels are divided by, and whether it has the stride."""

    window: int
    divisor: int = 1
    strided: bool = False


LAYERS: dict[str, tuple[Layer, ...]] = {
    'one_layer': (Layer(3, strided=True),),
    'basic': (Layer(3, strided=True), Layer(3)),
    'three_layer': (Layer(3, strided=True), Layer(3), Layer(3)),
    'bottleneck': (Layer(1, 4, strided=True), Layer(3, 4), Layer(1)),
    'bottleneck_v1.5': (Layer(1, 4), Layer(3, 4, strided=True), Layer(1)),
}
"""By name (He et al. 2015, Figure 5; one layer: 2016, Table 3; three: an assignment's question). R15 has a bottleneck's
stride in its first 1x1 convolution; torchvision ("v1.5") in the 3x3."""


class Order(NamedTuple):
    """Where convolution, BatchNorm and ReLU stand: around each convolution, around the last, and after the addition."""

    each: str
    last: str
    after: str


ORDERS: dict[str, Order] = {
    'original': Order('conv norm relu', 'conv norm', 'relu'),
    'bn_after_addition': Order('conv norm relu', 'conv', 'norm relu'),
    'relu_before_addition': Order('conv norm relu', 'conv norm relu', ''),
    'relu_only_preactivation': Order('relu conv norm', 'relu conv norm', ''),
    'full_preactivation': Order('norm relu conv', 'norm relu conv', ''),
}
"""By name (He et al. 2016, Figure 4 and Table 2)."""


class Unit(nn.Module):
    """A residual unit: convolutions `conv1`, `norm1`, ... and a shortcut around them.

    With a pre-activation order, what stands before the first convolution feeds both branches in a unit that
    changes the shape, and in the first unit of the network; else the shortcut gets the input untouched (He et
    al. 2016, section 4.1, and the authors' code).

    Attributes:
        layers: its convolutions.
        order: of convolution, BatchNorm and ReLU.
        shortcut: makes the shortcut.
        channels, stride: of its output.
        parts: what it is built with.
        is_first: of the network.
        zero_last_scale: begin with zero for the scale of the branch's last BatchNorm (Goyal et al. 2017, arXiv
            1706.02677), so that the unit begins as its shortcut.
    """

    layers: Sequence[Layer]
    order: Order
    shortcut: ModuleDef
    channels: int
    stride: int
    parts: Parts
    is_first: bool = False
    zero_last_scale: bool = False

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        branch = ' '.join([self.order.each] * (len(self.layers) - 1) + [self.order.last]).split()
        counts = {'conv': 0, 'norm': 0}

        def run(steps: Sequence[str], x: jax.Array) -> jax.Array:
            for step in steps:
                if step == 'relu':
                    x = nn.relu(x)
                    continue
                counts[step] += 1
                name = f'{step}{counts[step]}'
                if step == 'conv':
                    x = self._conv(self.layers[counts['conv'] - 1], name, x)
                elif self.zero_last_scale and counts['norm'] == branch.count('norm'):
                    x = self.parts.norm(scale_init=nn.initializers.zeros, name=name)(x)
                else:
                    x = self.parts.norm(name=name)(x)
            return x

        start = branch.index('conv')
        y = run(branch[:start], x)
        if self.is_first or self.stride != 1 or self.channels != x.shape[-1]:
            x = y
        y = run(branch[start:], y)
        y = self.shortcut(self.channels, self.stride, self.parts, name='shortcut')(x, y)
        return run(self.order.after.split(), y)

    def _conv(self, layer: Layer, name: str, x: jax.Array) -> jax.Array:
        stride = self.stride if layer.strided else 1
        pad = layer.window // 2  # not 'SAME', which would pad a stride of 2 on one side only
        return self.parts.conv(
            self.channels // layer.divisor,
            (layer.window,) * 2,
            (stride,) * 2,
            padding=((pad, pad), (pad, pad)),
            name=name,
        )(x)
