"""The table of the networks' arguments is what the networks take."""

import inspect
import sys
from subprocess import run
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from jax_resnet import models
from jax_resnet.config.model_fields import ARGUMENTS, REQUIRED, effective_shortcut
from jax_resnet.models import by_name, papers, shortcuts
from jax_resnet.models.resnet import INITIALIZATIONS

SMALL = {'cifar_resnet': {'depth': 56}, 'imagenet_resnet': {'depth': 50}}


def test_it_has_every_network_with_every_argument_and_its_default() -> None:
    assert set(ARGUMENTS) == set(by_name.NETWORKS)
    for name, make in by_name.NETWORKS.items():
        parameters = inspect.signature(make).parameters
        expected = {
            argument: REQUIRED if parameter.default is parameter.empty else parameter.default
            for argument, parameter in parameters.items()
            if parameter.kind is not parameter.VAR_KEYWORD
        }
        assert {argument: default for argument, (default, _) in ARGUMENTS[name].items()} == expected, name


@pytest.mark.parametrize('name', ARGUMENTS)
def test_a_field_accepts_its_default_and_the_words_say_more_than_its_name(name: str) -> None:
    for argument, (default, field) in ARGUMENTS[name].items():
        assert default is REQUIRED or field.accepts(default), argument
        assert len(field.meaning) > 5 and len(field.allowed) > 5 and not field.accepts(None)


NAMES = {
    'unit': papers.CIFAR_DEPTHS,
    'order': models.ORDERS,
    'shortcut': ['', *shortcuts.SHORTCUTS, 'scaling_0.5_1', 'exclusive_gating_-6', 'shortcut_only_gating_0'],
    'initialization': INITIALIZATIONS,
}
"""Of parts, as `models` knows them, by argument."""


@pytest.mark.parametrize('network', ['cifar_resnet', 'imagenet_resnet'])
def test_names_of_parts_are_those_that_the_networks_know(network: str) -> None:
    for argument in NAMES.keys() & ARGUMENTS[network].keys():
        field = ARGUMENTS[network][argument].field
        for name in NAMES[argument]:
            assert field.accepts(name) and (name in field.allowed or name[-1].isdigit()), name
            models.from_config({'name': network, **SMALL[network], argument: name})
        assert not field.accepts('nonsense')


@pytest.mark.parametrize(
    ('network', 'argument', 'value'),
    [
        ('cifar_resnet', 'depth', '20'),
        ('cifar_resnet', 'depth', 0),
        ('cifar_resnet', 'unit', 'bottleneck_v1.5'),
        ('cifar_resnet', 'shortcut', 'scaling_1'),
        ('cifar_resnet', 'shortcut', 'a'),
        ('cifar_resnet', 'shortcut', 3),
        ('cifar_resnet', 'stage_sizes', (9, 9)),
        ('cifar_resnet', 'stage_sizes', (9, 9, 0)),
        ('cifar_resnet', 'zero_last_scale', 0),
        ('cifar_plain', 'shortcut', 'A'),
        ('imagenet_resnet', 'v1_5', 'yes'),
        ('scaled_resnet', 'windows', (2, 3)),
        ('scaled_resnet', 'stage_sizes', ()),
        ('scaled_resnet', 'dropout', 1.0),
        ('scaled_resnet', 'drop_block', float('nan')),
        ('identity4', 'stage_sizes', (2, 2, 2)),
    ],
)
def test_what_no_network_takes_is_not_accepted(network: str, argument: str, value: Any) -> None:
    assert not ARGUMENTS[network][argument].field.accepts(value)


@pytest.mark.parametrize(
    'model',
    [
        *(
            {'name': 'cifar_resnet', 'unit': unit, 'depth': 20 if unit != 'basic' else 14}
            for unit in papers.CIFAR_DEPTHS
        ),
        *({'name': 'imagenet_resnet', 'depth': depth} for depth in papers.IMAGENET_STAGES),
    ],
)
def test_what_an_empty_shortcut_stands_for_is_what_the_network_takes_it_for(model: dict[str, Any]) -> None:
    counts = {option: _count(model | {'shortcut': option}) for option in 'AB'}
    assert counts['A'] != counts['B']
    assert _count(model) == counts[effective_shortcut(model | {'shortcut': ''})]


def _count(model: dict[str, Any]) -> int:
    network = models.from_config(model, stacked=True)
    return models.count_parameters(jax.eval_shape(network.init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)))['params'])


def test_readers_of_run_folders_need_no_jax() -> None:
    program = 'import sys, jax_resnet.config.identity, jax_resnet.config.loader; print("jax" in sys.modules)'
    assert run([sys.executable, '-c', program], capture_output=True, text=True, check=True).stdout == 'False\n'
