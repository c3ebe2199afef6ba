"""What JAX's libraries write to standard output and error by themselves, and how they abort: lines for a person.

Where JAX's coordinator is gone, they print a stack trace and abort the process, whatever Python does meanwhile.
"""

import contextlib
import ctypes
import logging
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

GLOO = re.compile(rb'\[Gloo\] Rank|peer ranks|\d+ is connected to')
"""Parts of gloo's lines, which are dropped: they list its connections. Threads write them into each other."""

NOISE = re.compile(rb'[EWI]\d{4} .*(coordination_service|preemption)')
"""The first lines of log entries that are dropped: the watch reports the same."""

FATAL = re.compile(rb'F\d{4} .*JAX distributed service')
"""The first line of the entry that JAX logs before it aborts because the coordinator is gone."""

LOGGED = re.compile(rb'[EWIF]\d{4} ')
"""The prefix of a log entry, which may have more lines."""

_SECONDS_TO_READ = 0.3


class NativeOutput:
    """Takes over the two streams, and the signal of an abort, for the rest of the process.

    Args:
        code: of the exit where the coordinator is gone.
        line: what to say then.
    """

    def __init__(self, code: int, line: Callable[[], str]) -> None:
        self._code, self._line, self._is_fatal, self._is_noise = code, line, False, False
        sys.stdout.flush()
        sys.stderr.flush()
        self._error = os.dup(2)
        reader, writer = os.pipe()
        sys.stdout = os.fdopen(os.dup(1), 'w', encoding=sys.stdout.encoding, errors='backslashreplace')
        sys.stderr = os.fdopen(os.dup(2), 'w', encoding=sys.stderr.encoding, errors='backslashreplace', buffering=1)
        for number in (1, 2):
            os.dup2(writer, number)
        os.close(writer)
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.StreamHandler):
                handler.setStream(sys.stderr)
        threading.Thread(target=self._forward, args=(reader,), daemon=True, name='native output').start()
        self._handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(self._abort)  # lives as long as the process
        libc: Any = ctypes.CDLL(None)
        libc.signal(signal.SIGABRT, self._handler)

    def _forward(self, reader: int) -> None:
        with os.fdopen(reader, 'rb', buffering=0) as stream:
            rest = b''
            while read := stream.read(1 << 16):
                *lines, rest = (rest + read).split(b'\n')
                for line in lines:
                    self._show(line)

    def _show(self, line: bytes) -> None:
        if LOGGED.match(line):
            self._is_fatal = self._is_fatal or bool(FATAL.match(line))
            self._is_noise = bool(NOISE.match(line))
        if not self._is_fatal and not self._is_noise and not GLOO.search(line):
            rest = line + b'\n'
            with contextlib.suppress(OSError):  # a log that is full must not stop the libraries
                while rest:
                    rest = rest[os.write(self._error, rest) :]

    def _abort(self, number: int) -> None:
        """In the thread that aborts, which holds nothing of Python's."""
        time.sleep(_SECONDS_TO_READ)  # meanwhile what it has written is read
        if self._is_fatal:
            os.write(self._error, self._line().encode() + b'\n')
            os._exit(self._code)
