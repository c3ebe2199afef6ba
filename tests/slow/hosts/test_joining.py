"""Joining several processes, and the errors of processes that cannot join."""

import signal
import socket
from pathlib import Path

import pytest

from jax_resnet.errors import ConfigError
from jax_resnet.hosts import joining
from jax_resnet.hosts.rank import Rank
from tests.slow.processes import SMALL, ProcessGroup, free_port


def test_the_gpus_of_a_host_are_divided(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ('SLURM_GPUS_PER_TASK', 'SLURM_GPUS_ON_NODE'):
        monkeypatch.delenv(name, raising=False)
    gpus = [str(number) for number in range(8)]
    assert joining._own_gpus(Rank('a:1', 2, 1), gpus) is None, 'the only process of a host has all GPUs'
    assert joining._own_gpus(Rank('a:1', 16, 11, 8, 3), gpus) == [3]
    assert joining._own_gpus(Rank('a:1', 4, 3, 2, 1), gpus) == [4, 5, 6, 7]
    assert joining._own_gpus(Rank('a:1', 16, 11, 8, 3), gpus[:1]) is None, 'each process sees only its own GPU'
    assert joining._own_gpus(Rank('a:1', 2, 1, 2, 1), []) is None
    monkeypatch.setenv('SLURM_GPUS_ON_NODE', '8')
    assert joining._own_gpus(Rank('a:1', 2, 1, 2, 1), gpus[:4]) is None, 'each process sees its own four GPUs'
    monkeypatch.setenv('SLURM_GPUS_PER_TASK', '4')
    assert joining._own_gpus(Rank('a:1', 4, 3, 2, 1), gpus[:4]) is None


def test_a_port_in_use_and_a_host_that_does_not_answer() -> None:
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    with socket.create_server(('', 0), family=family, dualstack_ipv6=both) as server:
        port = server.getsockname()[1]
        with pytest.raises(ConfigError, match=f'process 0: cannot listen at localhost:{port} .*in use'):
            joining._reach(Rank(f'localhost:{port}', 2, 0), 0)
    with pytest.raises(ConfigError, match='process 1 of 2: cannot reach process 0 at 127.0.0.1:.*refused'):
        joining._reach(Rank(f'127.0.0.1:{free_port()}', 2, 1), 0)


def test_the_others_end_if_one_process_does_not_join(tmp_path: Path) -> None:
    with ProcessGroup(3, 1, tmp_path, [*SMALL, '--join-timeout=12', f'--workdir={tmp_path / "run"}']) as group:
        group.processes[2].kill()
        assert [ended.code for ended in group.wait()[:2]] == [-signal.SIGABRT] * 2
    assert not (tmp_path / 'run').exists()
