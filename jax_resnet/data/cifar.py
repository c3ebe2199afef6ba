"""Converts CIFAR's original binary archives to prepared TFDS data, without TensorFlow.

TFDS itself encodes images with TensorFlow. Here TFDS's builder gets images that are encoded already. The result has the
same pixels, labels, ids and order as TFDS's own data, and any TFDS program can read it.
"""

import contextlib
import hashlib
import io
import logging
import shutil
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from PIL import Image
from tqdm import tqdm

from jax_resnet.data.download import download
from jax_resnet.errors import DataError

_log = logging.getLogger(__name__)

HOST = 'https://www.cs.toronto.edu/~kriz/'
PIXELS = 32 * 32 * 3
MOST_BYTES_OF_NAMES = 65_536
MOST_BYTES = 2**30
"""Maximum size of an unpacked archive. Both archives are smaller than 200 MB."""


@dataclass(frozen=True)
class Archive:
    """A published archive. Its members contain records: the labels, then 32x32 pixels, one channel after another.

    Attributes:
        file, sha256: name of the archive at HOST, and its checksum.
        folder: folder of the members in the archive.
        label_files: for each label, the member with the names of its classes; in the order of the labels in a record.
        class_counts: for each label, the number of classes.
        splits: for each split, its members in order, each with its checksum.
        records: for each split, the number of records in each of its members.
    """

    file: str
    sha256: str
    folder: str
    label_files: Mapping[str, str]
    class_counts: Mapping[str, int]
    splits: Mapping[str, Mapping[str, str]]
    records: Mapping[str, int]

    @property
    def sizes(self) -> dict[str, int]:
        """Size in bytes of each member that contains records."""
        record = len(self.label_files) + PIXELS
        return {member: self.records[split] * record for split, members in self.splits.items() for member in members}


ARCHIVES = {
    'cifar10': Archive(
        file='cifar-10-binary.tar.gz',
        sha256='c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd',
        folder='cifar-10-batches-bin',
        label_files={'label': 'batches.meta.txt'},
        class_counts={'label': 10},
        splits={
            'train': {
                'data_batch_1.bin': 'cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5',
                'data_batch_2.bin': 'a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed',
                'data_batch_3.bin': 'bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67',
                'data_batch_4.bin': '014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48',
                'data_batch_5.bin': '755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add',
            },
            'test': {'test_batch.bin': '8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b'},
        },
        records={'train': 10_000, 'test': 10_000},
    ),
    'cifar100': Archive(
        file='cifar-100-binary.tar.gz',
        sha256='58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec',
        folder='cifar-100-binary',
        label_files={'coarse_label': 'coarse_label_names.txt', 'label': 'fine_label_names.txt'},
        class_counts={'coarse_label': 20, 'label': 100},
        splits={
            'train': {'train.bin': 'f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29'},
            'test': {'test.bin': 'd8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a'},
        },
        records={'train': 50_000, 'test': 10_000},
    ),
}


def prepare(name: str, data_dir: Path, manual_dir: Path | None = None) -> None:
    """Prepares 'cifar10' or 'cifar100' in `data_dir`, in the layout of TFDS. An error leaves no partial data there.

    Args:
        name: one of ARCHIVES.
        data_dir: folder of prepared data; the function creates `<name>/<version>` in it.
        manual_dir: a folder with the archive, packed or unpacked. With None, the archive is downloaded.

    Raises:
        DataError: the archive is missing, damaged or cannot be downloaded, or a folder cannot be written.
    """
    archive = ARCHIVES[name]
    found = None if manual_dir is None else _find(archive, manual_dir)
    is_new = not data_dir.exists()
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f'.preparing-{name}-', dir=data_dir))
    except OSError as e:
        raise DataError(f'{name} cannot be prepared in {data_dir}: {e.strerror}') from None
    try:
        members = _read(archive, found or _download(name, archive, data_dir, draft))
        _log.info('preparing %s in %s; this is done only once', name, data_dir)
        folder = _build(name, archive, members, draft)
        target = data_dir / folder.relative_to(draft)
        target.parent.mkdir(exist_ok=True)
        try:
            folder.rename(target)
        except OSError:
            if not target.is_dir():  # otherwise another process has prepared the same data
                raise
    except OSError as e:
        raise DataError(f'{name} cannot be prepared in {data_dir}: {e.strerror or e}') from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        with contextlib.suppress(OSError):  # removes the folder only if it is empty
            (data_dir / name).rmdir()
        if is_new:
            with contextlib.suppress(OSError):
                data_dir.rmdir()


def _find(archive: Archive, manual_dir: Path) -> Path:
    first = next(iter(archive.splits['train']))
    for path in (manual_dir / archive.file, manual_dir / archive.folder / first, manual_dir / first):
        if path.is_file():
            return path if path.name == archive.file else path.parent
    raise DataError(f'{manual_dir} has neither {archive.file} nor its folder {archive.folder} (dataset.manual_dir)')


