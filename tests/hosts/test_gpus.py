import subprocess
from types import SimpleNamespace

import pytest

from jax_resnet.hosts import gpus


def test_gpus_are_those_that_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, 'PLUGINS', ('no_such_plugin', 'json'))
    monkeypatch.setattr(gpus.subprocess, 'run', lambda *_, **__: SimpleNamespace(stdout='0\n1\n'))
    assert gpus.find_gpus() == ['0', '1']
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '3,5')
    assert gpus.find_gpus() == ['3', '5']
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
    assert gpus.find_gpus() == []
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES')

    def missing(*_: object, **__: object) -> None:
        raise subprocess.CalledProcessError(9, 'nvidia-smi')

    monkeypatch.setattr(gpus.subprocess, 'run', missing)
    assert gpus.find_gpus() == []


def test_without_jaxs_plugin_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, 'PLUGINS', ('no_such_plugin',))
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '0,1')
    assert gpus.find_gpus() == []
