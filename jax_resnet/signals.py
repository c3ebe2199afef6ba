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
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)

CONSOLE_SCRIPT = 'jax-resnet'


def end_at_once() -> None:
    """Makes SIGINT end the process without a traceback, as SIGTERM does. An ignored SIGINT stays ignored.

    A main program calls this before its slow imports. In a
    process that was not started for this program, such as a notebook, the handler stays.
    """
    if is_own_process(sys._getframe(1)):
        _end_at_once()


def is_own_process(caller: FrameType) -> bool:
    """Whether the process was started for the caller's file: by `python FILE`, `python -m MODULE` or `jax-resnet`.

    It was not if a notebook, a profiler or another script runs the file, or if Python reads it from a pipe.
    """
    frames = [frame.f_code for frame, _ in traceback.walk_stack(caller)]
    first = next(code for code in reversed(frames) if code.co_name not in ('_run_code', '_run_module_as_main'))
    is_own = first.co_filename == caller.f_code.co_filename or Path(first.co_filename).name == CONSOLE_SCRIPT
    return is_own and Path(first.co_filename).is_file()


@contextlib.contextmanager
def ending_at_once() -> Iterator[None]:
    """Does the same as `end_at_once` in any process, and restores the old handler at the end of the context."""
    before = signal.getsignal(signal.SIGINT)
    _end_at_once()
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _end_at_once() -> None:
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


class StopSignals:
    """A context that records the first SIGINT or SIGTERM, for a loop to check. The next one ends the process at once.

    In another thread than the main one, it records none.

    Attributes:
        received: number of the first signal; None before it.
    """

    def __init__(self) -> None:
        self.received: int | None = None
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
            os._exit(128 + number)
        self.received = number
        with contextlib.suppress(OSError, ValueError):  # stderr may be closed
            error = sys.__stderr__.fileno() if sys.__stderr__ else 2
            os.write(error, b'\nstopping as soon as the state is saved; a second signal stops at once\n')
