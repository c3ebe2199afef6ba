"""Memory that does not suffice, as the computer and XLA say it."""

from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from jax_resnet import training
from jax_resnet.backend import memory
from jax_resnet.errors import ConfigError
from tests.conftest import small_config

LINE = r'^out of memory \(.+\): give a smaller config.batch_size .*, config.memory.microbatches=4, or [^\n]+$'


@pytest.mark.parametrize('error', [MemoryError(), RuntimeError('std::bad_alloc'), MemoryError('4 TiB\nare too much')])
def test_what_to_reduce_is_told(error: Exception) -> None:
    with pytest.raises(ConfigError, match=LINE), memory.shortage_told():
        raise error


def test_what_xla_says() -> None:
    with pytest.raises(ConfigError, match=LINE), memory.shortage_told():
        jax.block_until_ready(jnp.zeros(10**14, jnp.int8))


def test_other_errors_stay() -> None:
    with pytest.raises(RuntimeError, match='another'), memory.shortage_told():
        raise RuntimeError('another')


def test_training_tells_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError('Unable to allocate 4 TiB')

    monkeypatch.setattr('jax_resnet.training.experiment.Experiment.compile', fail)
    with pytest.raises(ConfigError, match='Unable to allocate 4 TiB'):
        training.train(small_config(), tmp_path)
