"""Frozen layers and BatchNorm's frozen statistics: nothing changes them, and they cost no backward pass."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

import jax_resnet
from jax_resnet import models, training
from jax_resnet.config.loading import as_config
from jax_resnet.config.network import network
from jax_resnet.errors import ConfigError
from jax_resnet.runs import weights
from jax_resnet.training import setup, summary
from jax_resnet.training.begin import begin_from
from tests.conftest import SMALLEST, assert_equal_trees, initial_state, saved_state, small_config
from tests.references.draw import draw
from tests.training.test_step import step_and_arguments

NETWORK = {**SMALLEST, 'stage_sizes': (1, 3), 'windows': (3, 3), 'shortcut_windows': (1, 1)}
HALF = ('stem', 'stage1', 'stage2/unit1/shortcut', 'stage2/unit3')
"""Some layers: whole stages, a unit of a stack, a part of a unit."""

FROZEN = tuple(f'params/{layer}/' for layer in HALF)


@pytest.fixture(scope='module')
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of weights, with which a run begins."""
    path = tmp_path_factory.mktemp('source') / 'weights.safetensors'
    net = network(as_config(small_config(NETWORK)))
    shapes = flatten_dict(jax.eval_shape(net.init, jax.random.key(0), jnp.zeros((1, 16, 16, 1))), sep='/')
    weights.write(path, {name: np.float32(draw(name, x.shape)) for name, x in shapes.items()})
    return path


def config(**changes: Any) -> dict[str, Any]:
    recipe = {'optimizer.decay': 'all', 'optimizer.weight_decay': 0.1, 'train_for': '5 steps'}
    return small_config(NETWORK, **recipe, **{'optimizer.frozen': HALF, **changes})


def check_same(before: Any, after: Any, kept: tuple[str, ...]) -> None:
    """Asserts that, of the arrays of a network, those that begin with one of some names have kept their bits."""
    names = {name for name in before if f'{name}/'.startswith(kept)}
    assert {name for name in before if np.array_equal(before[name], after[name])} == names


def test_frozen_layers_keep_their_bits_and_all_others_learn() -> None:
    whole = as_config(config())
    (step, arguments), before = step_and_arguments(config()), initial_state(whole)
    after = step(before, *arguments)
    arrays = [flatten_dict(jax.device_get(models.unstack(each.variables)), sep='/') for each in (before, after)]
    check_same(*arrays, FROZEN)  # statistics are not parameters
    momentum = jax.tree.leaves_with_path(after.opt_state)
    assert not any(np.any(x) for path, x in momentum if 'stem' in jax.tree_util.keystr(path))
    sizes = {name: x.size for name, x in arrays[0].items() if name.startswith('params/')}
    count, total = sum(size for name, size in sizes.items() if f'{name}/'.startswith(FROZEN)), sum(sizes.values())
    log = '\n'.join(summary.introduce(setup.set_up(whole)))
    assert f'frozen: {", ".join(HALF)}: {count:,} of {total:,}' in log
    assert f'on all: {total - count:,} of {total:,}' in log
    assert 'BatchNorm still learns its statistics, in frozen layers, too' in log


def test_a_run_with_frozen_layers_and_statistics_continues_with_the_same_bits(source: Path, tmp_path: Path) -> None:
    frozen = {'init_from': str(source), 'batch_norm.frozen': True, 'checkpoint_every': '1 step'}
    whole = config(**frozen, **{'optimizer.name': 'adam'})
    training.train(whole, tmp_path / 'whole')
    training.train({**whole, 'train_for': '3 steps'}, tmp_path / 'part')
    training.train(whole, tmp_path / 'longer', extend_from=tmp_path / 'part')
    assert_equal_trees(saved_state(tmp_path / 'longer'), saved_state(tmp_path / 'whole'))
    after = flatten_dict(jax.device_get(jax_resnet.load(tmp_path / 'whole').variables), sep='/')
    check_same(weights.read(source).arrays, after, (*FROZEN, 'batch_stats/'))
    with pytest.raises(ConfigError, match=r'config.optimizer.frozen is \(.*\) in the existing run, \(\) in this one'):
        training.train({**whole, 'optimizer': {**whole['optimizer'], 'frozen': ()}}, tmp_path / 'whole')


def test_a_frozen_beginning_costs_no_backward_pass() -> None:
    def count(*frozen: str) -> float:
        config = small_config({**NETWORK, 'stage_sizes': (2, 2)}, **{'optimizer.frozen': frozen})
        step, arguments = step_and_arguments(config)
        return step.lower(setup.set_up(as_config(config)).like, *arguments).cost_analysis()['flops']  # type: ignore[no-any-return]

    whole = count()
    assert count('stem', 'stage1', 'stage2') < 0.45 * whole  # the forward pass is a third
    assert count('stem', 'stage1') < 0.75 * whole


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'optimizer.frozen': ('stem', 'stage4')}, "no layer 'stage4'; the network has head, stage1, stage2, stem"),
        ({'optimizer.frozen': ('stage2/unit9',)}, "no layer 'stage2/unit9'; stage2 has unit1, unit2, unit3"),
        ({'optimizer.frozen': ('stage1/unit1/conv1/kernel/0',)}, "no layer 'stage1/unit1/conv1/kernel/0'; kernel has "),
        ({'batch_norm.frozen': True}, 'config.batch_norm.frozen=True: needs config.init_from'),
    ],
)  # fmt: skip
def test_what_cannot_be_frozen_is_one_line(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        training.train(small_config(NETWORK, **changes), tmp_path / 'run')
    assert message in str(error.value) and '\n' not in str(error.value)
    assert not (tmp_path / 'run').exists()


def test_frozen_statistics_keep_their_bits_in_microbatches(source: Path) -> None:
    """A mean of 8 equal numbers, summed one after another, is rounded."""
    changes = {'batch_size': 32, 'memory.microbatches': 8, 'batch_norm.frozen': True, 'init_from': str(source)}
    made = setup.set_up(as_config(config(**changes)))
    state, _ = begin_from(str(source), made.initial_state(), made.model)
    before = jax.device_get(state.batch_stats)
    after = made.compile(made.training_backend())(state, 1)
    assert int(after.step) == 1
    assert_equal_trees(after.batch_stats, before)


def test_frozen_statistics_have_no_groups() -> None:
    changes = {'batch_norm.group_size': 24, 'batch_norm.frozen': True, 'init_from': 'run', 'memory.microbatches': 4}
    setup.set_up(as_config(small_config(**changes)))
