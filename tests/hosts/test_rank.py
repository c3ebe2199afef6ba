"""The rank of this process, from the command line, Slurm or Open MPI."""

import subprocess
from types import SimpleNamespace

import pytest

from jax_resnet.errors import ConfigError
from jax_resnet.hosts import rank as ranks
from jax_resnet.hosts.rank import Rank, find_gpus, find_rank

SLURM = {
    'SLURM_JOB_ID': '4711',
    'SLURM_STEP_ID': '2',
    'SLURM_STEP_NUM_TASKS': '20',
    'SLURM_STEP_NODELIST': 'gpu[007-008,012]',
    'SLURM_GTIDS': '16,17,18,19',
    'SLURM_PROCID': '17',
    'SLURM_LOCALID': '1',
}
OPEN_MPI = {
    'OMPI_COMM_WORLD_SIZE': '4',
    'OMPI_COMM_WORLD_RANK': '3',
    'OMPI_COMM_WORLD_LOCAL_SIZE': '2',
    'OMPI_COMM_WORLD_LOCAL_RANK': '1',
}


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*SLURM, *OPEN_MPI, 'SLURM_GPUS_PER_TASK', 'SLURM_GPUS_ON_NODE'):
        monkeypatch.delenv(name, raising=False)


def test_one_process_has_no_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_rank(None, None, None) is None
    assert find_rank('node01:1234', 1, 0) is None
    for name, value in (SLURM | {'SLURM_STEP_NUM_TASKS': '1'}).items():
        monkeypatch.setenv(name, value)
    assert find_rank(None, None, None) is None
    assert find_rank('node01:1234', None, None) is None


def test_slurm_gives_the_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SLURM.items():
        monkeypatch.setenv(name, value)
    assert find_rank(None, None, None) == Rank(f'gpu007:{61440 + 4713 % 4096}', 20, 17, 4, 1)
    for nodes, host in (('rack[0-1]node[0-3]', 'rack0node0'), ('n[1-4,7]-ib', 'n1-ib'), ('login,gpu[1-2]', 'login')):
        monkeypatch.setenv('SLURM_STEP_NODELIST', nodes)
        rank = find_rank(None, None, None)
        assert rank is not None and rank.address.startswith(f'{host}:')
    assert find_rank('[fe80::1]:99', 2, 1) == Rank('[fe80::1]:99', 2, 1), 'the command line replaces it'
    rank = find_rank('other:99', None, None)
    assert rank is not None and (rank.address, rank.index) == ('other:99', 17)
    assert find_rank(None, 1, None) is None


def test_open_mpi_gives_the_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in OPEN_MPI.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match='--coordinator: must be HOST:PORT'):
        find_rank(None, None, None)
    assert find_rank('node01:99', None, None) == Rank('node01:99', 4, 3, 2, 1)


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        (('node01:12345', None, None), '--coordinator, --processes, --process: all three must be given'),
        (('node01', 2, 0), '--coordinator=node01: must be HOST:PORT of process 0, such as node01:12345'),
        (('node01:1234', 2, 2), '--process=2: must be at least 0 and less than --processes=2'),
    ],
)
def test_arguments_that_are_not_valid(given: tuple, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        find_rank(*given)
    assert message in str(error.value)


def test_gpus_are_those_that_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, 'PLUGINS', ('no_such_plugin', 'json'))
    monkeypatch.setattr(subprocess, 'run', lambda *_, **__: SimpleNamespace(stdout='0\n1\n'))
    assert find_gpus() == ['0', '1']
    for visible, expected in (('3,5', ['3', '5']), ('', [])):
        monkeypatch.setenv('CUDA_VISIBLE_DEVICES', visible)
        assert find_gpus() == expected
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '0,1')
    monkeypatch.setattr(ranks, 'PLUGINS', ('no_such_plugin',))
    assert find_gpus() == [], "without JAX's plugin"
