"""Errors of too little memory, raised by Python and by XLA."""

from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from jax_resnet import training
from jax_resnet.errors import ConfigError
from jax_resnet.platform import memory
from tests.conftest import small_config

LINE = r'^out of memory \(.+\): give a smaller config.batch_size .*, config.memory.microbatches=4, or [^\n]+$'


@pytest.mark.parametrize('error', [MemoryError(), RuntimeError('std::bad_alloc'), MemoryError('4 TiB\nare too much')])
def test_the_error_says_how_to_use_less_memory(error: Exception) -> None:
    with pytest.raises(ConfigError, match=LINE), memory.shortage_as_config_error():
        raise error


def test_an_error_of_xla() -> None:
    with pytest.raises(ConfigError, match=LINE), memory.shortage_as_config_error():
        jax.block_until_ready(jnp.zeros(10**15, jnp.int8))


def test_other_errors_are_not_changed() -> None:
    with pytest.raises(RuntimeError, match='another'), memory.shortage_as_config_error():
        raise RuntimeError('another')


def test_training_raises_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError('Unable to allocate 4 TiB')

    monkeypatch.setattr('jax_resnet.training.experiment.Experiment.compile', fail)
    with pytest.raises(ConfigError, match='Unable to allocate 4 TiB'):
        training.train(small_config(), tmp_path)
