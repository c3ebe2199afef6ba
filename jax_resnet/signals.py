"""Handles SIGINT (Ctrl-C) and SIGTERM. A loop inside `StopSignals` can stop cleanly; other code ends at once.

Python runs a signal handler only after a call into the compiler returns, which can take minutes. So outside
`StopSignals` no handler is installed, and the operating system ends the process. The next start continues from the
last checkpoint.
"""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def ending_at_once() -> Iterator[None]:
    """A context in which SIGINT ends the process without a traceback, as SIGTERM does. An ignored SIGINT stays ignored.

    In another thread than the main one, it changes nothing.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class StopSignals:
    """A context that records the first SIGINT or SIGTERM, for a loop to check. The next one ends the process at once.

    Within a second it counts as the same one, since launchers may send two. In another thread than the main one, it
    records none.

    Attributes:
        received: number of the first signal; None before it.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._received_at = 0.0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> 'StopSignals':
        is_main = threading.current_thread() is threading.main_thread()  # only this one can handle signals
        for number in SIGNALS if is_main else ():
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: object) -> None:
        if self.received is not None:
            if time.monotonic() > self._received_at + 1:
                os._exit(128 + number)
            return
        self.received, self._received_at = number, time.monotonic()
        with contextlib.suppress(OSError, ValueError):  # stderr may be closed
            error = sys.__stderr__.fileno() if sys.__stderr__ else 2
            os.write(error, b'\nstopping as soon as the state is saved; a second signal stops at once\n')
