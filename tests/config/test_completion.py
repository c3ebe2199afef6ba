"""What a config means that does not say it."""

import json
from pathlib import Path
from typing import Any

import pytest

from jax_resnet import training
from jax_resnet.config.completion import complete, switched
from jax_resnet.config.model_fields import ARGUMENTS, REQUIRED
from jax_resnet.errors import ConfigError
from tests.conftest import small_config


def test_a_config_gets_every_argument_of_its_network() -> None:
    whole = complete(small_config())
    assert set(whole['model']) == {'name', *ARGUMENTS['cifar_resnet']}
    assert whole['model']['order'] == 'original' and whole['model']['depth'] == 8
    assert complete(whole) == whole


@pytest.mark.soak
def test_a_config_from_json_trains_as_the_one_that_it_was_written_of(tmp_path: Path) -> None:
    config = small_config(**{'train_for': '3 steps', 'model.shortcut': 'A', 'evaluate_every': '1 step'})
    first = training.train(config, tmp_path / 'first')
    written = json.loads((tmp_path / 'first' / 'config.json').read_text())
    assert set(written['model']) == {'name', *ARGUMENTS['cifar_resnet']}
    del written['model']['order'], written['model']['shortcut']
    again = training.train(written, tmp_path / 'again')
    assert again | {'seconds': 0} == first | {'seconds': 0}
    assert training.train(written, tmp_path / 'first') == first  # the same run, finished


def test_what_holds_itself_is_an_error() -> None:
    config = small_config()
    config['schedule']['drop_at'] = rates = ['1 epoch']
    rates.append(rates)
    with pytest.raises(ConfigError, match='must be groups of fields that do not contain themselves'):
        complete(config)


PLAIN = {'name': 'cifar_plain', 'depth': 20, 'shortcut': 'none', 'order': 'original', 'num_classes': 100}


@pytest.mark.parametrize(
    ('model', 'network', 'expected'),
    [
        ({'name': 'cifar_resnet', 'depth': 20, 'shortcut': '', 'num_classes': 100}, 'cifar_plain', PLAIN),
        (PLAIN, 'cifar_resnet', {'depth': 20, 'shortcut': '', 'num_classes': 100}),
        (PLAIN | {'order': 'full_preactivation'}, 'cifar_resnet', {'order': 'full_preactivation', 'shortcut': ''}),
        (PLAIN, 'identity4', {'stage_sizes': (2, 2, 2, 2), 'num_classes': 100}),
        (PLAIN, 'imagenet_resnet', {'depth': 20, 'num_classes': 100, 'v1_5': False}),
        (
            {'name': 'identity4', 'stage_sizes': (2, 2, 2, 2), 'num_classes': 10},
            'cifar_resnet',
            {'stage_sizes': (), 'num_classes': 10},
        ),
        ({'name': 'cifar_resnet', 'depth': 8, 'num_classes': 10}, 'imagenet_resnet', {'num_classes': 10}),
    ],
)
def test_another_network_takes_its_own_defaults(model: dict[str, Any], network: str, expected: dict[str, Any]) -> None:
    result = switched(model, network)
    assert set(result) == {'name', *ARGUMENTS[network]} and result['name'] == network
    assert result.items() >= (expected | {'name': network}).items()


def test_a_depth_is_still_to_be_given() -> None:
    assert switched({'name': 'identity4', 'num_classes': 10}, 'cifar_resnet')['depth'] is REQUIRED


@pytest.mark.parametrize(
    ('changes', 'network', 'message'),
    [
        (
            {'order': 'full_preactivation'},
            'scaled_resnet',
            "name='scaled_resnet': has no argument order, which the config sets to",
        ),
        (
            {'unit': 'bottleneck'},
            'imagenet_resnet',
            "has no argument unit, which the config sets to 'bottleneck'; its arguments are depth, ",
        ),
        ({}, 'resnet', "config.model.name='resnet': must be one of cifar_resnet, cifar_plain, "),
    ],
)
def test_what_another_network_lacks_and_is_changed_is_an_error(changes: dict, network: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        switched({'name': 'cifar_resnet', 'depth': 20} | changes, network)
    assert '\n' not in str(error.value)
