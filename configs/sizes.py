"""Counts the size of each config's network and the steps of its training, for `sizes.json`.

`python -m configs.index` calls it.
"""

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
        parameters: number of trainable parameters of the network.
        multiply_adds: number of multiply-adds in the forward pass of one image.
        steps: number of training steps; None if the size of the data set is not known.
    """

    parameters: int
    multiply_adds: int
    steps: int | None


def read() -> dict[str, Size]:
    """Returns the sizes that were counted last, by the name of the config, with its argument if it has one."""
    return {name: Size(**size) for name, size in json.loads(FILE.read_text(encoding='utf-8')).items()}


def write(names: list[str]) -> None:
    """Counts the sizes of all configs and writes the file, with a line for each config."""
    lines = ',\n'.join(f'{json.dumps(name)}: {json.dumps(count(name)._asdict())}' for name in names)
    FILE.write_text(f'{{\n{lines}\n}}\n', encoding='utf-8')


def count(name: str) -> Size:
    """Returns the size of a config. It is computed from shapes only.

    Args:
        name: 'resnet20_cifar10', or 'lab_cifar10:resnet56'.
    """
    from jax_resnet.config.durations import Clock
    from jax_resnet.config.fields import flatten
    from jax_resnet.config.loading import as_config
    from jax_resnet.data import DATASETS, image_shape

    module, *argument = name.split(':')
    config = as_config(importlib.import_module(f'configs.{module}').get_config(*argument))
    examples = DATASETS[config.dataset.name].splits.get('train')
    steps = None if examples is None else Clock(examples, config.batch_size, config.shorten).steps(config.train_for)
    return Size(*_parameters_and_operations(tuple(flatten(config.model).items()), image_shape(config.dataset)), steps)


@cache
def _parameters_and_operations(
    model: tuple[tuple[str, Any], ...], image_shape: tuple[int, int, int]
) -> tuple[int, int]:
    """Returns the parameters and multiply-adds of a network. It is cached, because many configs share a network."""
    import jax
    import jax.numpy as jnp

    from jax_resnet import models

    described: Mapping[str, Any] = dict(model)
    net = models.from_config(described, stacked=True)
    params = jax.eval_shape(net.init, jax.random.key(0), jnp.zeros((1, *image_shape)))['params']
    return models.count_parameters(params), models.count_multiply_adds(net, image_shape)
