"""Each process watches the others. If one is missing or has failed, this process prints one line and exits.

A training step needs all processes. Without one of them, the others would wait forever inside a library. The processes
exchange heartbeats through JAX's coordinator, which runs in process 0.
"""

import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

MISSING = 75
"""The exit code if a process is missing: EX_TEMPFAIL in BSD's sysexits.h. The same command continues the run."""

PREFIX = 'jax_resnet/watch'

SECONDS_BETWEEN_HEARTBEATS = 1.0

SECONDS_AFTER_AN_ERROR = 10.0
"""Maximum silence of a process after an error in this process, which can come from a broken connection."""

SECONDS_TO_LEAVE = 5.0
"""Maximum time in which a process tells the others that it exits, and process 0 waits until they know it."""

_CONTINUES = 'the same command continues from the last checkpoint'


class Watch:
    """Tells the others that this process is alive, and ends it if one of them is not. Two threads do this.

    Args:
        client: JAX's connection to its coordinator.
        address: HOST:PORT of the coordinator.
        index, count: the number of this process, and how many processes there are.
        patience: maximum silence of a process, in seconds. After it, the process counts as missing.
    """

    def __init__(self, client: Any, address: str, index: int, count: int, patience: float) -> None:
        self._client, self._address, self._index, self._count = client, address, index, count
        self._patience, self._stopped, self._exiting = patience, threading.Event(), threading.Lock()
        self._heartbeats = dict.fromkeys((other for other in range(count) if other != index), '')
        self._restart_timers()

    def start(self) -> None:
        """Starts the two threads."""
        for action in (self._exchange_heartbeats, self._check_others):
            threading.Thread(target=action, daemon=True, name='watch').start()

    def stop(self) -> None:
        """Stops the watch. From then on the others may exit."""
        self._stopped.set()

    def wait_for_check(self) -> None:
        """Waits until the watch finds a missing process, which ends this one. Returns if it finds none."""
        self._patience = min(self._patience, SECONDS_AFTER_AN_ERROR)
        if self._stopped.wait(self._patience + 3 * SECONDS_BETWEEN_HEARTBEATS):
            time.sleep(2 * SECONDS_TO_LEAVE)  # the process is about to exit

    def announce(self, code: int, line: str) -> None:
        """Stops the watch, and tells the others why this process exits, so that they exit too.

        Args:
            code: exit code for all.
            line: the reason.
        """
        self.stop()
        _in_time(lambda: self._exit_all(code, f'{self._name(self._index)} has ended: {line}'))

    def wait_until_heard(self) -> None:
        """In process 0, waits until the others know that it exits, because the coordinator exits with it."""
        _in_time(lambda: self._set(f'left/{self._index}', ''))
        if self._index == 0:
            _in_time(self._wait_for_others)

    def missing_coordinator_line(self) -> str:
        """Returns the line to print if JAX cannot reach its coordinator."""
        return f'process 0 ({self._address}) is missing; {_CONTINUES}'

    def _exchange_heartbeats(self) -> None:
        number, host = 0, socket.gethostname()
        while not self._stopped.is_set():
            number += 1
            self._set(f'alive/{self._index}', f'{number} {host}')
            try:
                found = self._client.key_value_dir_get(PREFIX)
            except Exception:  # jaxlib has no error class for this; `_check_others` counts the seconds
                found = None
            if found is not None and not self._stopped.is_set():
                self._read({name.removeprefix(f'{PREFIX}/'): value for name, value in found})
            time.sleep(SECONDS_BETWEEN_HEARTBEATS)

    def _read(self, found: dict[str, str]) -> None:
        self._answered = now = time.monotonic()
        for other, before in self._heartbeats.items():
            heartbeat = found.get(f'alive/{other}', '')
            if heartbeat != before:
                self._heartbeats[other], self._heard[other] = heartbeat, now
        if 'end' in found:
            code, _, line = found['end'].partition(' ')
            self._exit(int(code), line)

    def _check_others(self) -> None:
        last = time.monotonic()
        while not self._stopped.wait(SECONDS_BETWEEN_HEARTBEATS / 4):
            now = time.monotonic()
            if now - last > self._patience / 2:  # this process was suspended, and perhaps all were
                self._restart_timers()
            last = now
            if now - self._answered > self._patience:
                self._exit(MISSING, self.missing_coordinator_line())
            for other, when in self._heard.items():
                if self._answered - when > self._patience:
                    silence = f'nothing was heard from it for {now - when:.0f} s'
                    line = f'{self._name(other)} is missing: {silence}; {_CONTINUES}'
                    _in_time(lambda line=line: self._exit_all(MISSING, line))  # type: ignore[misc]
                    self._answered = time.monotonic()  # `_exchange_heartbeats` reads the line, and exits

    def _restart_timers(self) -> None:
        """Sets the silence of all processes to zero."""
        self._answered = time.monotonic()
        self._heard = dict.fromkeys(self._heartbeats, self._answered)

    def _name(self, index: int) -> str:
        host = socket.gethostname() if index == self._index else self._heartbeats[index].partition(' ')[2]
        return f'process {index} of {self._count}' + (f' ({host})' if host else '')

    def _exit_all(self, code: int, line: str) -> None:
        """Tells all processes to exit. If several processes do this, all print the line of the first."""
        self._set('end', f'{code} {line}', allow_overwrite=False)

    def _set(self, name: str, value: str, allow_overwrite: bool = True) -> None:
        try:
            self._client.key_value_set(f'{PREFIX}/{name}', value, allow_overwrite=allow_overwrite)
        except Exception:  # as above; or the key already has a value
            return

    def _wait_for_others(self) -> None:
        alive = {other for other, when in self._heard.items() if self._answered - when < self._patience}
        end = time.monotonic() + SECONDS_TO_LEAVE
        while alive and time.monotonic() < end:
            try:
                found = self._client.key_value_dir_get(f'{PREFIX}/left')
            except Exception:  # as above
                return
            alive -= {int(name.rpartition('/')[2]) for name, _ in found}
            time.sleep(0.1)

    def _exit(self, code: int, line: str) -> None:
        """Ends this process at once, because its main thread may wait inside a library."""
        if self._stopped.is_set() or not self._exiting.acquire(blocking=False):
            return
        self._stopped.set()
        print(line, file=sys.stderr, flush=True)
        self.wait_until_heard()
        os._exit(code)


def _in_time(action: Callable[[], None]) -> None:
    """Runs an action, and waits at most SECONDS_TO_LEAVE for it, because calls of JAX's client have no time limit."""
    thread = threading.Thread(target=action, daemon=True, name='watch')
    thread.start()
    thread.join(SECONDS_TO_LEAVE)
