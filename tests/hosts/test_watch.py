"""Processes watch each other. The coordinator is an object in memory."""

import time
from collections.abc import Iterator

import pytest

from jax_resnet.hosts import watch
from jax_resnet.hosts.watch import MISSING, Watch


class Coordinator:
    """Has the methods of JAX's client. It can stop answering."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.is_silent = False

    def key_value_set(self, name: str, value: str, allow_overwrite: bool = False) -> None:
        if self.is_silent or (name in self.values and not allow_overwrite):
            raise RuntimeError
        self.values[name] = value

    def key_value_dir_get(self, folder: str) -> list[tuple[str, str]]:
        if self.is_silent:
            raise RuntimeError
        return [(name, value) for name, value in self.values.items() if name.startswith(f'{folder}/')]


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[int]]:
    """The exit codes of processes that ended. In these tests, `_exit` does not end the process."""
    codes: set[int] = set()
    monkeypatch.setattr(watch.os, '_exit', codes.add)
    monkeypatch.setattr(watch, 'SECONDS_BETWEEN_HEARTBEATS', 0.05)
    monkeypatch.setattr(watch, 'SECONDS_TO_LEAVE', 0.2)
    yield codes


def pair(coordinator: Coordinator, patience: float) -> list[Watch]:
    watches = [Watch(coordinator, 'node01:1234', index, 2, patience) for index in range(2)]
    for one in watches:
        one.start()
    return watches


def test_live_processes_continue(ends: set[int]) -> None:
    watches = pair(Coordinator(), 0.5)
    time.sleep(1.5)
    for one in watches:
        one.stop()
    assert ends == set()


def test_a_silent_process_is_named(ends: set[int], capfd: pytest.CaptureFixture) -> None:
    watches = pair(Coordinator(), 0.5)
    time.sleep(0.3)
    watches[1].stop()
    time.sleep(1.5)
    assert ends == {MISSING}
    error = capfd.readouterr().err
    assert error.startswith('process 1 of 2 (') and 'is missing: nothing was heard from it for' in error
    assert error.count('\n') == 1


def test_if_the_coordinator_is_silent_process_0_is_missing(ends: set[int], capfd: pytest.CaptureFixture) -> None:
    coordinator = Coordinator()
    watches = pair(coordinator, 0.5)
    watches[0].stop()
    coordinator.is_silent = True
    time.sleep(1.5)
    assert ends == {MISSING}
    assert capfd.readouterr().err.startswith('process 0 (node01:1234) is missing; the same command continues')


def test_an_error_of_one_process_ends_the_others(ends: set[int], capfd: pytest.CaptureFixture) -> None:
    watches = pair(Coordinator(), 5)
    time.sleep(0.3)
    watches[1].announce(2, 'a.jpg cannot be read')
    time.sleep(1)
    assert ends == {2}
    error = capfd.readouterr().err
    assert error.startswith('process 1 of 2 (') and error.endswith('has ended: a.jpg cannot be read\n')
