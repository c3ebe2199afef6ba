import io
import os
import pickle
import unicodedata
from collections.abc import Iterable
from pathlib import Path

import pytest
from PIL import Image

from jax_resnet.data.pictures.batches import decoded
from jax_resnet.data.pictures.folder import open_folder
from jax_resnet.data.sources import PictureSource, with_classes
from jax_resnet.errors import DataError


def encoded(value: int = 0, file_format: str = 'PNG') -> bytes:
    """The file of a small picture of one colour."""
    file = io.BytesIO()
    Image.new('RGB', (3, 2), (value, 0, 0)).save(file, file_format)
    return file.getvalue()


def make(root: Path, files: Iterable[str]) -> Path:
    """A folder with small files."""
    for i, file in enumerate(files):
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(i % 256))
    return root


def names(source: PictureSource, split: str) -> list[str]:
    pictures = source.read(split)
    return [pictures.name(i) for i in range(len(pictures))]


def labels(source: PictureSource, split: str) -> list[int]:
    pictures = source.read(split)
    return [pictures[i][1] for i in range(len(pictures))]


SPLIT = ['train/dog/1.png', 'train/dog/0.png', 'train/cat/7.png', 'val/cat/a.png', 'val/dog/b.png', 'val/dog/c.webp']


@pytest.mark.parametrize('validation', ['val', 'valid', 'validation'])
def test_splits_in_folders(tmp_path: Path, validation: str, caplog: pytest.LogCaptureFixture) -> None:
    make(tmp_path, [file.replace('val/', f'{validation}/') for file in SPLIT])
    source = open_folder('pets', tmp_path)
    assert source.name == 'pets' and source.class_names == ('cat', 'dog')
    assert {split: source.count(split) for split in source.sizes} == {'train': 3, 'validation': 3}
    assert names(source, 'train') == [str(tmp_path / 'train' / f) for f in ('cat/7.png', 'dog/0.png', 'dog/1.png')]
    assert labels(source, 'train') == [0, 1, 1] and labels(source, 'validation') == [0, 1, 1]
    assert names(source, 'validation[2:]') == [str(tmp_path / validation / 'dog' / 'c.webp')]
    assert source.read('train')[0][0] == encoded(2)
    assert not caplog.text


def test_a_draw_without_effect_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = open_folder('pets', make(tmp_path, SPLIT), 0.3)
    assert source.count('validation') == 3
    assert caplog.messages == [
        f'config.dataset.validation_fraction=0.3, split_seed=0: have no effect, as {tmp_path / "val"} is the '
        'validation split'
    ]


