"""Reads and writes files of named arrays, .safetensors and .npz. Nothing is ever unpickled, and every file is checked.

numpy reads only as much of an .npz member as the member's header says. A damaged header then gives shifted or missing
numbers. This module reads each member whole, verifies its checksum, and checks that its length is what the header says.
"""

import io
import json
import zipfile
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike
from safetensors.numpy import load, save

MOST_BYTES = 2**33
"""Upper limit on the unpacked size of an .npz file: larger than any network here, and less than a machine's memory."""


def from_npz(content: bytes) -> dict[str, np.ndarray]:
    """Returns the arrays of an .npz file. Raises ValueError if the content is damaged, too large or no .npz file."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > MOST_BYTES:
                raise ValueError(f'it has more than {MOST_BYTES:,} bytes when unpacked')
            if len({member.filename for member in members}) < len(members):
                raise ValueError('two arrays have the same name')
            return {member.filename.removesuffix('.npy'): _array(archive.read(member)) for member in members}
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


def as_safetensors(arrays: Mapping[str, ArrayLike], metadata: Mapping[str, str] | None = None) -> bytes:
    """Returns the content of a .safetensors file. Its header holds `metadata`, named texts."""
    named = {name: np.asarray(array, order='C') for name, array in arrays.items()}
    return bytes(save(named, dict(metadata) if metadata else None))


def metadata_of(content: bytes) -> dict[str, str]:
    """Returns the named texts in the header of a .safetensors file. `from_safetensors` must check the file first."""
    length = int.from_bytes(content[:8], 'little')
    texts: dict[str, str] = json.loads(content[8 : 8 + length]).get('__metadata__') or {}
    return texts


def _array(content: bytes) -> np.ndarray:
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
    shape, is_fortran, dtype = read_header(file)
    size = len(content) - file.tell()
    if dtype.hasobject or not all(0 <= side < 2**40 for side in shape):
        raise ValueError(f'an array has type {dtype} and shape {list(shape)}, which is not allowed')
    if int(np.prod(shape, dtype=object)) * dtype.itemsize != size:
        raise ValueError(f'an array of type {dtype} and shape {list(shape)} has {size:,} bytes')
    array = np.frombuffer(content, dtype, offset=file.tell()).reshape(shape, order='F' if is_fortran else 'C')
    return array.copy()
