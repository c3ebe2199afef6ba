"""Splits for evaluation. Their images are on the devices, or are streamed from the host.

Each process has a share of the split, and evaluates it on its own devices.
"""

import math
from collections.abc import Callable, Generator
from functools import partial
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jax_resnet.data import Examples
from jax_resnet.data.pictures.batches import Batch, Batches
from jax_resnet.data.pictures.feed import Feed
from jax_resnet.hosts import processes


class Split(Protocol):
    """A split for evaluation."""

    def __len__(self) -> int: ...

    @property
    def like(self) -> tuple[Any, ...]:
        """Arguments of `batch` with the right shapes, for compiling."""

    @property
    def batch(self) -> Callable[..., jax.Array]:
        """A function for use inside a compiled program. It returns a batch of images, uint8."""

    def batches(self) -> Generator[tuple[tuple[jax.Array, ...], np.ndarray]]:
        """Yields the arguments of `batch`, and the labels, int32 [n], for each batch. Padded examples have no label."""

    def images(self, index: np.ndarray) -> np.ndarray:
        """The images at some positions in the split, uint8 [n, height, width, channels]."""


def whole_batch(batch_size: int, examples: int, devices: int) -> int:
    """The batch size of one process in evaluation, a multiple of its devices. It is not larger than its share needs.

    Args:
        batch_size: maximum batch size of all processes together, before rounding up.
        examples: number of examples of the split.
        devices: number of devices of the process.
    """
    needed = math.ceil(min(batch_size, examples) / jax.process_count())
    return math.ceil(needed / devices) * devices


class ResidentSplit:
    """A split whose images are on the devices.

    Args:
        examples: the examples of the split.
        batch_size: maximum batch size of all processes together.
        mesh: the devices of this process, with one axis `data`.
    """

    def __init__(self, examples: Examples, batch_size: int, mesh: Mesh) -> None:
        self._examples, self._batch = examples, whole_batch(batch_size, len(examples), mesh.size)
        share = processes.share(len(examples))
        self._labels = examples.labels[share.start : share.stop]
        padded_size = max(1, math.ceil(len(share) / self._batch)) * self._batch  # at least one batch, to compile for
        padding = (0, padded_size - len(share)), (0, 0), (0, 0), (0, 0)
        padded = np.pad(examples.images[share.start : share.stop], padding)
        self._images = jax.device_put(padded, NamedSharding(mesh, PartitionSpec()))
        self._by_example = NamedSharding(mesh, PartitionSpec('data'))

    def __len__(self) -> int:
        return len(self._examples)

    @property
    def like(self) -> tuple[jax.Array, jax.Array]:
        """Arguments of `batch` with the right shapes, for compiling."""
        return self._images, jnp.int32(0)

    def batch(self, images: jax.Array, start: jax.Array) -> jax.Array:
        """Returns a batch, inside a compiled program."""
        batch = jax.lax.dynamic_slice_in_dim(images, start, self._batch)
        return jax.lax.with_sharding_constraint(batch, self._by_example)

    def batches(self) -> Generator[tuple[tuple[jax.Array, ...], np.ndarray]]:
        """Yields the arguments of `batch` and the labels of each batch; see `Split`."""
        for start in range(0, len(self._images), self._batch):
            yield (self._images, jnp.int32(start)), self._labels[start : start + self._batch]

    def images(self, index: np.ndarray) -> np.ndarray:
        """The images at some positions in the split, as in the data set."""
        return self._examples.images[index]


class StreamedSplit:
    """A split whose central crops come from the host.

    Args:
        split: the central crops of all pictures, in order.
        batches: the central crops of this process's share.
        iterate: takes the number of one of `batches`, and returns an iterator that begins with it.
        by_example: sharding of a batch over the devices of this process.
    """

    def __init__(
        self, split: Batches, batches: Batches, iterate: Callable[[int], Generator[Batch]], by_example: NamedSharding
    ) -> None:
        self._split, self._batches, self._by_example = split, batches, by_example
        self._feed = Feed(iterate, partial(jax.device_put, device=by_example))

    def __len__(self) -> int:
        return len(self._split.pictures)

    @property
    def like(self) -> tuple[jax.ShapeDtypeStruct]:
        """The argument of `batch`, for compiling."""
        shape = self._batches.batch_size, self._batches.size, self._batches.size, 3
        return (jax.ShapeDtypeStruct(shape, np.uint8, sharding=self._by_example),)

    def batch(self, images: jax.Array) -> jax.Array:
        """Returns the batch unchanged."""
        return images

    def batches(self) -> Generator[tuple[tuple[jax.Array, ...], np.ndarray]]:
        """Yields the argument of `batch` and the labels of each batch; see `Split`."""
        self._feed.begin(0)
        try:
            for _ in range(len(self._batches)):
                batch = self._feed.take()
                labels = np.asarray(batch.labels)
                yield (batch.images,), labels[labels >= 0]
        finally:
            self._feed.close()

    def images(self, index: np.ndarray) -> np.ndarray:
        """The central crops of the pictures at some positions in the split."""
        return self._split.views(index)[0]
