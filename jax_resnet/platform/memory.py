"""Reports a lack of memory, on the host or on a device, in one line that says how to use less."""

import contextlib
import re
from collections.abc import Iterator

from jax_resnet.errors import OutOfMemory, reason

_OUT_OF_MEMORY = re.compile('RESOURCE_EXHAUSTED|out of memory|bad_alloc|failed to allocate', re.IGNORECASE)
"""Messages of XLA's errors. XLA has no error class for a lack of memory."""


def is_shortage(error: Exception) -> bool:
    """Whether an error, such as one of XLA, tells of a lack of memory."""
    return isinstance(error, MemoryError) or bool(_OUT_OF_MEMORY.search(str(error)))


@contextlib.contextmanager
def shortage_as_error(advice: str) -> Iterator[None]:
    """Inside this context, a lack of memory raises OutOfMemory. Its message ends with `advice`, what to do."""
    try:
        yield
    except (MemoryError, RuntimeError) as e:
        if not is_shortage(e):
            raise
        raise OutOfMemory(f'out of memory ({reason(e)}): {advice}') from e
