"""Residual units, the blocks of a stage: their convolutions (LAYERS) and the five orders of their layers (ORDERS).

Each order is a function that follows one column of Figure 4 of He et al. 2016. It calls the methods of `Unit`.
To add a unit, add a line to LAYERS, and one to CIFAR_DEPTHS in `networks.py`. To add an order, write a function and an
entry in ORDERS. Add the new name to `config/fields.py` as well.
"""

from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
from jax import Array
from jax.nn import relu

from jax_resnet.models.layers import LayerFactory
from jax_resnet.models.shortcuts import MakesShortcut


class Layer(NamedTuple):
    """A convolution of a unit.

    Attributes:
        window: kernel size.
        width: number of output channels, relative to that of the unit.
        strided: whether this convolution has the unit's stride.
        groups: number of groups, between which channels are not connected (ResNeXt).
        dropout: rate of dropout on the convolution's input (Wide ResNet).
    """

    window: int
    width: float = 1
    strided: bool = False
    groups: int = 1
    dropout: float = 0.0


LAYERS: dict[str, tuple[Layer, ...]] = {
    'one_layer': (Layer(3, strided=True),),
    'basic': (Layer(3, strided=True), Layer(3)),
    'three_layer': (Layer(3, strided=True), Layer(3), Layer(3)),
    'bottleneck': (Layer(1, 1 / 4, strided=True), Layer(3, 1 / 4), Layer(1)),
    'bottleneck_v1.5': (Layer(1, 1 / 4), Layer(3, 1 / 4, strided=True), Layer(1)),
}
"""By name (He et al. 2015, Figure 5; 'one_layer': 2016, Table 3; 'three_layer': `configs/studies/skips.py`). The 2015
paper puts a bottleneck's stride in the first 1x1 convolution; torchvision ("v1.5") puts it in the 3x3."""


class Unit(nn.Module):
    """A residual unit: convolutions `conv1`, `norm1`, ... and a shortcut around them.

    Attributes:
        layers: its convolutions.
        order: function that applies convolution, BatchNorm, ReLU and addition: `Order.apply` of an order below.
        make_shortcut: makes the shortcut, which combines its input with the branch.
        channels, stride: number of output channels, and stride of the unit.
        factory: makes its layers.
        is_first: whether it is the first unit of the network.
        after_activation: whether the stem ends with BatchNorm and ReLU. Then the first unit need not begin with them.
        zero_last_scale: initialize the scale of the last BatchNorm with zero (Goyal et al. 2017, arXiv 1706.02677).
            The branch is then zero at first, and the unit computes only its shortcut.
    """

    layers: tuple[Layer, ...]
    order: Callable[['Unit', Array], Array]
    make_shortcut: MakesShortcut
    channels: int
    stride: int
    factory: LayerFactory
    is_first: bool = False
    after_activation: bool = False
    zero_last_scale: bool = False

    @nn.compact
    def __call__(self, x: Array) -> Array:
        return self.order(self, x)

    @property
    def last(self) -> int:
        """Number of the last layer. Layers are counted from 1."""
        return len(self.layers)

    @property
    def inner(self) -> range:
        """Numbers of all layers except the last."""
        return range(1, self.last)

    @property
    def after_first(self) -> range:
        """Numbers of all layers except the first."""
        return range(2, self.last + 1)

    @nn.nowrap
    def conv(self, i: int, x: Array) -> Array:
        """Applies the convolution of layer i."""
        layer = self.layers[i - 1]
        stride = self.stride if layer.strided else 1
        if layer.dropout:
            x = self.factory.dropout(layer.dropout)(x)
        channels = int(self.channels * layer.width)
        return self.factory.conv(channels, layer.window, stride, groups=layer.groups, name=f'conv{i}')(x)

    @nn.nowrap
    def norm(self, i: int, x: Array) -> Array:
        """Applies the BatchNorm of layer i."""
        return self.factory.norm(zero_scale=self.zero_last_scale and i == self.last, name=f'norm{i}')(x)

    @nn.nowrap
    def add(self, x: Array, y: Array) -> Array:
        """Combines the branch y with the shortcut of x."""
        combined = self.make_shortcut(self.channels, self.stride, self.factory, name='shortcut')(x, y)
        if (combined.shape, combined.dtype) != (y.shape, y.dtype):
            expected, found = (f'{array.dtype} {list(array.shape)}' for array in (y, combined))
            raise ValueError(f'the shortcut must return an array like the branch, {expected}; it returns {found}')
        return combined

    @nn.nowrap
    def activates_both(self, x: Array) -> bool:
        """Whether, in a pre-activation order, the shortcut gets the activated input, as the branch does.

        It does in the network's first unit and in units that change the shape. In other units the shortcut gets the
        raw input (He et al. 2016, section 4.1, and the authors' code).
        """
        return self.is_first or self.stride != 1 or self.channels != x.shape[-1]


