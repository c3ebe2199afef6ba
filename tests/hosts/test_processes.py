"""Shares and exchanges of processes. Tests of several processes replace JAX's number of processes."""

import jax
import numpy as np
import pytest
from jax._src import distributed

from jax_resnet.errors import ConfigError
from jax_resnet.hosts import devices, joining, processes
from tests.data.pictures.test_batches import training


def test_shares_are_consecutive_and_even(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jax, 'process_count', lambda: 4)
    for size in (0, 3, 4, 10, 10_000):
        shares = [processes.share(size, index) for index in range(4)]
        assert [row for share in shares for row in share] == list(range(size))
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_one_process_exchanges_nothing_and_starts_no_coordinator() -> None:
    assert processes.gather_numbers(3, 4).tolist() == [[3, 4]]
    assert processes.from_first(7) == 7
    rows = np.arange(3.0)
    assert processes.gather_rows(rows, 3) is rows
    with joining.joined(None, 300, 60):
        processes.barrier('nowhere')
    assert distributed.global_state.client is None


class Device:
    """Stands for a JAX device in a mesh."""

    def __init__(self, process_index: int) -> None:
        self.process_index = process_index


@pytest.mark.parametrize(
    ('device_counts', 'wanted', 'batch_size', 'message'),
    [
        ((4, 4), 6, 12, None),
        ((4, 4), None, 16, None),
        ((4, 4), 7, 14, 'config.parallel.devices=7: must be a multiple of the 2 processes'),
        ((4, 4), 10, 20, 'config.parallel.devices=10: must be at most the 8 devices of 2 processes'),
        ((4, 4), None, 12, 'config.batch_size=12: must be a multiple of the 8 devices of 2 processes'),
        ((4, 2), 4, 12, 'the 2 processes have from 2 to 4 devices: must be the same number in each'),
    ],
)
def test_a_mesh_has_the_same_number_of_devices_of_each_process(
    monkeypatch: pytest.MonkeyPatch, device_counts: tuple, wanted: int | None, batch_size: int, message: str | None
) -> None:
    all_devices = [Device(index) for index, count in enumerate(device_counts) for _ in range(count)]
    monkeypatch.setattr(jax, 'devices', lambda: all_devices[::-1])
    monkeypatch.setattr(jax, 'process_count', lambda: len(device_counts))
    monkeypatch.setattr(devices, 'Mesh', lambda array, names: array)
    if message is not None:
        with pytest.raises(ConfigError) as error:
            devices.mesh(wanted, batch_size)
        assert message in str(error.value)
    else:
        indices = [device.process_index for device in devices.mesh(wanted, batch_size)]  # type: ignore[attr-defined]
        each = (wanted or sum(device_counts)) // 2
        assert indices == [0] * each + [1] * each


def test_the_rows_of_all_processes_are_the_batch() -> None:
    whole, *parts = training(), *(training(rows=range(i, i + 4)) for i in (0, 4))
    for number in (0, 5):
        for mine, *its in zip(whole[number], *(part[number] for part in parts), strict=True):
            np.testing.assert_array_equal(mine, np.concatenate(its))
