"""Opens networks to inspect, trained or with their initial weights, and the data to inspect them on."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax

from jax_resnet import models
from jax_resnet.config import loading
from jax_resnet.config.fields import Config
from jax_resnet.config.loading import change
from jax_resnet.config.network import network
from jax_resnet.data.datasets import located
from jax_resnet.data.preprocessing import Preprocess
from jax_resnet.errors import ConfigError
from jax_resnet.files import shown
from jax_resnet.platform import for_platform
from jax_resnet.platform.base import Backend
from jax_resnet.runs import weights
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.training import hub
from jax_resnet.training.begin import begin_from
from jax_resnet.training.load import load_stacked
from jax_resnet.training.setup import Input, initial_state, open_input, set_up

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Network:
    """A network to inspect, on one device.

    Attributes:
        name: what was given: a run folder, a file of weights, a name on the Hub, or a config file.
        config: its config, with the data to inspect it on.
        model: the network, unstacked and without rematerialization, with the platform's convolution.
        variables: {'params': ..., 'batch_stats': ...}.
        preprocess: converts images to its input.
        data: the data to inspect it on.
        platform: settings of the device's platform.
    """

    name: str
    config: Config
    model: models.ResNet
    variables: Mapping[str, Any]
    preprocess: Preprocess
    data: Input
    platform: Backend


def open_networks(
    names: Sequence[str], config: Config | None = None, data: str | None = None, initial: bool = False
) -> list[Network]:
    """Opens networks.

    Args:
        names: run folders, files of weights, names on the Hub, and config files, whose networks have their initial
            weights (those of init_from, if the config has it).
        config: the config of the files of weights without a card.
        data: a data set or folder, as for `located`, to inspect them on; None means each network's own.
        initial: whether to take the initial weights of runs.

    Raises:
        ConfigError, DataError: a network cannot be loaded, its data is missing, or no network needs the config.
    """
    if config is not None and not any(map(_needs_config, names)):
        raise ConfigError(f'{shown(names[0])}: must be a file of weights without a card, for --config')
    return [_open(name, config if _needs_config(name) else None, data, initial) for name in names]


def _needs_config(name: str) -> bool:
    """Whether a network is a file of weights that does not say how images become its input."""
    return weights.is_file(name) and 'class_names' not in (weights.read_card(name) or {})


def _open(name: str, config: Config | None, data: str | None, initial: bool) -> Network:
    is_loaded = weights.is_file(name) or hub.is_name(name)
    if is_loaded or (Path(name).is_dir() and not initial):
        trained, config = load_stacked(name, config, data)
        config = change(located(config, data), {'parallel.devices': 1})
        inputs = open_input(config, class_names=trained.class_names)
        variables, preprocess = models.unstack(trained.variables), trained.preprocess
    else:
        config = RunFolder(name).config() if Path(name).is_dir() else loading.load(name, {})[0]
        config = change(located(config, data), {'parallel.devices': 1})
        inputs, model, mesh, *_ = set_up(config)
        state = initial_state(inputs, model, mesh)
        if config.init_from is not None:
            state, line = begin_from(config.init_from, state, model)
            _log.info(line)
        variables, preprocess = models.unstack(state.variables), inputs.preprocess
    platform = for_platform(jax.local_devices()[0].platform)
    net = network(config, **{**platform.network, 'stacked': False, 'rematerialize': False})
    return Network(name, config, net, variables, preprocess, inputs, platform)
