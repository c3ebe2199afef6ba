"""Joins a network's arrays to a few flat arrays, so that a GPU updates all of them with a few kernels.

One flat array has all convolutions' kernels, another has all scales, and so on, one for each category
(`models.variables`). XLA makes at least one GPU kernel for each array that is updated. For many small arrays, the
launches of these kernels would take longer than the memory traffic.
"""

import math
from collections.abc import Mapping
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict

from jax_resnet import models
from jax_resnet.models.variables import category
from jax_resnet.platform.base import Form

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


class UnstackedForm(Form):
    """Keeps each array of an unstacked network on its own. It is the plain form, beside `FlatForm`."""

    def pack_state(self, state: Any) -> Any:
        return models.unstack(state)

    def unpack_state(self, state: Any) -> Any:
        return models.stack(state)


class FlatForm(Form):
    """Packs the network's arrays as `Flat`. The network is unstacked or stacked."""

    def pack_state(self, state: Any) -> Any:
        return jax.tree.map(self._pack_part, state, is_leaf=lambda x: isinstance(x, Mapping))

    def _pack_part(self, tree: Any) -> Any:
        if not isinstance(tree, Mapping):
            return tree
        return self.pack(tree if self.net.stacked else models.unstack(tree))

    def unpack_state(self, state: Any) -> Any:
        return jax.tree.map(self._unpack_part, state, is_leaf=lambda x: isinstance(x, Flat))

    def _unpack_part(self, packed: Any) -> Any:
        if not isinstance(packed, Flat):
            return packed
        return packed.tree() if self.net.stacked else models.stack(packed.tree())

    def unpack(self, packed: Flat) -> dict[str, Any]:
        return packed.tree()

    def pack(self, tree: Any) -> Flat:
        return Flat.from_tree(tree)


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
