import io
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jax_resnet.data.pictures.batches import Batch, Batches, Pass, allow_open_files, iterate, mean_image
from jax_resnet.data.pictures.views import AreaCrop, CentreCrop
from jax_resnet.data.sources import Parts, PictureSource
from jax_resnet.errors import ConfigError, DataError


class Drawn:
    """Pictures of 40 x 48 pixels, each with colours of its own; one may be none."""

    def __init__(self, count: int, damaged: int | None = None) -> None:
        self.count, self.damaged = count, damaged

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[bytes, int]:
        if not 0 <= index < self.count:
            raise IndexError(index)
        rng = np.random.default_rng(index)
        small = Image.fromarray(rng.integers(0, 256, (4, 5, 3), dtype=np.uint8))
        file = io.BytesIO()
        small.resize((48, 40)).save(file, 'JPEG')
        return b'no picture' if index == self.damaged else file.getvalue(), index % 7

    def name(self, index: int) -> str:
        return f'drawing {index}'


CROP = AreaCrop((0.08, 1.0), (3 / 4, 4 / 3))


def training(count: int = 23, batch_size: int = 8, steps: int = 12, **changes: object) -> Batches:
    return Batches(Drawn(count), CROP, 16, batch_size, steps, **{'seed': 3, **changes})  # type: ignore[arg-type]


def joined(batches: list[Batch]) -> Batch:
    return Batch(*(np.concatenate(arrays) for arrays in zip(*batches, strict=True)))


def same(a: Batch, b: Batch) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_every_picture_once_an_epoch_its_end_included() -> None:
    """23 pictures by batches of 8: batches straddle epochs, and nothing is left out or seen twice."""
    whole = joined([training(steps=23)[k] for k in range(23)])
    epochs = whole.draws.reshape(8, 23, 2)
    for epoch, draws in enumerate(epochs):
        assert (draws[:, 0] == epoch).all() and sorted(draws[:, 1]) == list(range(23))
    assert len({tuple(draws[:, 1]) for draws in epochs}) == 8
    np.testing.assert_array_equal(whole.labels, whole.draws[:, 1] % 7)


def test_the_stream_does_not_depend_on_the_size_of_batches() -> None:
    of_8 = joined([training(steps=6)[k] for k in range(6)])
    of_3 = joined([training(batch_size=3, steps=16)[k] for k in range(16)])
    assert same(of_8, of_3)
    other = joined([training(steps=6, seed=4)[k] for k in range(6)])
    assert not np.array_equal(of_8.draws, other.draws) and not np.array_equal(of_8.images, other.images)


def test_a_crop_is_a_function_of_seed_epoch_and_index_not_of_the_batch() -> None:
    """The same pictures under other numbers, and read through that permutation: the same views."""

    class Permuted(Drawn):
        def __getitem__(self, index: int) -> tuple[bytes, int]:
            return super().__getitem__((index * 5) % 23)

    inverse = {(index * 5) % 23: index for index in range(23)}
    back = Batches(Parts([(Permuted(23), inverse[i], inverse[i] + 1) for i in range(23)]), CROP, 16, 8, 6, seed=3)
    assert same(joined([back[k] for k in range(6)]), joined([training(steps=6)[k] for k in range(6)]))


@pytest.mark.parametrize('threads', [1, 2, 4])
def test_threads_and_restarts_do_not_count(threads: int) -> None:
    batches = training()
    wanted = [batches[k] for k in range(12)]
    for first in (0, 5, 11):
        found = list(iterate(batches, first, threads, 0))
        assert len(found) == 12 - first
        assert all(same(a, b) for a, b in zip(found, wanted[first:], strict=True))


def check_that_a_picture_that_is_none_is_named(processes: int) -> None:
    batches = Batches(Drawn(23, damaged=9), CentreCrop(20, 16), 16, 8, 3)
    with pytest.raises(DataError, match=r'^drawing 9: cannot be read \(') as error:
        list(iterate(batches, 0, 2, processes))
    assert '\n' not in str(error.value)


def test_a_picture_that_is_none_is_named() -> None:
    check_that_a_picture_that_is_none_is_named(processes=0)


def test_parts_of_splits_follow_one_another(tmp_path: Path) -> None:
    pictures = {'train': Drawn(20), 'validation': Drawn(5)}
    source = PictureSource('drawings', tuple('abcdefg'), {'train': 20, 'validation': 5}, pictures, '1')
    both = source.read('train[15:]+validation[:40%]')
    assert len(both) == source.count('train[15:]+validation[:40%]') == 7
    assert [both[i][1] for i in range(7)] == [1, 2, 3, 4, 5, 0, 1]
    assert both.name(0) == 'drawing 15' and both.name(6) == 'drawing 1'
    with pytest.raises(IndexError):
        both[7]
    assert pickle.loads(pickle.dumps(both)).name(5) == 'drawing 0'
    with pytest.raises(DataError, match=r"split 'tests' of drawings.*The splits are train \(20\), validation \(5\)"):
        source.count('tests')


def test_the_mean_image_is_the_mean_of_all_where_they_are_few() -> None:
    batches = Batches(Drawn(23), CentreCrop(20, 16), 16, 8, 3)
    whole = Pass(Drawn(23), CentreCrop(20, 16))
    assert (int(whole[9].labels), whole[9].draws.tolist()) == (2, [0, 9])
    wanted = np.mean([whole[i].images[0] for i in range(23)], 0, dtype=np.float64)
    found = mean_image(batches, 'drawings')
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    np.testing.assert_array_equal(mean_image(batches, 'drawings', threads=2), found)  # from the cache


def test_the_limit_of_open_files_is_raised_or_an_error_names_the_need(monkeypatch: pytest.MonkeyPatch) -> None:
    limits, given = [256, 448], []
    monkeypatch.setattr('resource.getrlimit', lambda _: tuple(limits))
    monkeypatch.setattr('resource.setrlimit', lambda _, pair: given.append(pair))
    allow_open_files(0)
    allow_open_files(3)
    assert not given
    allow_open_files(8)
    assert given == [(448, 448)]
    with pytest.raises(ConfigError, match=r'processes=9: need 488 open files; the limit is 448 \(ulimit -Hn\)'):
        allow_open_files(9)
