"""Converts variables between our names and layouts and PyTorch's, and says which networks PyTorch's styles have.

Three styles are known: that of akamaster/pytorch_resnet_cifar10 and kuangliu/pytorch-cifar (`layer1.0.conv1`, `linear`,
`shortcut.0`), that of torchvision and timm (`layer1.0.conv1`, `fc`, `downsample.0`), and that of Hugging Face's
transformers (`resnet.encoder.stages.0.layers.0.layer.0.convolution`, `classifier.1`). All names may begin with that of
a wrapper, such as `module.` or `_orig_mod.model.`.

The names and shapes of tensors do not identify a network. They are the same for the shortcuts A, A_centred and none,
for three of the orders, and for bottlenecks with their stride in either convolution. `check_style` compares these.

PyTorch's running variance is unbiased and ours is biased. The conversion keeps the values as they are.
"""

import re
from collections.abc import Mapping
from itertools import accumulate, takewhile
from typing import Any, NamedTuple

import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from jax_resnet.models.resnet import Pooling, ResNet, Stem
from jax_resnet.models.units import LAYERS, Layer
from jax_resnet.models.variables import check_sound


class Style(NamedTuple):
    """A style of PyTorch networks.

    Attributes:
        ends: its names of the modules outside the stages, by ours.
        projection: its name of the projection shortcut.
        stem: the stem of its networks, which may have any number of channels.
        shortcuts: shortcuts that its networks may have.
    """

    ends: Mapping[str, str]
    projection: str
    stem: Stem
    shortcuts: tuple[str, ...]


_IMAGENET_STEM = Stem(64, window=7, stride=2, pool=True)
_CONV1 = {'stem/conv': 'conv1', 'stem/norm': 'bn1'}
_EMBEDDER = 'resnet.embedder.embedder'

STYLES = {
    'cifar': Style(_CONV1 | {'head': 'linear'}, 'shortcut', Stem(16), ('A_centred', 'B')),
    'torchvision': Style(_CONV1 | {'head': 'fc'}, 'downsample', _IMAGENET_STEM, ('B',)),
    'transformers': Style(
        {'stem/conv': f'{_EMBEDDER}.convolution', 'stem/norm': f'{_EMBEDDER}.normalization', 'head': 'classifier.1'},
        'shortcut',
        _IMAGENET_STEM,
        ('B',),
    ),
}
"""By name. Bottlenecks of all styles are "v1.5"."""

OTHERS = {
    r'\.(se|eca|attn|gc)\.': 'with squeeze-and-excitation or another attention',
    r'^conv1\.\d': 'with several convolutions in its stem (ResNet-C, -D, -S, -T)',
    r'\bdownsample\.[2-9]\b': 'with pooling in its shortcuts (ResNet-D)',
    r'\.aa\.': 'with blur pooling',
    r'^(stem|stages)\.': "of timm's resnetv2 or of another family there",
}
"""Maps a pattern in the name of an unknown tensor to the networks that have it, to follow 'a network'."""

EPSILON = 1e-5
"""Default epsilon of PyTorch's BatchNorm."""

_COUNTERS = ('num_batches_tracked', 'n_averaged')  # of BatchNorm, and of averaged weights
_NORM = {'scale': 'weight', 'bias': 'bias', 'mean': 'running_mean', 'var': 'running_var'}
_CONV_OR_HEAD = {'kernel': 'weight', 'bias': 'bias'}
_OUR_UNIT = re.compile(r'stage(\d+)/unit(\d+)/(?:(conv|norm)(\d)|shortcut/(conv|norm))')
_THEIR_UNIT = re.compile(r'layer([1-9]\d*)\.(\d+)\.(?:(conv|bn)([1-9])|(?:shortcut|downsample)\.([01]))')
_TRANSFORMERS_UNIT = re.compile(
    r'resnet\.encoder\.stages\.(\d+)\.layers\.(\d+)\.(?:layer\.(\d)|shortcut)\.(convolution|normalization)'
)
_TRANSFORMERS_LAYERS = {'conv': 'convolution', 'norm': 'normalization'}


def to_pytorch(variables: Mapping[str, Any], style: str = 'torchvision') -> dict[str, np.ndarray]:
    """Converts unstacked variables of a post-activation network to PyTorch's tensors, by name.

    Args:
        variables: {'params': ..., 'batch_stats': ...}, unstacked.
        style: one of STYLES.

    Raises:
        ValueError: the network has a layer that PyTorch's networks of this style do not have.
    """
    tensors = {}
    for name, array in flatten_dict(variables, sep='/').items():
        module, _, leaf = name.partition('/')[2].rpartition('/')
        theirs, their_leaf = _their_module(module, STYLES[style]), (_CONV_OR_HEAD | _NORM).get(leaf)
        if theirs is None or their_leaf is None:
            raise ValueError(f'{name}: has no counterpart in PyTorch networks of style {style}')
        tensors[f'{theirs}.{their_leaf}'] = _transpose(np.asarray(array), leaf, (3, 2, 0, 1))
    return tensors


