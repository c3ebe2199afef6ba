"""The compiler options and the form of a network for a GPU. No GPU is needed: both also work on a CPU."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from jax_resnet import training
from jax_resnet.platform import for_platform, gpu
from jax_resnet.platform.base import Backend
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.training import setup
from tests.conftest import small_config, whole_config


@pytest.fixture(autouse=True)
def clear_cache() -> None:
    gpu.why_no_graph.cache_clear()


@pytest.mark.parametrize('platform', ['gpu', 'cuda'])
def test_compiler_options(platform: str) -> None:
    plain, deterministic = for_platform(platform), for_platform(platform, deterministic=True)
    assert plain.compiler_options == gpu.GRAPH and not plain.one_call_options
    assert deterministic.compiler_options == gpu.GRAPH | gpu.DETERMINISTIC
    assert deterministic.one_call_options == gpu.DETERMINISTIC
    assert plain.remark == 'with CUDA graphs'


def test_xla_knows_the_options() -> None:
    assert jax.jit(lambda x: x + 1, compiler_options=gpu.DETERMINISTIC | gpu.GRAPH)(1) == 2
    assert jax.jit(lambda x: x + 1, compiler_options=gpu.NO_GRAPH)(1) == 2


def test_without_cuda_graphs_the_remark_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, 'GRAPH', {'xla_no_such_option': 'x'})
    without_graph = for_platform('gpu')
    assert without_graph.compiler_options == without_graph.one_call_options == gpu.NO_GRAPH
    assert without_graph.remark.startswith('without CUDA graphs, so slower: ')
    assert 'xla_no_such_option' in without_graph.remark


def test_cuda_graphs_can_be_turned_off() -> None:
    off = for_platform('gpu', gpu_options={'graphs': False})
    assert off.compiler_options == gpu.NO_GRAPH and off.remark.endswith('slower: config.gpu.graphs=False')


@pytest.mark.parametrize(
    'change',
    [
        lambda compiled: lambda kernels, stop: compiled(kernels, 0),
        lambda compiled: lambda kernels, stop: (compiled(kernels, stop // 3)[0], stop),
        lambda compiled: lambda kernels, stop: (kernels, stop),
    ],
    ids=['no step', 'fewer steps', 'nothing learned'],
)
def test_a_program_that_gives_other_results_turns_graphs_off(change: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    jit, calls = jax.jit, []

    def wrong(function: Any, compiler_options: dict) -> Any:
        compiled = jit(function)
        calls.append(compiler_options)
        return change(compiled) if compiler_options == gpu.GRAPH else compiled

    monkeypatch.setattr(jax, 'jit', wrong)
    assert gpu.why_no_graph() == 'a program gives other results with them' and calls == [gpu.GRAPH, gpu.NO_GRAPH]


@pytest.mark.parametrize('value', [False, True])
def test_config_fields_reach_the_backend(value: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    config = whole_config(**{'precision.deterministic': value, 'gpu.flat_arrays': not value})
    mesh = setup.set_up(config).mesh
    monkeypatch.setattr(
        setup,
        'for_platform',
        lambda platform, deterministic, options, multiply_adds: Backend(
            remark=str((deterministic, dict(sorted(options.items()))))
        ),
    )
    expected = {'batch_norm_sums': True, 'flat_arrays': not value, 'graphs': True}
    assert setup.backend(config, mesh).remark == str((value, expected))


@pytest.mark.soak
def test_a_run_continues_from_a_cpu_to_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Runs a GPU's form on a CPU. The checkpoint has the same layout, and the results agree within rounding."""
    config = small_config(**{'schedule.learning_rate': 0.01})
    training.train(config, tmp_path / 'cpu')
    training.train(config | {'train_for': '6 steps'}, tmp_path / 'short')
    monkeypatch.setattr(setup, 'for_platform', lambda platform, *options: gpu.backend(options[0]))
    training.train(config, tmp_path / 'gpu', extend_from=tmp_path / 'short')
    assert 'compiling; with CUDA graphs' in capsys.readouterr().out
    expected, found = (RunFolder(tmp_path / name).metrics() for name in ('cpu', 'gpu'))
    np.testing.assert_allclose(*([line['test_loss'] for line in lines] for lines in (found, expected)), rtol=1e-4)
