"""CIFAR-10 and CIFAR-100, from data that TFDS has prepared, or else from an original archive; a cache keeps the arrays.

All sources give the same arrays: the examples are in the order of the original files, and their digest is known.
"""

import functools
import hashlib
import http.client
import io
import logging
import pickle
import shutil
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from PIL import Image
from tqdm import tqdm

from jax_resnet.data import cache
from jax_resnet.data.pictures import records
from jax_resnet.data.sources import Examples, Source
from jax_resnet.errors import DataError, reason

_log = logging.getLogger(__name__)

HOST = 'https://www.cs.toronto.edu/~kriz/'
DOWNLOAD_TIMEOUT = 15
"""Seconds without any byte after which a download ends."""


@dataclass(frozen=True)
class Cifar:
    """A published data set, in two archives with the same examples: of Python's pickles, and of binary records.

    Attributes:
        archives: for each archive at HOST, its folder. The first one is downloaded.
        files: for each split, its files in order, without the ending .bin of binary files.
        labels: the labels of an example in order, as a pickle names them; the last one counts.
        digests: for each split, the SHA-256 of its images, uint8 [n, 32, 32, 3], and its labels, uint8 [n].
        class_names: one per label.
    """

    archives: Mapping[str, str]
    files: Mapping[str, Sequence[str]]
    labels: tuple[bytes, ...]
    digests: Mapping[str, str]
    class_names: tuple[str, ...]


CIFAR10_CLASSES = 'airplane automobile bird cat deer dog frog horse ship truck'
CIFAR100_CLASSES = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant flatfish
forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle
mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine
possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle wardrobe whale
willow_tree wolf woman worm
"""

SIZES = {'train': 50_000, 'test': 10_000}
"""Number of examples of each split, in both data sets."""

CIFAR = {
    'cifar10': Cifar(
        archives={'cifar-10-python.tar.gz': 'cifar-10-batches-py', 'cifar-10-binary.tar.gz': 'cifar-10-batches-bin'},
        files={'train': [f'data_batch_{number}' for number in range(1, 6)], 'test': ['test_batch']},
        labels=(b'labels',),
        digests={
            'train': 'f912919bdea371136f1aa4feed6beeca728015a5f08b1899a29c932a7e30be2b',
            'test': '8193b3fbce55bec361cd1b8fd4880cb1649832dc4d6de6da1e7a21847a4843aa',
        },
        class_names=tuple(CIFAR10_CLASSES.split()),
    ),
    'cifar100': Cifar(
        archives={'cifar-100-python.tar.gz': 'cifar-100-python', 'cifar-100-binary.tar.gz': 'cifar-100-binary'},
        files={'train': ['train'], 'test': ['test']},
        labels=(b'coarse_labels', b'fine_labels'),
        digests={
            'train': '14886c20287690f03728355958fe0858f491f72573360ceb2c75e0feff0833ba',
            'test': '1a89522ef3d4d89d962566436ca6223f42f4a2dcbfa3bd870b2ead933a83e54a',
        },
        class_names=tuple(CIFAR100_CLASSES.split()),
    ),
}


def open_cifar(name: str, data_dir: Path, manual_dir: Path | None) -> Source:
    """Opens CIFAR-10 or CIFAR-100. Its arrays are read when they are needed, and then kept in the cache.

    They come from data prepared by TFDS in `data_dir`; if there is none, from an archive in `manual_dir`, packed or
    unpacked; if that is None, from a download. `load` of the source raises DataError if they are missing, damaged or
    cannot be downloaded.
    """
    make = functools.cache(functools.partial(_make, name, data_dir, manual_dir))  # both splits are made at once

    def load(split: str) -> Examples:
        names = f'{split}_images', f'{split}_labels'
        arrays = cache.load(name, make, names)
        return Examples(*(arrays[array] for array in names))

    return Source(name, CIFAR[name].class_names, SIZES, (32, 32, 3), load)


def _make(name: str, data_dir: Path, manual_dir: Path | None) -> cache.Arrays:
    """Reads both splits, and compares them with the published data."""
    known = CIFAR[name]
    folder = records.find(name, data_dir)
    if folder is not None:
        where, read = str(folder), functools.partial(_read_prepared, records.open_records(name, data_dir).pictures)
    elif manual_dir is not None:
        path, ending = _find(known, manual_dir)
        where, read = str(path), functools.partial(_read_archive, known, path, ending)
    else:
        where, read = next(iter(known.archives)), functools.partial(_download, name, data_dir)
    _log.info('reading %s from %s; this is done only once', name, where)
    arrays: cache.Arrays = {}
    for split, (images, labels) in read().items():
        if hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest() != known.digests[split]:
            raise DataError(f'{where} is damaged: its {split} examples are not those of {name} (another SHA-256)')
        arrays |= {f'{split}_images': images, f'{split}_labels': labels.astype(np.int32)}
    return arrays


_Split = tuple[np.ndarray, np.ndarray]
"""Images, uint8 [n, 32, 32, 3], and labels, uint8 [n]."""


def _read_prepared(pictures: Mapping[str, Any]) -> dict[str, _Split]:
    """Reads data prepared by TFDS. Its own order is another; `number` gives the index in the original files."""
    splits = {}
    for split, size in SIZES.items():
        found = pictures[split]
        images, labels = np.zeros((size, 32, 32, 3), np.uint8), np.zeros(size, np.uint8)
        for index in tqdm(range(min(size, len(found))), f'reading {split}', disable=None):
            try:
                (encoded, label), number = found[index], found.number(index)
                images[number], labels[number] = np.asarray(Image.open(io.BytesIO(encoded))), label
            except MemoryError:
                raise
            except Exception as e:  # for a damaged file, the readers may raise any error
                raise DataError(f'{found.name(index)}: cannot be read ({reason(e)})') from None
        splits[split] = images, labels
    return splits


def _find(known: Cifar, manual_dir: Path) -> tuple[Path, str]:
    """Finds an archive, or the folder with its files. Returns its path, and the ending of its files."""
    for archive, folder in known.archives.items():
        ending = '.bin' if 'binary' in archive else ''
        first = known.files['train'][0] + ending
        for path in (manual_dir / archive, manual_dir / folder / first, manual_dir / first):
            if path.is_file():
                return path if path.name == archive else path.parent, ending
    raise DataError(
        f'{manual_dir} has neither {" nor ".join(known.archives)}, nor a folder of one (dataset.manual_dir)'
    )


def _read_archive(known: Cifar, path: Path, ending: str, content: IO[bytes] | None = None) -> dict[str, _Split]:
    """Reads an archive, packed or unpacked, or its content from the network."""
    names = {split: [name + ending for name in files] for split, files in known.files.items()}
    wanted = {name for files in names.values() for name in files}
    try:
        if path.is_dir():
            members = {name: (path / name).read_bytes() for name in sorted(wanted)}
        else:
            with tarfile.open(path, 'r:gz', content) as tar:
                members = {
                    Path(info.name).name: cast(IO[bytes], tar.extractfile(info)).read()
                    for info in tar
                    if info.isfile() and Path(info.name).name in wanted
                }
        if missing := sorted(wanted - members.keys()):
            raise ValueError(f'it has no {missing[0]}')
        read = _read_records if ending else _read_pickle
        return {split: _join(read(known, members[name]) for name in files) for split, files in names.items()}
    except MemoryError:
        raise
    except Exception as e:  # for damaged files, the readers may raise any error
        raise DataError(f'{path} is damaged: {reason(e)}') from None


class _Arrays(pickle.Unpickler):
    """Reads pickles of dicts, lists, bytes and NumPy arrays. Nothing else is made, and nothing found is executed."""

    def find_class(self, module: str, name: str) -> Any:
        """Returns what NumPy's arrays need. Raises UnpicklingError for all other names."""
        if (module.replace('._core', '.core'), name) == ('numpy.core.multiarray', '_reconstruct'):
            return np.zeros(0).__reduce__()[0]
        if (module, name) in (('numpy', 'ndarray'), ('numpy', 'dtype')):
            return getattr(np, name)
        raise pickle.UnpicklingError(f'it has {module}.{name}, which no file of CIFAR has')


