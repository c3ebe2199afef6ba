"""docs/networks.md, "In Flax NNX": a step of training by the bridge is that of Linen."""

import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from jax_resnet import models

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / 'docs' / 'networks.md').read_text()
SECTION = PAGE.split('## In Flax NNX\n')[1].split('\n## ')[0]
TRAINING, CONVERSION = re.findall(r'^```python\n(.*?)^```$', SECTION, re.MULTILINE | re.DOTALL)


def one_unit(**attributes: Any) -> models.ResNet:
    return models.ResNet((1,), (8,), (models.LAYERS['basic'],), models.Stem(8), **attributes)


@pytest.fixture(scope='module')
def names() -> dict[str, Any]:
    """What the blocks before have made, with a smaller network and smaller images."""
    small, images = one_unit(), jax.random.normal(jax.random.key(1), (4, 8, 8, 3))
    shapes, rng = jax.eval_shape(small.init, jax.random.key(0), images), np.random.default_rng(0)
    one = jax.tree.map(lambda x: jnp.asarray(rng.uniform(0.1, 0.2, x.shape), x.dtype), shapes)
    return {
        'jax': jax, 'jnp': jnp, 'optax': optax, 'models': models, 'small': small, 'images': images,
        'labels': jnp.arange(4), 'one': one,
    }  # fmt: skip


def variables_of(model: Any) -> dict[str, Any]:
    kinds = {'params': nnx.Param, 'batch_stats': nnx.BatchStat}
    return {name: jax.tree.map(np.asarray, nnx.to_pure_dict(nnx.state(model, kind))) for name, kind in kinds.items()}


def test_a_step_and_an_evaluation_are_those_of_linen(names: dict[str, Any]) -> None:
    small, images, labels = names['small'], names['images'], names['labels']
    made, rest = TRAINING.split('@nnx.jit\n')
    exec(made, names)
    before = variables_of(names['model'])
    exec(f'@nnx.jit\n{rest}', names)
    after = variables_of(names['model'])

    def loss_of(params: Any) -> Any:
        logits, updates = small.apply({**before, 'params': params}, images, train=True, mutable=['batch_stats'])
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean(), updates['batch_stats']

    (loss, batch_stats), gradient = jax.jit(jax.value_and_grad(loss_of, has_aux=True))(before['params'])
    expected = {
        'params': jax.tree.map(lambda p, g: p - 0.1 * g, before['params'], gradient),
        'batch_stats': batch_stats,
    }
    assert jax.tree.structure(after) == jax.tree.structure(expected)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), after, expected)
    assert names['loss'] == pytest.approx(float(loss), rel=1e-6)
    moved = jax.tree.map(lambda a, b: np.abs(a - b).max(), before['batch_stats'], after['batch_stats'])
    assert min(jax.tree.leaves(moved)) > 1e-4
    np.testing.assert_allclose(names['nnx_logits'], jax.jit(small.apply)(after, images), rtol=1e-5, atol=1e-6)
    exec(CONVERSION, names)
    jax.tree.map(np.testing.assert_array_equal, variables_of(names['model']), dict(names['one']))
