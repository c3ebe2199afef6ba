"""CIFAR from both archives: the published arrays; or one line, and nothing left behind."""

import contextlib
import hashlib
import http.server
import io
import pickle
import tarfile
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from jax_resnet import data, files
from jax_resnet.data import cifar
from jax_resnet.errors import DataError

Arrays = dict[str, data.Examples]


class Python2(pickle._Pickler):
    """Writes pickles as the Python 2 that wrote CIFAR's: all text is bytes, and NumPy's module has its old name."""

    dispatch: ClassVar[dict] = dict(pickle._Pickler.dispatch)  # type: ignore[attr-defined]

    def save_text(self, text: str | bytes) -> None:
        content = text.encode('latin1') if isinstance(text, str) else text
        self.write(pickle.BINSTRING + len(content).to_bytes(4, 'little') + content)  # type: ignore[attr-defined]

    def save_global(self, obj: object, name: str | None = None) -> None:
        names = obj.__module__.replace('_core', 'core'), obj.__name__  # type: ignore[attr-defined]
        self.write(pickle.GLOBAL + '\n'.join(names).encode() + b'\n')  # type: ignore[attr-defined]

    dispatch[str] = dispatch[bytes] = save_text
    dispatch[type] = dispatch[type(len)] = dispatch[type(pickle.dumps)] = save_global


def python_file(images: np.ndarray, labels: np.ndarray, is_cifar100: bool) -> bytes:
    batch = {
        b'batch_label': b'training batch', b'fine_labels' if is_cifar100 else b'labels': labels.tolist(),
        b'data': images.transpose(0, 3, 1, 2).reshape(len(images), -1), b'filenames': [b'a.png'] * len(images),
    }  # fmt: skip
    if is_cifar100:
        batch[b'coarse_labels'] = [0] * len(labels)
    file = io.BytesIO()
    Python2(file, protocol=2).dump(batch)
    return file.getvalue()


def binary_file(images: np.ndarray, labels: np.ndarray, is_cifar100: bool) -> bytes:
    columns = [labels[:, None], images.transpose(0, 3, 1, 2).reshape(len(images), -1)]
    return np.concatenate([*([0 * labels[:, None]] * is_cifar100), *columns], 1).astype(np.uint8).tobytes()


def write(name: str, splits: Arrays, folder: Path) -> None:
    """Writes the unpacked folders of both archives."""
    known = cifar.CIFAR[name]
    for archive_folder, make, ending in zip(
        known.archives.values(), (python_file, binary_file), ('', '.bin'), strict=True
    ):
        (folder / archive_folder).mkdir(parents=True)
        for split, names in known.files.items():
            parts = zip(*(np.array_split(array, len(names)) for array in vars(splits[split]).values()), strict=True)
            for file, part in zip(names, parts, strict=True):
                (folder / archive_folder / f'{file}{ending}').write_bytes(make(*part, name == 'cifar100'))


def pack(manual_dir: Path, archive: str, folder: str) -> Path:
    with tarfile.open(manual_dir / archive, 'w:gz', compresslevel=0) as tar:
        tar.add(manual_dir / folder, folder)
    return manual_dir / archive


def digest(examples: data.Examples) -> str:
    return hashlib.sha256(examples.images.tobytes() + examples.labels.astype(np.uint8).tobytes()).hexdigest()