def original(unit: Unit, x: Array) -> Array:
    """The order of Figure 4(a)."""
    y = x
    for i in unit.inner:
        y = relu(unit.norm(i, unit.conv(i, y)))
    y = unit.norm(unit.last, unit.conv(unit.last, y))
    return relu(unit.add(x, y))


def bn_after_addition(unit: Unit, x: Array) -> Array:
    """The order of Figure 4(b)."""
    y = x
    for i in unit.inner:
        y = relu(unit.norm(i, unit.conv(i, y)))
    y = unit.conv(unit.last, y)
    return relu(unit.norm(unit.last, unit.add(x, y)))


def relu_before_addition(unit: Unit, x: Array) -> Array:
    """The order of Figure 4(c)."""
    y = x
    for i in unit.inner:
        y = relu(unit.norm(i, unit.conv(i, y)))
    y = relu(unit.norm(unit.last, unit.conv(unit.last, y)))
    return unit.add(x, y)


def relu_only_preactivation(unit: Unit, x: Array) -> Array:
    """The order of Figure 4(d)."""
    y = relu(x)
    if unit.activates_both(x):  # section 4.1
        x = y
    y = unit.norm(1, unit.conv(1, y))
    for i in unit.after_first:
        y = unit.norm(i, unit.conv(i, relu(y)))
    return unit.add(x, y)


def full_preactivation(unit: Unit, x: Array) -> Array:
    """The order of Figure 4(e)."""
    y = x if unit.is_first and unit.after_activation else relu(unit.norm(1, x))
    if unit.activates_both(x):  # section 4.1
        x = y
    y = unit.conv(1, y)
    for i in unit.after_first:
        y = unit.conv(i, relu(unit.norm(i, y)))
    return unit.add(x, y)


class Order(NamedTuple):
    """An order of convolution, BatchNorm, ReLU and addition, and its effects on the network outside the units.

    Attributes:
        apply: function that takes a unit and its input, and returns the unit's output.
        stem_activates: whether BatchNorm and ReLU follow the stem's convolution. If False, the first unit begins with
            them; but before a max pooling, they follow in any case (the 2016 authors' code).
        before_pooling: layers that the order needs between the last unit and the pooling: '', 'relu' or 'norm relu'.
        projection_norm: whether BatchNorm follows a projection; the 2016 authors' code has none with (e).
        after_last_norm: words for an error message, if the branch does not end with its last BatchNorm.
    """

    apply: Callable[[Unit, Array], Array]
    stem_activates: bool = True
    before_pooling: str = ''
    projection_norm: bool = True
    after_last_norm: str = ''


ORDERS: dict[str, Order] = {
    'original': Order(original),
    'bn_after_addition': Order(bn_after_addition, after_last_norm='comes after the addition'),
    'relu_before_addition': Order(relu_before_addition, after_last_norm='is followed by a ReLU'),
    'relu_only_preactivation': Order(relu_only_preactivation, before_pooling='relu'),
    'full_preactivation': Order(
        full_preactivation,
        stem_activates=False,
        before_pooling='norm relu',
        projection_norm=False,
        after_last_norm='is followed by a ReLU',
    ),
}
"""By name (He et al. 2016, Figure 4 and Table 2)."""
