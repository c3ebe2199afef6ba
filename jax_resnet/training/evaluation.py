"""Exact evaluation: every example of a split once, whatever the batch and the number of devices."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jax_resnet.backend.base import Backend
from jax_resnet.data import Examples
from jax_resnet.data.preprocessing import CentreView
from jax_resnet.models import ResNet


@dataclass(frozen=True)
class Scores:
    """What a network made of a split: `logits` float32 [n, classes], beside the `labels` int32 [n]."""

    logits: np.ndarray
    labels: np.ndarray
    class_names: Sequence[str]

    @property
    def count(self) -> int:
        return len(self.labels)

    @property
    def not_finite(self) -> int:
        """How many examples have a logit that is infinite or not a number: they are wrong, and say nothing."""
        return int((~np.isfinite(self.logits).all(1)).sum())

    @property
    def correct(self) -> int:
        return int(self._is_correct.sum())

    @property
    def loss_sum(self) -> float:
        """Sum of the examples' cross-entropies."""
        with np.errstate(invalid='ignore'):  # logits that are infinite have a loss that is not a number
            z = self.logits.astype(np.float64)
            z -= z.max(1, keepdims=True)
            return float((np.log(np.exp(z).sum(1)) - np.take_along_axis(z, self.labels[:, None], 1)[:, 0]).sum())

    @property
    def loss(self) -> float:
        """Mean cross-entropy."""
        return self.loss_sum / self.count

    @property
    def error(self) -> float:
        """Top-1 error in percent."""
        return 100 * (self.count - self.correct) / self.count

    @property
    def class_errors(self) -> dict[str, float | None]:
        """Top-1 error in percent by class; None for a class without examples."""
        errors = {}
        for label, name in enumerate(self.class_names):
            correct = self._is_correct[self.labels == label]
            errors[name] = 100 * float(1 - correct.mean()) if len(correct) else None
        return errors

    def mistakes(self, most: int) -> np.ndarray:
        """Indices of the wrong examples, at most `most`, the surest of their wrong class first."""
        z = self.logits.astype(np.float64)
        sureness = 1 / np.exp(z - z.max(1, keepdims=True)).sum(1)  # the softmax of the class that was named
        wrong = np.flatnonzero(~self._is_correct)
        return wrong[np.argsort(-sureness[wrong], kind='stable')][:most]

    @property
    def _is_correct(self) -> np.ndarray:
        is_right: np.ndarray = self.logits.argmax(1) == self.labels
        return is_right & np.isfinite(self.logits).all(1)


@dataclass
class Evaluator:
    """Evaluates a network on one split, which it keeps on the devices.

    Attributes:
        model, view: the network that a state is of, and what it sees of an image.
        examples: the split.
        class_names: one per label.
        batch_size: examples at a time; rounded up to a multiple of the devices.
        mesh: the devices, one axis `data`.
        backend: what the devices' platform needs.
    """

    model: ResNet
    view: CentreView
    examples: Examples
    class_names: Sequence[str]
    batch_size: int
    mesh: Mesh
    backend: Backend = field(default_factory=Backend)

    def __post_init__(self) -> None:
        self._batch = -(-min(self.batch_size, len(self.examples)) // self.mesh.size) * self.mesh.size
        missing = -len(self.examples) % self._batch
        padded = np.pad(self.examples.images, ((0, missing), (0, 0), (0, 0), (0, 0)))
        everywhere = NamedSharding(self.mesh, PartitionSpec())
        self._images = jax.device_put(padded, everywhere)
        self._form = self.backend.form(self.model)
        self._logits: Any = self.backend.jit(self._predict, out_shardings=everywhere)

    def _predict(self, variables: Any, images: jax.Array, start: jax.Array) -> jax.Array:
        batch = jax.lax.dynamic_slice_in_dim(images, start, self._batch)
        batch = jax.lax.with_sharding_constraint(batch, NamedSharding(self.mesh, PartitionSpec('data')))
        logits = self._form.net.apply(self._form.variables(variables), self.view(batch))
        assert isinstance(logits, jax.Array)
        return logits

    def compile(self, variables: Any) -> None:
        """Compiles the program for variables like these now, rather than at the first batch."""
        with self.backend.compiling():
            self._logits = self._logits.lower(variables, self._images, jnp.int32(0)).compile()

    def batches(self, variables: Any) -> Iterator[np.ndarray]:
        """The logits, batch by batch, so that a caller can stop in between."""
        for start in range(0, len(self._images), self._batch):
            yield np.asarray(self._logits(variables, self._images, jnp.int32(start)))

    def __call__(self, variables: Any) -> Scores:
        """The scores of all examples; those that fill the last batch are cut off."""
        return self.collect(self.batches(variables))

    def collect(self, batches: Iterable[np.ndarray]) -> Scores:
        """The scores, from the logits of `batches`."""
        logits = np.concatenate(list(batches))[: len(self.examples)]
        assert len(logits) == len(self.examples)
        return Scores(logits, self.examples.labels, self.class_names)

    def mistakes(self, scores: Scores, most: int = 36) -> dict[str, np.ndarray]:
        """The most confident mistakes: `index` into the split, and `images`, uint8, as in the data set."""
        index = scores.mistakes(most)
        return {'index': index, 'images': self.examples.images[index]}
