"""Errors with a message of one line for the user. A command prints it and exits with the error's code."""

import re

UNPRINTABLE = re.compile(r'[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]')
"""Characters that end a line, control a terminal, or cannot be encoded."""


def printable(value: object) -> str:
    """Returns a message or path in which such characters are replaced by Python's escapes."""
    return UNPRINTABLE.sub(lambda found: repr(found[0])[1:-1], str(value))


class UserError(Exception):
    """A problem that the user can fix. The message names the field or file, its value, and the allowed values."""

    exit_code = 2

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))  # names may have newlines


def reason(error: BaseException) -> str:
    """Why something could not be read or made, in one line. A long one has no middle: its end may be the system's."""
    message = getattr(error, 'strerror', None) or ' '.join(str(error).split()) or type(error).__name__
    return message if len(message) <= 300 else f'{message[:150]} ... {message[-150:]}'


class ConfigError(UserError, ValueError):
    """A config or another argument is not valid."""


class DataError(UserError):
    """Data is missing, unreadable, or not the requested data."""


class InputError(DataError):
    """A run could not read or decode a picture that it needed. Its state is from before this batch."""


class OutOfMemory(UserError):
    """The host or a device has too little memory."""


class Diverged(UserError):
    """The loss or its gradient became infinite or NaN."""


class Disconnected(UserError):
    """Another process of the run is missing. The same command continues the run."""

    exit_code = 75  # EX_TEMPFAIL in BSD's sysexits.h


class Stopped(UserError):
    """A signal stopped a run, and the run has saved its state. `signal` is the signal's number."""

    def __init__(self, signal: int, message: str) -> None:
        super().__init__(message)
        self.signal = signal
        self.exit_code = 128 + signal
