"""CIFAR from archives: whole and equal to TFDS's own, or one line and nothing left behind."""

import contextlib
import dataclasses
import gzip
import hashlib
import http.server
import io
import os
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds

from jax_resnet import data
from jax_resnet.data import cifar, download
from jax_resnet.errors import DataError

ROOT = Path(__file__).parents[2]
CIFAR10 = cifar.ARCHIVES['cifar10']


def pack(path: Path, folder: str, members: dict[str, bytes]) -> None:
    with tarfile.open(path, 'w:gz', compresslevel=0) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(f'{folder}/{name}')
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def rebuild(name: str, data_dir: str) -> dict[str, bytes]:
    """The members of the original archive, from the prepared data: labels, then pixels by channel, by id."""
    archive, members = cifar.ARCHIVES[name], {}
    for split, files in archive.splits.items():
        source = tfds.data_source(name, split=split, data_dir=data_dir)
        records: list[bytes] = [b''] * len(source)
        for example in source:
            labels = bytes(int(example[label]) for label in archive.label_files)
            records[int(example['id'].split(b'_')[1])] = labels + example['image'].transpose(2, 0, 1).tobytes()
        share = len(records) // len(files)
        members |= {file: b''.join(records[i * share : (i + 1) * share]) for i, file in enumerate(files)}
    info = tfds.builder_from_directory(next(Path(data_dir, name).iterdir())).info
    names = {file: '\n'.join(info.features[label].names) + '\n\n' for label, file in archive.label_files.items()}
    return members | {file: text.encode() for file, text in names.items()}


def same_examples(name: str, split: str, ours: Path, theirs: str, every: int) -> bool:
    a, b = (tfds.data_source(name, split=split, data_dir=str(folder)) for folder in (ours, theirs))
    assert len(a) == len(b)
    return all(np.array_equal(a[i][key], b[i][key]) for i in range(0, len(a), every) for key in b[i])


