"""JAX's cache of compiled programs, in the user's cache folder: a second start compiles nothing."""

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
"""Programs that compile faster are not kept."""

MOST_BYTES = 2_000_000_000
"""Of the whole cache; what was not used for longest goes first."""

BEING_WRITTEN_SECONDS = 60
"""An entry younger than this may be another program's, at work on it."""


def enable() -> None:
    """Turns it on for this process, unless JAX_COMPILATION_CACHE_DIR says where it is, or that there is none ('').

    It lies in `compiled/jaxlib-<version>` of the cache folder.
    """
    if jax.config.jax_compilation_cache_dir is not None:  # type: ignore[attr-defined]
        return
    folder = cache_folder() / 'compiled' / f'jaxlib-{jaxlib.__version__}'
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _tidy(folder)
    except OSError as e:
        _log.warning('compiled programs cannot be kept in %s: %s', folder, e)
        return
    jax.config.update('jax_compilation_cache_dir', str(folder))
    jax.config.update('jax_persistent_cache_min_compile_time_secs', LEAST_SECONDS)


@contextlib.contextmanager
def off() -> Iterator[None]:
    """What is compiled meanwhile is not kept."""
    name = 'jax_persistent_cache_min_compile_time_secs'
    before = getattr(jax.config, name)
    jax.config.update(name, float('inf'))
    try:
        yield
    finally:
        jax.config.update(name, before)


def _tidy(folder: Path) -> None:
    """Takes out entries that a kill cut short, and the oldest beyond MOST_BYTES.

    JAX writes an entry in place and never again, so that one cut short would be compiled anew at every start. Those
    that an earlier start has looked at are not read again.
    """
    looked_at = folder / 'looked-at'
    last = looked_at.stat().st_mtime if looked_at.exists() else 0.0
    now = time.time()
    entries: dict[Path, os.stat_result] = {}
    for entry in folder.glob('*-cache'):
        with contextlib.suppress(FileNotFoundError):  # another process takes it out
            entries[entry] = entry.stat()
    for entry, stat in list(entries.items()):
        is_new = stat.st_mtime > last - BEING_WRITTEN_SECONDS
        if is_new and now - stat.st_mtime > BEING_WRITTEN_SECONDS and not _is_whole(entry):
            entry.unlink(missing_ok=True)
            del entries[entry]
    size = sum(stat.st_size for stat in entries.values())
    for entry, stat in sorted(entries.items(), key=lambda pair: max(pair[1].st_atime, pair[1].st_mtime)):
        if size <= MOST_BYTES:
            break
        entry.unlink(missing_ok=True)
        size -= stat.st_size
    looked_at.touch()


def _is_whole(entry: Path) -> bool:
    """Whether its compressed stream, zlib's where JAX has no other, comes to its end."""
    content = entry.read_bytes()
    if content[:1] != b'\x78':  # begun by zlib
        return bool(content)
    stream = zlib.decompressobj()
    try:
        stream.decompress(content)
    except zlib.error:
        return False
    return stream.eof
