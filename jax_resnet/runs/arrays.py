"""Files of arrays by name, .safetensors and .npz. Nothing is ever unpickled, and no file is taken at its word.

numpy reads as much of a member as its header says, so that a damaged header gives shifted or missing numbers: here each
member is read whole, with its checksum, and must be as long as its header says.
"""

import io
import json
import zipfile
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike
from safetensors.numpy import load, save

MOST_BYTES = 2**33
"""Of the arrays of an .npz file, unpacked: more than any network here, and less than what would fill a machine."""


def from_npz(content: bytes) -> dict[str, np.ndarray]:
    """The arrays of an .npz file. Raises ValueError where it is damaged, too large or none."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > MOST_BYTES:
                raise ValueError(f'more than {MOST_BYTES:,} bytes when unpacked')
            if len({member.filename for member in members}) < len(members):
                raise ValueError('two arrays of one name')
            return {member.filename.removesuffix('.npy'): _array(archive.read(member)) for member in members}
    except Exception as e:  # numpy, zipfile, zlib, tokenize and ast raise many kinds for a file that is foreign
        raise ValueError(' '.join(str(e).split())[:200] or type(e).__name__) from None


def as_npz(arrays: Mapping[str, ArrayLike], compressed: bool = True) -> bytes:
    """The content of an .npz file."""
    content = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(content, allow_pickle=False, **arrays)
    return content.getvalue()


def from_safetensors(content: bytes) -> dict[str, np.ndarray]:
    """The arrays of a .safetensors file. Raises ValueError where it is damaged, or has a type that numpy lacks."""
    try:
        return dict(load(content))
    except KeyError as e:
        raise ValueError(f'arrays of type {e.args[0]}, which is not known here') from None
    except Exception as e:  # as in `from_npz`
        raise ValueError(' '.join(str(e).split())[:200] or type(e).__name__) from None


def as_safetensors(arrays: Mapping[str, ArrayLike], metadata: Mapping[str, str] | None = None) -> bytes:
    """The content of a .safetensors file, with texts by name in its header."""
    named = {name: np.asarray(array, order='C') for name, array in arrays.items()}
    return bytes(save(named, dict(metadata) if metadata else None))


def metadata_of(content: bytes) -> dict[str, str]:
    """The texts in the header of a .safetensors file that `from_safetensors` has read."""
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
        raise ValueError(f'an array of {dtype}, shape {list(shape)}')
    if int(np.prod(shape, dtype=object)) * dtype.itemsize != size:
        raise ValueError(f'an array of {dtype}, shape {list(shape)}, with {size:,} bytes')
    array = np.frombuffer(content, dtype, offset=file.tell()).reshape(shape, order='F' if is_fortran else 'C')
    return array.copy()
