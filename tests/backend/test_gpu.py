"""What a GPU is asked for; no GPU is needed, as XLA knows its options everywhere."""

import jax
import pytest

from jax_resnet import backend
from jax_resnet.backend import gpu
from jax_resnet.training.experiment import Experiment
from tests.conftest import small_config


@pytest.mark.parametrize('platform', ['gpu', 'cuda'])
def test_deterministic_operations_where_the_config_asks_for_them(platform: str) -> None:
    assert not backend.of(platform).compiler_options
    asked = backend.of(platform, deterministic=True)
    assert asked.compiler_options == asked.one_call_options == {'xla_gpu_deterministic_ops': True}
    assert not {*gpu.DETERMINISTIC} & {*backend.of('cpu', deterministic=True).compiler_options}


def test_xla_knows_the_option() -> None:
    assert jax.jit(lambda x: x + 1, compiler_options=gpu.DETERMINISTIC)(1) == 2


@pytest.mark.parametrize('value', [False, True])
def test_the_field_reaches_the_backend(value: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = Experiment.of(small_config(**{'precision.deterministic': value}))
    monkeypatch.setattr(backend, 'of', lambda platform, deterministic: deterministic)
    assert experiment.backend is value