def test_a_test_split_is_optional(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make(tmp_path, [*SPLIT, 'test/cat/a.png', 'test/dog/b.png'])
    assert open_folder('pets', tmp_path).count('test') == 2
    assert not caplog.text
    make(tmp_path / 'other', [*SPLIT, 'test/0.png', 'test/1.png'])
    assert list(open_folder('pets', tmp_path / 'other').sizes) == ['train', 'validation']
    assert f'ignored 2 files or folders, such as {tmp_path}/other/test/0.png: a picture must be' in caplog.text


CLASSES = [f'{c}/{i:03}.jpg' for c in ('ant', 'bee', 'cow') for i in range(20)]


def test_classes_are_split_by_a_draw(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make(tmp_path, CLASSES)
    with caplog.at_level('INFO'):
        source = open_folder('animals', tmp_path)
    assert caplog.messages == [f'{tmp_path} has no validation split: 12 of 60 pictures are drawn for it']
    train, validation = names(source, 'train'), names(source, 'validation')
    assert labels(source, 'train') == [0] * 14 + [1] * 18 + [2] * 16
    assert labels(source, 'validation') == [0] * 6 + [1] * 2 + [2] * 4
    assert sorted(train + validation) == sorted(str(tmp_path / file) for file in CLASSES)
    assert train == sorted(train) and validation == sorted(validation)
    drawn = ['000.jpg', '001.jpg', '003.jpg', '012.jpg', '017.jpg', '019.jpg']
    assert [Path(name).name for name in validation[:6]] == drawn
    other = open_folder('animals', tmp_path, seed=1)
    assert names(other, 'validation') != validation and other.fingerprint != source.fingerprint
    assert {*validation} < {*names(open_folder('animals', tmp_path, 0.5), 'validation')}


def test_what_is_added_or_removed_leaves_the_other_pictures_where_they_are(tmp_path: Path) -> None:
    make(tmp_path, CLASSES)
    source = open_folder('animals', tmp_path)
    before = {split: {*names(source, split)} for split in source.sizes}
    more = [f'{c}/{name}.png' for c in ('aphid', 'ant', 'bee') for name in ('000', '0000', 'x', 'y', 'z')]
    make(tmp_path, more)
    gone = {str(tmp_path / file) for file in ('ant/000.jpg', 'ant/001.jpg', 'bee/005.jpg', 'cow/019.jpg')}
    for file in gone:
        Path(file).unlink()
    source = open_folder('animals', tmp_path)
    added = {str(tmp_path / file) for file in more}
    assert all({*names(source, split)} - added == before[split] - gone for split in before)


def test_small_classes_are_in_both_splits_if_they_can(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make(tmp_path, ['a/0.png', 'a/1.png', 'b/0.png', 'c/0.png', 'c/1.png', 'c/2.png'])
    source = open_folder('few', tmp_path, 0.9)
    assert labels(source, 'train') == [0, 1, 2] and labels(source, 'validation') == [0, 2, 2]
    warnings = [record.getMessage() for record in caplog.records if record.levelname == 'WARNING']
    assert warnings == [f'{tmp_path}: validation has no pictures of 1 class (b)']


def test_imagenets_classes_are_named(tmp_path: Path) -> None:
    make(tmp_path / 'a', [f'{s}/{s}/{i}.JPEG' for s in ('train', 'val') for i in '01'])
    files = [f'{split}/{c}/0.JPEG' for split in ('train', 'val') for c in ('n01484850', 'n01440764')]
    assert open_folder('imagenet', make(tmp_path / 'b', files)).class_names == ('tench', 'great white shark')
    more = [f'{split}/n00000000/0.JPEG' for split in ('train', 'val')]
    source = open_folder('mine', make(tmp_path / 'b', more))
    assert source.class_names == ('n00000000', 'n01440764', 'n01484850')


def test_the_fingerprint_follows_names_sizes_and_times(tmp_path: Path) -> None:
    make(tmp_path, SPLIT)
    seen = [open_folder('pets', tmp_path).fingerprint]
    file = tmp_path / 'val/dog/b.png'
    os.utime(file, (1, 1))
    seen.append(open_folder('pets', tmp_path).fingerprint)
    file.write_bytes(encoded() + b'.')
    os.utime(file, (1, 1))
    seen.append(open_folder('pets', tmp_path).fingerprint)
    file.rename(tmp_path / 'val/dog/bb.png')
    seen.append(open_folder('pets', tmp_path).fingerprint)
    assert len({*seen}) == 4 and all(len(f) == 16 and int(f, 16) >= 0 for f in seen)
    moved = tmp_path.rename(tmp_path.with_name('moved'))
    assert open_folder('pets', moved).fingerprint == seen[-1]
    moved.rename(tmp_path)


def test_other_files_and_folders_are_ignored_with_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    silent = ['train/cat/.DS_Store', 'train/dog/Thumbs.db', '.git/config', 'train/.cache/0.png', 'train/cat/._7.png']
    make(tmp_path, [*SPLIT, *silent, 'README.md'])
    assert len(open_folder('pets', tmp_path).read('train')) == 3 and not caplog.text
    make(tmp_path, ['train/cat/notes.txt', 'train/a.png', 'val/dog/png', 'train/cat/more/0.png'])
    (tmp_path / 'train/cat/gone.png').symlink_to('nowhere')
    source = open_folder('pets', tmp_path)
    assert (source.count('train'), source.count('validation')) == (3, 3)
    (record,) = caplog.records
    kinds = 'a picture must be a .jpg, .jpeg, .png or .webp file in the folder of a class'
    assert record.getMessage() == f'ignored 5 files or folders, such as {tmp_path}/train/a.png: {kinds}'


def test_leftovers_of_systems_are_no_classes_and_a_line_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make(tmp_path / 'a', [*SPLIT, '__MACOSX/train/x.png', 'train/@eaDir/0.png', 'val/cat/@eaDir/a.png'])
    make(tmp_path / 'b', ['cat/0.png', 'cat/1.png', 'dog/0.png', 'dog/1.png', '__MACOSX/cat/0.png'])
    for folder in 'ab':
        assert open_folder('pets', tmp_path / folder).class_names == ('cat', 'dog')
    assert [message.split(': ')[0] for message in caplog.messages if message.startswith('ignored')] == [
        f'ignored 3 files or folders, such as {tmp_path}/a/__MACOSX',
        f'ignored 1 files or folders, such as {tmp_path}/b/__MACOSX',
    ]


@pytest.mark.parametrize('folder', ['.', 'ILSVRC/Data/CLS-LOC'])  # as torchvision and Kaggle have them
def test_imagenets_flat_validation_pictures_have_the_published_labels(tmp_path: Path, folder: str) -> None:
    flat = [f'val/ILSVRC2012_val_{i:08}.JPEG' for i in (1, 2, 3)]
    source = open_folder('imagenet', make(tmp_path, [f'{folder}/{file}' for file in flat]))  # is enough to evaluate
    assert source.sizes == {'validation': 3} and source.class_names == ('sea snake', 'Shetland sheepdog', 'alp')
    assert labels(source, 'validation') == [0, 1, 2]
    assert [name[-6] for name in names(source, 'validation')] == ['1', '3', '2']
    assert source.listing['validation'][1].startswith(b'ILSVRC2012_val_00000003.JPEG ')
    train = [f'{folder}/train/{synset}/{i}.JPEG' for synset in ('n01440764', 'n01443537') for i in '01']
    with pytest.raises(DataError, match='val: has 3 classes .* that train does not have'):
        open_folder('imagenet', make(tmp_path, [*train, f'{folder}/test/ILSVRC2012_test_00000001.JPEG']))


def test_endings_of_several_spellings_are_all_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make(tmp_path, [*SPLIT, 'train/cat/8.JPEG', 'train/cat/9.WebP', 'train/cat/7.jpg', 'train/dog/2.Png'])
    assert open_folder('pets', tmp_path).count('train') == 7 and not caplog.text


def test_links_are_followed(tmp_path: Path) -> None:
    make(tmp_path / 'store', ['one.png', 'dogs/b.png'])
    root = make(tmp_path / 'pets', SPLIT[:-2])
    (root / 'train/cat/linked.png').symlink_to(tmp_path / 'store/one.png')
    (root / 'val/dog').symlink_to(tmp_path / 'store/dogs')
    (root / 'val/dog/loop').symlink_to(root)
    source = open_folder('pets', root)
    assert source.read('train')[1] == (encoded(0), 0) and source.read('validation')[1] == (encoded(1), 1)


def test_names_that_are_no_utf8_or_have_newlines(tmp_path: Path) -> None:
    make(tmp_path, ['b/0.png', 'b/1.png'])
    odd = os.fsencode(tmp_path) + b'/caf\xe9\n'
    os.mkdir(odd)  # noqa: PTH102
    for name in (b'\xff.png', b'a\nb.png'):
        Path(os.fsdecode(odd + b'/' + name)).write_bytes(encoded(9))
    source = open_folder('odd', tmp_path)
    assert source.class_names == ('b', r'caf\udce9\n')
    assert {source.read('train')[1], source.read('validation')[1]} == {(encoded(9), 1)}
    for split in ('train', 'validation'):
        assert names(source, split)[1].isprintable() and str(tmp_path) in names(source, split)[1]
    assert pickle.loads(pickle.dumps(source)).read('train')[1] == source.read('train')[1]


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    source = open_folder('pets', make(tmp_path, SPLIT))
    file = tmp_path / 'train/cat/7.png'
    file.unlink()
    with pytest.raises(DataError, match=rf'^{file}: cannot be read \(No such file or directory\)$'):
        decoded(source.read('train'), 0, exif_rotation=False)


@pytest.mark.parametrize('name', ['train', 'val', 'test'])
def test_a_class_can_be_named_as_a_split(tmp_path: Path, name: str) -> None:
    make(tmp_path, [f'{c}/{i}.jpg' for c in (name, 'plane') for i in range(5)])
    assert sorted(open_folder('vehicles', tmp_path).class_names) == sorted([name, 'plane'])


@pytest.mark.parametrize('name', ['val', 'validation', 'test'])
def test_a_folder_may_have_only_a_split_to_evaluate(tmp_path: Path, name: str) -> None:
    source = open_folder('pets', make(tmp_path, [f'{name}/{c}/0.png' for c in ('cat', 'dog')]))
    assert source.class_names == ('cat', 'dog') and labels(source, 'test' if name == 'test' else 'validation') == [0, 1]
    with pytest.raises(DataError, match="split 'train' of pets"):
        source.count('train')


EXPECTED = 'the layout must be train/<class>/<picture> and val/<class>/<picture>, or <class>/<picture>'


@pytest.mark.parametrize(
    'files, says',
    [
        ([], ': has no folders of classes'),
        (['cat/0.png', 'cat/1.png'], ': has only the class cat'),
        (['cat/0.png', 'dog/0.txt'], '/dog: class dog has no pictures'),
        (['cat/0.png', 'dog/0.png'], ': has no pictures for validation'),
        (['train/cat/0.png', 'train/dog/0.png'], ': has train, but neither val nor validation'),
        ([*SPLIT, 'validation/cat/0.png'], ': has both val and validation'),
        ([*SPLIT[:3], 'val/0.png'], ': has no pictures for validation'),
        (['train/cat.0.jpg', 'test1/1.jpg'], r': has 2 classes \(test1, train\) named like splits'),
        (['data/train/cat/0.jpg', 'data/val/cat/0.jpg'], ': has only the class data'),
        (['train/cat.0.jpg', 'train/dog.0.jpg'], r': has 1 class \(train\) named like splits'),
    ],
)
def test_another_layout_is_one_line_that_says_what_is_expected(tmp_path: Path, files: list[str], says: str) -> None:
    with pytest.raises(DataError, match=f'{tmp_path}{says}; {EXPECTED}') as error:
        open_folder('pets', make(tmp_path, files))
    assert '\n' not in str(error.value)


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf'^{tmp_path}/none: cannot be read \(No such file or directory\); {EXPECTED}'):
        open_folder('pets', tmp_path / 'none')
    (tmp_path / 'file').write_bytes(b'')
    with pytest.raises(DataError, match=rf'^{tmp_path}/file: cannot be read \(Not a directory\); {EXPECTED}'):
        open_folder('pets', tmp_path / 'file')


def test_classes_whose_names_are_equal_to_the_eye_are_one(tmp_path: Path) -> None:
    composed, apart = (unicodedata.normalize(form, 'café') for form in ('NFC', 'NFD'))
    make(tmp_path / 'good', [f'train/{apart}/0.png', 'train/tea/1.png', f'val/{composed}/0.png', 'val/tea/1.png'])
    source = open_folder('drinks', tmp_path / 'good')
    assert source.class_names == (composed, 'tea') and labels(source, 'train') == labels(source, 'validation') == [0, 1]
    assert with_classes(source, ('tea', apart)).class_names == ('tea', apart)
    make(tmp_path / 'bad', [f'{apart}/0.png', f'{composed}/1.png'])
    with pytest.raises(DataError, match='bad: has two folders of the same name, café'):
        open_folder('drinks', tmp_path / 'bad')


def test_classes_that_differ_in_their_case_are_two(tmp_path: Path) -> None:
    source = open_folder('drinks', make(tmp_path, [f'{name}/{i}.png' for name in ('Tea', 'tea') for i in range(2)]))
    renumbered = with_classes(source, ('Tea', 'milk', 'tea'))
    assert labels(renumbered, 'train') == renumbered.read('train').labels.tolist() == [0, 2]
