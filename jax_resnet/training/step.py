"""The training step: loss, gradient and update."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import NamedSharding, PartitionSpec

from jax_resnet import models
from jax_resnet.config.fields import Config
from jax_resnet.config.schedule import Schedule
from jax_resnet.data import stream
from jax_resnet.data.preprocessing import Augment, Normalization
from jax_resnet.models import ResNet
from jax_resnet.platform import flat
from jax_resnet.training import optimizer
from jax_resnet.training.state import KeyPurpose, TrainState, all_finite

SECONDS_PER_DISPATCH = 0.5
"""Duration of a dispatch. Longer ones delay progress lines and stop signals; shorter ones spend more time in Python."""


def dispatch_size(last: int, seconds_per_step: float) -> int:
    """Number of steps of the next dispatch: as many as fit in SECONDS_PER_DISPATCH.

    It is at most four times `last`, the number of steps of the last dispatch.
    """
    return max(1, min(4 * last, round(SECONDS_PER_DISPATCH / seconds_per_step)))


def cross_entropy(logits: jax.Array, labels: jax.Array, label_smoothing: float = 0.0) -> jax.Array:
    """The mean cross-entropy of a batch, float32 [].

    Args:
        logits: [batch, classes].
        labels: int32 [batch].
        label_smoothing: share of each label's probability that is distributed equally over all classes (Szegedy et al.
            2015, arXiv 1512.00567, section 7).
    """
    # Not `softmax_cross_entropy_with_integer_labels`: its gradient is a scatter, which is slow if it must be exact.
    targets = optax.smooth_labels(jax.nn.one_hot(labels, logits.shape[-1]), label_smoothing)
    return jnp.asarray(optax.safe_softmax_cross_entropy(logits, targets).mean())


def augmented(
    augment: Augment,
    normalize: Normalization,
    seed_key: jax.Array,
    step: jax.Array,
    images: jax.Array,
    draws: jax.Array | None = None,
) -> jax.Array:
    """Augments and normalizes a training batch, uint8 to float32 [batch, height, width, channels].

    `draws` are as for `Steps.step`. Without them, `step`, int32 [], is the number of the batch.
    """
    key = KeyPurpose.AUGMENTATION.key(seed_key)
    if draws is None:
        key = jax.random.fold_in(key, step)
    else:
        key = jax.vmap(lambda draw: jax.random.fold_in(jax.random.fold_in(key, draw[0]), draw[1]))(draws)
    return augment(key, images, normalize)


class Numbers(NamedTuple):
    """The numbers of a run that are arguments of its compiled program. Runs that differ only in these share a program.

    Attributes:
        seed_key: key of the seed of the order of the examples, of the augmentation and of dropout.
        schedule: the learning rate.
        normalize: converts pixels to the network's input.
    """

    seed_key: jax.Array
    schedule: Schedule
    normalize: Normalization

    @classmethod
    def create(cls, seed: int, schedule: Schedule, normalize: Normalization) -> 'Numbers':
        """Converts the numbers to the dtypes that JAX uses. A step is an int32."""

        def number(x: bool | float | np.ndarray) -> np.generic | np.ndarray:
            if isinstance(x, bool):
                return np.bool_(x)
            return np.float32(x) if isinstance(x, float | np.ndarray) else np.int32(min(x, 2**31 - 1))

        return cls(jax.random.key(seed), jax.tree.map(number, schedule), normalize)


Program = Callable[[TrainState, int], TrainState]
"""A compiled training program. It trains a state up to a step, or up to the first step that is not finite.

