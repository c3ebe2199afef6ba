"""Batches of pictures that other processes decode."""

import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

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


def test_a_process_ends_if_its_parent_ended_while_it_started(tmp_path: Path) -> None:
    program = tmp_path / 'program.py'
    program.write_text(
        'import multiprocessing, os, signal, sys, time\n'
        'from jax_resnet.data.pictures.batches import _begin_worker\n'
        'def work(parent):\n'
        '    print(os.getpid(), flush=True)\n'
        '    while os.getppid() == parent:\n'
        '        time.sleep(0.01)\n'
        '    _begin_worker(0, 1)\n'
        '    time.sleep(60)\n'
        "if __name__ == '__main__':\n"
        "    multiprocessing.get_context('spawn').Process(target=work, args=(os.getpid(),)).start()\n"
        '    sys.stdin.read()\n'
    )
    root = str(Path(__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, program],
        env={**os.environ, 'PYTHONPATH': root},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline()
        parent.kill()
        began = time.monotonic()
        assert parent.stdout.read() == b''  # the end of the child, which holds the pipe
    assert time.monotonic() - began < 30


def test_a_picture_that_is_none_is_named() -> None:
    check_that_a_picture_that_is_none_is_named(processes=1)
