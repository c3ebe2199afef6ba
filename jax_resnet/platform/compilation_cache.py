"""Turns on JAX's cache of compiled programs, in the user's cache folder. So a second start need not compile."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

import filelock
import jax
import jaxlib

from jax_resnet.files import cache_folder

_log = logging.getLogger(__name__)

LEAST_SECONDS = 0.3
"""Minimum compile time of a program that is cached."""

MOST_BYTES = 2_000_000_000
"""Maximum size of the cache. JAX removes the entries that were not used for the longest time."""


def enable() -> None:
    """Turns on the cache for this process, in the folder `compiled/jaxlib-<version>` of the user's cache folder.

    If JAX_COMPILATION_CACHE_DIR is set, this does nothing: JAX uses that folder, or no cache for ''.
    """
    if jax.config.jax_compilation_cache_dir is not None:  # type: ignore[attr-defined]
        return
    folder = cache_folder() / 'compiled' / f'jaxlib-{jaxlib.__version__}'
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_incomplete(folder)
    except OSError as e:
        _log.warning('compiled programs cannot be cached in %s: %s', folder, e)
        return
    jax.config.update('jax_compilation_cache_dir', str(folder))
    jax.config.update('jax_compilation_cache_max_size', MOST_BYTES)
    jax.config.update('jax_persistent_cache_min_compile_time_secs', LEAST_SECONDS)


@contextlib.contextmanager
def off() -> Iterator[None]:
    """A context in which compiled programs are not cached."""
    name = 'jax_persistent_cache_min_compile_time_secs'
    before = getattr(jax.config, name)
    jax.config.update(name, float('inf'))
    try:
        yield
    finally:
        jax.config.update(name, before)


def _remove_incomplete(folder: Path) -> None:
    """Removes entries whose writing was interrupted, by a kill or a full disk. JAX would never write them again.

    JAX writes an entry to `KEY-cache`, and then the time of its last use to `KEY-atime`. Meanwhile it holds the lock.
    """
    with filelock.FileLock(folder / '.lockfile', timeout=10):
        for entry in folder.glob('*-cache'):
            if not entry.with_name(entry.name.removesuffix('cache') + 'atime').exists():
                entry.unlink()
