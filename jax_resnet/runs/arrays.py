"""Reads and writes files of named arrays, .safetensors and .npz. Nothing is ever unpickled."""

import io
import json
import zipfile
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike
from safetensors.numpy import load, save


def from_npz(content: bytes) -> dict[str, np.ndarray]:
    """Returns the arrays of an .npz file. Raises ValueError if the content is damaged or no .npz file."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            damaged = archive.testzip()  # numpy verifies no checksum beyond what an array's header asks for
        if damaged is not None:
            raise ValueError(f'{damaged}: wrong checksum')
        with np.load(io.BytesIO(content), allow_pickle=False) as found:
            named = dict(found)
        if not all(isinstance(array, np.ndarray) for array in named.values()):  # numpy returns other members as bytes
            raise ValueError('it must have arrays only')
        return named
    except Exception as e:  # for such files numpy, zipfile, zlib, tokenize and ast raise many types of exception
        raise ValueError(' '.join(str(e).split())[:200] or type(e).__name__) from None


def as_npz(arrays: Mapping[str, ArrayLike], compressed: bool = True) -> bytes:
    """Returns the content of an .npz file with these arrays."""
    content = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(content, allow_pickle=False, **arrays)
    return content.getvalue()


def from_safetensors(content: bytes) -> dict[str, np.ndarray]:
    """Returns the arrays of a .safetensors file. Raises ValueError if it is damaged or has a type that numpy lacks."""
    try:
        return dict(load(content))
    except KeyError as e:
        raise ValueError(f'it has arrays of type {e.args[0]}, which numpy does not have') from None
    except Exception as e:  # as in `from_npz`
        raise ValueError(' '.join(str(e).split())[:200] or type(e).__name__) from None


def as_safetensors(arrays: Mapping[str, ArrayLike], metadata: Mapping[str, str]) -> bytes:
    """Returns the content of a .safetensors file. Its header holds `metadata`, named texts."""
    named = {name: np.asarray(array, order='C') for name, array in arrays.items()}
    return bytes(save(named, dict(metadata) or None))


def metadata_of(content: bytes) -> dict[str, str]:
    """Returns the named texts in the header of a .safetensors file. `from_safetensors` must check the file first."""
    length = int.from_bytes(content[:8], 'little')
    texts: dict[str, str] = json.loads(content[8 : 8 + length]).get('__metadata__') or {}
    return texts
