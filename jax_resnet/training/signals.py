"""Stopping when asked: Ctrl-C and SIGTERM let the dispatch in flight end, and the state be saved."""

import signal
import threading
from typing import Any


class StopSignals:
    """While entered, SIGINT and SIGTERM are noted instead of obeyed; a second one is obeyed at once."""

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
        self.__exit__()
