"""A network's variables: their stacked and unstacked layout, their categories, and their number.

Also counts the multiply-adds of a network.
"""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import jaxprs_in_params


def stack(variables: Any) -> Any:
    """Stacks `unit2` ... `unit<n>` of each stage into `rest`, whose arrays get a leading axis of length n-1.

    `variables` may also be another tree that contains the same names, such as gradients or an optimizer's state.
    """
    return jax.tree.map(_stack, variables, is_leaf=_is_mapping)


def unstack(variables: Any) -> Any:
    """Splits `rest` of each stage into `unit2` ... `unit<n>`. The inverse of `stack`.

    Raises:
        ValueError: a stage has both.
    """
    return jax.tree.map(_unstack, variables, is_leaf=_is_mapping)


def _is_mapping(tree: Any) -> bool:
    return isinstance(tree, Mapping)


def _stack(tree: Any) -> Any:
    if not _is_mapping(tree):
        return tree
    tree = {name: stack(branch) for name, branch in tree.items()}
    others = [tree.pop(f'unit{i}') for i in range(2, len(tree) + 1) if f'unit{i}' in tree]
    if others:
        tree['rest'] = jax.tree.map(lambda *xs: jnp.stack(xs), *others)
    return tree


def _unstack(tree: Any) -> Any:
    if not _is_mapping(tree):
        return tree
    tree = {name: unstack(branch) for name, branch in tree.items()}
    rest = tree.pop('rest', None)
    if rest is not None:
        if 'unit2' in tree:
            raise ValueError('a stage has both rest, which is stacked, and unit2')
        for i in range(len(jax.tree.leaves(rest)[0])):
            tree[f'unit{i + 2}'] = jax.tree.map(lambda x, i=i: x[i], rest)
    return tree


def check_sound(named: Mapping[str, Any]) -> None:
    """Checks weights by their names, those of this package or of PyTorch. Arrays of other numbers than floats pass.

    Raises:
        ValueError: an array, as float32, has NaN or infinite numbers, or is a variance with negative numbers. The
            message names the first such array.
    """
    for name, array in named.items():
        if not jnp.issubdtype(array.dtype, jnp.floating):
            continue
        with np.errstate(over='ignore', invalid='ignore'):
            numbers = np.asarray(array, np.float32)
        if not np.isfinite(numbers).all():
            raise ValueError(f'{name} has NaN or infinite numbers; weights must be finite')
        if name.endswith('var') and (numbers < 0).any():
            raise ValueError(f'{name} has negative numbers; a variance must be 0 or more')


def with_channels(variables: Mapping[str, Any], channels: int) -> dict[str, Any]:
    """Converts the variables of a network of RGB images to another number of input channels, by timm's rule.

    For one channel, the kernels of the stem are summed over the colours: a grey image gives the same output as RGB. For
    others, the colours are repeated, and scaled by 3 / channels (timm's `in_chans`).

    Raises:
        ValueError: the network does not have three input channels, or `channels` is less than 1; or there is no stem.
    """
    try:
        kernel = variables['params']['stem']['conv']['kernel']
    except KeyError as e:
        raise ValueError(f'variables must have params/stem/conv/kernel; {e} is missing') from None
    if kernel.shape[2] != 3 or channels < 1:
        raise ValueError(
            f'channels must be at least 1, and the network must have 3; got {channels}, and {kernel.shape[2]}'
        )
    if channels == 1:
        kernel = kernel.sum(2, keepdims=True)
    elif channels != 3:
        kernel = kernel[:, :, jnp.arange(channels) % 3] * (3 / channels)
    params = variables['params']
    stem = {**params['stem'], 'conv': {**params['stem']['conv'], 'kernel': kernel}}
    return {**variables, 'params': {**params, 'stem': stem}}


def category(path: Sequence[str]) -> str:
    """The category of an array, such as 'conv/kernel', 'norm/scale', 'norm/bias' or 'head/kernel'.

    Weight decay, a new head and flat arrays treat the arrays of one category alike.

    Args:
        path: names that lead to the array in the tree, such as 'stage1', 'unit1', 'conv2', 'kernel'.
    """
    *module, last = path[-2:]
    return '/'.join([*(name.rstrip('0123456789') for name in module), last])


def count_parameters(params: Mapping[str, Any]) -> int:
    """Number of trainable parameters: convolutions, BatchNorm's scales and biases, the head."""
    return sum(prod(x.shape) for x in jax.tree.leaves(params))


def count_multiply_adds(model: nn.Module, image_shape: Sequence[int]) -> int:
    """Multiply-adds in the convolutions and the head for one image's forward pass (He et al. 2015, Table 1).

    Args:
        model: a network.
        image_shape: [height, width, channels].
    """
    return sum(_multiply_adds_by_part(model, image_shape).values())


def describe(model: nn.Module, image_shape: Sequence[int]) -> str:
    """A printable table: parameters and multiply-adds of the stem, each stage and the head."""
    images = jax.ShapeDtypeStruct((1, *image_shape), jnp.float32)
    params = jax.eval_shape(model.init, jax.random.key(0), images)['params']
    multiply_adds = _multiply_adds_by_part(model, image_shape)
    rows = [(part, count_parameters(params[part]), n) for part, n in multiply_adds.items() if part in params]
    rows.append(('total', count_parameters(params), sum(multiply_adds.values())))
    return '\n'.join(
        [f'{"":8}{"parameters":>14}{"multiply-adds":>18}', *(f'{p:8}{n:>14,}{m:>18,}' for p, n, m in rows)]
    )


def _multiply_adds_by_part(model: nn.Module, image_shape: Sequence[int]) -> dict[str, int]:
    images = jax.ShapeDtypeStruct((1, *image_shape), jnp.float32)
    variables = jax.eval_shape(model.init, jax.random.key(0), images)
    parts: dict[str, int] = {}
    for eqn in jax.make_jaxpr(model.apply)(variables, images).jaxpr.eqns:
        _, _, path = str(eqn.source_info.name_stack).partition('/')  # for example ResNet/stage1/unit1/conv1
        part = path.split('/')[0]
        parts[part] = parts.get(part, 0) + _count(eqn)
    return parts


def _count(eqn: Any) -> int:
    """Multiply-adds of an operation, including those in the functions that it calls."""
    if eqn.primitive.name == 'conv_general_dilated':
        kernel, out_dim = eqn.invars[1].aval.shape, eqn.params['dimension_numbers'].rhs_spec[0]
        return prod(eqn.outvars[0].aval.shape) * prod(kernel) // kernel[out_dim]
    if eqn.primitive.name == 'dot_general':
        (contracted, _), _ = eqn.params['dimension_numbers']
        return prod(eqn.outvars[0].aval.shape) * prod(eqn.invars[0].aval.shape[i] for i in contracted)
    iterations = eqn.params['length'] if eqn.primitive.name == 'scan' else 1
    return iterations * sum(_count(inner) for jaxpr in jaxprs_in_params(eqn.params) for inner in jaxpr.eqns)
