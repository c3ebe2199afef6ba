"""ImageNet's two tars: what is read equals what was packed, in a folder's order; what is bad is one line."""

import hashlib
import io
import logging
import multiprocessing
import os
import tarfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets
from PIL import Image

from jax_resnet import files
from jax_resnet.data.pictures import imagenet
from jax_resnet.data.pictures.imagenet import Archive, Archives, imagenet_classes, open_tars
from jax_resnet.errors import DataError
from tests.conftest import Ended

SYNSETS = ('n01440764', 'n01443537', 'n02124075')  # tench, goldfish, Egyptian cat
LABELS = np.array([2, 0, 1, 1, 0, 2])
Entry = tuple[tarfile.TarInfo, bytes]


def jpeg(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (8 + seed % 5, 9, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, 'JPEG')
    return file.getvalue()


def entry(name: str, content: bytes = b'', **fields: object) -> Entry:
    """A member; `fields` are set in its header, also where they are false."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, content


def pack(entries: list[Entry], pax: bool = False) -> bytes:
    members = [
        info.tobuf(tarfile.PAX_FORMAT if pax else tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512)
        for info, content in entries
    ]
    return b''.join(members) + bytes(1024)


@dataclass
class Content:
    """What goes into the tars: 3 classes of 4 pictures to train on, and 6 to validate; nothing is in order."""

    train: dict[str, list[Entry]] = field(
        default_factory=lambda: {
            f'{synset}.tar': [entry(f'{synset}_{number}.JPEG', jpeg(7 * label + number)) for number in (9, 10, 2, 100)]
            for label, synset in reversed([*enumerate(SYNSETS)])
        }
    )
    more_train: list[Entry] = field(default_factory=list)
    validation: list[Entry] = field(
        default_factory=lambda: [entry(f'ILSVRC2012_val_{i:08}.JPEG', jpeg(50 + i)) for i in (3, 1, 2, 6, 5, 4)]
    )

    def write(self, folder: Path) -> Archives:
        """Writes both tars. Returns the facts of the tars as they now are."""
        inner = [entry(name, pack(entries)) for name, entries in self.train.items()]
        (folder / 'ILSVRC2012_img_train.tar').write_bytes(pack([*inner, *self.more_train]))
        (folder / 'ILSVRC2012_img_val.tar').write_bytes(pack(self.validation))
        return facts(folder)


def facts(folder: Path) -> Archives:
    def archive(file: str, pictures: int) -> Archive:
        content = (folder / file).read_bytes()
        return Archive(file, len(content), hashlib.sha256(content).hexdigest(), pictures)

    return Archives(
        train=archive('ILSVRC2012_img_train.tar', 12),
        validation=archive('ILSVRC2012_img_val.tar', 6),
        synsets=lambda: SYNSETS,
        validation_labels=lambda: LABELS,
    )


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / 'manual').mkdir()
    return tmp_path / 'manual'


@pytest.fixture
def archives(folder: Path) -> Archives:
    return Content().write(folder)


def cached() -> list[Path]:
    return sorted(files.cache_folder().glob('*'))


def test_pictures_are_those_packed_in_the_order_of_a_sorted_folder(folder: Path, archives: Archives) -> None:
    source = open_tars('imagenet2012', folder, archives)
    train, validation = source.pictures['train'], source.pictures['validation']
    content = Content()
    packed = {info.name: data for entries in content.train.values() for info, data in entries}
    names = [f'{synset}_{number}.JPEG' for synset in SYNSETS for number in (10, 100, 2, 9)]
    assert [train.name(i) for i in range(12)] == [f'ILSVRC2012_img_train.tar: {name}' for name in names]
    assert [train[i][0] for i in range(12)] == [packed[name] for name in names]
    assert [train[i][1] for i in range(12)] == [0] * 4 + [1] * 4 + [2] * 4
    packed = {info.name: data for info, data in content.validation}
    names = [f'ILSVRC2012_val_{number:08}.JPEG' for number in (2, 5, 3, 4, 1, 6)]
    assert [validation.name(i) for i in range(6)] == [f'ILSVRC2012_img_val.tar: {name}' for name in names]
    assert [validation[i][0] for i in range(6)] == [packed[name] for name in names]
    assert [validation[i][1] for i in range(6)] == [0, 0, 1, 1, 2, 2]
    assert source.class_names == ('tench', 'goldfish', 'Egyptian cat')
    assert source.name == 'imagenet2012'
    assert (len(train), source.count('train'), source.count('validation[:50%]')) == (12, 12, 3)
    assert source.read('train[8:]')[0] == train[8]
    assert {path.name for path in folder.iterdir()} == {'ILSVRC2012_img_train.tar', 'ILSVRC2012_img_val.tar'}


def test_tars_of_the_usual_programs_are_read(folder: Path) -> None:
    """PAX headers, such as those of times in fractions of a second, are passed over."""
    content = Content()
    for entries in (*content.train.values(), content.validation):
        entries[1][0].mtime = 1.5  # type: ignore[assignment]
    archives = content.write(folder)
    inner = [entry(name, pack(entries, pax=True)) for name, entries in content.train.items()]
    (folder / archives.train.file).write_bytes(pack(inner, pax=True))
    source = open_tars('imagenet2012', folder, facts(folder))
    assert source.pictures['train'].name(0) == 'ILSVRC2012_img_train.tar: n01440764_10.JPEG'
    assert source.pictures['train'][0][0] == jpeg(10)


def test_tars_are_read_beyond_what_32_bits_count(folder: Path) -> None:
    """The first class ends with a hole of 5 GB, which takes no room on disk."""
    content, hole = Content(), 5 * 2**30
    first, *others = [entry(name, pack(entries)) for name, entries in content.train.items()]
    archives = content.write(folder)
    path, size = folder / archives.train.file, first[0].size
    first[0].size += hole
    with path.open('wb') as file:
        file.write(pack([first])[: 512 + size])
        file.seek(hole, os.SEEK_CUR)
        file.write(pack(others))
    archives = replace(archives, train=replace(archives.train, size=path.stat().st_size))
    train = open_tars('imagenet2012', folder, archives).pictures['train']
    assert [train[i][0] for i in (0, 8)] == [jpeg(10), jpeg(14 + 10)]
    assert train.name(0) == 'ILSVRC2012_img_train.tar: n01440764_10.JPEG'


def in_class(**fields: object) -> Callable[[Content], None]:
    """A change of the header of a training picture."""

    def change(content: Content) -> None:
        for key, value in fields.items():
            setattr(content.train['n01443537.tar'][2][0], key, value)

    return change


def in_validation(**fields: object) -> Callable[[Content], None]:
    """A change of the header of a validation picture."""

    def change(content: Content) -> None:
        for key, value in fields.items():
            setattr(content.validation[3][0], key, value)

    return change


def outside(*added: Entry) -> Callable[[Content], None]:
    """Members beside the tars of the classes."""
    return lambda content: content.more_train.extend(added)


def drop_class(content: Content) -> None:
    del content.train['n01443537.tar']


def drop_train(content: Content) -> None:
    del content.train['n01443537.tar'][-1]


def drop_validation(content: Content) -> None:
    del content.validation[-1]


def add_validation(content: Content) -> None:
    content.validation.append(entry('ILSVRC2012_val_00000007.JPEG', jpeg(1)))


def empty(content: Content) -> None:
    content.train['n01443537.tar'][1] = entry('n01443537_10.JPEG')


def no_tar(content: Content) -> None:
    drop_class(content)
    content.more_train.append(entry('n01443537.tar', b'no tar' * 100))


TRAIN = r'ILSVRC2012_img_train\.tar'
INNER = rf'{TRAIN}: n01443537\.tar'
VALIDATION = r'ILSVRC2012_img_val\.tar'


@pytest.mark.parametrize(
    ('damage', 'message'),
    [
        (in_class(name='../n01443537_2.JPEG'), rf"{INNER} is damaged: its member '../n01443537_2.JPEG' must have a name"),
        (in_class(name='a/n01443537_2.JPEG'), rf"{INNER} is damaged: its member 'a/n01443537_2.JPEG' must have a name"),
        (in_class(name='n01443537_2.JPEG\n'), rf'{INNER} is damaged: its member .*JPEG\\n. must have a name'),
        (in_class(name='n01443537_٢.JPEG'), rf'{INNER} is damaged: its member .* must have a name'),
        (in_class(name='n01443537_2.png'), r"'n01443537_2.png' must have a name such as n01443537_\[0-9\]\+"),
        (in_class(name='n01443537_9.JPEG'), rf"{INNER} is damaged: it has two members 'n01443537_9.JPEG'"),
        (in_class(name='n01443537_' + 200 * '2' + '.txt'), rf'{INNER} is damaged: .* must have a name'),
        (in_class(type=tarfile.SYMTYPE, linkname='/etc/passwd'), "'n01443537_2.JPEG' is not a regular file"),
        (in_class(type=tarfile.LNKTYPE, linkname='n01443537_9.JPEG'), "'n01443537_2.JPEG' is not a regular file"),
        (in_class(type=tarfile.DIRTYPE), "'n01443537_2.JPEG' is not a regular file"),
        (in_class(type=tarfile.FIFOTYPE), "'n01443537_2.JPEG' is not a regular file"),
        (in_class(size=10**12), rf'{INNER} is damaged: '),
        (in_class(size=-(10**4)), rf'{TRAIN}.*(is damaged: |has 11 pictures)'),
        (in_class(size=1), rf'{TRAIN} has 11 pictures; it must have 12'),
        (no_tar, rf'{INNER} is damaged: '),
        (empty, rf"{INNER} is damaged: its member 'n01443537_10.JPEG' has 0 bytes"),
        (drop_train, rf'{TRAIN} has 11 pictures; it must have 12'),
        (drop_class, rf'{TRAIN} has 2 classes; it must have 3: n01443537.tar is missing'),
        (outside(entry('n01484850.tar', bytes(1024))), rf"{TRAIN} is damaged: its member 'n01484850.tar' is not the tar of"),
        (outside(entry('n01440764.tar', bytes(1024))), rf"{TRAIN} is damaged: it has two members 'n01440764.tar'"),
        (outside(entry('folder', type=tarfile.DIRTYPE)), rf"{TRAIN} is damaged: its member 'folder' is not a regular file"),
        (in_validation(name='ILSVRC2012_val_00000000.JPEG'), rf"{VALIDATION} is damaged: .*00000000.JPEG' has no label"),
        (in_validation(name='ILSVRC2012_val_00000003.JPEG'), rf'{VALIDATION} is damaged: it has two members'),
        (add_validation, rf"{VALIDATION} is damaged: its member 'ILSVRC2012_val_00000007.JPEG' has no label"),
        (drop_validation, rf'{VALIDATION} has 5 pictures; it must have 6'),
    ],
)  # fmt: skip
def test_bad_tars_are_one_line(folder: Path, damage: Callable[[Content], None], message: str) -> None:
    content = Content()
    damage(content)
    archives = content.write(folder)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(DataError, match=message) as error:
        open_tars('imagenet2012', folder, archives)
    assert '\n' not in str(error.value) and str(folder) in str(error.value)
    assert before == {path: path.read_bytes() for path in folder.iterdir()}
    assert len(cached()) <= 1  # that of training, where validation is bad


@pytest.mark.parametrize('keep', [0, 100, 512, 700, 5_000, -2_000, -1_100])
def test_a_tar_cut_short(folder: Path, archives: Archives, keep: int) -> None:
    path = folder / archives.train.file
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=rf'{TRAIN} has [0-9,]+ bytes; it must have {archives.train.size:,}'):
        open_tars('imagenet2012', folder, archives)
    with pytest.raises(DataError, match=rf'{TRAIN}.*( is damaged: | has [0-9] classes| has [0-9]+ pictures)') as error:
        open_tars('imagenet2012', folder, facts(folder))
    assert '\n' not in str(error.value) and not cached()


@pytest.mark.parametrize('name', ['ILSVRC2012_img_train.tar', 'ILSVRC2012_img_val.tar'])
def test_a_missing_tar(folder: Path, archives: Archives, name: str) -> None:
    (folder / name).unlink()
    message = (
        rf'manual has no file {name}: config.dataset.manual_dir must name a folder with '
        'ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar, from image-net.org after registration'
    )
    with pytest.raises(DataError, match=message):
        open_tars('imagenet2012', folder, archives)
    (folder / name).mkdir()
    with pytest.raises(DataError, match=message):
        open_tars('imagenet2012', folder, archives)


def test_any_changed_byte_is_one_line_or_leads_nowhere_else(folder: Path, archives: Archives) -> None:
    path, rng = folder / archives.train.file, np.random.default_rng(0)
    whole = path.read_bytes()
    headers = [i for i in range(0, len(whole), 512) if whole[i + 257 : i + 262] == b'ustar']
    refused = opened = 0
    for trial in range(60):
        damaged = bytearray(whole)
        at = int(rng.choice(headers))
        field = [0, 124, 156, 265][trial % 4]  # its name, size, kind or owner; the owner is not used
        damaged[at + field + int(rng.integers(12 if field in (124, 265) else 1))] = int(rng.integers(256))
        total = sum(damaged[at : at + 512]) - sum(damaged[at + 148 : at + 156]) + 8 * 32
        damaged[at + 148 : at + 156] = b'%06o\0 ' % total  # as a forger would
        path.write_bytes(damaged)
        try:
            train = open_tars('imagenet2012', folder, archives).pictures['train']
        except DataError as e:
            assert '\n' not in str(e) and str(path) in str(e)
            refused += 1
            continue
        assert len(train) == 12 and all(len(train[i][0]) == train.sizes[i] for i in range(12))  # type: ignore[attr-defined]
        opened += 1
    assert refused >= 15 and opened >= 8, (refused, opened)


def test_the_index_is_made_once_and_again_where_a_file_changes(
    folder: Path, archives: Archives, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, 'jax_resnet')

    def scanned() -> list[str]:
        caplog.clear()
        fingerprints.append(open_tars('imagenet2012', folder, archives).fingerprint)
        return [record.getMessage().split('/')[-1] for record in caplog.records]

    fingerprints: list[str] = []
    assert scanned() == [
        'ILSVRC2012_img_train.tar; this is done only once',
        'ILSVRC2012_img_val.tar; this is done only once',
    ]
    assert scanned() == [] and len(cached()) == 2
    path = folder / archives.validation.file
    changed = Content()
    changed.validation.reverse()
    path.write_bytes(pack(changed.validation))
    os.utime(path, ns=(0, 10**9))
    assert scanned() == ['ILSVRC2012_img_val.tar; this is done only once']
    assert open_tars('imagenet2012', folder, archives).pictures['validation'][0][0] == jpeg(52)
    archives = replace(archives, validation_labels=lambda: np.array([0, 1, 2] * 2))
    assert len(scanned()) == 2
    assert fingerprints[0] == fingerprints[1] and len({*fingerprints}) == 3


def test_other_threads_and_processes_read_the_same(folder: Path, archives: Archives) -> None:
    train = open_tars('imagenet2012', folder, archives).pictures['train']
    with ThreadPoolExecutor(8) as threads:
        pictures = [*threads.map(train.__getitem__, [*range(12)] * 50)]
    assert pictures == [train[i] for i in range(12)] * 50
    with ProcessPoolExecutor(1, multiprocessing.get_context('spawn')) as processes:
        assert [*processes.map(train.__getitem__, range(12), chunksize=12)] == pictures[:12]


def test_files_that_go_away_or_change_meanwhile(folder: Path, archives: Archives) -> None:
    train, path = open_tars('imagenet2012', folder, archives).pictures['train'], folder / archives.train.file
    os.truncate(path, 2_000)
    with pytest.raises(
        DataError, match=rf'{TRAIN}: the picture at byte .* cannot be read: the file has changed since it was opened'
    ):
        train[0]
    path.unlink()
    with pytest.raises(DataError, match=rf'{TRAIN}: the picture at byte .* cannot be read: No such file'):
        train[0]
    path.mkdir()
    with pytest.raises(DataError, match=rf'{TRAIN}: the picture at byte .* cannot be read: not a regular file'):
        train[0]


def test_verify(folder: Path, archives: Archives) -> None:
    sizes = [
        f'{archive.file}: {archive.size:,} bytes, correct SHA-256' for archive in (archives.train, archives.validation)
    ]
    assert list(imagenet.verify(folder, archives)) == sizes
    path = folder / archives.validation.file
    content = bytearray(path.read_bytes())
    content[700] ^= 1
    path.write_bytes(content)
    lines = imagenet.verify(folder, archives)
    assert next(lines) == sizes[0]
    digest = hashlib.sha256(content).hexdigest()
    with pytest.raises(
        DataError, match=rf'{VALIDATION} is damaged: its SHA-256 is {digest}; it must be {archives.validation.sha256}'
    ):
        next(lines)
    path.write_bytes(content[1:])
    with pytest.raises(DataError, match=rf'{VALIDATION} has .* bytes; it must have {archives.validation.size:,}'):
        next(imagenet.verify(folder, archives))


def test_the_command(
    folder: Path, archives: Archives, monkeypatch: pytest.MonkeyPatch, command: Callable[..., Ended]
) -> None:
    code, out, err = command('data', 'imagenet2012', f'--manual-dir={folder}')
    assert (code, out) == (2, '') and 'it must have 147,897,477,120' in err and err.count('\n') == 1
    assert "--manual-dir: must be given for verify: a folder with ImageNet's two tars" in command('data', 'verify').err
    refused = command('data', 'imagenet2012', f'--manual-dir={folder}', '--data-dir=x').err
    assert '--data-dir: has no effect on imagenet2012' in refused
    monkeypatch.setattr(imagenet, 'IMAGENET', archives)
    expected = [*imagenet.verify(folder, archives)]
    assert command('data', 'verify', f'--manual-dir={folder}').out.splitlines() == expected


def test_the_facts_of_imagenet() -> None:
    """Sizes, checksums and labels are those that TFDS has."""
    tfds = Path(tensorflow_datasets.__file__).parent / 'datasets' / 'imagenet2012'
    lines = (tfds / 'checksums.tsv').read_text().split('\n')
    theirs = {url.split('/')[-1]: (int(size), digest) for url, size, digest in (line.split() for line in lines if line)}
    for archive in (imagenet.IMAGENET.train, imagenet.IMAGENET.validation):
        assert theirs[archive.file] == (archive.size, archive.sha256)
    synsets = [*imagenet_classes()]
    assert synsets == (tfds / 'labels.txt').read_text().split() == sorted(synsets)
    assert len({*synsets}) == len({*imagenet_classes().values()}) == 1000
    labels = imagenet.validation_labels()
    assert [synsets[label] for label in labels] == (tfds / 'validation_labels.txt').read_text().split()
    words = [imagenet_classes()[synsets[label]] for label in labels[:3]]
    assert words == ['sea snake', 'alp', 'Shetland sheepdog']
