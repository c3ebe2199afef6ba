"""How large each config's network is, and how long it trains: `sizes.json`, counted by `python -m configs.index`."""

import importlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

FILE = Path(__file__).with_suffix('.json')


class Size(NamedTuple):
    """The size of a config.

    Attributes:
        parameters: trainable numbers of its network.
        multiply_adds: of one image's forward pass.
        steps: of its training; None where the data set's size is not known before.
    """

    parameters: int
    multiply_adds: int
    steps: int | None


def read() -> dict[str, Size]:
    """The sizes that were counted last, by the config's name, with its argument where it has one."""
    return {name: Size(**size) for name, size in json.loads(FILE.read_text(encoding='utf-8')).items()}


def write(names: list[str]) -> None:
    """Counts, and writes the file: a line for each config."""
    lines = ',\n'.join(f'{json.dumps(name)}: {json.dumps(count(name)._asdict())}' for name in names)
    FILE.write_text(f'{{\n{lines}\n}}\n', encoding='utf-8')


def count(name: str) -> Size:
    """The size of a config, from the shapes alone.

    Args:
        name: 'resnet20_cifar10', or 'lab_cifar10:resnet56'.
    """
    from jax_resnet.config.durations import Clock
    from jax_resnet.data import DATASETS, image_shape

    module, *argument = name.split(':')
    config = importlib.import_module(f'configs.{module}').get_config(*argument).to_dict()
    examples = DATASETS[config['dataset']['name']].splits.get('train')
    steps = None if examples is None else Clock(examples, config['batch_size']).steps(config['train_for'])
    return Size(*_of_network(tuple(config['model'].items()), image_shape(config['dataset'])), steps)


@cache
def _of_network(model: tuple[tuple[str, Any], ...], image_shape: tuple[int, int, int]) -> tuple[int, int]:
    """Parameters and multiply-adds of a network; many configs have the same."""
    import jax
    import jax.numpy as jnp

    from jax_resnet import models

    described: Mapping[str, Any] = dict(model)
    net = models.from_config(described, stacked=True)
    params = jax.eval_shape(net.init, jax.random.key(0), jnp.zeros((1, *image_shape)))['params']
    return models.count_parameters(params), models.count_multiply_adds(net, image_shape)
