"""Files that are whole or absent, and the folder where what can be made again is kept."""

import os
import secrets
from pathlib import Path


def cache_folder() -> Path:
    """`jax_resnet` in the folder that XDG_CACHE_HOME names, or in ~/.cache: decoded data and compiled programs."""
    return Path(os.environ.get('XDG_CACHE_HOME') or '~/.cache').expanduser() / 'jax_resnet'


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file under another name first, so that a reader never sees half of it; on disk when this returns.

    Args:
        path: of the file; its folder is made. A link of that name is replaced, never followed.
        content: of the file.

    Raises:
        OSError: it cannot be written; what was there before stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f'{path.name[:100]}.{secrets.token_hex(8)}.draft')
    try:
        with draft.open('xb') as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
