"""Memory that runs out, be it the computer's or the device's: one line that says what to reduce."""

import contextlib
import re
from collections.abc import Iterator

from jax_resnet.errors import ConfigError

_SIGNS = re.compile('RESOURCE_EXHAUSTED|out of memory|bad_alloc|failed to allocate', re.IGNORECASE)
"""What XLA's errors say, which have no class of their own for it."""


@contextlib.contextmanager
def shortage_told() -> Iterator[None]:
    """Meanwhile an error of too little memory is raised as a ConfigError, which says what takes less."""
    try:
        yield
    except (MemoryError, RuntimeError) as e:
        if not isinstance(e, MemoryError) and not _SIGNS.search(str(e)):
            raise
        reason = ' '.join(str(e).split())[:150] or type(e).__name__
        raise ConfigError(
            f'out of memory ({reason}): give a smaller config.batch_size or network, config.memory.microbatches=4, '
            'or config.memory.rematerialize=True; what is saved stays'
        ) from e
