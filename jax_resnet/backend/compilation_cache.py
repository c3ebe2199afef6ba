"""JAX's cache of compiled programs, in the user's cache folder: a second start compiles nothing."""

import logging
import zlib
from pathlib import Path

import jax
import jaxlib

from jax_resnet.files import cache_folder

_log = logging.getLogger(__name__)

LEAST_SECONDS = 0.3
"""Programs that compile faster are not kept."""


def enable() -> None:
    """Turns it on for this process, unless JAX_COMPILATION_CACHE_DIR says where it is, or that there is none ('').

    It lies in `compiled/jaxlib-<version>` of the cache folder. JAX writes an entry in place and never again, so that
    one cut short by a kill would be compiled anew at every start: those are taken out.
    """
    if jax.config.jax_compilation_cache_dir is not None:  # type: ignore[attr-defined]
        return
    folder = cache_folder() / 'compiled' / f'jaxlib-{jaxlib.__version__}'
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for entry in folder.glob('*-cache'):
            if not _is_whole(entry):
                entry.unlink(missing_ok=True)
    except OSError as e:
        _log.warning('compiled programs cannot be kept in %s: %s', folder, e)
        return
    jax.config.update('jax_compilation_cache_dir', str(folder))
    jax.config.update('jax_persistent_cache_min_compile_time_secs', LEAST_SECONDS)


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
