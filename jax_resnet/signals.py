"""Handles SIGINT (Ctrl-C) and SIGTERM. A loop inside `StopSignals` can stop cleanly; other code ends at once.

Python runs a signal handler only after a call into the compiler returns, which can take minutes. So outside
`StopSignals` no handler is installed, and the operating system ends the process. The next start continues from the
last checkpoint.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)

_HELD = 'JAX_RESNET_SIGINT_IS_HELD'


def end_at_once() -> None:
    """Makes SIGINT end the process without a traceback, as SIGTERM does. An ignored SIGINT stays ignored.

    A main program calls this before its slow imports. A SIGINT that `hold_back` has blocked is delivered.
    """
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    let_in()


def let_in() -> None:
    """Unblocks SIGINT after `hold_back`. A pending SIGINT is then delivered."""
    if os.environ.pop(_HELD, None) and hasattr(signal, 'pthread_sigmask'):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])


def hold_back() -> None:
    """Blocks SIGINT until the program that this process starts with `exec` calls `let_in`.

    Without this, a SIGINT while Python starts would print a traceback.
    """
    if hasattr(signal, 'pthread_sigmask'):
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        os.environ[_HELD] = '1'


@contextlib.contextmanager
def ending_at_once() -> Iterator[None]:
    """Calls `end_at_once`, and restores the old handler at the end of the context."""
    before = signal.getsignal(signal.SIGINT)
    end_at_once()
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class StopSignals:
    """A context that records the first SIGINT or SIGTERM, for a loop to check. The next one ends the process at once.

    Attributes:
        received: number of the first signal; None before it.
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
        error = sys.__stderr__.fileno() if sys.__stderr__ else 2
        if self.received is not None:
            os._exit(128 + number)
        self.received = number
        os.write(error, b'\nstopping as soon as the state is saved; once more to stop at once\n')
