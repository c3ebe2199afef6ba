"""PyTorch's two styles of ResNets: their names for layers, and the conditions a network must meet to be converted.

The names of tensors do not identify a network. They are the same for the shortcuts A, A_centred and none, for three of
the orders, and for bottlenecks with their stride in either convolution.
"""

import re
from typing import NamedTuple

from jax_resnet.models.end import End
from jax_resnet.models.resnet import ResNet
from jax_resnet.models.stem import Stem
from jax_resnet.models.units import LAYERS, Layer


class Style(NamedTuple):
    """A style of PyTorch networks.

    Attributes:
        head, projection: names of the head and of the projection shortcut.
        stem: the stem of its networks.
        widths: channels of the stages with basic units; bottlenecks have four times as many.
        units: names in LAYERS, each with its text in error messages.
        shortcuts: shortcuts that its networks may have.
    """

    head: str
    projection: str
    stem: Stem
    widths: tuple[int, ...]
    units: dict[str, str]
    shortcuts: tuple[str, ...]


STYLES = {
    'cifar': Style('linear', 'shortcut', Stem(16), (16, 32, 64), {'basic': 'basic'}, ('A_centred', 'B')),
    'torchvision': Style(
        'fc',
        'downsample',
        Stem(64, window=7, stride=2, pool=True),
        (64, 128, 256, 512),
        {'bottleneck_v1.5': 'bottleneck_v1.5 (config.model.v1_5=True)', 'basic': 'basic'},
        ('B',),
    ),
}
"""By name: 'cifar' is akamaster/pytorch_resnet_cifar10; 'torchvision' has "v1.5" bottlenecks."""

OTHERS = {
    r'\.(se|eca|attn|gc)\.': 'with squeeze-and-excitation or another attention',
    r'^conv1\.\d': 'with several convolutions in its stem (ResNet-C, -D, -S, -T)',
    r'\bdownsample\.[2-9]\b': 'with pooling in its shortcuts (ResNet-D)',
    r'\.aa\.': 'with blur pooling',
    r'^(stem|stages)\.': "of timm's resnetv2 or of another family there",
}
"""Maps a pattern in the name of an unknown tensor to the kind of network that has it, to follow 'a network'."""

EPSILON = 1e-5
"""Default epsilon of PyTorch's BatchNorm."""


def check_style(net: ResNet, style: str) -> None:
    """Checks that a PyTorch network of this style, with the same tensors, computes the same function as `net`.

    Raises:
        ValueError: it does not; the message says what the style needs.
    """
    known = STYLES[style]
    bottlenecks = any(layers[0].divisor > 1 for layers in net.layers)
    widths = tuple(width * (4 if bottlenecks else 1) for width in known.widths)
    if net.stem != known.stem or net.widths != widths or net.end != End() or any(w != 1 for w in net.shortcut_windows):
        name = 'cifar_resnet' if style == 'cifar' else 'imagenet_resnet'
        raise ValueError(f'is not a network of style {style}: must be made by models.{name}')
    if len(set(net.layers)) > 1 or net.layers[0] not in [LAYERS[unit] for unit in known.units]:
        raise ValueError(
            f'is not a network of style {style}: its units are {unit_name(net.layers[0])}; must be '
            f'{" or ".join(known.units.values())}'
        )
    if net.order != 'original':
        raise ValueError(f'is not a network of style {style}: its order is {net.order}; must be original')
    if net.shortcut not in known.shortcuts:
        fitting = ' or '.join(known.shortcuts)
        raise ValueError(f'is not a network of style {style}: its shortcut is {net.shortcut}; must be {fitting}')
    epsilon = getattr(net.norm, 'epsilon', EPSILON)
    if epsilon != EPSILON:
        raise ValueError(
            f'is not a network of style {style}: its batch_norm.epsilon is {epsilon:g}; must be {EPSILON:g}'
        )


def unknown(tensor: str) -> str:
    """The error message for an unknown tensor. It says which kind of network has such tensors, if that is known."""
    found = next(
        (f'; it belongs to a network {words}' for pattern, words in OTHERS.items() if re.search(pattern, tensor)), ''
    )
    return f'{tensor}: is not a tensor of the known ResNets, {" and ".join(STYLES)}{found}'


def unit_name(layers: tuple[Layer, ...]) -> str:
    """The name of a unit's convolutions in LAYERS, or 'others'."""
    return next((name for name, known in LAYERS.items() if known == layers), 'others')