def from_pytorch(tensors: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Converts PyTorch's tensors of any style, by name, to our variables, unstacked.

    Whether all tensors of a network are there, is not checked: compare the result with the shapes of the network.

    Raises:
        ValueError: no style has a tensor's name, and the message says which networks have such tensors, if known; two
            tensors are the same one of ours; or numbers are not finite, or are negative variances.
    """
    tensors = {name: np.asarray(x) for name, x in tensors.items() if name.rpartition('.')[2] not in _COUNTERS}
    check_sound(tensors)
    wrapper = _wrapper(list(tensors))
    variables: dict[str, np.ndarray] = {}
    names: dict[str, str] = {}  # of the tensors, by ours
    for full_name, tensor in tensors.items():
        module, _, their_leaf = full_name.removeprefix(wrapper).rpartition('.')
        ours = _our_module(module)
        leaves = _NORM if ours and 'norm' in ours else _CONV_OR_HEAD
        leaf = next((leaf for leaf, theirs in leaves.items() if theirs == their_leaf), None)
        if ours is None or leaf is None or (leaf == 'bias' and 'conv' in ours):
            belongs = (
                f'; it belongs to a network {o}' for pattern, o in OTHERS.items() if re.search(pattern, full_name)
            )
            partly = _wrapper([full_name]) if not wrapper else ''
            hint = f'; {partly!r} is not the beginning of all names' if partly else ''
            raise ValueError(
                f'{full_name}: is not a tensor of the known ResNets, {" and ".join(STYLES)}{next(belongs, hint)}'
            )
        path = f'{"batch_stats" if leaf in ("mean", "var") else "params"}/{ours}/{leaf}'
        if path in names:
            raise ValueError(f'{names[path]} and {full_name}: only one of them can be {path}')
        names[path] = full_name
        variables[path] = _transpose(tensor, leaf, (2, 3, 1, 0))
    return unflatten_dict(variables, sep='/')


def check_style(net: ResNet, style: str) -> None:
    """Checks that a PyTorch network of this style, with the same tensors, computes the same function as `net`.

    Raises:
        ValueError: it does not; the message says what the style needs.
    """
    stem, shortcuts = STYLES[style].stem, STYLES[style].shortcuts
    windows = net.shortcut_windows or (1,)
    units = ('basic', 'bottleneck_v1.5')
    found = next((name for name in map(unit_name, net.layers) if name not in units), 'basic')
    for attribute, value, allowed in [
        ('stem', str(net.stem._replace(channels=0)), (str(stem._replace(channels=0)),)),
        ('pooling', str(net.pooling), (str(Pooling()),)),
        ("units' type", found, units),
        ('order', net.order, ('original',)),
        ('shortcut', net.shortcut, shortcuts),
        ("projections' window", str(max(windows)), ('1',)),
        ('batch_norm.epsilon', f'{getattr(net.norm, "epsilon", EPSILON):g}', (f'{EPSILON:g}',)),
    ]:
        if value not in allowed:
            hint = ' (config.model.v1_5=True)' if value == 'bottleneck' else ''
            needed = ' or '.join(allowed)
            raise ValueError(f'is not a network of style {style}: its {attribute} is {value}; must be {needed}{hint}')


def unit_name(layers: tuple[Layer, ...]) -> str:
    """The entry of LAYERS with these kernel sizes and strides, or 'others'."""
    windows = [(layer.window, layer.strided) for layer in layers]
    return next((n for n, known in LAYERS.items() if [(x.window, x.strided) for x in known] == windows), 'others')


def _their_module(ours: str, style: Style) -> str | None:
    """PyTorch's name of a module: 'layer1.0.conv1' for 'stage1/unit1/conv1'."""
    if match := _OUR_UNIT.fullmatch(ours):
        stage, unit, layer, number, projection = match.groups()
        if style is STYLES['transformers']:
            module = f'layer.{int(number) - 1}' if number else style.projection
            last = _TRANSFORMERS_LAYERS[layer or projection]
            return f'resnet.encoder.stages.{int(stage) - 1}.layers.{int(unit) - 1}.{module}.{last}'
        last = f'{style.projection}.{["conv", "norm"].index(projection)}' if projection else f'{layer}{number}'
        return f'layer{stage}.{int(unit) - 1}.{last.replace("norm", "bn")}'
    return style.ends.get(ours)


def _wrapper(names: list[str]) -> str:
    """The beginning of all names that is not of the network, such as 'module.'; the shortest such."""
    shared = takewhile(lambda parts: len({*parts}) == 1, zip(*(name.split('.') for name in names), strict=False))
    wrappers = takewhile(lambda part: not re.fullmatch(r'(layer)?\d+', part), (part for part, *_ in shared))
    beginnings = accumulate((f'{part}.' for part in wrappers), initial='')
    known = (b for b in beginnings if any(_our_module(name.removeprefix(b).rpartition('.')[0]) for name in names))
    return next(known, '')


def _our_module(theirs: str) -> str | None:
    if match := _THEIR_UNIT.fullmatch(theirs):
        stage, unit, layer, number, projection = match.groups()
        last = f'shortcut/{("conv", "norm")[int(projection)]}' if projection else f'{layer}{number}'
        return f'stage{stage}/unit{int(unit) + 1}/{last.replace("bn", "norm")}'
    if match := _TRANSFORMERS_UNIT.fullmatch(theirs):
        stage, unit, number, their_layer = match.groups()
        layer = 'conv' if their_layer == 'convolution' else 'norm'
        last = f'{layer}{int(number) + 1}' if number else f'shortcut/{layer}'
        return f'stage{int(stage) + 1}/unit{int(unit) + 1}/{last}'
    return next((ours for style in STYLES.values() for ours, name in style.ends.items() if name == theirs), None)


def _transpose(array: np.ndarray, leaf: str, axes: tuple[int, ...]) -> np.ndarray:
    """Transposes kernels: those of convolutions by `axes`, the head's from [in, out] to [out, in] or back."""
    if leaf != 'kernel':
        return array
    return np.ascontiguousarray(array.transpose(axes) if array.ndim == 4 else array.T)