It may end earlier: at the end of the stream's window (see `data.stream`), or before a picture that cannot be read. The
call donates the state.
"""


@dataclass(frozen=True)
class Steps:
    """Training steps of a network, as functions to compile.

    Attributes:
        flat_arrays: whether programs join the network's arrays to flat ones.
        augment: makes random views of images.
        by_example: sharding of a batch over the devices.
    """

    config: Config
    net: ResNet
    flat_arrays: bool
    augment: Augment
    by_example: NamedSharding

    def pack(self, state: TrainState) -> TrainState:
        """Converts a state of checkpoints to one of programs: unstacked, and with flat arrays, if those are used."""
        unstacked = state if self.net.stacked else models.unstack(state)
        return flat.pack(unstacked) if self.flat_arrays else unstacked  # type: ignore[no-any-return]

    def unpack(self, state: TrainState) -> TrainState:
        """The inverse of `pack`."""
        return models.stack(flat.unpack(state))  # type: ignore[no-any-return]

    def run(
        self, state: TrainState, stop: jax.Array, numbers: Numbers, images: jax.Array, labels: jax.Array
    ) -> TrainState:
        """Trains up to step `stop`, or up to the first step whose loss or gradient is not finite. Returns the state.

        The number of steps is an argument of a loop. So one compiled program serves for any number of steps, and the
        result does not depend on how steps are grouped into calls.

        Args:
            stop: int32 []; at most `stream.window_end` of `state.step`.
            images, labels: all training examples, uint8 [size, height, width, channels] and int32 [size].
        """
        size = self.config.batch_size
        orders = stream.window(KeyPurpose.ORDER.key(numbers.seed_key), state.step, size, len(labels))

        def step(state: TrainState) -> TrainState:
            chosen = jax.lax.with_sharding_constraint(orders.batch(state.step, size), self.by_example)
            return self.step(state, numbers, images[chosen], labels[chosen])

        state = jax.lax.while_loop(lambda state: (state.step < stop) & state.finite, step, self.pack(state))
        return self.unpack(state)

    def step(
        self, state: TrainState, numbers: Numbers, images: jax.Array, labels: jax.Array, draws: jax.Array | None = None
    ) -> TrainState:
        """Makes one update of a state that `pack` made, and returns the new state.

        After the first loss or gradient that is not finite, `step` no longer grows and `finite` stays False.

        Args:
            images, labels: a batch, uint8 [batch, height, width, channels] and int32 [batch].
            draws: uint32 [batch, 2], the epoch and the index of each image; its augmentation is a function of these.
                With None, the augmentation of the batch is a function of the step.
        """
        views = augmented(self.augment, numbers.normalize, numbers.seed_key, state.step, images, draws)
        dropout = jax.random.fold_in(KeyPurpose.DROPOUT.key(numbers.seed_key), state.step)
        errors, (loss, batch_stats, gradient) = self._differentiate(state, dropout, views, labels)
        tx = optimizer.create(
            self.config.optimizer, lambda count: numbers.schedule.rate(count, jnp), self.config.schedule.head_factor
        )
        updates, opt_state = tx.update(gradient, state.opt_state, state.params)
        return TrainState(
            step=state.step + state.finite.astype(jnp.int32),
            finite=state.finite & all_finite((loss, gradient)),
            params=optax.apply_updates(state.params, updates),
            # a mean over microbatches would round frozen statistics
            batch_stats=state.batch_stats if self.config.batch_norm.frozen else batch_stats,
            opt_state=opt_state,
            totals=state.totals.add(loss, errors),
        )

    def _differentiate(self, state: TrainState, dropout: jax.Array, views: jax.Array, labels: jax.Array) -> tuple:
        """Returns (errors, (loss, batch_stats, gradient)) of a batch.

        With microbatches, the gradient is the mean over them. If each contains whole groups of BatchNorm, the update
        is that of the whole batch, up to rounding.
        """
        microbatches, smoothing = self.config.memory.microbatches, self.config.loss.label_smoothing

        def differentiate(dropout: jax.Array, views: jax.Array, labels: jax.Array) -> tuple:
            def loss_fn(params: nn.FrozenDict) -> tuple:
                params = optimizer.map_frozen(jax.lax.stop_gradient, self.config.optimizer.frozen, params)
                variables = {'params': params, 'batch_stats': flat.unpack(state.batch_stats)}
                rngs, mutable = {'dropout': dropout}, ['batch_stats']
                logits, updates = self.net.apply(variables, views, train=True, mutable=mutable, rngs=rngs)
                return cross_entropy(logits, labels, smoothing), (logits, updates['batch_stats'])

            params = flat.unpack(state.params)
            (loss, (logits, batch_stats)), gradient = jax.value_and_grad(loss_fn, has_aux=True)(params)
            errors = jnp.sum(logits.argmax(-1) != labels, dtype=jnp.int32)
            packed = flat.pack((batch_stats, gradient)) if self.flat_arrays else (batch_stats, gradient)
            return errors, (loss, *packed)

        if microbatches == 1:
            return differentiate(dropout, views, labels)
        sharding = NamedSharding(self.by_example.mesh, PartitionSpec(None, *self.by_example.spec))
        examples = [x.reshape(microbatches, -1, *x.shape[1:]) for x in (views, labels)]
        keys = jax.random.split(dropout, microbatches)
        parts = keys, *jax.lax.with_sharding_constraint(examples, sharding)
        first = jax.tree.map(lambda x: x[0], parts)
        zeros = jax.tree.map(jnp.zeros_like, jax.eval_shape(differentiate, *first))

        def add(sums: Any, part: tuple) -> tuple:
            return jax.tree.map(jnp.add, sums, differentiate(*part)), None

        (errors, sums), _ = jax.lax.scan(add, zeros, parts)
        return errors, jax.tree.map(lambda x: x / microbatches, sums)
