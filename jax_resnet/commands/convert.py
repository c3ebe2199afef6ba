"""Converts weights between our names and PyTorch's.

Reads and writes .safetensors, which contain only arrays. A PyTorch pickle (.pth) can run code and is not read:
`scripts/pth_to_safetensors.py` converts it to safetensors, where PyTorch is installed.

Tensors do not identify their network; for example, its shortcut is unknown. The network is known from the source's run
folder or card, from the Hub, or from --config=FILE. Then the written file has a card in its header, too, and the
command refuses a network that differs from PyTorch's networks of the requested style. If the source says how images
become its input, the card says it too.
"""

import argparse
from typing import Any

import numpy as np

from jax_resnet.commands import command_line
from jax_resnet.errors import ConfigError, DataError, printable
from jax_resnet.runs import weights


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        'source', help="a run folder, a .safetensors file of weights with our names or PyTorch's, or a name on the Hub"
    )
    parser.add_argument('target', help='the .safetensors file to write')
    command_line.add_config(parser, 'the network of the source, if it has no card')
    parser.add_argument(
        '--to',
        default='ours',
        choices=['ours', 'cifar', 'torchvision', 'transformers'],
        help='the naming style of the target: ours (default), or a style of PyTorch',
    )
    parser.add_argument(
        '--card', action='store_true', help='write also how --config makes images the input, and the class names'
    )


def run(options: argparse.Namespace) -> None:
    """Converts, and says what the target has."""
    from jax_resnet import models
    from jax_resnet.config.network import network
    from jax_resnet.models.pytorch import check_style
    from jax_resnet.training import hub
    from jax_resnet.training.load import described, flat, read_network

    config, source, target = options.config, options.source, options.target
    style = None if options.to == 'ours' else options.to
    if options.card and (config is None or style):
        raise ConfigError(
            '--card: must be given with --config=FILE, which describes the network and preprocessing, and --to=ours'
        )
    file, variables = read_network(source, config)
    known, about = file.network, None if style else file.preprocessing
    if options.card:
        known, about = described(file, config)
    net = None if known is None else network(known)
    try:
        if net and style:
            check_style(net, style)
        arrays = models.to_pytorch(variables, style) if style else flat(variables)
    except ValueError as e:
        raise DataError(f'{source}: {e}') from None
    card: dict[str, Any] | None = None if known is None else {'file': None, 'changes': {}, 'fields': known}
    if card is not None and hub.is_name(source):
        card['origin'] = str(file.path)
    weights.write(target, arrays, card, about)
    print(f'{printable(target)}: {len(arrays)} arrays, {sum(np.size(a) for a in arrays.values()):,} numbers')
    if net is None:
        print(
            f'{printable(source)} does not name its network. Readers of {printable(target)} must know the shortcut and '
            'order; with --config=FILE, they are checked and written'
        )
