"""Which process of how many this one is, by the command line, Slurm or Open MPI; and who cannot join."""

import socket

import pytest

from jax_resnet.backend import joining
from jax_resnet.backend.joining import Place
from jax_resnet.errors import ConfigError
from tests.processes import SMALL, Several, free_port

SLURM = {
    'SLURM_JOB_ID': '4711',
    'SLURM_STEP_ID': '2',
    'SLURM_STEP_NUM_TASKS': '20',
    'SLURM_STEP_NODELIST': 'gpu[007-008,012]',
    'SLURM_STEP_TASKS_PER_NODE': '8(x2),4',
    'SLURM_NODEID': '2',
    'SLURM_PROCID': '17',
    'SLURM_LOCALID': '1',
}
OPEN_MPI = {
    'OMPI_COMM_WORLD_SIZE': '4',
    'OMPI_COMM_WORLD_RANK': '3',
    'OMPI_COMM_WORLD_LOCAL_SIZE': '2',
    'OMPI_COMM_WORLD_LOCAL_RANK': '1',
    'OMPI_MCA_orte_hnp_uri': '1531576320.0;tcp://10.96.0.1,10.148.0.1:34911',
}


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*SLURM, *OPEN_MPI, 'SLURM_GPUS_PER_TASK', 'SLURM_GPUS_ON_NODE'):
        monkeypatch.delenv(name, raising=False)


def test_without_others_a_process_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert joining.find(None, None, None) is None
    assert joining.find('node01:1234', 1, 0) is None
    for name, value in (SLURM | {'SLURM_STEP_NUM_TASKS': '1'}).items():
        monkeypatch.setenv(name, value)
    assert joining.find(None, None, None) is None
    with joining.joined(None):
        pass


def test_slurm_says_who_this_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SLURM.items():
        monkeypatch.setenv(name, value)
    assert joining.find(None, None, None) == Place(f'gpu007:{61440 + 4713 % 4096}', 20, 17, 4, 1)
    monkeypatch.setenv('SLURM_STEP_NODELIST', 'login,gpu[1-2]')
    monkeypatch.setenv('SLURM_NODEID', '0')
    place = joining.find(None, None, None)
    assert place is not None and place.address.startswith('login:') and place.of_host == 8
    for nodes, host in (('rack[0-1]node[0-3]', 'rack0node0'), ('n[1-4,7]-ib', 'n1-ib'), ('a,b[1-2]', 'a')):
        monkeypatch.setenv('SLURM_STEP_NODELIST', nodes)
        place = joining.find(None, None, None)
        assert place is not None and place.address.startswith(f'{host}:')
    assert joining.find('[fe80::1]:99', 2, 1) == Place('[fe80::1]:99', 2, 1), 'the command line goes first'
    place = joining.find('other:99', None, None)
    assert place is not None and (place.address, place.index) == ('other:99', 17)
    assert joining.find(None, 1, None) is None


def test_open_mpi_says_who_this_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in OPEN_MPI.items():
        monkeypatch.setenv(name, value)
    assert joining.find(None, None, None) == Place(f'10.96.0.1:{61440 + 1531576320 // 4096 % 4096}', 4, 3, 2, 1)
    monkeypatch.setenv('OMPI_MCA_orte_hnp_uri', '1314521088.0;tcp6://[fe80::b9b:ac5d,2620:10d::2]:43370')
    place = joining.find(None, None, None)
    assert place is not None and place.address.startswith('[fe80::b9b:ac5d]:')
    monkeypatch.delenv('OMPI_MCA_orte_hnp_uri')
    with pytest.raises(ConfigError, match='--coordinator: must be HOST:PORT'):
        joining.find(None, None, None)
    assert joining.find('node01:99', None, None) == Place('node01:99', 4, 3, 2, 1)


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        (('node01:1234', None, 1), '--processes: must be given with --coordinator, --process'),
        (('::1:1234', 2, 0), '--coordinator=::1:1234: must be HOST:PORT'),
        ((None, 2, 0), '--coordinator: must be given with'),
        (('node01', 2, 0), '--coordinator=node01: must be HOST:PORT of process 0, such as node01:12345'),
        (('node01:70000', 2, 0), '--coordinator=node01:70000: must be HOST:PORT'),
        (('node01:1234', 0, 0), '--processes=0: must be at least 1'),
        (('node01:1234', 2, 2), '--process=2: must be from 0 to 1, as there are 2'),
    ],
)
def test_a_place_that_cannot_be_is_a_line(given: tuple, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        joining.find(*given)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ('times', 'message'),
    [((0, 60), '--join_timeout=0'), ((60, 1), '--patience=1: '), ((60, float('nan')), '--patience=')],
)
def test_times_that_cannot_be_are_a_line(times: tuple[float, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message), joining.joined(Place('localhost:1', 2, 0), *times):
        pass


def test_the_gpus_of_a_host_are_divided(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus = [str(number) for number in range(8)]
    assert joining._own_gpus(Place('a:1', 2, 1), gpus) is None, 'one process a host has all'
    assert joining._own_gpus(Place('a:1', 16, 11, 8, 3), gpus) == [3]
    assert joining._own_gpus(Place('a:1', 4, 3, 2, 1), gpus) == [4, 5, 6, 7]
    assert joining._own_gpus(Place('a:1', 16, 11, 8, 3), gpus[:1]) is None, 'each sees but its own'
    assert joining._own_gpus(Place('a:1', 2, 1, 2, 1), []) is None
    monkeypatch.setenv('SLURM_GPUS_ON_NODE', '8')
    assert joining._own_gpus(Place('a:1', 2, 1, 2, 1), gpus[:4]) is None, 'each sees its own four'
    monkeypatch.setenv('SLURM_GPUS_PER_TASK', '4')
    assert joining._own_gpus(Place('a:1', 4, 3, 2, 1), gpus[:4]) is None


def test_a_port_that_is_taken_and_a_host_that_does_not_answer_are_lines() -> None:
    with socket.create_server(('', 0), family=socket.AF_INET6, dualstack_ipv6=True) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f'process 0: cannot listen at localhost:{port} .*in use'):
            joining._reach(Place(f'localhost:{port}', 2, 0), 0)
    with pytest.raises(ConfigError, match='process 1 of 2: cannot reach process 0 at 127.0.0.1:.*refused'):
        joining._reach(Place(f'127.0.0.1:{free_port()}', 2, 1), 0)


def test_who_waits_for_others_in_vain_says_so(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """Of three processes the last does not come."""
    with Several(3, 1, tmp_path, [*SMALL, '--join_timeout=12', f'--workdir={tmp_path / "run"}']) as several:
        several.processes[2].kill()
        for index, ended in enumerate(several.wait()[:2]):
            assert ended.code == 75
            assert ended.errors.startswith(f'error: process {index} of 3: not all of them came to 127.0.0.1:')
            assert ended.errors.count('\n') == 1
    assert not (tmp_path / 'run').exists()
