"""The state of training, which each step updates and each checkpoint contains."""

import hashlib
import json
import math
from collections.abc import Mapping
from enum import IntEnum
from typing import Any

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax


class KeyPurpose(IntEnum):
    """What a JAX key is for. All random numbers are functions of (seed, purpose, step or epoch). No key is stored.

    `data.pictures.batches.HostPurpose` is for random numbers on the host.
    """

    INITIALIZATION = 0
    ORDER = 1
    AUGMENTATION = 2
    DROPOUT = 3

    def key(self, seed: int) -> jax.Array:
        """Returns the key of this purpose."""
        return jax.random.fold_in(jax.random.key(seed), self)


class Totals(flax.struct.PyTreeNode):
    """Sums over the steps since the last line of metrics.

    Attributes:
        steps: number of steps, int32 [].
        loss: sum of the steps' mean losses, float32 [].
        errors: number of wrong predictions, int32 [].
    """

    steps: jax.Array
    loss: jax.Array
    errors: jax.Array

    @classmethod
    def zero(cls) -> 'Totals':
        """Returns the sums over no step."""
        return cls(jnp.zeros((), jnp.int32), jnp.zeros((), jnp.float32), jnp.zeros((), jnp.int32))

    def add(self, loss: jax.Array, errors: jax.Array) -> 'Totals':
        """Adds a step's mean loss and its number of wrong predictions, both []."""
        return Totals(self.steps + 1, self.loss + loss, self.errors + errors)


class TrainState(flax.struct.PyTreeNode):
    """The state after some updates.

    Attributes:
        step: number of updates, int32 [].
        finite: False after the first loss or gradient that is infinite or NaN, bool [].
        params, batch_stats: variables of the network.
        opt_state: state of the optimizer.
        totals: sums since the last line of metrics.
    """

    step: jax.Array
    finite: jax.Array
    params: Any
    batch_stats: Any
    opt_state: optax.OptState
    totals: Totals

    @property
    def variables(self) -> dict[str, Any]:
        """The variables for the network's `apply`."""
        return {'params': self.params, 'batch_stats': self.batch_stats}


def all_finite(tree: Any) -> jax.Array:
    """Whether all numbers in all arrays of a tree are finite, bool []."""
    return jnp.stack([jnp.isfinite(x).all() for x in jax.tree.leaves(tree)]).all()


def create(model: nn.Module, optimizer: optax.GradientTransformation, images: jax.Array, seed: int) -> TrainState:
    """Returns the state before the first step. `images` is any batch with the network's input shape."""
    variables = model.init(KeyPurpose.INITIALIZATION.key(seed), images)
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        finite=jnp.ones((), bool),
        params=variables['params'],
        batch_stats=variables['batch_stats'],
        opt_state=optimizer.init(variables['params']),
        totals=Totals.zero(),
    )


def size_in_bytes(state: TrainState) -> int:
    """Size of all arrays in bytes."""
    return sum(math.prod(x.shape) * x.dtype.itemsize for x in jax.tree.leaves(state))


def digest_of(about: Mapping[str, Any], state: TrainState) -> str:
    """SHA-256 of a checkpoint's content: `about`, and the name, dtype, shape and bytes of each array."""
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for path, array in jax.tree.leaves_with_path(jax.device_get(state)):
        digest.update(f'{jax.tree_util.keystr(path)} {array.dtype} {array.shape} '.encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
