import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jax_resnet.data.pictures import checks
from jax_resnet.data.pictures.checks import check, without_unreadable
from jax_resnet.data.sources import PictureSource, with_classes
from jax_resnet.errors import DataError


def jpeg() -> bytes:
    file = io.BytesIO()
    Image.effect_noise((40, 30), 50).save(file, 'JPEG')
    return file.getvalue()


class Pictures(list[bytes]):
    """Pictures in memory; an empty one cannot be read. Counts what is read."""

    reads = 0
    labels: np.ndarray | None = None

    def __getitem__(self, index: int) -> tuple[bytes, int]:  # type: ignore[override]
        self.reads += 1
        if not (encoded := super().__getitem__(index)):
            raise FileNotFoundError(2, 'No such file or directory')
        return encoded, 0

    def name(self, index: int) -> str:
        return f'pictures/{index}.jpg'


def source(pictures: Mapping[str, Pictures], fingerprint: str = '0') -> PictureSource:
    sizes = {split: len(each) for split, each in pictures.items()}
    return PictureSource('pets', ('cat', 'dog'), sizes, pictures, fingerprint)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))


@pytest.mark.parametrize('how', ['headers', 'all'])
def test_sound_pictures_pass_once(how: str) -> None:
    train = Pictures([jpeg()] * (2 * checks.CHUNK + 5))
    check(source({'train': train}), ['train', 'train'], how)
    assert train.reads == len(train)
    check(source({'train': train}), ['train'], how)
    assert train.reads == len(train)  # remembered
    check(source({'train': train}, fingerprint='1'), ['train'], how)
    assert train.reads == 2 * len(train)
    check(source({'train': train}), ['train[:10]'], how)
    assert train.reads == 2 * len(train) + 10


def test_nothing_is_read_without_a_check() -> None:
    check(source({'train': (train := Pictures([b'text', b'']))}), ['train'], 'none')
    assert train.reads == 0


def test_headers_alone_do_not_show_what_is_cut_off() -> None:
    of = source({'train': Pictures([jpeg()[:800]])})
    check(of, ['train'], 'headers')
    with pytest.raises(DataError, match=r'1 of 1 pictures.*0\.jpg \(unreadable JPEG: image file is truncated'):
        check(of, ['train'], 'all')


@pytest.mark.parametrize('how', ['headers', 'all'])
def test_pictures_that_cannot_be_read_are_one_line(how: str) -> None:
    train = Pictures([jpeg()] * 1000)
    train[3], train[500], train[999] = b'te\nxt', b'', b'\xff\xd8\xff'
    of = source({'train': train, 'test': Pictures([b'text'] * 2)})
    reasons = (
        'pictures/3.jpg (not a JPEG, PNG or WebP file), pictures/500.jpg (No such file or directory), '
        'pictures/999.jpg (unreadable JPEG: its structure is damaged)'
    )
    with pytest.raises(DataError) as error:
        check(of, ['train'], how)
    advice = 'remove or repair them, or add --config.dataset.check=skip'
    assert str(error.value) == f'3 of 1,000 pictures of pets cannot be read: {reasons}; {advice}'
    with pytest.raises(DataError, match=rf'^5 of 1,002 pictures of pets .*, \.\.\.; {advice}$'):
        check(of, ['train', 'test'], how)
    train[3] = train[500] = train[999] = jpeg()  # such as after chmod, which changes no fingerprint
    check(of, ['train'], how)


def test_pictures_that_cannot_be_read_are_left_out_the_same_in_every_start(caplog: pytest.LogCaptureFixture) -> None:
    sound = [jpeg() for _ in range(4)]
    train, val = Pictures([sound[0], b'', sound[1], sound[2], jpeg()[:800]]), Pictures([sound[3]])
    listing = {'train': np.array([b'0.jpg 7']), 'validation': np.array([b'0.jpg 7'])}
    given = replace(source({'train': train, 'validation': val}), listing=listing)
    for _ in range(2):
        found = without_unreadable(given)
        assert found.sizes == {'train': 3, 'validation': 1} and found.fingerprint != given.fingerprint
        assert [found.read('train')[i][0] for i in range(3)] == sound[:3]
        assert found.listing['validation'] is listing['validation']
        marks = [b'0.jpg 7', b'1.jpg, number 1, left out 0', b'4.jpg, number 4, left out 0']
        assert found.listing['train'].tolist() == marks
        (message,) = caplog.messages
        assert message.startswith('left out 2 of 5 pictures of train, which cannot be read: pictures/1.jpg (No such')
        caplog.clear()
    check(found, ['train'], 'skip')
    train.labels = np.array([1, 1, 0, 1, 1])
    renumbered = without_unreadable(with_classes(given, ('bird', 'cat', 'dog')))  # type: ignore[arg-type]
    assert renumbered.read('train').labels.tolist() == [2, 1, 2]  # type: ignore[union-attr]
    train.labels = np.array([1, 0, 1, 1, 1])
    with pytest.raises(DataError, match='class cat has no picture in train that can be read'):
        without_unreadable(given)
