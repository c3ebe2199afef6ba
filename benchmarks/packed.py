"""Packs decoded images into a few files that a machine without TFDS can be sent, and unpacks them into its cache.

A file is a tar of WebP pictures, lossless, each a sheet of up to 2,500 images, with their labels beside it. Every file
also says what the whole data set is, with a digest of each split.
"""

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

COLUMNS = 50
"""Images in a row, and rows, of a whole sheet."""

ABOUT = 'about.json'


def pack(name: str, splits: Mapping[str, Any], folder: Path, count: int = 2) -> list[Path]:
    """Packs a data set into `count` files of about the same size in `folder`.

    Args:
        name: name of the data set.
        splits: the Examples of each split, with uint8 images [n, height, width, 3].
        folder: where the files `<name>-<number>.tar` are written.
        count: number of files.
    """
    sheets: list[tuple[str, bytes]] = []
    for split, examples in splits.items():
        for start in range(0, len(examples), COLUMNS**2):
            part = slice(start, start + COLUMNS**2)
            sheets.append((f'{split}-{start:06}', _sheet(examples.images[part]), examples.labels[part].tobytes()))
    about = {
        'name': name,
        'image_shape': list(next(iter(splits.values())).images.shape[1:]),
        'splits': {split: {'count': len(each), 'sha256': _digest(each)} for split, each in splits.items()},
        'sheets': len(sheets),
    }
    folder.mkdir(parents=True, exist_ok=True)
    paths, per_file = [], -(-len(sheets) // count)
    for number in range(count):
        paths.append(folder / f'{name}-{number + 1}.tar')
        with tarfile.open(paths[-1], 'w') as tar:
            _add(tar, ABOUT, json.dumps(about).encode())
            for sheet, picture, labels in sheets[number * per_file : (number + 1) * per_file]:
                _add(tar, f'{sheet}.webp', picture)
                _add(tar, f'{sheet}.labels', labels)
    return paths


def unpack(paths: Sequence[Path]) -> str | None:
    """Unpacks all files of a data set into the user's cache. Returns what is missing or damaged, or None."""
    from jax_resnet.data import Examples, cache

    members: dict[str, bytes] = {}
    for path in paths:
        with tarfile.open(path) as tar:
            members |= {info.name: tar.extractfile(info).read() for info in tar}  # type: ignore[union-attr]
    about = json.loads(members.pop(ABOUT))
    if len(members) < 2 * about['sheets']:
        return f'{about["name"]}: {len(members) // 2} of {about["sheets"]} sheets of images are here'
    arrays = {}
    for split, known in about['splits'].items():
        names = sorted(name.removesuffix('.webp') for name in members if name.startswith(f'{split}-'))
        names = [name for name in names if not name.endswith('.labels')]
        labels = [np.frombuffer(members[f'{name}.labels'], np.int32) for name in names]
        images = [
            _images(members[f'{name}.webp'], len(some), about['image_shape'])
            for name, some in zip(names, labels, strict=True)
        ]
        whole = Examples(np.concatenate(images), np.concatenate(labels))
        if _digest(whole) != known['sha256']:
            return f'{about["name"]}: the images of {split} are not those that were packed'
        arrays |= {f'{split}_images': whole.images, f'{split}_labels': whole.labels}
    cache.load(about['name'], lambda: arrays)
    return None


def _sheet(images: np.ndarray) -> bytes:
    rows, (height, width, channels) = -(-len(images) // COLUMNS), images.shape[1:]
    whole = np.zeros((rows * COLUMNS, height, width, channels), np.uint8)
    whole[: len(images)] = images
    sheet = whole.reshape(rows, COLUMNS, height, width, channels).swapaxes(1, 2)
    file = io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(sheet).reshape(rows * height, COLUMNS * width, channels))
    picture.save(file, 'WEBP', lossless=True, quality=25, method=2)  # more effort saves less than 1 %
    return file.getvalue()


def _images(picture: bytes, count: int, shape: Sequence[int]) -> np.ndarray:
    sheet, (height, width, channels) = np.asarray(Image.open(io.BytesIO(picture))), shape
    images = sheet.reshape(-1, height, COLUMNS, width, channels).swapaxes(1, 2)
    return images.reshape(-1, height, width, channels)[:count]


def _digest(examples: Any) -> str:
    return sha256(examples.images.tobytes() + examples.labels.astype(np.int32).tobytes()).hexdigest()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))
