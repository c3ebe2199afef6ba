"""Options of JAX that change results: training and evaluation set them, and record them."""

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from jax_resnet import training
from jax_resnet.errors import ConfigError
from jax_resnet.jax_options import OPTIONS
from jax_resnet.platform import exactness
from tests.conftest import metrics, small_config

OTHER_VALUES: dict[str, Any] = {
    'jax_threefry_partitionable': False,
    'jax_default_prng_impl': 'rbg',
    'jax_enable_x64': True,
    'jax_default_matmul_precision': 'bfloat16',
    'jax_numpy_dtype_promotion': 'strict',
    'jax_numpy_rank_promotion': 'raise',
    'jax_disable_jit': True,
    'jax_debug_nans': True,
    'jax_debug_infs': True,
    'jax_debug_key_reuse': True,
    'jax_check_tracer_leaks': True,
    'jax_transfer_guard': 'disallow',
}
CONFIG = small_config(train_for='2 steps')


def test_other_options_do_not_change_results_and_are_recorded(tmp_path: Path) -> None:
    training.train(CONFIG, tmp_path / 'plain')
    others = OTHER_VALUES | {'jax_default_device': jax.devices()[1]}
    before = {name: getattr(jax.config, name) for name in others}
    assert others.keys() == {f'jax_{name}' for name in OPTIONS}
    try:
        for name, value in others.items():
            jax.config.update(name, value)
        training.train(CONFIG, tmp_path / 'other')
        scores = training.evaluate(tmp_path / 'other')
        assert {name: getattr(jax.config, name) for name in others} == others
    finally:
        for name, value in before.items():
            jax.config.update(name, value)
    assert metrics(tmp_path / 'plain') == metrics(tmp_path / 'other')
    assert scores.logits.tobytes() == training.evaluate(tmp_path / 'plain').logits.tobytes()
    (start,) = json.loads((tmp_path / 'other' / 'environment.json').read_text())
    found = others | {'jax_default_device': str(jax.devices()[1])}
    assert start['jax_options'] == {'found': found, 'set': before | {'jax_transfer_guard': 'allow'}}
    assert start['date'].endswith('+00:00')


def test_a_seed_offset_raises() -> None:
    jax.config.update('jax_random_seed_offset', 5)
    try:
        with pytest.raises(ConfigError, match='jax_random_seed_offset=5: must be 0'), exactness.exact():
            pass
    finally:
        jax.config.update('jax_random_seed_offset', 0)


@pytest.mark.parametrize(('matmul', 'precision'), [('float32', 'HIGHEST'), ('default', 'DEFAULT')])
def test_a_config_chooses_the_precision_of_matrix_products(matmul: str, precision: str) -> None:
    with exactness.exact(matmul) as options:
        program = jax.jit(lambda x: x @ x).lower(jnp.zeros((2, 2))).as_text()
    assert f'precision = [{precision}, {precision}]' in program
    assert options['set']['jax_default_matmul_precision'] == ('float32' if precision == 'HIGHEST' else None)
