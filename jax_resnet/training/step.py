"""The training step: the loss, its gradient and the update; and the compiled program that runs many of them."""

from dataclasses import dataclass
from typing import Any, Protocol

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jax.sharding import NamedSharding, PartitionSpec

from jax_resnet.backend.base import Form
from jax_resnet.data import stream
from jax_resnet.data.preprocessing import Augmentation, ColourAugmentation, Normalization
from jax_resnet.training.state import Purpose, TrainState, all_finite

SECONDS_PER_DISPATCH = 0.5
"""How long the device runs by itself: long enough to hide Python, short enough to see progress and hear a stop."""


def dispatch_size(last: int, seconds_per_step: float) -> int:
    """Steps of the next dispatch: what fits in SECONDS_PER_DISPATCH, at most four times the last."""
    return max(1, min(4 * last, round(SECONDS_PER_DISPATCH / seconds_per_step)))


def cross_entropy(logits: jax.Array, labels: jax.Array, label_smoothing: float = 0.0) -> jax.Array:
    """The batch's mean.

    Args:
        logits: [batch, classes].
        labels: int32 [batch].
        label_smoothing: share of each label that is spread over all classes (Szegedy et al. 2015, arXiv 1512.00567,
            section 7).
    """
    if not label_smoothing:
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
    smooth = optax.smooth_labels(jax.nn.one_hot(labels, logits.shape[-1]), label_smoothing)
    return jnp.asarray(optax.softmax_cross_entropy(logits, smooth).mean())


def augmented(
    augment: Augmentation | ColourAugmentation,
    normalize: Normalization,
    seed: int,
    step: jax.Array,
    images: jax.Array,
    draws: jax.Array | None = None,
) -> jax.Array:
    """What the network sees of a batch in training, float32 [batch, height, width, channels].

    Args:
        augment, normalize: from stored pixels to the network's input.
        seed: of the draws.
        step: the number of the batch, int32 [].
        images: uint8 [batch, height, width, channels].
        draws: as for `Steps.step`.
    """
    key = Purpose.AUGMENTATION.key(seed)
    if draws is None:
        key = jax.random.fold_in(key, step)
    else:
        key = jax.vmap(lambda draw: jax.random.fold_in(jax.random.fold_in(key, draw[0]), draw[1]))(draws)
    return augment(key, images, normalize)


