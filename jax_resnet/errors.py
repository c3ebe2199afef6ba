"""Errors whose message is one line for the user; a command prints it and exits with the error's code."""


class UserError(Exception):
    """What the user can mend: the message names the field or file, the value, and what is allowed."""

    exit_code = 2


class ConfigError(UserError, ValueError):
    """A config, or another argument, that cannot be."""


class DataError(UserError):
    """Data that is missing, unreadable or not what was asked for."""


class InputError(DataError):
    """Pictures that could not be read or decoded when a run came to them; its state is from before."""


class Diverged(UserError):
    """The loss, or its gradient, became infinite or not a number."""


class Stopped(UserError):
    """A run was asked to stop, and has saved its state; `signal` is the signal's number."""

    def __init__(self, signal: int, message: str) -> None:
        super().__init__(message)
        self.signal = signal
        self.exit_code = 128 + signal
