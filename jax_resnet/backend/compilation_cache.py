"""Turns on JAX's cache of compiled programs, in the user's cache folder. So a second start need not compile."""

import contextlib
import logging
import os
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import jax
import jaxlib

from jax_resnet.files import cache_folder

_log = logging.getLogger(__name__)

LEAST_SECONDS = 0.3
"""Minimum compile time of a program that is cached."""

MOST_BYTES = 2_000_000_000
"""Maximum size of the cache. Beyond it, the entries that were not used for the longest time are removed."""

WRITE_SECONDS = 60
"""Maximum time to write an entry. Another process may still write an entry that is younger."""


def enable() -> None:
    """Turns on the cache for this process, in the folder `compiled/jaxlib-<version>` of the user's cache folder.

    If JAX_COMPILATION_CACHE_DIR is set, this does nothing: JAX uses that folder, or no cache for ''.
    """
    if jax.config.jax_compilation_cache_dir is not None:  # type: ignore[attr-defined]
        return
    folder = cache_folder() / 'compiled' / f'jaxlib-{jaxlib.__version__}'
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _tidy(folder)
    except OSError as e:
        _log.warning('compiled programs cannot be cached in %s: %s', folder, e)
        return
    jax.config.update('jax_compilation_cache_dir', str(folder))
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


def _tidy(folder: Path) -> None:
    """Removes entries that are not complete, and the oldest entries if the cache is larger than MOST_BYTES.

    A kill can interrupt the writing of an entry. JAX never writes such an entry again, so that every start would
    compile its program. Entries that an earlier start has checked are not read again: the file `looked-at` has the
    time of the last check.
    """
    looked_at = folder / 'looked-at'
    last = looked_at.stat().st_mtime if looked_at.exists() else 0.0
    now = time.time()
    entries: dict[Path, os.stat_result] = {}
    for entry in folder.glob('*-cache'):
        with contextlib.suppress(FileNotFoundError):  # another process has removed it
            entries[entry] = entry.stat()
    for entry, stat in list(entries.items()):
        is_new = stat.st_mtime > last - WRITE_SECONDS
        if is_new and now - stat.st_mtime > WRITE_SECONDS and not _is_complete(entry):
            entry.unlink(missing_ok=True)
            del entries[entry]
    size = sum(stat.st_size for stat in entries.values())
    for entry, stat in sorted(entries.items(), key=lambda pair: max(pair[1].st_atime, pair[1].st_mtime)):
        if size <= MOST_BYTES:
            break
        entry.unlink(missing_ok=True)
        size -= stat.st_size
    looked_at.touch()


def _is_complete(entry: Path) -> bool:
    """Whether an entry's compressed data has an end. Only zlib's is checked, which JAX uses if zstd is missing."""
    content = entry.read_bytes()
    if content[:1] != b'\x78':  # the first byte of zlib's data
        return bool(content)
    stream = zlib.decompressobj()
    try:
        stream.decompress(content)
    except zlib.error:
        return False
    return stream.eof
