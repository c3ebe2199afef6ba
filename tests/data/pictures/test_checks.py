import io
from collections.abc import Mapping
from pathlib import Path

import pytest
from PIL import Image

from jax_resnet.data.pictures import checks
from jax_resnet.data.pictures.checks import check
from jax_resnet.data.sources import PictureSource
from jax_resnet.errors import DataError


def jpeg() -> bytes:
    file = io.BytesIO()
    Image.effect_noise((40, 30), 50).save(file, 'JPEG')
    return file.getvalue()


class Pictures(list[bytes]):
    """Pictures in memory; an empty one cannot be read. Counts what is read."""

    reads = 0

    def __getitem__(self, index: int) -> tuple[bytes, int]:  # type: ignore[override]
        self.reads += 1
        if not (encoded := super().__getitem__(index)):
            raise DataError(f'{self.name(index)}: cannot be read (No such file or directory)')
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
        'pictures/3.jpg (not a JPEG, PNG or WebP file), pictures/500.jpg: cannot be read (No such file or directory), '
        'pictures/999.jpg (unreadable JPEG: its structure is damaged)'
    )
    with pytest.raises(DataError) as error:
        check(of, ['train'], how)
    assert str(error.value) == f'3 of 1,000 pictures of pets cannot be read: {reasons}; remove or repair them'
    with pytest.raises(DataError, match=r'^5 of 1,002 pictures of pets .*, \.\.\.; remove or repair them$'):
        check(of, ['train', 'test'], how)
    with pytest.raises(DataError, match='^3 of 1,000'):  # not remembered
        check(of, ['train'], how)
