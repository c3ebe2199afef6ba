"""The watch of one process over the others: where one is missing, or has ended by an error, this one ends with a line.

A step needs all processes: without it, the others would wait for ever, within a library that nothing interrupts.
What they know of each other lies with JAX's coordinator, which runs in process 0.
"""

import os
import socket
import sys
import threading
import time
from typing import Any

MISSING = 75
"""The exit code where a process is missing: a failure for now, as in BSD's sysexits.h; the same command continues."""

PREFIX = 'jax_resnet/watch'

SECONDS_BETWEEN_PULSES = 1.0

SECONDS_AFTER_AN_ERROR = 10.0
"""That nothing may be heard from a process, once its connection with the devices has broken."""

SECONDS_TO_LEAVE = 5.0
"""That process 0 stays for, at most, so that the others read why it ends."""


class Watch:
    """Tells the others that this process is alive, and ends it where one of them is not. Two threads do.

    Args:
        client: JAX's connection to its coordinator.
        address: of the coordinator.
        index, count: of this process, and how many there are.
        patience: seconds that nothing may be heard from a process.
    """

    def __init__(self, client: Any, address: str, index: int, count: int, patience: float) -> None:
        self._client, self._address, self._index, self._count = client, address, index, count
        self._patience, self._stopped = patience, threading.Event()
        now = time.monotonic()
        self._heard = {other: ('', now) for other in range(count) if other != index}  # the last pulse, and when
        self._answered = now
        self._hosts: dict[int, str] = {}

    def start(self) -> None:
        """Begins."""
        for action in (self._give_pulses, self._judge):
            threading.Thread(target=action, daemon=True, name='watch').start()

    def stop(self) -> None:
        """Ends the watch: from here on, others may go."""
        self._stopped.set()

    def suspect(self) -> None:
        """Waits for a verdict, after the devices' connection with a process has broken; returns where there is none."""
        self._patience = min(self._patience, SECONDS_AFTER_AN_ERROR)
        if self._stopped.wait(self._patience + 3 * SECONDS_BETWEEN_PULSES):
            time.sleep(2 * SECONDS_TO_LEAVE)  # it is given, and this process about to end

    def announce(self, code: int, line: str) -> None:
        """Tells the others why this process ends, so that they end with it; the watch of this one is over."""
        self.stop()
        self._end_all(code, f'{self._name(self._index)} has ended: {line}')

    def leave(self) -> None:
        """Stays until the others have heard of it, where this process has the coordinator, but not for long."""
        self._set(f'left/{self._index}', '')
        alive = {other for other, (_, when) in self._heard.items() if self._answered - when < self._patience}
        end = time.monotonic() + SECONDS_TO_LEAVE
        while self._index == 0 and alive and time.monotonic() < end:
            found = self._client.key_value_dir_get(f'{PREFIX}/left')
            alive -= {int(name.rpartition('/')[2]) for name, _ in found}
            time.sleep(0.1)

    def coordinator_is_gone(self) -> str:
        """The line where JAX finds that its coordinator is."""
        return f'process 0 ({self._address}) is missing; {_CONTINUES}'

    def _give_pulses(self) -> None:
        number, host = 0, socket.gethostname()
        while not self._stopped.is_set():
            number += 1
            self._set(f'alive/{self._index}', f'{number} {host}')
            try:
                found = self._client.key_value_dir_get(PREFIX)
            except Exception:  # jaxlib's have no class of their own; where it goes on, `_judge` says so
                found = None
            if found is not None and not self._stopped.is_set():
                self._read({name.removeprefix(f'{PREFIX}/'): value for name, value in found})
            time.sleep(SECONDS_BETWEEN_PULSES)

    def _read(self, found: dict[str, str]) -> None:
        self._answered = now = time.monotonic()
        for other, (before, _) in self._heard.items():
            pulse = found.get(f'alive/{other}', '')
            if pulse != before:
                self._heard[other] = pulse, now
                self._hosts[other] = pulse.partition(' ')[2]
        if 'end' in found:
            code, _, line = found['end'].partition(' ')
            self._exit(int(code), line)

    def _judge(self) -> None:
        while not self._stopped.wait(SECONDS_BETWEEN_PULSES / 4):
            now = time.monotonic()
            if now - self._answered > self._patience:
                self._exit(MISSING, self.coordinator_is_gone())
            for other, (_, when) in self._heard.items():
                if self._answered - when > self._patience:
                    silence = f'nothing was heard from it for {now - when:.0f} s'
                    self._end_all(MISSING, f'{self._name(other)} is missing: {silence}; {_CONTINUES}')
                    self._answered = now  # what comes next is read from there

    def _name(self, index: int) -> str:
        host = self._hosts.get(index) or (socket.gethostname() if index == self._index else '')
        return f'process {index} of {self._count}' + (f' ({host})' if host else '')

    def _end_all(self, code: int, line: str) -> None:
        """Tells all processes to end; the first that does is heard."""
        try:
            self._client.key_value_set(f'{PREFIX}/end', f'{code} {line}')
        except Exception:  # as above; or there is an end already
            return

    def _set(self, name: str, value: str) -> None:
        try:
            self._client.key_value_set(f'{PREFIX}/{name}', value, allow_overwrite=True)
        except Exception:  # as above
            return

    def _exit(self, code: int, line: str) -> None:
        """Ends this process at once: its main thread may wait within a library."""
        if self._stopped.is_set():
            return
        self._stopped.set()
        print(line, file=sys.stderr, flush=True)
        timer = threading.Timer(SECONDS_TO_LEAVE, os._exit, [code])  # where the network does not let it leave
        timer.daemon = True
        timer.start()
        if code != MISSING or line != self.coordinator_is_gone():
            self.leave()
        os._exit(code)


_CONTINUES = 'the same command continues from the last checkpoint'
