"""Exact evaluation: every example of a split once, whatever the batch and the numbers of devices and processes.

Each process evaluates its share of the examples on its own devices; at the end all have all logits.
"""

import contextlib
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jax_resnet.backend import processes
from jax_resnet.backend.base import Backend
from jax_resnet.data.preprocessing import CentreView
from jax_resnet.models import ResNet
from jax_resnet.training.evaluation.scores import Scores
from jax_resnet.training.evaluation.splits import Split


@dataclass
class Evaluator:
    """Evaluates a network on one split.

    Attributes:
        model, view: the network that a state is of, and what it sees of an image.
        split: what it is evaluated on.
        class_names: one per label.
        mesh: the devices of this process, one axis `data`.
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

    def __len__(self) -> int:
        """Examples of the split."""
        return len(self.split)

    def compile(self, variables: Any) -> None:
        """Compiles the program for variables like these now, rather than at the first batch."""
        with self.backend.compiling():
            self._logits = self._logits.lower(variables, *self.split.like).compile()

    def batches(self, variables: Any) -> Generator[tuple[np.ndarray, np.ndarray]]:
        """The logits and labels of this process's share, batch by batch, so that a caller can stop in between."""
        with contextlib.closing(self.split.turns()) as turns:
            for arguments, labels in turns:
                yield np.asarray(self._logits(variables, *arguments))[: len(labels)], labels

    def __call__(self, variables: Any) -> Scores:
        """The scores of all examples; those that fill the last batch are cut off."""
        return self.collect(self.batches(variables))

    def collect(self, batches: Iterable[tuple[np.ndarray, np.ndarray]]) -> Scores:
        """The scores, from the `batches` of each process; all processes must call it."""
        none = np.zeros((0, len(self.class_names)), np.float32), np.zeros(0, np.int32)  # a share may be empty
        parts = map(np.concatenate, zip(none, *batches, strict=True))
        logits, labels = (processes.gather_rows(part, len(self.split)) for part in parts)
        assert len(logits) == len(self.split)
        return Scores(logits, labels, self.class_names)

    def mistakes(self, scores: Scores, most: int = 36) -> dict[str, np.ndarray]:
        """The most confident mistakes: `index` into the split, and `images`, uint8, as in the data set."""
        index = scores.mistakes(most)
        return {'index': index, 'images': self.split.images(index)}
