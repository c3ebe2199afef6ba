"""The state of training, which each step updates and each checkpoint contains."""

from enum import IntEnum
from functools import partial
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax

from jax_resnet.config.fields import Config
from jax_resnet.models import ResNet
from jax_resnet.training import optimizer


class KeyPurpose(IntEnum):
    """What a JAX key is for. All random numbers are functions of (seed, purpose, step or epoch). No key is stored.

    The key of a seed, `jax.random.key(seed)`, is an argument of compiled programs, so that all seeds share a program.

    `data.pictures.batches.HostPurpose` is for random numbers on the host.
    """

    INITIALIZATION = 0
    ORDER = 1
    AUGMENTATION = 2
    DROPOUT = 3

    def key(self, seed_key: jax.Array) -> jax.Array:
        """Returns the key of this purpose, from the key of a seed."""
        return jax.random.fold_in(seed_key, self)


class Totals(flax.struct.PyTreeNode):
    """Sums over all steps of a run. A line of metrics is the difference of two.

    Attributes:
        loss, loss_rest: their sum is the sum of the steps' mean losses, float32 []. A single float32 would lose the
            last digits of each loss.
        errors: number of wrong predictions, int32 [].
    """

    loss: jax.Array
    loss_rest: jax.Array
    errors: jax.Array

    @classmethod
    def zero(cls) -> 'Totals':
        """Returns the sums over no step."""
        return cls(jnp.zeros((), jnp.float32), jnp.zeros((), jnp.float32), jnp.zeros((), jnp.int32))

    def add(self, loss: jax.Array, errors: jax.Array) -> 'Totals':
        """Adds a step's mean loss and its number of wrong predictions, both [].

        The sum of losses is a pair of numbers whose rounding error is added to the smaller one (Knuth, The Art of
        Computer Programming, volume 2, section 4.2.2, theorem B).
        """
        rounded = self.loss + loss
        part = rounded - self.loss
        rest = self.loss_rest + ((self.loss - (rounded - part)) + (loss - part))
        total = rounded + rest
        return Totals(total, rest - (total - rounded), self.errors + errors)

    @property
    def loss_sum(self) -> float:
        """The sum of the steps' mean losses."""
        return float(self.loss) + float(self.loss_rest)


class TrainState(flax.struct.PyTreeNode):
    """The state after some updates.

    Attributes:
        step: number of updates, int32 [].
        finite: False after the first loss or gradient that is infinite or NaN, bool [].
        params, batch_stats: variables of the network.
        opt_state: state of the optimizer.
        totals: sums over all steps.
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


def create(config: Config, model: ResNet, image_shape: tuple[int, ...], seed_key: jax.Array) -> TrainState:
    """Returns the state before the first step of a run, inside a compiled program."""
    # Any learning rate serves, as it is not part of the state.
    tx = optimizer.create(config.optimizer, lambda step: 0.0, config.schedule.head_factor)
    variables = model.init(KeyPurpose.INITIALIZATION.key(seed_key), jnp.zeros((1, *image_shape)))
    if 'batch_stats' not in variables:
        raise ValueError('the network must have BatchNorm, with statistics in batch_stats')
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        finite=jnp.ones((), bool),
        params=variables['params'],
        batch_stats=variables['batch_stats'],
        opt_state=tx.init(variables['params']),
        totals=Totals.zero(),
    )


def shapes(config: Config, model: ResNet, image_shape: tuple[int, ...]) -> TrainState:
    """The shapes and dtypes of a run's state."""
    made: TrainState = jax.eval_shape(partial(create, config, model, image_shape), jax.random.key(0))
    return made
