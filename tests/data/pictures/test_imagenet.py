"""ImageNet's two tars: what is read equals what was packed, in a folder's order; what is bad is one line."""

import logging
import multiprocessing
import os
import tarfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import tensorflow_datasets

from jax_resnet import files
from jax_resnet.data.pictures import imagenet
from jax_resnet.data.pictures.batches import decoded
from jax_resnet.data.pictures.imagenet import IMAGENET_CLASSES, open_tars, validation_labels
from jax_resnet.errors import DataError
from tests.conftest import Ended

SYNSETS = {'n01440764': 0, 'n01443537': 1, 'n02124075': 285}  # tench, goldfish, Egyptian cat
Entry = tuple[tarfile.TarInfo, bytes]
TRAIN, VALIDATION = 'ILSVRC2012_img_train.tar', 'ILSVRC2012_img_val.tar'


def entry(name: str, content: bytes = b'') -> Entry:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    return info, content


def pack(entries: list[Entry], pax: bool = False) -> bytes:
    members = [
        info.tobuf(tarfile.PAX_FORMAT if pax else tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512)
        for info, content in entries
    ]
    return b''.join(members) + bytes(1024)


class Tars:
    """What goes into the tars: 3 classes of 4 pictures to train on, and 6 to validate; nothing is in order."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self._monkeypatch = folder, monkeypatch
        self.train: dict[str, Any] = {
            synset: [self.picture(f'{synset}_{number}.JPEG') for number in (9, 10, 2, 100)]
            for synset in reversed(SYNSETS)
        }
        self.validation = [self.picture(f'ILSVRC2012_val_{number:08}.JPEG') for number in (3, 1, 2, 6, 5, 4)]

    def picture(self, name: str) -> Entry:
        return entry(name, name.encode() * 30)

    def write(self, pax: bool = False) -> None:
        """Writes both tars, and makes them the expected ones."""
        inner = [
            entry(f'{synset}.tar', entries if isinstance(entries, bytes) else pack(entries, pax))
            for synset, entries in self.train.items()
        ]
        (self.folder / TRAIN).write_bytes(pack(inner, pax))
        (self.folder / VALIDATION).write_bytes(pack(self.validation, pax))
        self.expect(train=12, validation=6)

    def expect(self, **counts: int) -> None:
        for split, count in counts.items():
            path = self.folder / imagenet.ARCHIVES[split].file
            archive = imagenet.Archive(path.name, path.stat().st_size, count)
            self._monkeypatch.setitem(imagenet.ARCHIVES, split, archive)


@pytest.fixture
def tars(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Tars:
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    (tmp_path / 'manual').mkdir()
    written = Tars(tmp_path / 'manual', monkeypatch)
    written.write()
    return written


def cached() -> list[Path]:
    return sorted(files.cache_folder().glob('*'))


@pytest.mark.parametrize('pax', [False, True])  # as programs write it, for example for fractions of a second
def test_pictures_are_those_packed_in_the_order_of_a_sorted_folder(tars: Tars, pax: bool) -> None:
    for entries in (*tars.train.values(), tars.validation):
        entries[1][0].mtime = 1.5 if pax else 1  # type: ignore[assignment]
    tars.write(pax)
    source = open_tars('imagenet2012', tars.folder)
    train, validation = source.pictures['train'], source.pictures['validation']
    names = [f'{synset}_{number}.JPEG' for synset in SYNSETS for number in (10, 100, 2, 9)]
    assert [train.name(i) for i in range(12)] == [f'{TRAIN}: {name}' for name in names]
    assert [train[i] for i in range(12)] == [(name.encode() * 30, SYNSETS[name[:9]]) for name in names]
    ordered = sorted((label, f'{stem}.JPEG') for stem, label in [*validation_labels().items()][:6])
    assert [validation.name(i) for i in range(6)] == [f'{VALIDATION}: {name}' for _, name in ordered]
    assert [validation[i] for i in range(6)] == [(name.encode() * 30, label) for label, name in ordered]
    assert source.class_names[:2] == ('tench', 'goldfish') and len(source.class_names) == 1000
    assert source.read('train[8:]')[0] == train[8]


def test_tars_are_read_beyond_what_32_bits_count(tars: Tars) -> None:
    """The first class ends with a hole of 5 GB, which takes no room on disk."""
    hole = 5 * 2**30
    first, *others = [entry(f'{synset}.tar', pack(entries)) for synset, entries in tars.train.items()]
    size = first[0].size
    first[0].size += hole
    with (tars.folder / TRAIN).open('wb') as file:
        file.write(pack([first])[: 512 + size])
        file.seek(hole, os.SEEK_CUR)
        file.write(pack(others))
    tars.expect(train=12)
    train = open_tars('imagenet2012', tars.folder).pictures['train']
    for i, name in ((0, 'n01440764_10.JPEG'), (8, 'n02124075_10.JPEG')):
        assert train.name(i) == f'{TRAIN}: {name}' and train[i][0] == name.encode() * 30


def other_member(tars: Tars) -> None:
    tars.train['n01443537'][2] = tars.picture('../n01443537_2.txt')


def one_less(tars: Tars) -> None:
    del tars.train['n01443537'][-1]


def no_tar(tars: Tars) -> None:
    tars.train['n01443537'] = b'no tar' * 100


@pytest.mark.parametrize(
    ('damage', 'message'),
    [
        (other_member, rf"{TRAIN} is damaged: its member '../n01443537_2.txt' is not one of its pictures"),
        (one_less, rf'{TRAIN} has 11 pictures; it must have 12'),
        (no_tar, rf'{TRAIN}: n01443537.tar is damaged: '),
    ],
)
def test_bad_tars_are_one_line(tars: Tars, damage: Callable[[Tars], None], message: str) -> None:
    damage(tars)
    tars.write()
    with pytest.raises(DataError, match=message) as error:
        open_tars('imagenet2012', tars.folder)
    assert '\n' not in str(error.value) and str(tars.folder) in str(error.value)
    assert len(cached()) <= 1  # that of training, where validation is bad


@pytest.mark.parametrize('keep', [0, 700, 5_000, -2_000])
def test_a_tar_cut_short(tars: Tars, keep: int) -> None:
    path = tars.folder / TRAIN
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=rf'{TRAIN} has [0-9,]+ bytes; it must have {size:,}'):
        open_tars('imagenet2012', tars.folder)
    tars.expect(train=12)
    with pytest.raises(DataError, match=rf'{TRAIN}.*( is damaged: | has [0-9]+ pictures)') as error:
        open_tars('imagenet2012', tars.folder)
    assert '\n' not in str(error.value) and not cached()


def test_one_tar_is_enough_for_its_split(tars: Tars) -> None:
    (tars.folder / TRAIN).unlink()
    source = open_tars('imagenet2012', tars.folder)
    assert {*source.sizes} == {*source.listing} == {'validation'} and len(source.read('validation')) > 0
    (tars.folder / VALIDATION).unlink()
    ways = f'config.dataset.manual_dir must name a folder with {TRAIN} and {VALIDATION}, from image-net.org after'
    with pytest.raises(DataError, match=f'manual has no tar of ImageNet: {ways} registration'):
        open_tars('imagenet2012', tars.folder)


def test_the_index_is_made_once_and_again_where_a_file_changes(tars: Tars, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, 'jax_resnet')
    fingerprints: list[str] = []

    def scanned() -> list[str]:
        caplog.clear()
        fingerprints.append(open_tars('imagenet2012', tars.folder).fingerprint)
        return [record.getMessage().split('/')[-1] for record in caplog.records]

    assert scanned() == [f'{TRAIN}; this is done only once', f'{VALIDATION}; this is done only once']
    assert scanned() == [] and len(cached()) == 2
    os.utime(tars.folder / VALIDATION, ns=(0, 10**9))
    assert scanned() == [f'{VALIDATION}; this is done only once']
    assert fingerprints[0] == fingerprints[1] != fingerprints[2]


def test_other_threads_and_processes_read_the_same(tars: Tars) -> None:
    train = open_tars('imagenet2012', tars.folder).pictures['train']
    with ThreadPoolExecutor(8) as threads:
        pictures = [*threads.map(train.__getitem__, [*range(12)] * 50)]
    assert pictures == [train[i] for i in range(12)] * 50
    with ProcessPoolExecutor(1, multiprocessing.get_context('spawn')) as processes:
        assert [*processes.map(train.__getitem__, range(12), chunksize=12)] == pictures[:12]


def test_a_tar_that_goes_away_meanwhile(tars: Tars) -> None:
    train = open_tars('imagenet2012', tars.folder).pictures['train']
    (tars.folder / TRAIN).unlink()
    with pytest.raises(DataError, match=f'{TRAIN}: the picture at byte .*: cannot be read .No such file'):
        decoded(train, 0, exif_rotation=False)


def test_the_commands(tars: Tars, command: Callable[..., Ended]) -> None:
    assert '--manual-dir: must be given for imagenet2012' in command('data', 'imagenet2012').err
    folder = f'--manual-dir={tars.folder}'
    refused = command('data', 'imagenet2012', folder, '--data-dir=x').err
    assert '--data-dir: has no effect on imagenet2012' in refused
    assert command('data', 'imagenet2012', folder).out == 'imagenet2012: train 12, validation 6\n'


def test_the_facts_of_imagenet() -> None:
    """Sizes and labels are those that TFDS has."""
    tfds = Path(tensorflow_datasets.__file__).parent / 'datasets' / 'imagenet2012'
    lines = (tfds / 'checksums.tsv').read_text().split('\n')
    theirs = {url.split('/')[-1]: int(size) for url, size, _ in (line.split() for line in lines if line)}
    for archive in imagenet.ARCHIVES.values():
        assert theirs[archive.file] == archive.size
    synsets = [*IMAGENET_CLASSES]
    assert synsets == (tfds / 'labels.txt').read_text().split() == sorted(synsets)
    assert len({*synsets}) == len({*IMAGENET_CLASSES.values()}) == 1000
    labels = [*validation_labels().values()]
    assert [synsets[label] for label in labels] == (tfds / 'validation_labels.txt').read_text().split()
    words = [IMAGENET_CLASSES[synsets[label]] for label in labels[:3]]
    assert words == ['sea snake', 'alp', 'Shetland sheepdog']
