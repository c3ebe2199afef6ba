"""SIGINT (Ctrl-C) and SIGTERM: a loop that saves its state heeds them; at any other time they end the process at once.

Python's handlers wait until a call into the compiler returns, minutes perhaps. So outside of such a loop there are
none: the operating system ends the process, and what was saved is continued.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def ending_at_once() -> Iterator[None]:
    """Meanwhile SIGINT ends the process without a traceback, as SIGTERM does; one that was ignored stays so."""
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class StopSignals:
    """While entered, the first SIGINT or SIGTERM is noted, for a loop to heed; the next ends the process at once.

    Attributes:
        received: the signal's number, once there is one.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> 'StopSignals':
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: object) -> None:
        self.received = number
        for other in self._before:
            signal.signal(other, signal.SIG_DFL)
        line = '\nstopping as soon as the state is saved; once more to stop at once\n'
        os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, line.encode())
