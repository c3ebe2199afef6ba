"""What training carries from step to step, and so what a checkpoint holds."""

from enum import IntEnum
from typing import Any

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
import optax


class Purpose(IntEnum):
    """What a random draw is for. Every draw is a function of (seed, purpose, step or epoch); no key is carried."""

    INITIALIZATION = 0
    ORDER = 1
    AUGMENTATION = 2
    DROPOUT = 3

    def key(self, seed: int) -> jax.Array:
        return jax.random.fold_in(jax.random.key(seed), self)


class Totals(flax.struct.PyTreeNode):
    """Sums over the steps since the last line of metrics: each step's mean loss, and its wrong predictions."""

    steps: jax.Array
    loss: jax.Array
    errors: jax.Array

    @classmethod
    def zero(cls) -> 'Totals':
        return cls(jnp.zeros((), jnp.int32), jnp.zeros((), jnp.float32), jnp.zeros((), jnp.int32))

    def add(self, loss: jax.Array, errors: jax.Array) -> 'Totals':
        return Totals(self.steps + 1, self.loss + loss, self.errors + errors)


class TrainState(flax.struct.PyTreeNode):
    """The state after `step` updates. `finite` is False from the first loss or gradient with infinity or NaN."""

    step: jax.Array
    finite: jax.Array
    params: Any
    batch_stats: Any
    opt_state: optax.OptState
    totals: Totals

    @property
    def variables(self) -> dict[str, Any]:
        """The network's variables, as its `apply` takes them."""
        return {'params': self.params, 'batch_stats': self.batch_stats}


def all_finite(tree: Any) -> jax.Array:
    """Whether no number in any array is infinite or NaN; bool []."""
    return jnp.stack([jnp.isfinite(x).all() for x in jax.tree.leaves(tree)]).all()


def create(model: nn.Module, optimizer: optax.GradientTransformation, images: jax.Array, seed: int) -> TrainState:
    """The state before the first step; `images` is any batch of the network's input shape."""
    variables = model.init(Purpose.INITIALIZATION.key(seed), images)
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        finite=jnp.ones((), bool),
        params=variables['params'],
        batch_stats=variables['batch_stats'],
        opt_state=optimizer.init(variables['params']),
        totals=Totals.zero(),
    )
