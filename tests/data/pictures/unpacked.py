"""Pictures of a prepared data set, written as ImageNet is published: as two tars, and as folders of classes.

`python -m tests.data.pictures.unpacked IMAGENETTE_DATA_DIR OUT` writes all of Imagenette's.
"""

import hashlib
import io
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from jax_resnet.data.pictures.imagenet import Archive, Archives
from jax_resnet.data.pictures.records import open_records
from jax_resnet.data.sources import Pictures

SYNSETS = (
    *('n01440764', 'n02102040', 'n02979186', 'n03000684', 'n03028079'),
    *('n03394916', 'n03417042', 'n03425413', 'n03445777', 'n03888257'),
)
"""Imagenette's classes, by label."""

FILES = {'train': 'ILSVRC2012_img_train.tar', 'validation': 'ILSVRC2012_img_val.tar'}


def place(split: str, label: int, index: int) -> str:
    """The name of a picture, as ImageNet has it."""
    return f'{SYNSETS[label]}_{index}.JPEG' if split == 'train' else f'ILSVRC2012_val_{index + 1:08}.JPEG'


def write(data_dir: Path, out: Path, most: int | None = None) -> Archives:
    """Writes `out`/folder and `out`/tars; at most `most` pictures of each split."""
    splits = {split: open_records('imagenette', data_dir).read(split) for split in FILES}
    for split, pictures in splits.items():
        for index, (encoded, label) in _of(pictures, most):
            path = out / 'folder' / ('val' if split == 'validation' else split) / SYNSETS[label]
            path.mkdir(parents=True, exist_ok=True)
            (path / place(split, label, index)).write_bytes(encoded)
    (out / 'tars').mkdir()
    found = {'train': [*_of(splits['train'], most)], 'validation': [*_of(splits['validation'], most)]}
    with tarfile.open(out / 'tars' / FILES['train'], 'w') as tar:
        for label, synset in reversed([*enumerate(SYNSETS)]):
            inner = io.BytesIO()
            with tarfile.open(fileobj=inner, mode='w') as of_class:
                for index, (encoded, of) in found['train']:
                    if of == label:
                        _add(of_class, place('train', label, index), encoded)
            _add(tar, f'{synset}.tar', inner.getvalue())
    with tarfile.open(out / 'tars' / FILES['validation'], 'w') as tar:
        for index, (encoded, label) in found['validation']:
            _add(tar, place('validation', label, index), encoded)
    facts = []
    for split, file in FILES.items():
        content = (out / 'tars' / file).read_bytes()
        facts.append(Archive(file, len(content), hashlib.sha256(content).hexdigest(), len(found[split])))
    labels = np.array([label for _, (_, label) in found['validation']])
    return Archives(*facts, synsets=lambda: SYNSETS, validation_labels=lambda: labels)


def _of(pictures: Pictures, most: int | None) -> Iterator[tuple[int, tuple[bytes, int]]]:
    for index in range(min(len(pictures), most or len(pictures))):
        yield index, pictures[index]


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


if __name__ == '__main__':
    write(Path(sys.argv[1]), Path(sys.argv[2]))
