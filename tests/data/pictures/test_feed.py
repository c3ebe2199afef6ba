import threading
import time
from collections.abc import Generator

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jax_resnet.data.pictures.batches import AHEAD, Batch, Feed


class Numbered:
    """Makes batches whose labels are their number; counts them, and what was closed."""

    def __init__(self) -> None:
        self.made, self.closed = 0, 0

    def __call__(self, first: int) -> Generator[Batch]:
        try:
            for number in range(first, 100):
                self.made += 1
                yield Batch(np.zeros((4, 2, 2, 3), np.uint8), np.full(4, number, np.int32), np.zeros((4, 2), np.uint32))
        finally:
            self.closed += 1


def feed(numbered: Numbered) -> Feed:
    devices = np.array(jax.local_devices()[:2])
    return Feed(
        numbered, lambda array: jax.device_put(array, NamedSharding(Mesh(devices, ('data',)), PartitionSpec('data')))
    )


def test_batches_come_in_order_on_the_devices_and_a_few_ahead() -> None:
    numbered = Numbered()
    batches = feed(numbered)
    batches.begin(7)
    for number in range(7, 12):
        batches.begin(number)  # as a program does; nothing begins anew
        batch = batches.take()
        assert batch.labels.tolist() == [number] * 4 and len(batch.images.sharding.device_set) == 2
    deadline = time.monotonic() + 10
    while not (batches.is_ready and numbered.made == 5 + AHEAD) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    assert batches.is_ready and numbered.made == 5 + AHEAD
    batches.close()
    assert numbered.closed == 1 and not [thread for thread in threading.enumerate() if thread.name.startswith('feed')]
    batches.close()


def test_another_number_begins_anew() -> None:
    numbered = Numbered()
    batches = feed(numbered)
    for first in (3, 50, 0):
        batches.begin(first)
        assert [batches.take().labels[0] for _ in range(3)] == [first, first + 1, first + 2]
    batches.close()
    assert numbered.closed == 3
