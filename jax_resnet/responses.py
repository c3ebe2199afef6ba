"""Measures the layers of networks: `python -m jax_resnet.responses runs/resnet20_digits/seed0`.

Writes the standard deviation of each 3x3 layer's response (He et al. 2015, Figure 7), and the norm of the loss's
gradient there. OUT.json has the data. OUT.svg and OUT.png show the layers in order and sorted by size. Each network is
a run folder, a file of weights, or a config file, whose network is measured with its initial weights (those of
init_from, if the config has it).
"""

from jax_resnet import signals

if __name__ == '__main__':
    signals.end_at_once()

import argparse
import json
import logging
import sys
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from jax_resnet import command_line, files, models
from jax_resnet.config import loading
from jax_resnet.config.fields import Config
from jax_resnet.config.loading import change
from jax_resnet.config.network import network
from jax_resnet.data.datasets import located
from jax_resnet.errors import ConfigError, DataError
from jax_resnet.files import shown
from jax_resnet.models import layer_responses
from jax_resnet.platform import for_platform
from jax_resnet.report import charts
from jax_resnet.report import responses as chart_of_responses
from jax_resnet.runs import weights
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.training import state as states
from jax_resnet.training.begin import begin_from
from jax_resnet.training.load import load, load_stacked
from jax_resnet.training.setup import backend, set_up
from jax_resnet.training.step import cross_entropy

_log = logging.getLogger(__name__)


def main() -> int:
    """Runs the command line and returns its exit code."""
    parser = argparse.ArgumentParser(
        prog='python -m jax_resnet.responses', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('networks', nargs='+', metavar='RUN', help='run folders, files of weights, or config files')
    parser.add_argument(
        '--initial', action='store_true', help='measure the initial weights of a run instead of the last ones'
    )
    parser.add_argument('--examples', type=int, default=512, help='number of training images (default: 512)')
    parser.add_argument(
        '--data_dir', help="folder of prepared TFDS data, of pictures, or of ImageNet's tars (default: as in the run)"
    )
    parser.add_argument(
        '--out', default='responses', help='name of the files to write, without a suffix (default: responses)'
    )
    return command_line.with_config(parser, _responses)


def _responses(options: argparse.Namespace, config: Config | None) -> None:
    charts.altair()  # fails before the measurement if the chart packages are missing
    if config is not None and not any(map(_needs_config, options.networks)):
        raise ConfigError(f'{shown(options.networks[0])}: must be a file of weights without a card, for --config')
    measured = [{'network': name, **_measure(name, options, config)} for name in options.networks]
    picture = chart_of_responses.chart(measured)
    contents = {'json': (json.dumps(measured, indent=1) + '\n').encode()}
    contents |= {suffix: charts.drawn(picture, suffix) for suffix in ('svg', 'png')}
    try:
        files.write_all({Path(f'{options.out}.{suffix}'): content for suffix, content in contents.items()})
    except OSError as e:
        raise DataError(f'--out={options.out}: cannot be written ({e.strerror})') from None
    for result in measured:
        std, norms = result['std'], result['gradient_norm']
        print(
            f'{result["network"]}: {len(std)} layers of 3x3, mean standard deviation {sum(std) / len(std):.3g}, '
            f"norm of the loss's gradient {norms[0]:.3g} at the first and {norms[-1]:.3g} at the last"
        )
    print(f'{options.out}.json, {options.out}.svg, {options.out}.png')


def _needs_config(name: str) -> bool:
    """Whether a network is a file of weights without a card."""
    return weights.is_file(name) and not weights.card_of(name).exists()


def _config_of(name: str, config_of_weights: Config | None) -> Config:
    """The config of a network; `config_of_weights` if this is a file of weights without a card."""
    if Path(name).is_dir():
        return RunFolder(name).config()
    if not weights.is_file(name):
        return loading.load(name, {})[0]
    if config_of_weights is not None and _needs_config(name):
        return config_of_weights
    return load_stacked(name)[1]


def _measure(name: str, options: argparse.Namespace, config_of_weights: Config | None) -> dict[str, Any]:
    """Measures a trained network, or the network of a config, on the first examples of its training split."""
    config, count = _config_of(name, config_of_weights), options.examples
    config = change(located(config, options.data_dir), {'parallel.devices': 1})
    data, model, mesh, clock, _ = set_up(config)
    batch_size, size = config.batch_size, clock.epoch_size
    if not batch_size <= count <= size:
        raise ConfigError(f'--examples={count}: must be from {batch_size}, the batch size of {name}, to {size:,}')
    examples = data.first(count)
    if options.initial or not (Path(name).is_dir() or weights.is_file(name)):
        state = states.initial(config, model, data.image_shape, mesh, backend(config, mesh))
        if config.init_from is not None:
            state, line = begin_from(config.init_from, state, model)
            _log.info(line)
        variables = models.unstack(state.variables)
    else:
        variables = load(name, config if _needs_config(name) else None).variables
    platform = for_platform(jax.local_devices()[0].platform)
    found = layer_responses.measure(
        network(config, **{**platform.network, 'stacked': False, 'rematerialize': False}),
        variables,
        [
            (
                data.normalization(jnp.asarray(examples.images[i : i + batch_size])),
                examples.labels[i : i + batch_size],
            )
            for i in range(0, count - batch_size + 1, batch_size)
        ],
        cross_entropy,
        partial(jax.jit, compiler_options=dict(platform.compiler_options)),
    )
    return {'layers': found.names, 'std': found.std.tolist(), 'gradient_norm': found.gradient_norm.tolist()}


if __name__ == '__main__':
    sys.exit(main())