@pytest.fixture(params=['cifar10', 'cifar100'])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def small(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[Path, Arrays]:
    """A folder with both unpacked archives of a small data set, whose digests are taken for the true ones."""
    rng, sizes = np.random.default_rng(0), {'train': 40, 'test': 9}
    splits = {
        split: data.Examples(rng.integers(0, 256, (size, 32, 32, 3), np.uint8), rng.integers(0, 10, size, np.int32))
        for split, size in sizes.items()
    }
    write(name, splits, tmp_path / 'manual')
    digests = {split: digest(examples) for split, examples in splits.items()}
    monkeypatch.setitem(cifar.CIFAR, name, replace(cifar.CIFAR[name], digests=digests))
    monkeypatch.setattr(cifar, 'SIZES', sizes)
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    monkeypatch.setenv('TFDS_DATA_DIR', str(tmp_path / 'none'))
    return tmp_path / 'manual', splits


def read(name: str, manual_dir: Path | None = None, data_dir: Path | None = None) -> data.Examples:
    """The examples of both splits. There is no prepared data."""
    folders = (None if folder is None else str(folder) for folder in (data_dir, manual_dir))
    return data.open_source(name, *folders).read('train+test')


@pytest.mark.parametrize('index', [0, 1])
@pytest.mark.parametrize('where', ['packed', 'unpacked', 'inside'])
def test_archives(name: str, where: str, index: int, small: tuple[Path, Arrays], tmp_path: Path) -> None:
    manual, splits = small
    archive, folder = [*cifar.CIFAR[name].archives.items()][index]
    if where == 'packed':
        pack(manual, archive, folder)
    if where != 'inside':
        (tmp_path / 'alone').mkdir()
        chosen = archive if where == 'packed' else folder
        (manual / chosen).rename(tmp_path / 'alone' / chosen)
    found = read(name, manual / folder if where == 'inside' else tmp_path / 'alone')
    for array in ('images', 'labels'):
        expected = np.concatenate([getattr(examples, array) for examples in splits.values()])
        np.testing.assert_array_equal(getattr(found, array), expected)
    np.testing.assert_array_equal(read(name).images, found.images)  # the cache needs no source
    with pytest.raises(DataError, match=rf'no prepared {name} in {tmp_path}/typo \(dataset.data_dir\)'):
        read(name, data_dir=tmp_path / 'typo')
    assert [path.name for path in files.cache_folder().iterdir()] == [f'{name}.safetensors']


class Harm:
    def __reduce__(self) -> tuple:
        return Path.touch, (Path('harmed'),)


def truncate(folder: Path, archive: str, ending: str) -> None:
    path = pack(folder.parent, archive, folder.name)
    path.write_bytes(path.read_bytes()[:-50_000])


def other_bytes(folder: Path, archive: str, ending: str) -> None:
    path = folder / f'data_batch_3{ending}'
    content = bytearray(path.read_bytes())
    content[5_000] ^= 1
    path.write_bytes(content)


def missing_file(folder: Path, archive: str, ending: str) -> None:
    (folder / f'test_batch{ending}').unlink()
    pack(folder.parent, archive, folder.name)


def harmful(folder: Path, archive: str, ending: str) -> None:
    (folder / f'data_batch_3{ending}').write_bytes(pickle.dumps({b'data': Harm(), b'labels': []}))


def no_archive(folder: Path, archive: str, ending: str) -> None:
    folder.rename(folder.with_name('elsewhere'))


@pytest.mark.parametrize('name', ['cifar10'], indirect=True)
@pytest.mark.parametrize(
    ('damage', 'index', 'message'),
    [
        (truncate, 0, 'cifar-10-python.tar.gz is damaged: '),
        (other_bytes, 0, 'cifar-10-batches-py is damaged: its train examples are not those of cifar10'),
        (missing_file, 0, 'cifar-10-python.tar.gz is damaged: it has no test_batch'),
        (harmful, 0, r'cifar-10-batches-py is damaged: it has pathlib.*, which no file of CIFAR has'),
        (no_archive, 0, 'manual has neither cifar-10-python.tar.gz nor cifar-10-binary.tar.gz, nor a folder of one'),
    ],
)
def test_damage_is_one_line_and_leaves_nothing(
    damage: Callable[[Path, str, str], None], index: int, message: str, small: tuple[Path, Arrays], tmp_path: Path
) -> None:
    archives = [*cifar.CIFAR['cifar10'].archives.items()]
    (archive, folder), (_, other) = archives[index], archives[1 - index]
    (small[0] / other).rename(tmp_path / 'other')
    damage(small[0] / folder, archive, ('', '.bin')[index])
    with pytest.raises(DataError, match=message) as error:
        read('cifar10', small[0])
    assert '\n' not in str(error.value) and not files.cache_folder().exists()
    assert not Path('harmed').exists()


class Server(http.server.BaseHTTPRequestHandler):
    """Serves `content`, in the way that `fault` names."""

    content: bytes
    fault: str

    def do_GET(self) -> None:
        content = b'<html>Not here</html>' if self.fault == 'wrong file' else self.content
        self.send_response(404 if self.fault == 'missing' else 200)
        self.send_header('Content-Length', str(len(content)))
        self.end_headers()
        self.wfile.write(content[:9_000] if self.fault == 'breaks off' else content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize('name', ['cifar10'], indirect=True)
@pytest.mark.parametrize(
    ('fault', 'message'),
    [
        ('none', ''),
        ('breaks off', 'cannot be downloaded .the connection was closed before the end of the file.: give a folder'),
        ('wrong file', r'cifar-10-python.tar.gz is damaged: not a gzip file'),
        ('missing', 'cannot be downloaded .Not Found.: give a folder'),
    ],
)
def test_downloads(small: tuple[Path, Arrays], monkeypatch: pytest.MonkeyPatch, fault: str, message: str) -> None:
    content = pack(small[0], *next(iter(cifar.CIFAR['cifar10'].archives.items()))).read_bytes()
    handler = type('Faulty', (Server,), {'content': content, 'fault': fault})
    expected = pytest.raises(DataError, match=message) if message else contextlib.nullcontext()
    with http.server.HTTPServer(('127.0.0.1', 0), handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        monkeypatch.setattr(cifar, 'HOST', f'http://127.0.0.1:{server.server_port}/')
        with expected as error:
            assert len(read('cifar10')) == 49
        thread.join()
    assert [path.name for path in files.cache_folder().glob('*')] == ([] if message else ['cifar10.safetensors'])
    assert error is None or '\n' not in str(error.value)