@pytest.mark.soak
def test_the_original_archive_becomes_what_tfds_prepares(data_dir: str, tmp_path: Path) -> None:
    members = rebuild('cifar10', data_dir)
    sums = {file: checksum for split in CIFAR10.splits.values() for file, checksum in split.items()}
    assert {file: hashlib.sha256(members[file]).hexdigest() for file in sums} == sums
    pack(tmp_path / CIFAR10.file, CIFAR10.folder, members)
    command = [
        *(sys.executable, 'main.py', '--config=configs/resnet20_cifar10.py', f'--workdir={tmp_path / "run"}'),
        *(f'--config.dataset.manual_dir={tmp_path}', f'--config.dataset.data_dir={tmp_path / "new"}'),
        *('--config.train_for=2 steps', '--config.batch_size=8', '--config.dataset.test=test[:100]'),
    ]
    subprocess.run(command, cwd=ROOT, check=True)
    assert (tmp_path / 'run' / 'summary.json').exists()
    source = data.open_source('cifar10', str(tmp_path / 'new'))
    assert (source.count('train'), source.count('test')) == (50_000, 10_000)
    assert source.class_names == data.open_source('cifar10', data_dir).class_names
    assert same_examples('cifar10', 'train', tmp_path / 'new', data_dir, every=97)  # in pixels, labels, ids, order
    assert same_examples('cifar10', 'test', tmp_path / 'new', data_dir, every=41)
    assert [path.name for path in (tmp_path / 'new').iterdir()] == ['cifar10']


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder with an unpacked archive of 24 records a member, whose checksums are taken for the true ones."""
    folder = tmp_path / 'manual' / CIFAR10.folder
    folder.mkdir(parents=True)
    rng, splits = np.random.default_rng(0), {}
    for split, files in CIFAR10.splits.items():
        splits[split] = {}
        for file in files:
            records = rng.integers(0, 256, (24, 3073), dtype=np.uint8)
            records[:, 0] %= 10
            (folder / file).write_bytes(records.tobytes())
            splits[split][file] = hashlib.sha256(records.tobytes()).hexdigest()
    (folder / 'batches.meta.txt').write_text('airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n')
    archive = replace(CIFAR10, splits=splits, records={'train': 24, 'test': 24})
    monkeypatch.setitem(cifar.ARCHIVES, 'cifar10', archive)
    return tmp_path / 'manual'


def packed(manual_dir: Path) -> Path:
    """The same, packed."""
    folder = manual_dir / CIFAR10.folder
    pack(manual_dir / CIFAR10.file, CIFAR10.folder, {path.name: path.read_bytes() for path in folder.iterdir()})
    return manual_dir / CIFAR10.file


def test_packed_or_unpacked(small: Path, tmp_path: Path) -> None:
    first = data.open_source('cifar10', str(tmp_path / 'a'), str(small)).read('train+test')
    inside = data.open_source('cifar10', str(tmp_path / 'b'), str(small / CIFAR10.folder)).read('train+test')
    packed(small)
    third = data.open_source('cifar10', str(tmp_path / 'c'), str(small)).read('train+test')
    record = np.frombuffer((small / CIFAR10.folder / 'test_batch.bin').read_bytes(), np.uint8).reshape(24, 3073)
    for examples in (first, inside, third):
        assert len(examples) == 6 * 24
        assert sorted(examples.labels[120:]) == sorted(record[:, 0])
        images = {image.transpose(2, 0, 1).tobytes() for image in examples.images[120:]}
        assert images == {pixels.tobytes() for pixels in record[:, 1:]}


def damage_truncate(manual: Path) -> None:
    archive = packed(manual)
    archive.write_bytes(archive.read_bytes()[:-200_000])


def damage_no_tar(manual: Path) -> None:
    packed(manual).write_bytes(b'not a tar file')


def damage_wrong_bytes(manual: Path) -> None:
    (manual / CIFAR10.folder / 'data_batch_3.bin').write_bytes(bytes(24 * 3073))


def damage_longer(manual: Path) -> None:
    """A sparse file of 40 GB, which takes no room on disk."""
    os.truncate(manual / CIFAR10.folder / 'data_batch_2.bin', 40_000_000_000)


def damage_bomb(manual: Path) -> None:
    """The same, packed: headers alone, as nobody is to read what follows."""
    with gzip.open(manual / CIFAR10.file, 'wb') as file:
        for name, size in (('data_batch_1.bin', 24 * 3073), ('data_batch_2.bin', 40_000_000_000)):
            info = tarfile.TarInfo(f'{CIFAR10.folder}/{name}')
            info.size = size
            file.write(info.tobuf(tarfile.GNU_FORMAT))
            if size < 10**6:
                file.write(bytes(-(-size // 512) * 512))


def damage_doubled_name(manual: Path) -> None:
    path = manual / CIFAR10.folder / 'batches.meta.txt'
    path.write_text(path.read_text().replace('truck', 'cat'))


def damage_names_that_are_no_text(manual: Path) -> None:
    (manual / CIFAR10.folder / 'batches.meta.txt').write_bytes(bytes(range(1, 256)))


def damage_missing_member(manual: Path) -> None:
    (manual / CIFAR10.folder / 'test_batch.bin').unlink()


def damage_no_archive(manual: Path) -> None:
    (manual / CIFAR10.folder).rename(manual / 'elsewhere')


@pytest.mark.parametrize(
    ('damage', 'message'),
    [
        (damage_truncate, 'is damaged'),
        (damage_no_tar, 'is damaged'),
        (damage_wrong_bytes, 'is damaged: data_batch_3.bin has a wrong checksum'),
        (damage_longer, 'data_batch_2.bin has 40,000,000,000 bytes; it must have 73,752'),
        (damage_bomb, 'is damaged: it unpacks to more than 1,073,741,824 bytes'),
        (damage_doubled_name, 'batches.meta.txt must name 10 classes, each once'),
        (damage_names_that_are_no_text, 'batches.meta.txt must name 10 classes, each once'),
        (damage_missing_member, 'is damaged: it has no test_batch.bin'),
        (damage_no_archive, 'has neither cifar-10-binary.tar.gz nor'),
    ],
)
def test_damage_is_one_line_and_leaves_nothing(
    small: Path, tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    damage(small)
    (tmp_path / 'data').mkdir()
    with pytest.raises(DataError, match=message) as error:
        data.open_source('cifar10', str(tmp_path / 'data'), str(small))
    assert '\n' not in str(error.value) and not list((tmp_path / 'data').iterdir())


def test_a_folder_that_cannot_be_written(small: Path, tmp_path: Path) -> None:
    (tmp_path / 'file').touch()
    with pytest.raises(DataError, match='cifar10 cannot be prepared in'):
        data.open_source('cifar10', str(tmp_path / 'file'), str(small))


def test_two_processes_at_once_end_with_one_good_copy(small: Path, tmp_path: Path) -> None:
    program = (
        'import sys\n'
        'from pathlib import Path\n'
        'from jax_resnet.data import cifar\n'
        f'cifar.ARCHIVES["cifar10"] = cifar.{cifar.ARCHIVES["cifar10"]!r}\n'
        'cifar.prepare("cifar10", Path(sys.argv[1]), Path(sys.argv[2]))\n'
    )
    command = [sys.executable, '-c', program, tmp_path / 'data', small]
    both = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for process in both:
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    assert [path.name for path in (tmp_path / 'data').iterdir()] == ['cifar10']
    assert len(data.open_source('cifar10', str(tmp_path / 'data')).read('train')) == 120


class Server(http.server.BaseHTTPRequestHandler):
    """Serves `content`, in the way that `fault` names; `ranges` are those asked for."""

    content: bytes
    fault: str
    ranges: list[str | None]

    def do_GET(self) -> None:
        self.ranges.append(self.headers['Range'])
        begin = int(self.headers['Range'][6:-1]) if self.headers['Range'] and self.fault != 'no ranges' else 0
        content, fault = self.content[begin:], self.fault
        length = len(content)
        if fault == 'garbage':
            self.wfile.write(b'what?\r\n')
            return
        if (fault in ('breaks off', 'no ranges') and len(self.ranges) < 3) or fault == 'always breaks off':
            content = content[: length // 3]
        elif fault == 'claims more':
            length += 1000
        elif fault == 'claims less':
            length -= 1000
        elif fault == 'wrong file':
            content, length = b'<html>Not here</html>', 21
        self.send_response(206 if begin else 404 if fault == 'missing' else 200)
        self.send_header('Content-Length', str(length))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(content[: length // 2] if fault == 'stalls' else content)
            if fault == 'stalls':
                self.wfile.flush()
                time.sleep(0.5)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def serve(content: bytes, fault: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str | None]]:
    ranges: list[str | None] = []
    handler = type('Faulty', (Server,), {'content': content, 'fault': fault, 'ranges': ranges})
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={'poll_interval': 0.01})
        thread.start()
        monkeypatch.setattr(cifar, 'HOST', f'http://127.0.0.1:{server.server_port}/')
        try:
            yield ranges
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ('fault', 'message', 'requests'),
    [
        ('none', '', 1),
        ('breaks off', '', 3),  # and goes on from there
        ('no ranges', '', 3),  # and starts over
        (
            'always breaks off',
            'cannot be downloaded .the connection was closed before the end of the file.: give a folder',
            3,
        ),
        ('stalls', 'cannot be downloaded .timed out.: give a folder', 3),
        ('claims more', 'cannot be downloaded', 3),
        ('claims less', 'the download is damaged, its SHA-256 is .*; try again', 1),
        ('wrong file', 'the download is damaged, its SHA-256 is .*; try again', 1),
        ('missing', 'cannot be downloaded .Not Found.: give a folder', 1),
        ('garbage', 'cannot be downloaded .*: give a folder', 1),
    ],
)
def test_downloads_from_a_faulty_server(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, message: str, requests: int
) -> None:
    content, archive = packed(small).read_bytes(), cifar.ARCHIVES['cifar10']
    whole = dataclasses.replace(archive, sha256=hashlib.sha256(content).hexdigest())
    monkeypatch.setitem(cifar.ARCHIVES, 'cifar10', whole)
    monkeypatch.setattr(download, 'CONNECT_SECONDS', 0.2)
    expected = pytest.raises(DataError, match=message) if message else contextlib.nullcontext()
    with serve(content, fault, monkeypatch) as ranges, expected as error:
        assert data.open_source('cifar10', str(tmp_path / 'data')).count('train') == 120
    assert len(ranges) == requests and ranges[0] is None
    if fault == 'breaks off':
        third = len(content) // 3
        assert ranges[1:] == [f'bytes={third}-', f'bytes={third + (len(content) - third) // 3}-']
    there = [path.name for path in (tmp_path / 'data').glob('*')]
    assert there == ['cifar10'] if not message else not (tmp_path / 'data').exists()
    assert error is None or '\n' not in str(error.value)


def test_members_that_lead_out_of_the_folder_are_not_followed(small: Path, tmp_path: Path) -> None:
    """Nothing is unpacked to disk: members are read by name, and one that is a link is none."""
    folder, secret = small / CIFAR10.folder, tmp_path / 'secret'
    secret.write_bytes((folder / 'test_batch.bin').read_bytes())
    with tarfile.open(small / CIFAR10.file, 'w:gz') as tar:
        for path in folder.iterdir():
            if path.name != 'test_batch.bin':
                tar.add(path, f'{CIFAR10.folder}/{path.name}')
        for name, kind, target in [
            (f'{CIFAR10.folder}/test_batch.bin', tarfile.SYMTYPE, str(secret)),
            (f'{CIFAR10.folder}/../../test_batch.bin', tarfile.REGTYPE, ''),
            ('/test_batch.bin', tarfile.REGTYPE, ''),
        ]:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            tar.addfile(info)
    (tmp_path / 'data').mkdir()
    with pytest.raises(DataError, match='is damaged'):
        data.open_source('cifar10', str(tmp_path / 'data'), str(small))
    assert not list((tmp_path / 'data').iterdir()) and {p.name for p in tmp_path.iterdir()} == {
        'manual',
        'data',
        'secret',
    }


def test_a_download_is_checked(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = packed(small)
    monkeypatch.setattr(cifar, 'HOST', f'{small.as_uri()}/')
    with pytest.raises(DataError, match='the download is damaged, its SHA-256 is'):
        data.open_source('cifar10', str(tmp_path / 'data'))
    small_archive = cifar.ARCHIVES['cifar10']
    right = hashlib.sha256(archive.read_bytes()).hexdigest()
    monkeypatch.setitem(
        cifar.ARCHIVES, 'cifar10',
        replace(small_archive, file=archive.name, sha256=right),
    )  # fmt: skip
    assert data.open_source('cifar10', str(tmp_path / 'data')).count('train') == 120
    assert [path.name for path in (tmp_path / 'data').iterdir()] == ['cifar10']
