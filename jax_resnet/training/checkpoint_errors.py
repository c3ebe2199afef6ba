"""Errors of orbax and tensorstore: their text in one line, and whether they show that a checkpoint is damaged."""

import errno
import gc
import re
import time

from jax_resnet.platform import memory

_NOT_DAMAGE = (errno.EACCES, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EPERM, errno.ESTALE)
"""Errors of the operating system after which a checkpoint may still be good."""


def is_damage(error: Exception) -> bool:
    """Whether an error of reading shows that a checkpoint is damaged. If not, it may be read at another time."""
    return not memory.is_shortage(error) and _error_number(error) not in _NOT_DAMAGE


def reason_of(error: Exception) -> str:
    """The error's text in one line. A long text is shortened in the middle: the system's reason is at its end."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = ' '.join(re.split(r' \[tensorstore_spec|\. See full', str(error))[0].split())
    return text if len(text) <= 300 else f'{text[:150]} ... {text[-150:]}'


def _error_number(error: Exception) -> int | None:
    """The operating system's number of an error; tensorstore has it in its text."""
    if isinstance(error, OSError):
        return error.errno
    found = re.search(r"os_error_code='(\d+)'", str(error))
    return None if found is None else int(found[1])


def let_threads_end() -> None:
    """Waits for orbax's other reads and writes after one has failed, as each may print a traceback to stderr."""
    time.sleep(0.5)
    gc.collect()
