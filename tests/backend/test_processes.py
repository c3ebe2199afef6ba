"""What processes have their share of, and agree on; of several, in place of JAX's own number."""

import subprocess
import sys

import jax
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jax_resnet.backend import devices, processes
from jax_resnet.data.pictures.batches import Batches
from jax_resnet.data.pictures.crops import CentreCrop
from jax_resnet.errors import ConfigError


def test_shares_are_consecutive_and_even(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jax, 'process_count', lambda: 4)
    for size in (0, 3, 4, 10, 10_000):
        shares = [processes.share(size, index) for index in range(4)]
        assert [row for share in shares for row in share] == list(range(size))
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_one_process_agrees_with_itself_and_imports_nothing_for_it() -> None:
    assert processes.gather_numbers(3, 4).tolist() == [[3, 4]]
    assert processes.from_first(7) == 7
    rows = np.arange(3.0)
    assert processes.gather_rows(rows, 3) is rows
    processes.barrier('nowhere')
    script = (
        'import sys; from jax_resnet.backend import joining, processes\n'
        'with joining.joined(joining.find(None, None, None)): processes.gather_numbers(1); processes.barrier("here")\n'
        'assert "jax.experimental.multihost_utils" not in sys.modules\n'
        'from jax._src import distributed; assert distributed.global_state.client is None'
    )
    subprocess.run([sys.executable, '-c', script], check=True, timeout=60)


def test_unequal_rows_are_refused_before_jax_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    sharding = NamedSharding(Mesh(np.array(jax.local_devices()[:2]), ('data',)), PartitionSpec('data'))
    np.testing.assert_array_equal(devices.put_rows(np.arange(4), sharding, 4), np.arange(4))
    monkeypatch.setattr(jax, 'process_count', lambda: 2)
    for rows, size in ((3, 4), (1, 3)):
        with pytest.raises(ValueError, match=f'{rows} rows of {size} in one of 2 processes; must be the same in each'):
            devices.put_rows(np.arange(rows), sharding, size)


class Device:
    """As far as a mesh of devices needs one."""

    def __init__(self, process_index: int) -> None:
        self.process_index = process_index


@pytest.mark.parametrize(
    ('of_processes', 'wanted', 'batch_size', 'message'),
    [
        ((4, 4), 6, 12, None),
        ((4, 4), None, 16, None),
        ((4, 4), 7, 14, 'config.parallel.devices=7: must be a multiple of the 2 processes'),
        ((4, 4), 10, 20, 'config.parallel.devices=10: must be at most the 8 devices of 2 processes'),
        ((4, 4), None, 12, 'config.batch_size=12: must be a multiple of the 8 devices of 2 processes'),
        ((4, 2), None, 12, 'some have 2 devices, others 4; 4 takes 2 of each'),
        ((4, 2), 4, 12, None),
    ],
)
def test_a_mesh_has_as_many_devices_of_each_process(
    monkeypatch: pytest.MonkeyPatch, of_processes: tuple, wanted: int | None, batch_size: int, message: str | None
) -> None:
    there = [Device(index) for index, count in enumerate(of_processes) for _ in range(count)]
    monkeypatch.setattr(jax, 'devices', lambda: there[::-1])
    monkeypatch.setattr(jax, 'process_count', lambda: len(of_processes))
    monkeypatch.setattr(devices, 'Mesh', lambda found, names: found)
    if message is not None:
        with pytest.raises(ConfigError) as error:
            devices.mesh(wanted, batch_size)
        assert message in str(error.value)
    else:
        found = [device.process_index for device in devices.mesh(wanted, batch_size)]  # type: ignore[attr-defined]
        each = (wanted or sum(of_processes)) // 2
        assert found == [0] * each + [1] * each


def test_the_rows_of_all_processes_are_the_batch(pictures: object) -> None:
    whole = Batches(pictures, CentreCrop(18, 16), 16, 8, 9, seed=3)  # type: ignore[arg-type]
    parts = [Batches(pictures, CentreCrop(18, 16), 16, 8, 9, seed=3, rows=range(i, i + 4)) for i in (0, 4)]  # type: ignore[arg-type]
    for number in (0, 5):
        for mine, *its in zip(whole[number], *(part[number] for part in parts), strict=True):
            np.testing.assert_array_equal(mine, np.concatenate(its))


@pytest.fixture
def pictures() -> object:
    import io

    from PIL import Image

    from jax_resnet.data.pictures.source import Picture

    rng, encoded = np.random.default_rng(0), []
    for label in range(20):
        stream = io.BytesIO()
        Image.fromarray(rng.integers(0, 255, (24, 20, 3), dtype=np.uint8)).save(stream, 'JPEG')
        encoded.append(Picture(stream.getvalue(), label))

    class Some(list):
        def name(self, index: int) -> str:
            return str(index)

    return Some(encoded)
