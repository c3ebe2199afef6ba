"""A network's arrays as a few flat ones, so that a GPU updates all of them by a few kernels.

All kernels of convolutions lie in one array, all scales in another, and so on by their kind (`models.kinds`); XLA
makes a kernel or more for each array that is updated, and their launches would cost more than the bytes.
"""

import math
from collections.abc import Mapping
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict

from jax_resnet import models
from jax_resnet.backend.base import Form
from jax_resnet.models.kinds import kind

Place = tuple[tuple[str, ...], tuple[int, ...]]
"""A name, by its parts, and the array's shape."""

AT_ONCE = 20
"""Arrays of a channel's numbers that are computed and put together in one kernel: XLA's fusions take about a hundred
operands, and each of these needs up to four; of more arrays each would be a kernel again."""


class Flat(flax.struct.PyTreeNode):
    """A tree of arrays, as one flat array for each kind.

    Attributes:
        arrays: by their kind.
        places: by kind, the arrays that it is made of, in their order.
        features_first: whether a convolution's kernel lies as OHWI, as cuDNN takes it beside images in NHWC, not HWIO.
    """

    arrays: dict[str, jax.Array]
    places: tuple[tuple[str, tuple[Place, ...]], ...] = flax.struct.field(pytree_node=False)
    features_first: bool = flax.struct.field(pytree_node=False)

    @classmethod
    def of(cls, tree: Any, features_first: bool = True) -> 'Flat':
        """Of nested dicts of arrays; equal shapes lie side by side, so that one kernel can cut them out."""
        flat = flatten_dict(tree)
        groups: dict[str, list[Place]] = {}
        for name, array in sorted(flat.items(), key=lambda item: (item[1].ndim, item[1].shape, item[0])):
            groups.setdefault(kind(name), []).append((name, array.shape))
        if features_first:
            flat = {name: jnp.moveaxis(x, -1, -4) if x.ndim >= 4 else x for name, x in flat.items()}
        arrays = {key: _concatenate([flat[name].ravel() for name, _ in places]) for key, places in groups.items()}
        return cls(arrays, tuple((key, tuple(places)) for key, places in groups.items()), features_first)

    def tree(self) -> dict[str, Any]:
        """The nested dicts that this was made of."""
        flat: dict[tuple[str, ...], jax.Array] = {}
        for key, places in self.places:
            at = 0
            for name, shape in places:
                part = jax.lax.slice(self.arrays[key], (at,), (at + math.prod(shape),))
                at += math.prod(shape)
                flat[name] = _features_last(part, shape) if self.features_first else part.reshape(shape)
        return unflatten_dict(flat)


class FlatForm(Form):
    """The network's arrays flat, as `Flat.of` with `features_first`; and the network unstacked, or with its stacks."""

    features_first = True

    def pack_state(self, state: Any) -> Any:
        return jax.tree.map(self._enter, state, is_leaf=lambda x: isinstance(x, Mapping))

    def _enter(self, tree: Any) -> Any:
        if not isinstance(tree, Mapping):
            return tree
        return self.pack(tree if self.net.stacked else models.unstack(tree))

    def unpack_state(self, state: Any) -> Any:
        return jax.tree.map(self._leave, state, is_leaf=lambda x: isinstance(x, Flat))

    def _leave(self, held: Any) -> Any:
        if not isinstance(held, Flat):
            return held
        return held.tree() if self.net.stacked else models.stack(held.tree())

    def unpack(self, held: Flat) -> dict[str, Any]:
        return held.tree()

    def pack(self, tree: Any) -> Flat:
        return Flat.of(tree, self.features_first)


def _features_last(flat: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    if len(shape) < 4:
        return flat.reshape(shape)
    *stack, height, width, channels, features = shape
    return jnp.moveaxis(flat.reshape(*stack, features, height, width, channels), -4, -1)


def _concatenate(arrays: list[jax.Array]) -> jax.Array:
    if len(arrays) > AT_ONCE:
        parts = [jnp.concatenate(arrays[i : i + AT_ONCE]) for i in range(0, len(arrays), AT_ONCE)]
        arrays = jax.lax.optimization_barrier(parts)
    return jnp.concatenate(arrays)
