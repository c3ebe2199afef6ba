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

_HELD = 'JAX_RESNET_SIGINT_IS_HELD'


def end_at_once() -> None:
    """From here on SIGINT ends the process without a traceback, as SIGTERM does; one that was ignored stays so.

    To be called by a main program, before it imports what is heavy. It lets in one that `hold_back` has held.
    """
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    let_in()


def let_in() -> None:
    """Lets in a SIGINT that `hold_back` has held."""
    if os.environ.pop(_HELD, None) and hasattr(signal, 'pthread_sigmask'):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])


def hold_back() -> None:
    """Holds SIGINT until the program that this process becomes by `exec` calls `let_in`.

    Meanwhile Python starts, and would answer it with a traceback.
    """
    if hasattr(signal, 'pthread_sigmask'):
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        os.environ[_HELD] = '1'


@contextlib.contextmanager
def ending_at_once() -> Iterator[None]:
    """As `end_at_once`, for a while."""
    before = signal.getsignal(signal.SIGINT)
    end_at_once()
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
        error = sys.__stderr__.fileno() if sys.__stderr__ else 2
        if self.received is not None:
            os._exit(128 + number)
        self.received = number
        os.write(error, b'\nstopping as soon as the state is saved; once more to stop at once\n')
