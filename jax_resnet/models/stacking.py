"""Converts a network's variables between the stacked and the unstacked form. No value changes."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp


def stack(variables: Any) -> Any:
    """Stacks `unit2` ... `unit<n>` of each stage into `rest`, whose arrays get a leading axis of length n-1.

    `variables` may also be another tree that contains the same names, such as gradients or an optimizer's state.
    """
    return jax.tree.map(_stack, variables, is_leaf=_is_mapping)


def unstack(variables: Any) -> Any:
    """Splits `rest` of each stage into `unit2` ... `unit<n>`. The inverse of `stack`."""
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
        for i in range(len(jax.tree.leaves(rest)[0])):
            tree[f'unit{i + 2}'] = jax.tree.map(lambda x, i=i: x[i], rest)
    return tree