@dataclass(frozen=True)
class Steps:
    """Runs training steps on the device.

    Attributes:
        form: the network, as programs run it.
        optimizer: how it is trained.
        augment, normalize: from stored pixels to the network's input.
        batch_size: examples in a step.
        seed: of the order of the examples and of the augmentation.
        by_example: how a batch is laid out over the devices.
        microbatches: consecutive parts that a batch is taken in; the sums over them are the batch's, as long as they
            hold whole groups of BatchNorm.
        label_smoothing: as for `cross_entropy`.
    """

    form: Form
    optimizer: optax.GradientTransformation
    augment: Augmentation | ColourAugmentation
    normalize: Normalization
    batch_size: int
    seed: int
    by_example: NamedSharding
    microbatches: int = 1
    label_smoothing: float = 0.0

    def run(self, state: TrainState, stop: jax.Array, images: jax.Array, labels: jax.Array) -> TrainState:
        """The state at step `stop`, or at the first step whose loss or gradient is not finite.

        One loop whose number of turns is an argument: any number of steps is one program, with one result.

        Args:
            state: where to begin.
            stop: the step to end at, within the window of the stream that `state.step` begins.
            images: all training images, uint8 [size, height, width, channels].
            labels: int32 [size].
        """
        orders = stream.window(Purpose.ORDER.key(self.seed), state.step, self.batch_size, len(labels))

        def step(state: TrainState) -> TrainState:
            chosen = jax.lax.with_sharding_constraint(orders.batch(state.step, self.batch_size), self.by_example)
            return self.step(state, images[chosen], labels[chosen])

        state = jax.lax.while_loop(lambda state: (state.step < stop) & state.finite, step, self.form.enter(state))
        return self.form.leave(state)  # type: ignore[no-any-return]

    def step(
        self, state: TrainState, images: jax.Array, labels: jax.Array, draws: jax.Array | None = None
    ) -> TrainState:
        """One update.

        Args:
            state: one that `form.enter` made.
            images: uint8 [batch, height, width, channels].
            labels: int32 [batch].
            draws: uint32 [batch, 2], the epoch and the index of each image, by which its augmentation is drawn; None:
                the batch's is drawn by the step.
        """
        views = augmented(self.augment, self.normalize, self.seed, state.step, images, draws)
        dropout = jax.random.fold_in(Purpose.DROPOUT.key(self.seed), state.step)
        errors, (loss, batch_stats, gradient) = self._differentiate(state, dropout, views, labels)
        updates, opt_state = self.optimizer.update(gradient, state.opt_state, state.params)
        return TrainState(
            step=state.step + 1,
            finite=all_finite((loss, gradient)),
            params=optax.apply_updates(state.params, updates),
            batch_stats=batch_stats,
            opt_state=opt_state,
            totals=state.totals.add(loss, errors),
        )

    def streamed(self, state: TrainState, images: jax.Array, labels: jax.Array, draws: jax.Array) -> TrainState:
        """`step`, for many dispatches in a row: after the first that is not finite, the step's number stays."""
        after = self.step(state, images, labels, draws)
        return after.replace(step=state.step + state.finite, finite=state.finite & after.finite)  # type: ignore[no-any-return]

    def _differentiate(self, state: TrainState, dropout: jax.Array, views: jax.Array, labels: jax.Array) -> tuple:
        """(errors, (loss, batch_stats, gradient)) of a batch, by its microbatches."""

        def of(dropout: jax.Array, views: jax.Array, labels: jax.Array) -> tuple:
            def loss_of(params: nn.FrozenDict) -> tuple:
                variables = {'params': params, 'batch_stats': self.form.unpack(state.batch_stats)}
                rngs, mutable = {'dropout': dropout}, ['batch_stats']
                logits, updates = self.form.net.apply(variables, views, train=True, mutable=mutable, rngs=rngs)
                return cross_entropy(logits, labels, self.label_smoothing), (logits, updates['batch_stats'])

            params = self.form.unpack(state.params)
            (loss, (logits, batch_stats)), gradient = jax.value_and_grad(loss_of, has_aux=True)(params)
            errors = jnp.sum(logits.argmax(-1) != labels, dtype=jnp.int32)
            return errors, (loss, self.form.pack(batch_stats), self.form.pack(gradient))

        if self.microbatches == 1:
            return of(dropout, views, labels)
        sharding = NamedSharding(self.by_example.mesh, PartitionSpec(None, *self.by_example.spec))
        parts = [x.reshape(self.microbatches, -1, *x.shape[1:]) for x in (views, labels)]
        turns = jax.random.split(dropout, self.microbatches), *jax.lax.with_sharding_constraint(parts, sharding)
        zeros = jax.tree.map(jnp.zeros_like, jax.eval_shape(of, *jax.tree.map(lambda x: x[0], turns)))

        def add(sums: Any, turn: tuple) -> tuple:
            return jax.tree.map(jnp.add, sums, of(*turn)), None

        (errors, sums), _ = jax.lax.scan(add, zeros, turns)
        return errors, jax.tree.map(lambda x: x / self.microbatches, sums)


class Program(Protocol):
    """Compiled training.

    Attributes:
        waited: seconds that the devices had nothing to do but to wait for their input.
    """

    waited: float

    def __call__(self, state: TrainState, stop: int) -> TrainState:
        """From a state, which is used up, to the state at step `stop`, or at the first that is not finite."""

    def window_end(self, step: int) -> int:
        """The last step that one call can lead to from `step`."""

    def close(self) -> None:
        """Ends what makes batches ahead of time."""
