"""The two forms of a network's variables, stacked and unstacked, and the exact way from one to the other."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp


def stack(variables: Mapping[str, Any]) -> dict[str, Any]:
    """The stacked form: `unit2` ... `unit<n>` of each stage become `rest`, arrays with n-1 in front.

    Takes the variables of a network, or any tree of the same names (gradients, an optimizer's momentum).
    """
    tree = {name: stack(v) if isinstance(v, Mapping) else v for name, v in variables.items()}
    others = [tree.pop(f'unit{i}') for i in range(2, len(tree) + 1) if f'unit{i}' in tree]
    if others:
        tree['rest'] = jax.tree.map(lambda *xs: jnp.stack(xs), *others)
    return tree


def unstack(variables: Mapping[str, Any]) -> dict[str, Any]:
    """The unstacked form: `rest` of each stage becomes `unit2` ... `unit<n>`. The inverse of `stack`."""
    tree = {name: unstack(v) if isinstance(v, Mapping) else v for name, v in variables.items()}
    rest = tree.pop('rest', None)
    if rest is not None:
        for i in range(len(jax.tree.leaves(rest)[0])):
            tree[f'unit{i + 2}'] = jax.tree.map(lambda x, i=i: x[i], rest)
    return tree
