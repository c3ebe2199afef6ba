"""Exact evaluation: every example of a split once, whatever the batch and the number of devices."""

import contextlib
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jax_resnet.backend.base import Backend
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


class Split(Protocol):
    """A split, as it comes to the devices."""

    def __len__(self) -> int: ...

    @property
    def like(self) -> tuple[Any, ...]:
        """Arguments of `batch`, to compile for."""

    @property
    def batch(self) -> Callable[..., jax.Array]:
        """From its arguments to a batch of images, within a program."""

    def turns(self) -> Generator[tuple[tuple[jax.Array, ...], np.ndarray]]:
        """Arguments of `batch` for each batch, and the labels of its examples; what fills the last has none."""

    def images(self, index: np.ndarray) -> np.ndarray:
        """Some images, uint8."""


def whole_batch(batch_size: int, examples: int, devices: int) -> int:
    """The size of a batch of evaluation: no more than the examples need, and a multiple of the devices."""
    return -(-min(batch_size, examples) // devices) * devices


@dataclass
class Evaluator:
    """Evaluates a network on one split.

    Attributes:
        model, view: the network that a state is of, and what it sees of an image.
        split: what it is evaluated on.
        class_names: one per label.
        mesh: the devices, one axis `data`.
        backend: what the devices' platform needs.
    """

    model: ResNet
    view: CentreView
    split: Split
    class_names: Sequence[str]
    mesh: Mesh
    backend: Backend = field(default_factory=Backend)

    def __post_init__(self) -> None:
        self._form = self.backend.form(self.model)
        self._logits: Any = self.backend.jit(self._predict, out_shardings=NamedSharding(self.mesh, PartitionSpec()))

    def _predict(self, variables: Any, *arguments: jax.Array) -> jax.Array:
        batch = self.split.batch(*arguments)
        logits = self._form.net.apply(self._form.variables(variables), self.view(batch))
        assert isinstance(logits, jax.Array)
        return logits

    def compile(self, variables: Any) -> None:
        """Compiles the program for variables like these now, rather than at the first batch."""
        with self.backend.compiling():
            self._logits = self._logits.lower(variables, *self.split.like).compile()

    def batches(self, variables: Any) -> Generator[tuple[np.ndarray, np.ndarray]]:
        """The logits and labels, batch by batch, so that a caller can stop in between."""
        with contextlib.closing(self.split.turns()) as turns:
            for arguments, labels in turns:
                yield np.asarray(self._logits(variables, *arguments))[: len(labels)], labels

    def __call__(self, variables: Any) -> Scores:
        """The scores of all examples; those that fill the last batch are cut off."""
        return self.collect(self.batches(variables))

    def collect(self, batches: Iterable[tuple[np.ndarray, np.ndarray]]) -> Scores:
        """The scores, from `batches`."""
        logits, labels = map(np.concatenate, zip(*batches, strict=True))
        assert len(logits) == len(self.split)
        return Scores(logits, labels, self.class_names)

    def mistakes(self, scores: Scores, most: int = 36) -> dict[str, np.ndarray]:
        """The most confident mistakes: `index` into the split, and `images`, uint8, as in the data set."""
        index = scores.mistakes(most)
        return {'index': index, 'images': self.split.images(index)}
