"""Converts weights between our names and PyTorch's.

Reads and writes .safetensors, which contain only arrays. A PyTorch pickle (.pth) can run code and is not read:
`scripts/pth_to_safetensors.py` converts it to safetensors, where PyTorch is installed.

Tensors do not identify their network; for example, its shortcut is unknown. The network is known from the source's run
folder or card, from the Hub, or from --config=FILE. Then the written file has a card in its header, too, and the
command refuses a network that differs from PyTorch's networks of the requested style. If the source says how images
become its input, the card says it too.
"""

import argparse
from typing import TYPE_CHECKING, Any

from jax_resnet.commands import command_line
from jax_resnet.errors import ConfigError, DataError
from jax_resnet.files import shown

if TYPE_CHECKING:
    from jax_resnet import models
    from jax_resnet.config.fields import Config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument(
        'source', help="a run folder, a .safetensors file of weights with our names or PyTorch's, or a name on the Hub"
    )
    parser.add_argument('target', help='the .safetensors file to write')
    command_line.add_config(parser, 'the network of the source, if it has no card')
    parser.add_argument(
        '--to',
        default='ours',
        metavar='STYLE',
        help='the naming style of the target: ours (default), or a style of PyTorch: cifar, torchvision, transformers',
    )
    parser.add_argument(
        '--force', action='store_true', help="write PyTorch's names even if its network would compute something else"
    )
    parser.add_argument(
        '--card', action='store_true', help='write also how --config makes images the input, and the class names'
    )
    parser.add_argument('--replace', action='store_true', help='with --card: overwrite other weights at the target')


def run(options: argparse.Namespace) -> None:
    """Converts, and says what the target has."""
    import numpy as np

    from jax_resnet import models
    from jax_resnet.models.pytorch import STYLES, check_style
    from jax_resnet.runs import weights
    from jax_resnet.training import hub
    from jax_resnet.training.load import describe_assumptions, described, flat, read, variables_of

    config, source, target = command_line.given_config(options), options.source, options.target
    if options.to not in ('ours', *STYLES):
        raise ConfigError(f'--to={options.to}: must be ours, {" or ".join(STYLES)}')
    if options.card and (config is None or options.to != 'ours'):
        raise ConfigError(
            '--card: must be given with --config=FILE, which describes the network and preprocessing, and --to=ours'
        )
    file, is_pytorch = read(source), options.to != 'ours'
    variables, about = variables_of(file), None if is_pytorch else file.preprocessing
    if options.card:
        config, about = described(file, config or {})
    found = _config_and_network(source, config, variables, file.network)
    try:
        if found and is_pytorch and not options.force:
            check_style(found[1], options.to)
        arrays = models.to_pytorch(variables, options.to) if is_pytorch else flat(variables)
    except ValueError as e:
        advice = '. Train a network that fits, or write only the names with --force'
        raise DataError(f'{shown(source)}: {e}{advice if found and is_pytorch else ""}') from None
    fields = config if options.card else found[0] if found else None
    card: dict[str, Any] | None = None if fields is None else {'file': None, 'changes': {}, 'fields': fields}
    if card is not None and hub.is_name(source):
        card['origin'] = str(file.path)
    weights.write(target, arrays, card, about, options.replace or not options.card)
    print(f'{shown(target)}: {len(arrays)} arrays, {sum(np.size(a) for a in arrays.values()):,} numbers')
    if found is None:
        print(
            f'{shown(source)} does not name its network. Readers of {shown(target)} must know the shortcut and '
            'order; with --config=FILE, they are checked and written'
        )
    elif found[0] is config and not options.card:  # with a card, `described` has printed it
        print(f'{shown(source)} {describe_assumptions(found[1])}')
    if found and is_pytorch and options.force:
        print(f'--force: only the names are of style {options.to}; a network of that style may compute something else')


def _config_and_network(
    source: str, config: 'Config | None', variables: dict[str, Any], recorded: 'Config | None'
) -> 'tuple[Config, models.ResNet] | None':
    """The config and network from source or config. Raises ConfigError if they differ, or the arrays do not fit."""
    import jax
    import jax.numpy as jnp

    from jax_resnet.config.network import network
    from jax_resnet.data import image_shape
    from jax_resnet.training.load import check_same, first_difference

    if config is None:
        return None if recorded is None else (recorded, network(recorded))
    net = network(config)
    if recorded is not None:
        check_same(shown(source), recorded, net)
    images = jnp.zeros((1, *image_shape(config.dataset)))
    shapes = jax.eval_shape(net.init, jax.random.key(0), images)
    difference = first_difference(variables, shapes, 'the config')
    if difference is not None:
        raise ConfigError(f'{shown(source)}: must have the network of the config; {difference}')
    return recorded or config, net
