"""Batches of pictures that other processes decode."""

import itertools
import multiprocessing
import os
import signal

import pytest

from jax_resnet.data.pictures.batches import iterate
from jax_resnet.errors import DataError
from tests.data.pictures.test_batches import check_that_a_picture_that_is_none_is_named, same, training


@pytest.mark.parametrize('processes', [1, 2])
def test_processes_do_not_count(processes: int) -> None:
    batches = training()
    wanted = [batches[k] for k in range(12)]
    stopped = iterate(batches, 0, 2, processes)  # and killed after five batches
    found = list(itertools.islice(stopped, 5))
    stopped.close()
    found += list(iterate(batches, 5, 2, processes))
    assert len(found) == 12 and all(same(a, b) for a, b in zip(found, wanted, strict=True))


def test_a_process_leaves_signals_to_its_parent_and_its_end_is_told() -> None:
    batches = training(steps=400)
    iterator = iterate(batches, 0, 1, 1)
    assert same(next(iterator), batches[0])
    (child,) = (process for process in multiprocessing.active_children() if 'prefetch' in process.name)
    assert child.pid is not None
    for ignored in (signal.SIGINT, signal.SIGTERM):  # as a terminal, or Slurm, sends them to all
        os.kill(child.pid, ignored)
    for number in range(1, 8):
        assert same(next(iterator), batches[number])
    child.kill()
    with pytest.raises(DataError, match='^config.pictures.processes=1: a worker process has ended'):
        list(iterator)


def test_a_picture_that_is_none_is_named() -> None:
    check_that_a_picture_that_is_none_is_named(processes=1)