def _download(name: str, archive: Archive, data_dir: Path, draft: Path) -> Path:
    """Downloads an archive into `draft`."""
    url, path = HOST + archive.file, draft / archive.file
    try:
        checksum = download(url, path)
    except OSError as e:
        raise DataError(
            f'no prepared {name} in {data_dir}, and {url} cannot be downloaded ({e}): give a folder '
            f'with {archive.file} by --config.dataset.manual_dir, or one with prepared TFDS data by '
            '--config.dataset.data_dir or TFDS_DATA_DIR; or try --config=configs/resnet20_digits.py, which needs '
            'no download'
        ) from None
    if checksum != archive.sha256:
        raise DataError(f'{url}: the download is damaged, its SHA-256 is {checksum}; try again')
    return path


def _read(archive: Archive, source: Path) -> dict[str, bytes]:
    """Reads the members by name, and checks them. `source` is the packed archive or the unpacked folder."""
    checksums = {member: checksum for split in archive.splits.values() for member, checksum in split.items()}
    wanted = {*checksums, *archive.label_files.values()}
    members: dict[str, bytes] = {}

    def check_size(name: str, size: int) -> None:
        expected = archive.sizes.get(name)
        if size > MOST_BYTES_OF_NAMES if expected is None else size != expected:
            allowed = f'at most {MOST_BYTES_OF_NAMES:,}' if expected is None else f'{expected:,}'
            raise DataError(f'{source} is damaged: {name} has {size:,} bytes; it must have {allowed}')

    try:
        if source.is_dir():
            for name in sorted(wanted):
                if (source / name).is_file():
                    check_size(name, (source / name).stat().st_size)
                    members[name] = (source / name).read_bytes()
        else:
            with tarfile.open(source, 'r:gz') as tar:
                for info in tar:
                    if info.offset_data + info.size > MOST_BYTES:
                        raise DataError(f'{source} is damaged: it unpacks to more than {MOST_BYTES:,} bytes')
                    path = Path(info.name)
                    if info.isfile() and path.name in wanted and path.parent.name == archive.folder:  # not a link
                        check_size(path.name, info.size)
                        members[path.name] = cast(IO[bytes], tar.extractfile(info)).read()
    except (tarfile.TarError, EOFError, zlib.error, OSError, ValueError, OverflowError, MemoryError) as e:
        raise DataError(f'{source} is damaged: {" ".join(str(e).split()) or type(e).__name__}') from None
    for name in sorted(wanted):
        if name not in members:
            raise DataError(f'{source} is damaged: it has no {name}')
        if name in checksums and hashlib.sha256(members[name]).hexdigest() != checksums[name]:
            raise DataError(f'{source} is damaged: {name} has a wrong checksum')
    for label, name in archive.label_files.items():
        count, names = archive.class_counts[label], members[name].decode(errors='replace').split()
        if len({*names}) != count or len(names) != count or not all(text.isascii() for text in names):
            raise DataError(f'{source} is damaged: {name} must name {count} classes, each once')
    return members


def _build(name: str, archive: Archive, members: Mapping[str, bytes], data_dir: Path) -> Path:
    """Lets TFDS write the data set below `data_dir`. Returns its folder."""
    import tensorflow_datasets as tfds

    tfds_builder: Any = tfds.builder_cls(name)
    terminal = sys.stderr
    with tfds.core.registered.skip_registration():

        class Builder(tfds_builder):
            def _split_generators(self, dl_manager: Any) -> dict[str, Iterator]:
                for label, file in archive.label_files.items():
                    self.info.features[label].names = members[file].decode().split()
                return {split: self._generate_examples(split, list(files)) for split, files in archive.splits.items()}

            def _generate_examples(self, split: str, files: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
                labels = list(archive.label_files)
                records = np.frombuffer(b''.join(members[f] for f in files), np.uint8).reshape(-1, len(labels) + 3072)
                bar = tqdm(records, f'preparing {name}, {split}', file=terminal, disable=None)
                for i, record in enumerate(bar):
                    png = io.BytesIO()
                    pixels = record[len(labels) :].reshape(3, 32, 32).transpose(1, 2, 0)
                    Image.fromarray(np.ascontiguousarray(pixels)).save(png, 'PNG')
                    png.seek(0)
                    yield i, {**dict(zip(labels, record, strict=False)), 'id': f'{split}_{i:05d}', 'image': png}

        Builder.name = name
        builder = Builder(data_dir=data_dir, file_format='array_record')
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):  # hides TFDS's bars
            builder.download_and_prepare(download_dir=data_dir / 'downloads')
    return Path(builder.data_path)
