"""Batches of decoded views: which pictures, in which order, and which part of each; and threads that make them.

The order and the crops are functions of (seed, epoch, index). So a batch does not depend on threads, processes, the
size of other batches, or where a run was stopped.
"""

import os
import signal
import threading
import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np

from jax_resnet.data.pictures.crops import NUMBERS, Crop, resize
from jax_resnet.data.pictures.decoding import decode
from jax_resnet.data.pictures.source import Pictures
from jax_resnet.errors import DataError


class Purpose(IntEnum):
    """What random numbers on the host are for."""

    ORDER = 1
    CROP = 2


class Batch(NamedTuple):
    """A batch: arrays of NumPy's, or on the devices.

    Attributes:
        images: uint8 [batch, size, size, 3].
        labels: int32 [batch]; -1 where the split has no more pictures.
        draws: uint32 [batch, 2], the epoch and the index of each picture, by which the device draws.
    """

    images: Any
    labels: Any
    draws: Any


@dataclass(frozen=True)
class Batches:
    """The batches of a split, by their number.

    Attributes:
        pictures: of the split.
        crop: what is seen of each.
        size: height and width of a view, in pixels.
        batch_size: views in a batch.
        count: how many batches there are.
        seed: of the order and the crops: consecutive batches of consecutive permutations, one an epoch; None: the
            split's own order, once.
        interpolation: how a part becomes a view: 'bilinear' or 'bicubic'.
        exif_rotation: turn each picture as its EXIF says.
        rows: of each batch, those that are made; None: all.
    """

    pictures: Pictures
    crop: Crop
    size: int
    batch_size: int
    count: int
    seed: int | None = None
    interpolation: str = 'bilinear'
    exif_rotation: bool = False
    rows: range | None = None

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> Batch:
        """A batch. Raises DataError, which names the picture, where one cannot be read or decoded."""
        rows = range(self.batch_size) if self.rows is None else self.rows
        batch = Batch(
            np.empty((len(rows), self.size, self.size, 3), np.uint8),
            np.empty(len(rows), np.int32),
            np.zeros((len(rows), 2), np.uint32),
        )
        uniform = Uniform(self.seed or 0, Purpose.CROP)
        for row, of_batch in enumerate(rows):
            epoch, place = divmod(number * self.batch_size + of_batch, len(self.pictures))
            if self.seed is None and epoch:
                batch.images[row], batch.labels[row] = 0, -1
                continue
            index = place if self.seed is None else int(order(self.seed, epoch, len(self.pictures))[place])
            batch.draws[row] = epoch, index
            batch.labels[row] = self._view(index, uniform(epoch, index), batch.images[row])
        return batch

    def views(self, indices: Iterable[int]) -> tuple[np.ndarray, np.ndarray]:
        """Views of some pictures, without a random crop: uint8 [n, size, size, 3]; and their labels, int32 [n]."""
        indices = list(indices)
        images, labels = np.empty((len(indices), self.size, self.size, 3), np.uint8), np.empty(len(indices), np.int32)
        for row, index in enumerate(indices):
            labels[row] = self._view(index, [], images[row])
        return images, labels

    def _view(self, index: int, numbers: list[float], out: np.ndarray) -> int:
        """Writes a picture's view; returns its label."""
        image, label = decoded(self.pictures, index, self.exif_rotation)
        height, width, _ = image.shape
        resize(image, self.crop(height, width, numbers), out, self.interpolation)
        return label


def decoded(pictures: Pictures, index: int, exif_rotation: bool) -> tuple[np.ndarray, int]:
    """A picture, uint8 [height, width, 3], and its label. Raises DataError, which names it, where it cannot be read."""
    encoded, label = pictures[index]
    try:
        return decode(encoded, exif_rotation), label
    except ValueError as e:
        raise DataError(f'{pictures.name(index)}: cannot be read as a picture ({e})') from None


class Uniform:
    """Uniform random numbers that are functions of (seed, purpose, epoch, index). Not for several threads."""

    def __init__(self, seed: int, purpose: Purpose) -> None:
        self._philox = np.random.Philox(key=np.array([seed, purpose], np.uint64))
        self._state = self._philox.state

    def __call__(self, epoch: int, index: int) -> list[float]:
        """NUMBERS numbers from 0 and below 1."""
        self._state['state']['counter'][:] = 0, 0, epoch, index
        self._philox.state = self._state
        numbers: list[float] = ((self._philox.random_raw(NUMBERS) >> 11) * 2.0**-53).tolist()
        return numbers


def order(seed: int, epoch: int, size: int) -> np.ndarray:
    """The permutation of an epoch, int32 [size]: the places of raw random numbers, which are NumPy's for good."""
    with _one_at_a_time:
        return _order(seed, epoch, size)


@lru_cache(maxsize=2)  # a batch may straddle two
def _order(seed: int, epoch: int, size: int) -> np.ndarray:
    key, counter = np.array([seed, Purpose.ORDER], np.uint64), np.array([0, 0, epoch, 0], np.uint64)
    numbers = np.random.Philox(key=key, counter=counter).random_raw(size)
    return np.argsort(numbers, kind='stable').astype(np.int32)


_one_at_a_time = threading.Lock()
"""So that threads do not all make the same permutation when an epoch begins."""


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


Item = TypeVar('Item', bound=tuple, covariant=True)


class Made(Protocol[Item]):
    """Things that are made when they are asked for, by their number."""

    def __len__(self) -> int: ...

    def __getitem__(self, number: int, /) -> Item: ...


def iterate(batches: Made[Item], first: int, threads: int, processes: int) -> Generator[Item]:
    """The batches from number `first`, in order, made ahead by threads, or by processes of so many threads.

    Args:
        batches: to be made; or other things, each a NamedTuple of arrays.
        first: where to begin.
        threads: that decode, each a batch at a time; 0 is one a CPU core.
        processes: that have these threads; 0 is this one.

    Raises:
        DataError: a picture that cannot be read or decoded, or a process that has ended.
    """
    import grain

    threads = threads or max(1, cores() // max(1, processes))
    ahead = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=threads + 1)
    dataset = grain.MapDataset.source(batches)[first:].to_iter_dataset(ahead)
    if processes:
        from absl import flags

        if not flags.FLAGS.is_parsed():  # grain asks them what its workers shall do
            flags.FLAGS.mark_as_parsed()
        workers = grain.MultiprocessingOptions(num_workers=processes, per_worker_buffer_size=2)
        dataset = dataset.mp_prefetch(workers, _begin_worker)
    iterator = iter(dataset)
    try:
        for batch in iterator:
            # Of a process, it lies in shared memory, which is given back with the last reference to it.
            yield type(batch)(*map(np.array, batch)) if processes else batch
    except RuntimeError as e:
        if not processes:
            raise
        raise DataError(f'config.pictures.processes={processes}: one of them has ended ({e})') from e
    finally:
        iterator.close()


def _begin_worker(number: int, count: int) -> None:
    """A process that decodes leaves signals to the one that trains, and ends when that has ended."""
    for ignored in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
