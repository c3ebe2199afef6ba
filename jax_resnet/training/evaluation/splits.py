"""A split as it comes to the devices for evaluation: resident there, or streamed from the host.

Of several processes, each has a share of the split, and its own devices.
"""

from collections.abc import Callable, Generator
from functools import partial
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jax_resnet.backend import processes
from jax_resnet.data import Examples
from jax_resnet.data.pictures.batches import Batch, Batches
from jax_resnet.data.pictures.feed import Feed


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
    """The size of a batch of evaluation in one process, a multiple of its devices: no more than its share needs.

    Args:
        batch_size: of all processes together, at most, before it is rounded up.
        examples: of the split.
        devices: of the process.
    """
    needed = -(-min(batch_size, examples) // jax.process_count())
    return -(-needed // devices) * devices


class ResidentSplit:
    """A split that lies on the devices.

    Args:
        examples: of the split.
        batch_size: of evaluation.
        mesh: the devices of this process, one axis `data`.
    """

    def __init__(self, examples: Examples, batch_size: int, mesh: Mesh) -> None:
        self._examples, self._batch = examples, whole_batch(batch_size, len(examples), mesh.size)
        share = processes.share(len(examples))
        self._labels = examples.labels[share.start : share.stop]
        missing = max(-len(share) % self._batch, self._batch - len(share))
        padded = np.pad(examples.images[share.start : share.stop], ((0, missing), (0, 0), (0, 0), (0, 0)))
        self._images = jax.device_put(padded, NamedSharding(mesh, PartitionSpec()))
        self._by_example = NamedSharding(mesh, PartitionSpec('data'))

    def __len__(self) -> int:
        return len(self._examples)

    @property
    def like(self) -> tuple[jax.Array, jax.Array]:
        """Arguments of `batch`, to compile for."""
        return self._images, jnp.int32(0)

    def batch(self, images: jax.Array, start: jax.Array) -> jax.Array:
        """A batch within a program."""
        batch = jax.lax.dynamic_slice_in_dim(images, start, self._batch)
        return jax.lax.with_sharding_constraint(batch, self._by_example)

    def turns(self) -> Generator[tuple[tuple[jax.Array, ...], np.ndarray]]:
        """Arguments of `batch` for each batch, and the labels of its examples; what fills the last has none."""
        for start in range(0, len(self._images), self._batch):
            yield (self._images, jnp.int32(start)), self._labels[start : start + self._batch]

    def images(self, index: np.ndarray) -> np.ndarray:
        """Some images, as in the data set."""
        return self._examples.images[index]


class StreamedSplit:
    """A split whose central crops come from the host.

    Args:
        split: all of its central crops, in their order.
        batches: those of this process's share.
        iterate: from the number of one of `batches` to an iterator that begins with it.
        by_example: how a batch is laid out over the devices of this process.
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
        """The argument of `batch`, to compile for."""
        shape = self._batches.batch_size, self._batches.size, self._batches.size, 3
        return (jax.ShapeDtypeStruct(shape, np.uint8, sharding=self._by_example),)

    def batch(self, images: jax.Array) -> jax.Array:
        """A batch within a program: it comes as it is."""
        return images

    def turns(self) -> Generator[tuple[tuple[jax.Array, ...], np.ndarray]]:
        """The argument of `batch` for each batch, and the labels of its examples; what fills the last has none."""
        self._feed.begin(0)
        try:
            for _ in range(len(self._batches)):
                batch = self._feed.take()
                labels = np.asarray(batch.labels)
                yield (batch.images,), labels[labels >= 0]
        finally:
            self._feed.close()

    def images(self, index: np.ndarray) -> np.ndarray:
        """Some central crops."""
        return self._split.views(index)[0]
