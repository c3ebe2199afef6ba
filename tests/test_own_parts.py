"""Own parts by import paths: in each table, loaded again, and what is wrong with them in one line."""

import re
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jax_resnet
from jax_resnet import training
from jax_resnet.commands import command_line
from jax_resnet.config.fields import Optimizer, flatten
from jax_resnet.config.loading import as_config, load
from jax_resnet.config.network import network
from jax_resnet.data import open_source
from jax_resnet.errors import DataError, UserError
from jax_resnet.runs import weights
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.training import optimizer
from tests.conftest import small_config

ROOT = Path(__file__).parents[1]
PAGE = re.search(r'```python title="my_parts.py"\n(.*?)```', (ROOT / 'docs' / 'extend.md').read_text(), re.DOTALL)
MORE = """
import jax.nn as jnn
from jax.nn import initializers
from jax_resnet.models.units import Layer, Order


def gelu_order(unit, x):
    y = x
    for i in range(1, unit.last + 1):
        y = jnn.gelu(unit.norm(i, unit.conv(i, y)))
    return unit.add(x, y)


gelu = Order(gelu_order)
two_and_one = Layer(3, strided=True), Layer(1)
small = initializers.normal(0.05), initializers.zeros
no_norms = lambda category: 'norm' not in category
lars = lambda config, learning_rate: optax.lars(learning_rate)
"""
WRONG = """
import numpy as np
from jax_resnet.data.datasets import DataSet, arrays
from jax_resnet.data.sources import Examples
from jax_resnet.models.shortcuts import PaddedIdentity

number = 5
tuple_optimizer = lambda config, rate: (1, 2)
short = lambda config, clock, end: [0.1]
negative = lambda config, clock, end: np.full(end, -1.0)
halves = lambda key, image: image[::2]
fails = lambda *_, **__: {}['key']


class Narrow(PaddedIdentity):
    def __call__(self, x, y):
        return y[..., :1]


class Broken(PaddedIdentity):
    def __call__(self, x, y):
        return x + y


def _floats(split):
    return Examples(np.zeros((8, 16, 16, 1)), np.zeros(8, np.int32))


of_floats = DataSet('x', (16, 16, 1), ('a', 'b'), {'train': 8, 'test': 8}, arrays(_floats))
of_errors = DataSet('x', (16, 16, 1), ('a', 'b'), {'train': 8, 'test': 8}, arrays(fails))
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with modules of own parts. Python does not search it."""
    assert PAGE is not None
    (tmp_path / 'my_parts.py').write_text(PAGE[1] + MORE)
    (tmp_path / 'wrong_parts.py').write_text(WRONG)
    (tmp_path / 'ends.py').write_text('raise SystemExit(3)\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'path', [path for path in sys.path if path not in ('', str(tmp_path))])
    for name in ('my_parts', 'wrong_parts'):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


PARTS = {
    'model.shortcut': 'SqueezeAndExcitation', 'model.order': 'gelu', 'model.unit': 'two_and_one',
    'model.initialization': 'small', 'optimizer.name': 'lars', 'optimizer.decay': 'no_norms',
    'schedule.name': 'linear', 'dataset.name': 'shapes', 'dataset.augmentation': 'cutout',
}  # fmt: skip


def test_a_part_in_every_table_trains_and_is_loaded_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """tests/slow/test_extend.py has commands in processes of their own, and a network."""
    data = {'dataset.train': 'train', 'dataset.test': 'test', 'train_for': '4 steps', 'schedule.learning_rate': 0.01}
    parts = {field: f'my_parts:{name}' for field, name in PARTS.items()}
    training.train(small_config({'name': 'cifar_resnet', 'depth': 8, 'num_classes': 2}, **data, **parts), 'run')
    assert flatten(RunFolder('run').config()).items() >= parts.items()
    assert 'squeeze/kernel' in (folder / 'run' / 'parameters.txt').read_text()
    assert [line['learning_rate'] for line in RunFolder('run').metrics()] == [0.0]  # of the last of the steps

    monkeypatch.delitem(sys.modules, 'my_parts')
    trained, expected = jax_resnet.load('run'), np.load('run/predictions.npz')['logits']
    images = open_source('my_parts:shapes').read('test').images
    np.testing.assert_allclose(trained.logits(images), expected, rtol=1e-4, atol=1e-4)
    assert command_line.main(['convert', 'run', 'run.safetensors']) == 0
    assert weights.read('run.safetensors').network is None  # a file of weights could name any code
    with pytest.raises(DataError, match='give a config by --config=FILE .a card that names own parts is not used'):
        jax_resnet.load('run.safetensors')
    jax_resnet.load('run.safetensors', RunFolder('run').config())


def test_the_name_of_a_network_may_be_an_import_path_in_a_change_too() -> None:
    file = f'{ROOT}/configs/resnet20_digits.py'
    config, changes = load(file, {'model.name': 'my_parts:large_stem', 'model.num_classes': '2'})
    assert changes == {'model.name': 'own', 'model.function': 'my_parts:large_stem', 'model.num_classes': 2}
    assert load(file, changes)[0] == config == as_config(config)
    assert network(config).stem.window == 5


@pytest.mark.parametrize(
    ('field', 'name', 'message'),
    [
        ('model.shortcut', 'missing:X', r"config.model: shortcut='missing:X': ModuleNotFoundError: No module named 'missing'; it must be in the working directory"),
        ('model.shortcut', 'ends:X', "shortcut='ends:X': SystemExit: 3"),
        ('model.shortcut', 'wrong_parts:number', 'must be a function or a class; it is of type int'),
        ('model.shortcut', 'wrong_parts:Narrow', r'must return an array like the branch, float32 \[1, 16, 16, 16\]; it returns'),
        ('model.shortcut', 'wrong_parts:Broken', "own parts='wrong_parts:Broken': TypeError: "),
        ('model.order', 'wrong_parts:number', 'must be of type Order; it is of type int'),
        ('model.name', 'wrong_parts:fails', "config.model: function='wrong_parts:fails': KeyError: 'key'"),
        ('model.name', 'builtins:dict', 'must return a models.ResNet; it returns a dict'),
        ('optimizer.name', 'wrong_parts:tuple_optimizer', 'must return an optax.GradientTransformation; it returns a tuple'),
        ('schedule.name', 'wrong_parts:short', r'must return the learning rate of each step, \[12\]'),
        ('schedule.name', 'wrong_parts:negative', 'at least 0'),
        ('dataset.augmentation', 'wrong_parts:halves', r'must return float32 \[16, 16, 1\]; it returns float32 \[8, 16, 1\]'),
        ('dataset.augmentation', 'cutout', 'must be an import path, package.module:name, or None'),
        ('dataset.name', 'wrong_parts:of_floats', r'images must be uint8 \[8, 16, 16, 1\]; they are float64'),
        ('dataset.name', 'wrong_parts:of_errors', "KeyError: 'key'"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_part_is_one_line(field: str, name: str, message: str, folder: Path) -> None:
    config = small_config({'name': 'cifar_resnet', 'depth': 14})
    if field == 'model.name':
        config['model'] = {'name': name}
    else:
        group, _, leaf = field.partition('.')
        config[group][leaf] = name
    if name.startswith('wrong_parts:of_'):
        config['model']['num_classes'], config['dataset']['train'], config['dataset']['test'] = 2, 'train', 'test'
        config |= {'batch_size': 8, 'batch_norm': {'group_size': 0}}
    with pytest.raises(UserError, match=message) as error:
        training.train(config, 'run')
    assert '\n' not in str(error.value)
    assert not (folder / 'run').exists()


def test_an_own_optimizer_gets_the_array_of_each_layer() -> None:
    """LARS divides by the norm of each array. The arrays of a stack have their own norms, not one of the stack."""
    config = Optimizer(name='my_parts:lars', weight_decay=0.0)
    units: dict[str, Any] = {f'unit{i}': {'conv1': {'kernel': jnp.full(4, 10.0**i)}} for i in (1, 2, 3)}
    unstacked, stacked = ({'stage1': tree} for tree in (units, optimizer.models.stack(units)))
    tx = optimizer.create(config, optax.constant_schedule(0.1))
    updates = []
    for params in (unstacked, stacked):
        gradient = jax.tree.map(jnp.ones_like, params)
        found, _ = tx.update(gradient, tx.init(params), params)
        updates.append(optimizer.models.unstack(found))
    jax.tree.map(np.testing.assert_array_equal, *updates)
