"""Converts variables between our names and layouts and PyTorch's.

Two styles are known: the CIFAR ResNets of akamaster/pytorch_resnet_cifar10 (`layer1.0.conv1`, `linear`, `shortcut.0`),
and torchvision's ImageNet ResNets (`layer1.0.conv1`, `fc`, `downsample.0`). A leading `module.` is allowed.

Tensors do not fully show a network's shortcut and order; `pytorch_styles` knows which ones each style has.

PyTorch's running variance is unbiased and ours is biased. The conversion keeps the values as they are.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from jax_resnet.models.pytorch_styles import STYLES, unknown

_NORM = {'scale': 'weight', 'bias': 'bias', 'mean': 'running_mean', 'var': 'running_var'}
_CONV_OR_HEAD = {'kernel': 'weight', 'bias': 'bias'}
_LEAVES = _CONV_OR_HEAD | _NORM
_UNIT = re.compile(r'stage(\d+)/unit(\d+)/(?:conv|norm)(\d)/')
_SHORTCUT = re.compile(r'stage(\d+)/unit(\d+)/shortcut/')
_PLACE = re.compile(r'stem/(conv|norm)|head|stage[1-9]\d*/unit[1-9]\d*/(conv[1-9]|norm[1-9]|shortcut/(conv|norm))')


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
        place, _, leaf = name.partition('/')[2].rpartition('/')
        module = _pytorch_module(place, style)
        if '/' in module or leaf not in _LEAVES:
            raise ValueError(f'{name}: has no counterpart in PyTorch networks of style {style}')
        tensors[f'{module}.{_LEAVES[leaf]}'] = _to_layout(np.asarray(array), leaf)
    return tensors


def from_pytorch(tensors: Mapping[str, np.ndarray], headless: bool = False) -> dict[str, Any]:
    """Converts PyTorch's tensors of either style to our variables, unstacked.

    Args:
        tensors: PyTorch's tensors, by name.
        headless: whether the head may be missing.

    Raises:
        ValueError: neither style has a tensor's name, a tensor has the wrong number of dimensions, a convolution is
            grouped, or a tensor is missing: for example a BatchNorm, a whole unit, or the head.
    """
    variables = {}
    for full_name, tensor in tensors.items():
        name = full_name.removeprefix('module.')
        place, _, leaf = name.rpartition('.')
        if leaf == 'num_batches_tracked':
            continue
        place = re.sub(r'^conv1$', 'stem/conv', place)
        place = re.sub(r'^bn1$', 'stem/norm', place)
        place = re.sub(r'^(linear|fc)$', 'head', place)
        place = re.sub(r'^layer(\d+)\.(\d+)\.', lambda m: f'stage{m[1]}/unit{int(m[2]) + 1}/', place)
        place = re.sub(r'/bn(\d+)$', r'/norm\1', place)
        place = re.sub(r'/(shortcut|downsample)\.0$', '/shortcut/conv', place)
        place = re.sub(r'/(shortcut|downsample)\.1$', '/shortcut/norm', place)
        leaves = _NORM if 'norm' in place else _CONV_OR_HEAD
        ours = {pytorchs: ours for ours, pytorchs in leaves.items()}.get(leaf)
        if ours is None or not _PLACE.fullmatch(place):
            raise ValueError(unknown(full_name))
        dimensions = 1 if ours != 'kernel' else 2 if place == 'head' else 4
        if np.ndim(tensor) != dimensions:
            raise ValueError(f'{full_name}: has shape {list(np.shape(tensor))}; must have {dimensions} dimensions')
        collection = 'batch_stats' if ours in ('mean', 'var') else 'params'
        variables[f'{collection}/{place}/{ours}'] = _from_layout(np.asarray(tensor), ours)
    _check_whole(variables, tensors, headless)
    return unflatten_dict(variables, sep='/')


def _check_whole(variables: Mapping[str, np.ndarray], tensors: Mapping[str, np.ndarray], headless: bool) -> None:
    places = {name.partition('/')[2] for name in variables}
    style = 'torchvision' if re.search(r'\b(fc|downsample|layer4)\b', ' '.join(tensors)) else 'cifar'
    needed = set()
    for place in _needed(places, headless):
        needed.add(place)
        if place not in places:
            raise ValueError(f'{_tensor(place, style)}: missing')
    for place in sorted(places - needed):
        raise ValueError(unknown(_tensor(place, style)))
    _check_channels(variables, style)


def _check_channels(variables: Mapping[str, np.ndarray], style: str) -> None:
    """Raises ValueError if a convolution or the head takes a number of channels that the layer before does not give."""
    kernels = {_order(name): name for name in variables if _UNIT.search(name) and name.endswith('kernel')}
    for (stage, unit, layer), name in kernels.items():
        if layer > 1:
            taken, given = variables[name].shape[2], variables[kernels[stage, unit, layer - 1]].shape[-1]
            if taken != given:
                raise ValueError(
                    f'{_tensor(name.partition("/")[2], style)}: takes {taken} channels, where the convolution before '
                    f'gives {given}; grouped convolutions (ResNeXt) are not supported'
                )
    if 'params/head/kernel' in variables:
        taken, given = variables['params/head/kernel'].shape[0], variables[kernels[max(kernels)]].shape[-1]
        if taken != given:
            head = _pytorch_module('head', style)
            raise ValueError(
                f'{head}.weight: takes {taken} channels, where the last unit has {given}: units are missing'
            )


def _needed(places: set[str], headless: bool) -> Iterator[str]:
    """Yields the names, without collection, that a network with `places` must have. Lazy: unit numbers may be huge."""
    yield from _layer('stem/')
    units = {_order(place) for place in places if _UNIT.match(place)}
    projected = {(int(m[1]), int(m[2])) for place in places if (m := _SHORTCUT.match(place))}
    projects_everywhere = any(unit > 1 for _, unit in projected)
    for stage in range(1, 1 + max((stage for stage, *_ in units), default=1)):
        in_stage = [(unit, layer) for s, unit, layer in units if s == stage] or [(1, 1)]
        layers = max(layer for _, layer in in_stage)
        for unit in range(1, 1 + max(unit for unit, _ in in_stage)):
            for layer in range(1, 1 + layers):
                yield from _layer(f'stage{stage}/unit{unit}/', str(layer))
            if projects_everywhere or (stage, unit) in projected or (projected and stage > 1 and unit == 1):
                yield from _layer(f'stage{stage}/unit{unit}/shortcut/')
    if not headless or any(place.startswith('head/') for place in places):
        yield from ('head/kernel', 'head/bias')


def _layer(prefix: str, number: str = '') -> Iterator[str]:
    yield f'{prefix}conv{number}/kernel'
    yield from (f'{prefix}norm{number}/{leaf}' for leaf in _NORM)


def _order(name: str) -> tuple[int, int, int]:
    """Stage, unit and layer numbers in a name."""
    match = _UNIT.search(name)
    assert match is not None
    return int(match[1]), int(match[2]), int(match[3])


def _tensor(place: str, style: str) -> str:
    """PyTorch's name of a tensor."""
    module, _, leaf = place.rpartition('/')
    return f'{_pytorch_module(module, style)}.{_LEAVES[leaf]}'


def _pytorch_module(place: str, style: str) -> str:
    """PyTorch's name of a module: 'layer1.0.conv1' for 'stage1/unit1/conv1'. Modules unknown there keep a slash."""
    place = re.sub(r'^stem/conv$', 'conv1', place)
    place = re.sub(r'^stem/norm$', 'bn1', place)
    place = re.sub(r'^head$', STYLES[style].head, place)
    place = re.sub(r'^stage(\d+)/unit(\d+)/', lambda m: f'layer{m[1]}.{int(m[2]) - 1}.', place)
    place = re.sub(r'norm(\d+)$', r'bn\1', place)
    place = re.sub(r'shortcut/conv$', f'{STYLES[style].projection}.0', place)
    return re.sub(r'shortcut/norm$', f'{STYLES[style].projection}.1', place)


def _to_layout(array: np.ndarray, leaf: str) -> np.ndarray:
    """Transposes kernels: convolutions to [out, in, height, width], the head's [in, out] to [out, in]."""
    if leaf != 'kernel':
        return array
    return np.ascontiguousarray(array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T)


def _from_layout(array: np.ndarray, leaf: str) -> np.ndarray:
    if leaf != 'kernel':
        return array
    return np.ascontiguousarray(array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T)
