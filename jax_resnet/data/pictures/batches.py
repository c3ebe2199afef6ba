"""Batches of decoded views: `Batches` and `Pass` make one, `iterate` makes them in threads, `Feed` copies them.

The order and the crops are functions of (seed, epoch, index). So a batch does not depend on threads, processes, the
size of other batches, or the step at which a run was stopped.
"""

import multiprocessing
import os
import resource
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from jax_resnet.data import cache
from jax_resnet.data.pictures.decoding import decode
from jax_resnet.data.pictures.views import NUMBERS, Crop, View, resize
from jax_resnet.data.sources import Pictures
from jax_resnet.errors import ConfigError, DataError, InputError, reason

MEAN_PICTURES = 10_000
"""Maximum number of pictures in a mean image. They are drawn at random from the split."""

AHEAD = 3
"""Number of batches that wait on the devices."""


class HostPurpose(IntEnum):
    """Purposes of random numbers on the host. Each has its own random numbers."""

    ORDER = 1
    CROP = 2


class Batch(NamedTuple):
    """A batch of NumPy arrays, or of arrays on the devices.

    Attributes:
        images: uint8 [batch, size, size, 3].
        labels: int32 [batch]; in evaluation, -1 for padded rows.
        draws: uint32 [batch, 2], the epoch and the index of each picture; the device derives its random numbers from
            them.
    """

    images: Any
    labels: Any
    draws: Any


@dataclass(frozen=True)
class Batches:
    """The batches of a split. `batches[number]` makes one.

    Attributes:
        pictures: pictures of the split.
        crop: chooses the part of each picture that becomes its view.
        size: height and width of a view, in pixels.
        batch_size: number of views in a batch.
        count: number of batches.
        seed: seed of the order and of the crops. Each epoch has a new permutation, and batches follow one another
            across epochs.
        interpolation: resampling filter, 'bilinear' or 'bicubic'.
        exif_rotation: rotate each picture by its EXIF orientation.
        rows: rows of each batch that this process makes; None makes all.
    """

    pictures: Pictures
    crop: Crop
    size: int
    batch_size: int
    count: int
    seed: int = 0
    interpolation: str = 'bilinear'
    exif_rotation: bool = False
    rows: range | None = None

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> Batch:
        """Makes a batch. Raises DataError, which names the picture, if one cannot be read or decoded."""
        rows = range(self.batch_size) if self.rows is None else self.rows
        batch = Batch(
            np.empty((len(rows), self.size, self.size, 3), np.uint8),
            np.empty(len(rows), np.int32),
            np.zeros((len(rows), 2), np.uint32),
        )
        for row, batch_row in enumerate(rows):
            epoch, position = divmod(number * self.batch_size + batch_row, len(self.pictures))
            index = int(order(self.seed, epoch, len(self.pictures))[position])
            image, batch.labels[row] = decoded(self.pictures, index, self.exif_rotation)
            batch.draws[row] = epoch, index
            box = self.crop(image.shape[0], image.shape[1], uniform(self.seed, epoch, index))
            batch.images[row] = resize(image, box, self.size, self.size, self.interpolation)
        return batch


@dataclass(frozen=True)
class Pass:
    """A pass over the pictures of a split in order: the views of each picture, by its index.

    Attributes:
        pictures: pictures of the split.
        view: the views of a picture.
        interpolation, exif_rotation: as for `Batches`.
    """

    pictures: Pictures
    view: View
    interpolation: str = 'bilinear'
    exif_rotation: bool = False

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> Batch:
        """Makes a picture's views, uint8 [views, rows, columns, 3], its label, [], and its draws (0, index).

        Raises:
            DataError: the picture cannot be read or decoded. The message names it.
        """
        image, label = decoded(self.pictures, index, self.exif_rotation)
        return Batch(self.view.views(image, self.interpolation), np.int32(label), np.array([0, index], np.uint32))


def decoded(pictures: Pictures, index: int, exif_rotation: bool) -> tuple[np.ndarray, int]:
    """Decodes a picture, uint8 [height, width, 3]; returns it and its label. Raises DataError if it cannot be read."""
    try:
        encoded, label = pictures[index]
        return decode(encoded, exif_rotation), label
    except MemoryError:
        raise
    except Exception as e:  # for damaged files, the readers may raise any error
        raise DataError(f'{pictures.name(index)}: cannot be read ({reason(e)})') from e


def uniform(seed: int, epoch: int, index: int) -> list[float]:
    """The random numbers of a picture's crop: NUMBERS numbers from 0 to below 1."""
    numbers: list[float] = ((_random_raw(seed, HostPurpose.CROP, epoch, index, NUMBERS) >> 11) * 2.0**-53).tolist()
    return numbers


@lru_cache(maxsize=2)  # a batch may contain the end of one epoch and the start of the next
def order(seed: int, epoch: int, size: int) -> np.ndarray:
    """The permutation of an epoch, int32 [size]: the order that sorts random numbers."""
    return np.argsort(_random_raw(seed, HostPurpose.ORDER, epoch, 0, size), kind='stable').astype(np.int32)


def _random_raw(seed: int, purpose: HostPurpose, epoch: int, index: int, count: int) -> np.ndarray:
    """Numbers of Philox, uint64 [count]: all versions of NumPy give the same, which a Generator does not promise."""
    key, counter = np.array([seed, purpose], np.uint64), np.array([0, 0, epoch, index], np.uint64)
    return np.random.Philox(key=key, counter=counter).random_raw(count)


