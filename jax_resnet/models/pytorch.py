"""PyTorch's names and layouts for our networks' variables, there and back.

Known are the CIFAR ResNets in the style of akamaster/pytorch_resnet_cifar10 (`layer1.0.conv1`, `linear`, `shortcut.0`)
and torchvision's ImageNet ResNets (`layer1.0.conv1`, `fc`, `downsample.0`), with or without a leading `module.`.

PyTorch's running variance is the unbiased one and ours is not, which only running statistics notice; values are kept.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

STYLES = {'cifar': ('linear', 'shortcut'), 'torchvision': ('fc', 'downsample')}
"""By name, what a style calls the head and the projection shortcut."""

_NORM = {'scale': 'weight', 'bias': 'bias', 'mean': 'running_mean', 'var': 'running_var'}
_CONV_OR_HEAD = {'kernel': 'weight', 'bias': 'bias'}
_PLACE = re.compile(r'stem/(conv|norm)|head|stage\d+/unit\d+/(conv\d|norm\d|shortcut/(conv|norm))')


def to_pytorch(variables: Mapping[str, Any], style: str = 'torchvision') -> dict[str, np.ndarray]:
    """PyTorch's tensors by name, from unstacked variables of a post-activation network.

    Args:
        variables: {'params': ..., 'batch_stats': ...}, unstacked.
        style: one of STYLES.

    Raises:
        ValueError: a part that PyTorch's networks do not have.
    """
    head, shortcut = STYLES[style]
    tensors = {}
    for name, array in flatten_dict(variables, sep='/').items():
        _, *path, leaf = name.split('/')
        place = '/'.join(path)
        place = re.sub(r'^stem/conv$', 'conv1', place)
        place = re.sub(r'^stem/norm$', 'bn1', place)
        place = re.sub(r'^head$', head, place)
        place = re.sub(r'^stage(\d+)/unit(\d+)/', lambda m: f'layer{m[1]}.{int(m[2]) - 1}.', place)
        place = re.sub(r'norm(\d+)$', r'bn\1', place)
        place = re.sub(r'shortcut/conv$', f'{shortcut}.0', place)
        place = re.sub(r'shortcut/norm$', f'{shortcut}.1', place)
        if '/' in place or leaf not in _CONV_OR_HEAD | _NORM:
            raise ValueError(f'{name}: has no counterpart in PyTorch networks of style {style}')
        tensors[f'{place}.{(_CONV_OR_HEAD | _NORM)[leaf]}'] = _to_layout(np.asarray(array), leaf)
    return tensors


def from_pytorch(tensors: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Our variables, unstacked, from PyTorch's tensors of either style.

    Raises:
        ValueError: a name that neither style has, or a shape with another number of dimensions.
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
            raise ValueError(f'{full_name}: no such tensor in the ResNets known, {", ".join(STYLES)}')
        dimensions = 1 if ours != 'kernel' else 2 if place == 'head' else 4
        if np.ndim(tensor) != dimensions:
            raise ValueError(f'{full_name}: has shape {list(np.shape(tensor))}; must have {dimensions} dimensions')
        collection = 'batch_stats' if ours in ('mean', 'var') else 'params'
        variables[f'{collection}/{place}/{ours}'] = _from_layout(np.asarray(tensor), ours)
    return unflatten_dict(variables, sep='/')


def _to_layout(array: np.ndarray, leaf: str) -> np.ndarray:
    """Convolutions [height, width, in, out] to [out, in, height, width], the head's [in, out] to [out, in]."""
    if leaf != 'kernel':
        return array
    return np.ascontiguousarray(array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T)


def _from_layout(array: np.ndarray, leaf: str) -> np.ndarray:
    if leaf != 'kernel':
        return array
    return np.ascontiguousarray(array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T)
