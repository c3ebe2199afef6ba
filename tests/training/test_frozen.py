"""Frozen layers and BatchNorm's frozen statistics: nothing changes them, and they cost no backward pass."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

import jax_resnet
from jax_resnet import training
from jax_resnet.config.loading import as_config
from jax_resnet.errors import ConfigError
from jax_resnet.training import setup
from tests.conftest import SMALLEST, assert_equal_trees, initial_state, saved_state, small_config
from tests.training.test_step import step_and_arguments

NETWORK = {**SMALLEST, 'stage_sizes': (2, 4), 'windows': (3, 3), 'shortcut_windows': (1, 1)}
HALF = ('stem', 'stage1', 'stage2/unit1/shortcut', 'stage2/unit3')
"""Some layers: whole stages, a unit of a stack, a part of a unit."""

RECIPE: dict[str, Any] = {'optimizer.decay': 'all', 'optimizer.weight_decay': 0.1, 'train_for': '5 steps'}


@pytest.fixture(scope='module')
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained run, whose weights and statistics are those that other runs begin with."""
    folder = tmp_path_factory.mktemp('source') / 'run'
    training.train(small_config(NETWORK, train_for='2 steps'), folder)
    return folder


def arrays(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The unstacked parameters and statistics of a run, by name."""
    variables = jax.device_get(jax_resnet.load(folder).variables)
    params, statistics = (flatten_dict(variables[kind], sep='/') for kind in ('params', 'batch_stats'))
    return params, statistics


@pytest.mark.parametrize('name', ['sgd', 'adam'])
def test_frozen_layers_keep_their_bits_and_all_others_learn(
    source: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture
) -> None:
    config = small_config(
        NETWORK, **RECIPE, **{'init_from': str(source), 'optimizer.frozen': HALF, 'optimizer.name': name}
    )
    training.train(config, tmp_path)
    (before, old), (after, new) = arrays(source), arrays(tmp_path)
    frozen = {path for path in before if f'{path}/'.startswith(tuple(f'{layer}/' for layer in HALF))}
    assert {path for path in before if np.array_equal(before[path], after[path])} == frozen
    assert not any(np.array_equal(old[path], new[path]) for path in old)  # statistics are not parameters
    count, total = (sum(before[path].size for path in paths) for paths in (frozen, before))
    out = capsys.readouterr().out
    assert f'frozen: {", ".join(HALF)}: {count:,} of {total:,}' in out
    assert f'on all: {total - count:,} of {total:,}' in out
    assert 'BatchNorm still learns its statistics, in frozen layers, too' in out
    momentum = jax.tree.leaves_with_path(saved_state(tmp_path).opt_state)
    assert not any(np.any(x) for path, x in momentum if 'stem' in jax.tree_util.keystr(path))


def test_a_run_with_frozen_layers_and_statistics_continues_with_the_same_bits(source: Path, tmp_path: Path) -> None:
    frozen = {
        'init_from': str(source),
        'optimizer.frozen': HALF,
        'batch_norm.frozen': True,
        'checkpoint_every': '1 step',
    }
    config = small_config(NETWORK, **RECIPE, **frozen)
    training.train(config, tmp_path / 'whole')
    training.train({**config, 'train_for': '3 steps'}, tmp_path / 'part')
    training.train(config, tmp_path / 'longer', extend_from=tmp_path / 'part')
    assert_equal_trees(saved_state(tmp_path / 'longer'), saved_state(tmp_path / 'whole'))
    assert_equal_trees(arrays(tmp_path / 'whole')[1], arrays(source)[1])
    with pytest.raises(ConfigError, match=r'config.optimizer.frozen is \(.*\) in the existing run, \(\) in this one'):
        training.train(small_config(NETWORK, **RECIPE, **frozen | {'optimizer.frozen': ()}), tmp_path / 'whole')


def test_a_frozen_beginning_costs_no_backward_pass() -> None:
    def count(**changes: Any) -> float:
        config = small_config(NETWORK, **{'batch_norm.group_size': 32, **changes})
        step, arguments = step_and_arguments(config)
        return step.lower(initial_state(config), *arguments).cost_analysis()['flops']  # type: ignore[no-any-return]

    whole, head, last = (
        count(),
        *(count(**{'optimizer.frozen': layers}) for layers in (('stem', 'stage1', 'stage2'), ('stem', 'stage1'))),
    )
    assert head < 0.45 * whole  # the forward pass is a third
    assert last < 0.75 * whole


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'optimizer.frozen': ('stem', 'stage4')}, "no layer 'stage4'; the network has head, stage1, stage2, stem"),
        ({'optimizer.frozen': ('stage1/unit9',)}, "no layer 'stage1/unit9'; stage1 has unit1, unit2"),
        ({'optimizer.frozen': ('stage1/unit1/conv1/kernel/0',)}, "no layer 'stage1/unit1/conv1/kernel/0'; kernel has "),
        ({'batch_norm.frozen': True}, 'config.batch_norm.frozen=True: needs config.init_from'),
    ],
)  # fmt: skip
def test_what_cannot_be_frozen_is_one_line(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        training.train(small_config(NETWORK, **changes), tmp_path / 'run')
    assert message in str(error.value) and '\n' not in str(error.value)
    assert not (tmp_path / 'run').exists()


def test_frozen_statistics_have_no_groups() -> None:
    changes = {'batch_norm.group_size': 24, 'batch_norm.frozen': True, 'init_from': 'run', 'memory.microbatches': 4}
    setup.set_up(as_config(small_config(**changes)))
