"""PyTorch's two styles of ResNets: what they call their parts, and what a network must be to be one of them.

Tensors do not tell a network: with shortcut A, A_centred or none, and with three of the orders, the names are the same;
and those of bottlenecks whose stride is in another convolution.
"""

import re
from typing import NamedTuple

from jax_resnet.models.end import End
from jax_resnet.models.resnet import ResNet
from jax_resnet.models.stem import Stem
from jax_resnet.models.units import LAYERS, Layer


class Style(NamedTuple):
    """A style.

    Attributes:
        head, projection: what it calls the head and the projection shortcut.
        stem: of its networks.
        widths: of the stages, where units are basic; with bottlenecks four times these.
        units: names in LAYERS, and how a message tells them.
        shortcuts: that its networks may have.
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
"""By name: akamaster/pytorch_resnet_cifar10, and torchvision, whose bottlenecks are "v1.5"."""

OTHERS = {
    r'\.(se|eca|attn|gc)\.': 'squeeze-and-excitation, or of other attention',
    r'^conv1\.\d': 'a stem of several convolutions (ResNet-C, -D, -S, -T)',
    r'\bdownsample\.[2-9]\b': 'a shortcut that pools (ResNet-D)',
    r'\.aa\.': 'blur pooling',
    r'^(stem|stages)\.': "timm's resnetv2, or of another of its families",
}
"""By a pattern in the name of a tensor that no style has: whose it is."""

EPSILON = 1e-5
"""Of PyTorch's BatchNorm."""


def check_style(net: ResNet, style: str) -> None:
    """Checks that PyTorch's network of a style computes what `net` does, with the same tensors.

    Raises:
        ValueError: it does not; the message says which network would fit.
    """
    known = STYLES[style]
    bottlenecks = any(layers[0].divisor > 1 for layers in net.layers)
    widths = tuple(width * (4 if bottlenecks else 1) for width in known.widths)
    if net.stem != known.stem or net.widths != widths or net.end != End() or any(w != 1 for w in net.shortcut_windows):
        name = 'cifar_resnet' if style == 'cifar' else 'imagenet_resnet'
        raise ValueError(f'is no network of style {style}: such are {name}s')
    if len(set(net.layers)) > 1 or net.layers[0] not in [LAYERS[unit] for unit in known.units]:
        raise ValueError(
            f'is no network of style {style}: its units are {unit_name(net.layers[0])}; there they are '
            f'{" or ".join(known.units.values())}'
        )
    if net.order != 'original':
        raise ValueError(f'is no network of style {style}: its order is {net.order}; there it is original')
    if net.shortcut not in known.shortcuts:
        fitting = ' or '.join(known.shortcuts)
        raise ValueError(f'is no network of style {style}: its shortcut is {net.shortcut}; there it is {fitting}')
    epsilon = getattr(net.norm, 'epsilon', EPSILON)
    if epsilon != EPSILON:
        raise ValueError(
            f'is no network of style {style}: its batch_norm.epsilon is {epsilon:g}; there it is {EPSILON:g}'
        )


def unknown(tensor: str) -> str:
    """The error for a tensor that no style has; it says whose it is, where that is known."""
    found = next((f': it is of {words}' for pattern, words in OTHERS.items() if re.search(pattern, tensor)), '')
    return f'{tensor}: no such tensor in the ResNets known, {", ".join(STYLES)}{found}'


def unit_name(layers: tuple[Layer, ...]) -> str:
    """The name in LAYERS of a unit's convolutions."""
    return next((name for name, known in LAYERS.items() if known == layers), 'others')