def _read_pickle(known: Cifar, content: bytes) -> _Split:
    batch = _Arrays(io.BytesIO(content), encoding='bytes').load()
    return batch[b'data'], np.array(batch[known.labels[-1]], np.uint8)


def _read_records(known: Cifar, content: bytes) -> _Split:
    count = len(known.labels)
    records = np.frombuffer(content, np.uint8).reshape(-1, count + 3 * 32 * 32)
    return records[:, count:], records[:, count - 1]


def _join(files: Iterable[_Split]) -> _Split:
    """Joins the files of a split. Their pixels are in the order of channels, rows, columns, uint8 [n, 3072]."""
    pixels, labels = (np.concatenate(arrays) for arrays in zip(*files, strict=True))
    return np.ascontiguousarray(pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)), labels


def _download(name: str, data_dir: Path) -> dict[str, _Split]:
    """Reads the first archive from the network. It is not kept."""
    known, content = CIFAR[name], io.BytesIO()
    archive = next(iter(known.archives))
    url = HOST + archive
    try:
        with urllib.request.urlopen(url, timeout=DOWNLOAD_TIMEOUT) as response:
            size = int(response.headers['Content-Length'])
            with tqdm.wrapattr(response, 'read', size, desc=archive) as file:
                shutil.copyfileobj(file, content)
        if content.tell() < size:
            raise OSError('the connection was closed before the end of the file')
    except (OSError, http.client.HTTPException) as e:  # urllib's errors are OSErrors
        if isinstance(e, urllib.error.HTTPError):
            e.close()  # it holds the connection
        raise DataError(
            f'no prepared {name} in {data_dir}, and {url} cannot be downloaded ({getattr(e, "reason", e)}): give a '
            f'folder with {" or ".join(known.archives)} by --config.dataset.manual_dir, or one with prepared TFDS data '
            'by --config.dataset.data_dir or TFDS_DATA_DIR; or try --config=configs/resnet20_digits.py, which needs no '
            'download'
        ) from None
    content.seek(0)
    return _read_archive(known, Path(archive), '', content)
