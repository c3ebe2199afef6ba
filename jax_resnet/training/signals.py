"""Stopping when asked: Ctrl-C and SIGTERM let the dispatch in flight end, and the state be saved."""

import signal
import sys
import threading
from typing import Any


class StopSignals:
    """While entered, the first SIGINT or SIGTERM is noted; the next ends the process at once. What is saved stays."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> 'StopSignals':
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: object) -> None:
        self.received = number
        print('\nstopping as soon as the state can be saved; once more to stop at once', file=sys.stderr)
        for other in self._before:
            signal.signal(other, signal.SIG_DFL)