def cores() -> int:
    """Number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def iterate(batches: Batches | Pass, first: int, threads: int, processes: int) -> Generator[Batch]:
    """Yields the batches from number `first` in order. Threads or worker processes make them ahead of time.

    Args:
        batches: the batches, or the views of one picture after another.
        first: number of the first batch.
        threads: decoding threads in each process; each makes a whole batch. 0 divides the cores among the processes.
        processes: worker processes; 0 runs the threads in this process.

    Raises:
        DataError: a picture cannot be read or decoded, or a worker process has ended.
    """
    import grain

    threads = threads or max(1, cores() // max(1, processes))
    read_options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=threads + 1)
    dataset = grain.MapDataset.source(batches)[first:].to_iter_dataset(read_options)
    if processes:
        from absl import flags

        if not flags.FLAGS.is_parsed():  # grain reads options of its workers from absl's flags
            flags.FLAGS.mark_as_parsed()
        workers = grain.MultiprocessingOptions(num_workers=processes, per_worker_buffer_size=2)
        dataset = dataset.mp_prefetch(workers, _begin_worker)
    iterator = iter(dataset)
    try:
        for batch in iterator:
            # A worker's batch is in shared memory. A copy lets this memory be freed.
            yield Batch(*map(np.array, batch)) if processes else batch
    except RuntimeError as e:
        if not processes:
            raise
        raise DataError(f'config.pictures.processes={processes}: a worker process has ended ({e})') from e
    finally:
        iterator.close()


def allow_open_files(processes: int) -> None:
    """Raises the soft limit of open files to what worker processes need in training and evaluation together.

    Raises:
        ConfigError: the hard limit is lower.
    """
    needed, (soft, hard) = 128 + 40 * processes, resource.getrlimit(resource.RLIMIT_NOFILE)  # measured: 54 + 34 each
    if not processes or soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        limit = f'the limit is {hard:,} (ulimit -Hn); give fewer processes, or 0'
        raise ConfigError(f'config.pictures.processes={processes}: need {needed:,} open files; {limit}')
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def _begin_worker(number: int, count: int) -> None:
    """Sets up a worker process: it ignores SIGINT and SIGTERM, and ends when the training process has ended."""
    for ignored in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    parent = multiprocessing.parent_process()  # if it has ended already, os.getppid() is another process
    assert parent is not None

    def watch() -> None:
        while os.getppid() == parent.pid:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def mean_image(batches: Batches, key: str, threads: int = 0, processes: int = 0) -> np.ndarray:
    """The mean of MEAN_PICTURES views, or of all if there are fewer: float64 [size, size, 3], pixels from 0 to 255.

    It is computed once and cached.

    Args:
        batches: batches of the split, in a random order.
        key: part of the cache key; it must differ for different pictures.
        threads, processes: as for `iterate`.
    """
    count = min(MEAN_PICTURES, len(batches.pictures))
    drawn = replace(batches, count=-(-count // batches.batch_size))

    def make() -> cache.Arrays:
        total, remaining = np.zeros((batches.size, batches.size, 3)), count
        for batch in iterate(drawn, 0, threads, processes):
            total += batch.images[:remaining].sum(0, dtype=np.float64)
            remaining -= len(batch.images[:remaining])
        return {'mean': total / count}

    digest = cache.digest(key, drawn.crop, drawn.size, drawn.interpolation, drawn.exif_rotation)
    return cache.load(f'mean-{digest}', make)['mean']


class Feed:
    """Batches on the devices. A thread copies them there ahead of time.

    Args:
        iterate: takes the number of a batch, and returns an iterator that begins with this batch.
        put: copies an array of a batch to the devices.
    """

    def __init__(self, iterate: Callable[[int], Generator[Batch]], put: Callable[[np.ndarray], Any]) -> None:
        self._iterate, self._put = iterate, put
        self._next: int | None = None

    def begin(self, number: int) -> None:
        """Starts to make batches from this number on. Does nothing if this batch is the next one already."""
        if self._next == number:
            return
        self.close()
        self._next, self._batches = number, self._iterate(number)
        self._thread = ThreadPoolExecutor(1, 'feed')
        self._ahead = deque(self._thread.submit(self._copy_batch) for _ in range(AHEAD))

    @property
    def is_ready(self) -> bool:
        """Whether `take` returns at once."""
        return self._ahead[0].done()

    def take(self) -> Batch | None:
        """Returns the next batch; None after the last one.

        Raises:
            InputError: a picture cannot be read. Other errors are raised unchanged.
        """
        assert self._next is not None
        try:
            batch = self._ahead.popleft().result()
        except BaseException as e:
            self.close()
            if isinstance(e, DataError):
                raise InputError(str(e)) from e
            raise
        self._ahead.append(self._thread.submit(self._copy_batch))
        self._next += 1
        return batch

    def close(self) -> None:
        """Stops the thread and the iterator of batches."""
        if self._next is not None:
            self._next = None
            self._thread.shutdown(cancel_futures=True)
            self._batches.close()

    def _copy_batch(self) -> Batch | None:
        batch = next(self._batches, None)
        return None if batch is None else Batch(*map(self._put, batch))
