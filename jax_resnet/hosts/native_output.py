"""Filters what JAX's C++ libraries print, and replaces their abort by one line for the user.

If JAX's coordinator is missing, the libraries print a stack trace and abort the process. Python cannot prevent this.
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

GLOO = re.compile(rb'\[Gloo\] Rank|peer ranks|\d+ is connected to|^\d+$')
"""Lines in which gloo lists its connections. They are dropped. Threads can write into one line, and leave a number."""

NOISE = re.compile(rb'[EWI]\d{4} .*(coordination_service|preemption)')
"""The first line of log entries that are dropped, because the watch reports the same problems."""

FATAL = re.compile(rb'F\d{4} .*JAX distributed service')
"""The first line of the log entry before JAX aborts because the coordinator is missing."""

LOG_ENTRY = re.compile(rb'[EWIF]\d{4} ')
"""The beginning of a log entry, which can have more lines."""

_SECONDS_TO_READ = 0.3
"""How long an abort waits until the last output is read."""


class NativeOutput:
    """Filters standard output and standard error, and handles SIGABRT, until the process ends.

    Python's own output is not filtered.

    Args:
        code: exit code if the coordinator is missing.
        line: returns the line to print in this case.
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
        self._handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(self._abort)  # must live as long as the process
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
        if LOG_ENTRY.match(line):
            self._is_fatal = self._is_fatal or bool(FATAL.match(line))
            self._is_noise = bool(NOISE.match(line))
        if not self._is_fatal and not self._is_noise and not GLOO.search(line):
            rest = line + b'\n'
            with contextlib.suppress(OSError):  # a full disk must not stop the libraries
                while rest:
                    rest = rest[os.write(self._error, rest) :]

    def _abort(self, number: int) -> None:
        """Handles SIGABRT, in the thread that aborts. It does not hold Python's lock, so that it can run this."""
        time.sleep(_SECONDS_TO_READ)
        if self._is_fatal:
            os.write(self._error, self._line().encode() + b'\n')
            os._exit(self._code)
