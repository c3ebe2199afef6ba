"""Joins a network's arrays to a few flat arrays, so that a GPU updates all of them with a few kernels.

One flat array has all convolutions' kernels, another has all scales, and so on, one for each category
(`models.variables.category`). XLA makes at least one GPU kernel for each array that is updated. For many small arrays,
the launches of these kernels would take longer than the memory traffic.
"""

import math
from collections.abc import Mapping
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict

from jax_resnet.models.variables import category

Member = tuple[tuple[str, ...], tuple[int, ...]]
"""An array in a flat one: the parts of its name, and its shape."""

MOST_CONCATENATED = 20
"""Maximum number of arrays that one operation concatenates.

XLA fuses the operations that compute small arrays with their concatenation. A fusion has at most about a hundred
operands, and each array needs up to four. With more arrays, XLA would make a GPU kernel for each array.
"""


class Flat(flax.struct.PyTreeNode):
    """A tree of arrays, joined to one flat array for each category.

    Attributes:
        arrays: the flat arrays, by category.
        members: pairs of a category and the members of its flat array, in order.

    Convolutions' kernels are in the order OHWI, which cuDNN needs for images in NHWC.
    """

    arrays: dict[str, jax.Array]
    members: tuple[tuple[str, tuple[Member, ...]], ...] = flax.struct.field(pytree_node=False)

    @classmethod
    def from_tree(cls, tree: Any) -> 'Flat':
        """Joins nested dicts of arrays. Arrays of equal shape are neighbours, so that one GPU kernel can slice them."""
        by_name = flatten_dict(tree)
        members: dict[str, list[Member]] = {}
        for name, array in sorted(by_name.items(), key=lambda item: (item[1].ndim, item[1].shape, item[0])):
            members.setdefault(category(name), []).append((name, array.shape))
        by_name = {name: jnp.moveaxis(x, -1, -4) if x.ndim >= 4 else x for name, x in by_name.items()}
        arrays = {key: _concatenate([by_name[name].ravel() for name, _ in group]) for key, group in members.items()}
        return cls(arrays, tuple((key, tuple(group)) for key, group in members.items()))

    def tree(self) -> dict[str, Any]:
        """Returns the nested dicts that were joined."""
        by_name: dict[tuple[str, ...], jax.Array] = {}
        for key, members in self.members:
            offset = 0
            for name, shape in members:
                part = jax.lax.slice(self.arrays[key], (offset,), (offset + math.prod(shape),))
                offset += math.prod(shape)
                by_name[name] = _features_last(part, shape)
        return unflatten_dict(by_name)


def pack(tree: Any) -> Any:
    """Joins a network's tree of arrays; in another tree, such as a training state, each part that is such a tree."""
    return jax.tree.map(
        lambda part: Flat.from_tree(part) if isinstance(part, Mapping) else part,
        tree,
        is_leaf=lambda part: isinstance(part, Mapping),
    )


def unpack(tree: Any) -> Any:
    """The inverse of `pack`. A tree that was not packed stays as it is."""
    return jax.tree.map(
        lambda part: part.tree() if isinstance(part, Flat) else part, tree, is_leaf=lambda part: isinstance(part, Flat)
    )


def _features_last(flat: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    if len(shape) < 4:
        return flat.reshape(shape)
    *stack, height, width, channels, features = shape
    return jnp.moveaxis(flat.reshape(*stack, features, height, width, channels), -4, -1)


def _concatenate(arrays: list[jax.Array]) -> jax.Array:
    if len(arrays) > MOST_CONCATENATED:
        parts = [jnp.concatenate(arrays[i : i + MOST_CONCATENATED]) for i in range(0, len(arrays), MOST_CONCATENATED)]
        arrays = jax.lax.optimization_barrier(parts)
    return jnp.concatenate(arrays)
