"""SIGINT (Ctrl-C) and SIGTERM: a run that trains saves its state first; anything else ends at once."""

import contextlib
import math
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)
_run: 'StopSignals | None' = None


class StopSignals:
    """While entered, the first SIGINT or SIGTERM is noted, for a run to heed; the next ends the process at once.

    Attributes:
        received: the signal's number, once there is one.
        heeded: set by the run, when it is about to save and to stop.
        patience: seconds that `leaving` waits for that; it cannot be while a compiler runs, and little would be lost.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.heeded = threading.Event()
        self.patience = 0.0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> 'StopSignals':
        global _run
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
            _run = self
        return self

    def __exit__(self, *exception: object) -> None:
        global _run
        _run = None
        self.heeded.set()  # a run that has ended leaves nothing to wait for
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextlib.contextmanager
    def waiting(self, seconds: float) -> Iterator[None]:
        """Meanwhile, `patience` is this."""
        before, self.patience = self.patience, seconds
        yield
        self.patience = before

    def _note(self, number: int, frame: object) -> None:
        self.received = number
        if self.patience:
            print('\nstopping as soon as the state can be saved; once more to stop at once', file=sys.stderr)
        for other in self._before:
            signal.signal(other, signal.SIG_DFL)


@contextlib.contextmanager
def leaving() -> Iterator[None]:
    """Meanwhile, a SIGINT or SIGTERM that no run heeds in time ends the process, with a line and 128 + its number.

    A thread listens, as Python's own handlers wait for the end of a call into the compiler.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    wakeup = signal.set_wakeup_fd(writer)
    handlers = {number: signal.signal(number, lambda *_: None) for number in SIGNALS}
    listener = threading.Thread(target=_listen, args=(reader,), daemon=True)
    listener.start()
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(wakeup)
        os.close(writer)
        listener.join()
        os.close(reader)


def _listen(reader: int) -> None:
    while received := os.read(reader, 1):
        number, run = received[0], _run
        if number not in SIGNALS:
            continue
        if run is None or not run.heeded.wait(None if run.patience == math.inf else run.patience):
            line = f'stopped by {signal.Signals(number).name}; the same command continues\n'
            os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, line.encode())
            os._exit(128 + number)
