"""Reports a lack of memory, on the host or on a device, in one line that says how to use less."""

import contextlib
import re
from collections.abc import Iterator

from jax_resnet.errors import ConfigError

_OUT_OF_MEMORY = re.compile('RESOURCE_EXHAUSTED|out of memory|bad_alloc|failed to allocate', re.IGNORECASE)
"""Texts in XLA's errors. XLA has no error class for a lack of memory."""


LESS = (
    'a smaller config.batch_size or network, config.memory.microbatches=4, or config.memory.rematerialize=True; '
    'what is saved stays'
)
"""What to give if training lacks memory."""


def is_shortage(error: Exception) -> bool:
    """Whether an error, such as one of XLA, tells of a lack of memory."""
    return isinstance(error, MemoryError) or bool(_OUT_OF_MEMORY.search(str(error)))


@contextlib.contextmanager
def shortage_as_config_error(less: str = LESS) -> Iterator[None]:
    """Inside this context, a lack of memory raises ConfigError. Its message says to give `less`."""
    try:
        yield
    except (MemoryError, RuntimeError) as e:
        if not is_shortage(e):
            raise
        reason = ' '.join(str(e).split())[:150] or type(e).__name__
        raise ConfigError(f'out of memory ({reason}): give {less}') from e
