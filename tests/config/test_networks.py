"""The networks' structs in the table have the arguments of their functions."""

import inspect
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from msgspec import NODEFAULT

from jax_resnet import models
from jax_resnet.config.fields import NETWORKS, list_fields
from jax_resnet.config.identity import effective_shortcut
from jax_resnet.config.loading import as_config
from jax_resnet.errors import ConfigError
from jax_resnet.models import networks, shortcuts
from jax_resnet.models.resnet import INITIALIZATIONS

SMALL = {'cifar_resnet': {'depth': 56}, 'imagenet_resnet': {'depth': 50}}


def test_the_table_has_every_network_with_every_argument_and_its_default() -> None:
    assert set(NETWORKS) == set(networks.NETWORKS)
    for name, make in networks.NETWORKS.items():
        if name.endswith('_plain'):  # it takes the arguments of the residual network
            continue
        expected = {
            argument: NODEFAULT if parameter.default is parameter.empty else parameter.default
            for argument, parameter in inspect.signature(make).parameters.items()
            if parameter.kind is not parameter.VAR_KEYWORD
        }
        found = {argument: field.default for argument, field in list_fields(NETWORKS[name]).items()}
        attributes = {argument: getattr(models.ResNet, argument) for argument in found.keys() - expected.keys()}
        assert found == expected | attributes, name


NAMES = {
    'unit': networks.CIFAR_DEPTHS,
    'order': models.ORDERS,
    'shortcut': ['', *shortcuts.SHORTCUTS, 'scaling_0.5_1', 'exclusive_gating_-6', 'shortcut_only_gating_0'],
    'initialization': INITIALIZATIONS,
}
"""Of parts, as `models` knows them, by argument."""


@pytest.mark.parametrize('network', ['cifar_resnet', 'imagenet_resnet'])
def test_names_of_parts_are_those_that_the_networks_know(network: str) -> None:
    arguments = list_fields(NETWORKS[network])
    for argument in NAMES.keys() & arguments.keys():
        for name in NAMES[argument]:
            model = {'name': network, **SMALL[network], argument: name}
            assert getattr(as_config({'model': model}).model, argument) == name
            assert name in arguments[argument].allowed or name[-1].isdigit()
            models.from_config(model)
        with pytest.raises(ConfigError):
            as_config({'model': {'name': network, **SMALL[network], argument: 'nonsense'}})


@pytest.mark.parametrize(
    'model',
    [
        *(
            {'name': 'cifar_resnet', 'unit': unit, 'depth': 20 if unit != 'basic' else 14}
            for unit in networks.CIFAR_DEPTHS
        ),
        *({'name': 'imagenet_resnet', 'depth': depth} for depth in networks.IMAGENET_STAGES),
    ],
)
def test_what_an_empty_shortcut_stands_for_is_what_the_network_takes_it_for(model: dict[str, Any]) -> None:
    counts = {option: _count(model | {'shortcut': option}) for option in 'AB'}
    assert counts['A'] != counts['B']
    assert _count(model) == counts[effective_shortcut(model | {'shortcut': ''})]


def _count(model: dict[str, Any]) -> int:
    network = models.from_config(model, stacked=True)
    return models.count_parameters(jax.eval_shape(network.init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)))['params'])
