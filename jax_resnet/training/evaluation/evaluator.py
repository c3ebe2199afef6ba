"""Exact evaluation: every example of a split counts once, for any batch size and any number of devices and processes.

Each process evaluates its share of the examples on its own devices. At the end every process has all logits.
"""

import contextlib
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jax_resnet.data.preprocessing import CentreView, Normalization
from jax_resnet.hosts import processes
from jax_resnet.models import ResNet
from jax_resnet.platform.base import Backend
from jax_resnet.training.evaluation.scores import Scores
from jax_resnet.training.evaluation.splits import Split


@dataclass
class Evaluator:
    """Evaluates a network on one split.

    Attributes:
        model: the network of the training state.
        view: converts an image to the network's input.
        split: the split.
        class_names: one for each label.
        mesh: the devices of this process, with one axis `data`.
        backend: settings of the devices' platform.
    """

    model: ResNet
    view: CentreView
    split: Split
    class_names: Sequence[str]
    mesh: Mesh
    backend: Backend = field(default_factory=Backend)

    def __post_init__(self) -> None:
        self._form = self.backend.form(self.model)
        self._everywhere = NamedSharding(self.mesh, PartitionSpec())
        self._normalize = jax.device_put(self.view.normalize, self._everywhere)
        self._logits: Any = None

    def _predict(self, variables: Any, normalize: Normalization, *arguments: jax.Array) -> jax.Array:
        view, batch = self.view._replace(normalize=normalize), self.split.batch(*arguments)
        logits = self._form.net.apply(self._form.variables(variables), view(batch))
        assert isinstance(logits, jax.Array)
        return logits

    def __len__(self) -> int:
        """Number of examples of the split."""
        return len(self.split)

    def compile(self, variables: Any) -> None:
        """Compiles the program for variables with these shapes. Without this, the first batch compiles it."""
        arguments = variables, self._normalize, *self.split.like
        self._logits = self.backend.compile(self._predict, *arguments, out_shardings=self._everywhere)

    def batches(self, variables: Any) -> Generator[tuple[np.ndarray, np.ndarray]]:
        """Yields logits, float32 [n, classes], and labels, int32 [n], of each batch of this process's share."""
        if self._logits is None:
            self.compile(variables)
        with contextlib.closing(self.split.batches()) as batches:
            for arguments, labels in batches:
                yield np.asarray(self._logits(variables, self._normalize, *arguments))[: len(labels)], labels

    def __call__(self, variables: Any) -> Scores:
        """Returns the scores of all examples. All processes must call it."""
        return self.collect(self.batches(variables))

    def collect(self, batches: Iterable[tuple[np.ndarray, np.ndarray]]) -> Scores:
        """Returns the scores of all examples, from the `batches` of each process. All processes must call it."""
        empty = np.zeros((0, len(self.class_names)), np.float32), np.zeros(0, np.int32)  # if the share is empty
        arrays = map(np.concatenate, zip(empty, *batches, strict=True))
        logits, labels = (processes.gather_rows(array, len(self.split)) for array in arrays)
        assert len(logits) == len(self.split)
        return Scores(logits, labels, self.class_names)

    def mistakes(self, scores: Scores, most: int = 36) -> dict[str, np.ndarray]:
        """The wrong predictions with the highest probabilities, at most `most`.

        Returns:
            index: positions in the split, int [n]; images: as in the data set, uint8 [n, height, width, channels].
        """
        index = scores.mistakes(most)
        return {'index': index, 'images': self.split.images(index)}
