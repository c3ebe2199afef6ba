"""Evaluation by several views of each picture, whose scores are averaged: ten crops, or the whole at several scales.

He et al. 2015 tests ten crops in Tables 2 and 3, and five scales, fully convolutionally, in Table 4 (section 3.4).
"""

import contextlib
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jax_resnet.backend import processes
from jax_resnet.backend.base import Backend
from jax_resnet.data.pictures.views import Viewed, Views
from jax_resnet.data.preprocessing import Normalization
from jax_resnet.models import ResNet
from jax_resnet.training.evaluation.scores import Scores
from jax_resnet.training.evaluation.splits import whole_batch

Part = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Of some pictures: their indices, their labels, and the sums of their scores, [n, classes]."""


@dataclass
class ProtocolEvaluator:
    """Evaluates a network on several views of each picture of a split, and on their mirror images.

    Pictures of one shape make a batch: each shape compiles once. The last map of a network is averaged over its
    positions, whatever its size: that is the fully convolutional form, as the head is linear.

    Attributes:
        model: the network that a state is of.
        normalize: from pixels to the network's input.
        count: pictures of the split.
        passes: over this process's share of them, each with other views.
        iterate: from views to the pictures' views in order, from an index on.
        pixels: of all views of a batch, at most, before it is rounded up to the devices.
        average: 'softmax' or 'logits': what is averaged over views and passes.
        class_names: one per label.
        mesh: the devices of this process, one axis `data`.
        backend: what the devices' platform needs.
    """

    model: ResNet
    normalize: Normalization
    count: int
    passes: Sequence[Views]
    iterate: Callable[[Views, int], Generator[Viewed]]
    pixels: int
    average: str
    class_names: Sequence[str]
    mesh: Mesh
    backend: Backend = field(default_factory=Backend)

    def __post_init__(self) -> None:
        self._form = self.backend.form(self.model)
        self._scores = self.backend.jit(self._predict, out_shardings=NamedSharding(self.mesh, PartitionSpec()))

    def _predict(self, variables: Any, images: jax.Array) -> jax.Array:
        """Mean scores, float32 [batch, classes], of uint8 images [batch, views, rows, columns, 3]."""
        x = self.normalize(images)
        x = jnp.concatenate([x, x[:, :, :, ::-1]], axis=1)  # so that a picture's views stay on its device
        logits = self._form.net.apply(self._form.variables(variables), x.reshape(-1, *x.shape[2:]))
        assert isinstance(logits, jax.Array)
        scores = jax.nn.softmax(logits) if self.average == 'softmax' else logits
        return scores.reshape(*x.shape[:2], -1).mean(1)

    def __len__(self) -> int:
        """Pictures of this process, each as often as there are passes."""
        return sum(map(len, self.passes))

    def batches(self, variables: Any) -> Generator[Part]:
        """The scores of some pictures after another, so that a caller can stop in between; each once a pass."""
        for views in self.passes:
            waiting: dict[tuple[int, ...], list[Viewed]] = {}
            with contextlib.closing(self.iterate(views, 0)) as pictures:
                for viewed in pictures:
                    alike = waiting.setdefault(viewed.images.shape, [])
                    alike.append(viewed)
                    if len(alike) == self._batch_size(viewed.images.shape):
                        yield self._part(variables, waiting.pop(viewed.images.shape))
            for alike in waiting.values():
                yield self._part(variables, alike)

    def __call__(self, variables: Any) -> Scores:
        """The scores of all pictures."""
        return self.collect(self.batches(variables))

    def collect(self, parts: Iterable[Part]) -> Scores:
        """The scores, from the `batches` of each process; all processes must call it."""
        count = len(self.passes[0])
        labels, sums, seen = np.zeros(count, np.int32), np.zeros((count, len(self.class_names))), np.zeros(count, int)
        for indices, some, scores in parts:
            labels[indices] = some
            sums[indices] += scores
            seen[indices] += 1
        assert (seen == len(self.passes)).all()
        labels, sums = processes.gather_rows(labels, self.count), processes.gather_rows(sums, self.count)
        means = sums / len(self.passes)
        with np.errstate(divide='ignore'):  # a probability may be zero in float32
            logits = np.log(means) if self.average == 'softmax' else means
        return Scores(np.maximum(logits, np.finfo(np.float32).min).astype(np.float32), labels, self.class_names)

    def _part(self, variables: Any, alike: Sequence[Viewed]) -> Part:
        images = np.stack([viewed.images for viewed in alike])
        missing = self._batch_size(images.shape[1:]) - len(images)
        padded = np.pad(images, ((0, missing), *[(0, 0)] * 4))
        on_devices = jax.device_put(padded, NamedSharding(self.mesh, PartitionSpec('data')))
        scores = np.asarray(self._scores(variables, on_devices), np.float64)[: len(images)]
        return np.array([viewed.index for viewed in alike]), np.array([viewed.label for viewed in alike]), scores

    def _batch_size(self, shape: tuple[int, ...]) -> int:
        """Pictures in a batch, of views of this shape: a multiple of the devices."""
        views, rows, columns, _ = shape
        most = max(1, self.pixels // (2 * views * rows * columns))
        return whole_batch(most, self.count, self.mesh.size)
