"""From batches on the host to batches on the devices, a few ahead of the step that takes them."""

import contextlib
import queue
import threading
from collections.abc import Callable, Generator
from typing import Any

import numpy as np

from jax_resnet.data.pictures.batches import Batch
from jax_resnet.errors import DataError, InputError

AHEAD = 2
"""Batches that wait on the devices."""


class Feed:
    """Batches on the devices. A thread brings them there ahead of time.

    Args:
        iterate: from the number of a batch to an iterator that begins with it.
        put: brings an array of a batch to the devices.
    """

    def __init__(self, iterate: Callable[[int], Generator[Batch]], put: Callable[[np.ndarray], Any]) -> None:
        self._iterate, self._put = iterate, put
        self._next: int | None = None
        self._stop = threading.Event()

    def begin(self, number: int) -> None:
        """Has batches made from this number on, where they are not yet."""
        if self._next == number:
            return
        self.close()
        self._next, self._stop, self._queue = number, threading.Event(), queue.Queue[Any](AHEAD)
        arguments = self._iterate(number), self._queue, self._stop
        self._thread = threading.Thread(target=self._bring, args=arguments, name='feed', daemon=True)
        self._thread.start()

    @property
    def is_ready(self) -> bool:
        """Whether `take` returns at once."""
        return not self._queue.empty()

    def take(self) -> Batch:
        """The next batch. Raises InputError for a picture that cannot be read, and else what making it raised."""
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
        """Ends the thread, and what makes batches."""
        if self._next is None:
            return
        self._next = None
        self._stop.set()
        while self._thread.is_alive():
            with contextlib.suppress(queue.Empty):  # room for what it would put
                self._queue.get(timeout=0.01)
        self._thread.join()

    def _bring(self, batches: Generator[Batch], ready: queue.Queue, stop: threading.Event) -> None:
        try:
            for batch in batches:
                on_devices = Batch(*map(self._put, batch))
                ready.put(on_devices)
                if stop.is_set():
                    return
        except BaseException as e:  # whoever takes the next batch is told
            ready.put(e)
        finally:
            batches.close()
