"""The compiler options and the layout of a network for a GPU. No GPU is needed: both also work on a CPU."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from jax_resnet import training
from jax_resnet.errors import ConfigError
from jax_resnet.platform import for_platform, gpu
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.training import setup
from tests.conftest import small_config, whole_config


@pytest.fixture(autouse=True)
def clear_cache() -> None:
    gpu.has_graphs.cache_clear()


def test_compiler_options() -> None:
    plain, deterministic = for_platform('cuda'), for_platform('gpu', deterministic=True)
    assert plain.compiler_options == gpu.GRAPH and not plain.one_call_options
    assert deterministic.compiler_options == gpu.GRAPH | gpu.DETERMINISTIC
    assert deterministic.one_call_options == gpu.DETERMINISTIC
    assert plain.used == {'gpu.graphs': True, 'gpu.flat_arrays': True, 'gpu.batch_norm_sums': True}
    assert jax.jit(lambda x: x + 1, compiler_options=deterministic.compiler_options)(1) == 2, 'XLA knows them'


@pytest.mark.parametrize('reason', ['unknown to XLA', 'an error', 'config'])
def test_without_cuda_graphs(reason: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A warning gives the reason, except if the installed XLA does not know them."""
    option = {'unknown to XLA': 'xla_no_such_option', 'an error': 'xla_cpu_experimental_ynn_fusion_type'}
    if reason != 'config':
        monkeypatch.setattr(gpu, 'GRAPH', {option[reason]: 'x'})
    found = for_platform('gpu', gpu_options={'graphs': reason != 'config'})
    assert found.compiler_options == found.one_call_options == gpu.NO_GRAPH
    assert not found.used['gpu.graphs'] and found.remark == 'without CUDA graphs, so slower'
    warnings = [record.getMessage() for record in caplog.records]
    assert len(warnings) == (reason == 'an error')
    assert all(line.startswith('CUDA graphs will not be used, as a test of it failed: INVALID') for line in warnings)


@pytest.mark.parametrize(
    'change',
    [
        lambda compiled: lambda kernels, stop: (compiled(kernels, stop // 3)[0], stop),
        lambda compiled: lambda kernels, stop: (kernels, stop),
    ],
    ids=['fewer steps', 'nothing learned'],
)
def test_a_program_that_gives_other_results_turns_graphs_off(change: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    jit = jax.jit

    def wrong(function: Any, compiler_options: dict) -> Any:
        compiled = jit(function)
        return change(compiled) if compiler_options == gpu.GRAPH else compiled

    monkeypatch.setattr(jax, 'jit', wrong)
    assert not gpu.has_graphs()


@pytest.mark.parametrize('value', [False, True])
def test_config_fields_reach_the_backend(value: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    config = whole_config(**{'precision.deterministic': value, 'gpu.flat_arrays': not value})
    mesh = setup.set_up(config).mesh
    monkeypatch.setattr(setup, 'for_platform', lambda *given: given)
    _, deterministic, options, *_ = setup.backend(config, mesh)
    assert deterministic == value and options == {'batch_norm_sums': True, 'flat_arrays': not value, 'graphs': True}


@pytest.mark.soak
def test_a_run_continues_from_a_cpu_to_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Runs a GPU's layout on a CPU. The checkpoint has the same layout, and the results agree within rounding."""
    config = small_config(**{'schedule.learning_rate': 0.01})
    training.train(config, tmp_path / 'cpu')
    training.train(config | {'train_for': '6 steps'}, tmp_path / 'short')
    monkeypatch.setattr(setup, 'for_platform', lambda platform, *options: gpu.backend(options[0]))
    training.train(config, tmp_path / 'gpu', extend_from=tmp_path / 'short')
    assert 'compiling; with CUDA graphs' in capsys.readouterr().out
    expected, found = (
        {line['step']: line['test_loss'] for line in RunFolder(tmp_path / name).metrics()} for name in ('cpu', 'gpu')
    )
    assert found.pop(6)  # the end of the shorter run
    assert found.keys() == expected.keys()
    np.testing.assert_allclose([*found.values()], [*expected.values()], rtol=1e-4)


def test_a_start_that_uses_other_parts_says_so_or_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for deterministic in (False, True):
        config = small_config(**{'precision.deterministic': deterministic})
        folder = tmp_path / str(deterministic)
        training.train(config, folder)
        assert RunFolder(folder).starts()[0]['platform']['oneDNN'] is False
        (folder / 'summary.json').unlink()
        starts = folder / 'environment.json'
        starts.write_text(starts.read_text().replace('"oneDNN": false', '"oneDNN": true'))
        if deterministic:
            with pytest.raises(ConfigError, match="deterministic=True: the last start used {'oneDNN': True"):
                training.train(config, folder)
        else:
            training.train(config, folder)
            assert "the last start used {'oneDNN': True" in capsys.readouterr().out
