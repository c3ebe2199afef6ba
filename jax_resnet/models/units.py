"""Residual units, the blocks that stages are stacks of: their convolutions (LAYERS) and their five orders (ORDERS).

An order is a function that reads like its part of Figure 4 of He et al. 2016; `Unit` has the tools it is written with.
A new kind of unit is a line in LAYERS; a new order, a function and a line in ORDERS.
"""

from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
from jax import Array
from jax.nn import relu

from jax_resnet.models.parts import Parts
from jax_resnet.models.shortcuts import MakesShortcut


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


class Unit(nn.Module):
    """A residual unit: convolutions `conv1`, `norm1`, ... and a shortcut around them.

    Attributes:
        layers: its convolutions.
        order: of convolution, BatchNorm, ReLU and addition: one of those below.
        make_shortcut: makes the shortcut, which adds.
        channels, stride: of its output.
        parts: what it is built with.
        is_first: of the network.
        zero_last_scale: begin with zero for the scale of the last BatchNorm (Goyal et al. 2017, arXiv 1706.02677), so
            that the unit begins as its shortcut.
    """

    layers: tuple[Layer, ...]
    order: Callable[['Unit', Array], Array]
    make_shortcut: MakesShortcut
    channels: int
    stride: int
    parts: Parts
    is_first: bool = False
    zero_last_scale: bool = False

    @nn.compact
    def __call__(self, x: Array) -> Array:
        return self.order(self, x)

    @property
    def last(self) -> int:
        """Number of the last layer: they are counted from 1."""
        return len(self.layers)

    @property
    def inner(self) -> range:
        """Numbers of the layers but the last."""
        return range(1, self.last)

    @property
    def after_first(self) -> range:
        """Numbers of the layers but the first."""
        return range(2, self.last + 1)

    @nn.nowrap
    def conv(self, i: int, x: Array) -> Array:
        """The convolution of layer i."""
        layer = self.layers[i - 1]
        stride = self.stride if layer.strided else 1
        return self.parts.conv(self.channels // layer.divisor, layer.window, stride, name=f'conv{i}')(x)

    @nn.nowrap
    def norm(self, i: int, x: Array) -> Array:
        """The BatchNorm of layer i."""
        return self.parts.norm(zero_scale=self.zero_last_scale and i == self.last, name=f'norm{i}')(x)

    @nn.nowrap
    def add(self, x: Array, y: Array) -> Array:
        """The sum of the branch y and the shortcut of x."""
        return self.make_shortcut(self.channels, self.stride, self.parts, name='shortcut')(x, y)

    @nn.nowrap
    def activates_both(self, x: Array) -> bool:
        """Whether, in a pre-activation order, the shortcut too begins with the activated input.

        So it is in the network's first unit and where a unit changes the shape; elsewhere the shortcut has the input
        untouched (He et al. 2016, section 4.1, and the authors' code).
        """
        return self.is_first or self.stride != 1 or self.channels != x.shape[-1]


def original(unit: Unit, x: Array) -> Array:
    """Figure 4(a)."""
    y = x
    for i in unit.inner:
        y = relu(unit.norm(i, unit.conv(i, y)))
    y = unit.norm(unit.last, unit.conv(unit.last, y))
    return relu(unit.add(x, y))


def bn_after_addition(unit: Unit, x: Array) -> Array:
    """Figure 4(b)."""
    y = x
    for i in unit.inner:
        y = relu(unit.norm(i, unit.conv(i, y)))
    y = unit.conv(unit.last, y)
    return relu(unit.norm(unit.last, unit.add(x, y)))


def relu_before_addition(unit: Unit, x: Array) -> Array:
    """Figure 4(c)."""
    y = x
    for i in unit.inner:
        y = relu(unit.norm(i, unit.conv(i, y)))
    y = relu(unit.norm(unit.last, unit.conv(unit.last, y)))
    return unit.add(x, y)


def relu_only_preactivation(unit: Unit, x: Array) -> Array:
    """Figure 4(d)."""
    y = relu(x)
    if unit.activates_both(x):  # section 4.1
        x = y
    y = unit.norm(1, unit.conv(1, y))
    for i in unit.after_first:
        y = unit.norm(i, unit.conv(i, relu(y)))
    return unit.add(x, y)


def full_preactivation(unit: Unit, x: Array) -> Array:
    """Figure 4(e)."""
    y = relu(unit.norm(1, x))
    if unit.activates_both(x):  # section 4.1
        x = y
    y = unit.conv(1, y)
    for i in unit.after_first:
        y = unit.conv(i, relu(unit.norm(i, y)))
    return unit.add(x, y)


ORDERS: dict[str, Callable[[Unit, Array], Array]] = {
    'original': original,
    'bn_after_addition': bn_after_addition,
    'relu_before_addition': relu_before_addition,
    'relu_only_preactivation': relu_only_preactivation,
    'full_preactivation': full_preactivation,
}
"""By name (He et al. 2016, Figure 4 and Table 2)."""

AFTER_LAST_NORM = {
    'bn_after_addition': 'comes after the addition',
    'relu_before_addition': 'is followed by a ReLU',
    'full_preactivation': 'is followed by a ReLU',
}
"""Of the orders whose branch does not end with its last BatchNorm, where that BatchNorm stands."""
