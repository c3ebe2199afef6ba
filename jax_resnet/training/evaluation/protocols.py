"""Evaluation that averages scores over several views of each picture: ten crops, or the picture at several scales.

He et al. 2015 uses ten crops in Tables 2 and 3, and five scales, fully convolutionally, in Table 4 (section 3.4).
"""

import contextlib
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jax_resnet.data.pictures.views import Viewed, Views
from jax_resnet.data.preprocessing import Normalization
from jax_resnet.hosts import processes
from jax_resnet.models import ResNet
from jax_resnet.platform.base import Backend
from jax_resnet.training.evaluation.scores import Scores
from jax_resnet.training.evaluation.splits import whole_batch

BatchScores = tuple[np.ndarray, np.ndarray, np.ndarray]
"""The indices, int [n], the labels, int [n], and the mean scores, float64 [n, classes], of the pictures of a batch."""


@dataclass
class ProtocolEvaluator:
    """Evaluates a network on several views of each picture of a split, and on their mirror images.

    All pictures of a batch have the same shape. Each shape is compiled once. The network averages its last feature map
    over all positions, for any size. As the head is linear, this is the fully convolutional form of the paper.

    Attributes:
        model: the network of the training state.
        normalize: converts pixels to the network's input.
        count: number of pictures of the split.
        passes: passes over this process's share of the pictures; each pass has other views.
        iterate: yields the views of a pass in order, beginning with the picture at an index.
        pixels: maximum number of pixels of all views of a batch, before its size is rounded up to a multiple of the
            devices.
        average: what is averaged over views and passes: 'softmax' or 'logits'.
        class_names: one for each label.
        mesh: the devices of this process, with one axis `data`.
        backend: settings of the devices' platform.
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
        everywhere = NamedSharding(self.mesh, PartitionSpec())
        self._normalize = jax.device_put(self.normalize, everywhere)
        self._scores = self.backend.jit(self._predict, out_shardings=everywhere)

    def _predict(self, variables: Any, normalize: Normalization, images: jax.Array) -> jax.Array:
        """Averages the scores of views, uint8 [batch, views, rows, columns, 3], to float32 [batch, classes]."""
        x = normalize(images)
        x = jnp.concatenate([x, x[:, :, :, ::-1]], axis=1)  # this axis keeps a picture on one device
        logits = self._form.net.apply(self._form.variables(variables), x.reshape(-1, *x.shape[2:]))
        assert isinstance(logits, jax.Array)
        scores = jax.nn.softmax(logits) if self.average == 'softmax' else logits
        return scores.reshape(*x.shape[:2], -1).mean(1)

    def __len__(self) -> int:
        """Number of pictures of this process, times the number of passes."""
        return sum(map(len, self.passes))

    def batches(self, variables: Any) -> Generator[BatchScores]:
        """Yields the scores of each batch. Each picture of this process occurs once in each pass."""
        for views in self.passes:
            by_shape: dict[tuple[int, ...], list[Viewed]] = {}
            with contextlib.closing(self.iterate(views, 0)) as pictures:
                for viewed in pictures:
                    batch = by_shape.setdefault(viewed.images.shape, [])
                    batch.append(viewed)
                    if len(batch) == self._batch_size(viewed.images.shape):
                        yield self._score(variables, by_shape.pop(viewed.images.shape))
            for batch in by_shape.values():
                yield self._score(variables, batch)

    def __call__(self, variables: Any) -> Scores:
        """Returns the scores of all pictures. All processes must call it."""
        return self.collect(self.batches(variables))

    def collect(self, batches: Iterable[BatchScores]) -> Scores:
        """Returns the scores of all pictures, from the `batches` of each process. All processes must call it."""
        count = len(self.passes[0])
        labels, sums, seen = np.zeros(count, np.int32), np.zeros((count, len(self.class_names))), np.zeros(count, int)
        for indices, batch_labels, scores in batches:
            labels[indices] = batch_labels
            sums[indices] += scores
            seen[indices] += 1
        assert (seen == len(self.passes)).all()
        labels, sums = processes.gather_rows(labels, self.count), processes.gather_rows(sums, self.count)
        means = sums / len(self.passes)
        with np.errstate(divide='ignore'):  # a probability can be zero in float32
            logits = np.log(means) if self.average == 'softmax' else means
        return Scores(np.maximum(logits, np.finfo(np.float32).min).astype(np.float32), labels, self.class_names)

    def _score(self, variables: Any, batch: Sequence[Viewed]) -> BatchScores:
        images = np.stack([viewed.images for viewed in batch])
        missing = self._batch_size(images.shape[1:]) - len(images)
        padded = np.pad(images, ((0, missing), *[(0, 0)] * 4))
        on_devices = jax.device_put(padded, NamedSharding(self.mesh, PartitionSpec('data')))
        scores = np.asarray(self._scores(variables, self._normalize, on_devices), np.float64)[: len(images)]
        return np.array([viewed.index for viewed in batch]), np.array([viewed.label for viewed in batch]), scores

    def _batch_size(self, shape: tuple[int, ...]) -> int:
        """Number of pictures in a batch of views of this shape, a multiple of the number of devices."""
        views, rows, columns, _ = shape
        most = max(1, self.pixels // (2 * views * rows * columns))
        return whole_batch(most, self.count, self.mesh.size)
