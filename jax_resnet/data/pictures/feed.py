"""Copies batches from the host to the devices, a few batches ahead of the training step."""

import contextlib
import queue
import threading
from collections.abc import Callable, Generator
from typing import Any

import numpy as np

from jax_resnet.data.pictures.batches import Batch
from jax_resnet.errors import DataError, InputError

AHEAD = 2
"""Number of batches that wait on the devices."""


class Feed:
    """Batches on the devices. A thread copies them there ahead of time.

    Args:
        iterate: takes the number of a batch, and returns an iterator that begins with this batch.
        put: copies an array of a batch to the devices.
    """

    def __init__(self, iterate: Callable[[int], Generator[Batch]], put: Callable[[np.ndarray], Any]) -> None:
        self._iterate, self._put = iterate, put
        self._next: int | None = None
        self._stop = threading.Event()

    def begin(self, number: int) -> None:
        """Starts to make batches from this number on. Does nothing if this batch is the next one already."""
        if self._next == number:
            return
        self.close()
        self._next, self._stop, self._queue = number, threading.Event(), queue.Queue[Any](AHEAD)
        arguments = self._iterate(number), self._queue, self._stop
        self._thread = threading.Thread(target=self._copy_batches, args=arguments, name='feed', daemon=True)
        self._thread.start()

    @property
    def is_ready(self) -> bool:
        """Whether `take` returns at once."""
        return not self._queue.empty()

    def take(self) -> Batch | None:
        """Returns the next batch; None after the last one.

        Raises:
            InputError: a picture cannot be read. Other errors are raised unchanged.
        """
        assert self._next is not None
        found = self._queue.get()
        if isinstance(found, BaseException):
            self.close()
            if isinstance(found, DataError):
                raise InputError(str(found)) from found
            raise found
        self._next += 1
        return found  # type: ignore[no-any-return]

    def close(self) -> None:
        """Stops the thread and the iterator of batches."""
        if self._next is None:
            return
        self._next = None
        self._stop.set()
        while self._thread.is_alive():
            with contextlib.suppress(queue.Empty):  # makes room in the queue, as the thread may wait to put a batch
                self._queue.get(timeout=0.01)
        self._thread.join()

    def _copy_batches(self, batches: Generator[Batch], ready: queue.Queue, stop: threading.Event) -> None:
        try:
            for batch in batches:
                on_devices = Batch(*map(self._put, batch))
                ready.put(on_devices)
                if stop.is_set():
                    return
            ready.put(None)
        except BaseException as e:  # `take` raises it
            ready.put(e)
        finally:
            batches.close()
