"""Inspects trained networks: writes numbers and a chart.

Writes the numbers and the chart, such as responses.json, responses.svg and responses.png, in the folder of the first
run. The report of a run shows what lies in its folder.
"""

import argparse
import json
import os
from importlib import import_module
from pathlib import Path

from jax_resnet import files
from jax_resnet.commands import command_line
from jax_resnet.errors import ConfigError, printable
from jax_resnet.inspections import INSPECTIONS
from jax_resnet.report import charts


def add_arguments(parser: argparse.ArgumentParser) -> None:
    inspections = parser.add_subparsers(dest='inspection', required=True, metavar='INSPECTION')
    for name in INSPECTIONS:
        module = import_module(f'jax_resnet.inspections.{name}')
        added = command_line.add_parser(inspections, name, module.__doc__)
        added.add_argument(
            'networks',
            nargs='+',
            metavar='NETWORK',
            help='run folders, files of weights, names on the Hub, or config files, whose networks have their initial '
            'weights',
        )
        command_line.add_config(added, 'for files of weights without a card: the network and its preprocessing')
        command_line.add_data(added)
        added.add_argument(
            '--initial', action='store_true', help='the initial weights of runs, instead of the last ones'
        )
        added.add_argument(
            '--out', metavar='NAME', help=f"the files to write, without a suffix (default: {name} in the run's folder)"
        )
        module.add_arguments(added)


def run(options: argparse.Namespace) -> None:
    """Inspects, writes the numbers and the chart, and prints a summary."""
    options.networks = [os.path.expanduser(name) for name in options.networks]  # noqa: PTH111 - or of the Hub
    out = _out(options)
    module = import_module(f'jax_resnet.inspections.{options.inspection}')

    from jax_resnet.platform import compilation_cache, exactness

    alt = charts.altair()  # fails before the measurement if the chart packages are missing
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    compilation_cache.enable()
    with exactness.exact():
        measured = module.measure(options)
    for line in module.summarize(measured):
        print(line)
    picture = charts.styled(alt.vconcat(*module.draw(measured)))
    numbers = (json.dumps(measured, indent=1) + '\n').encode()
    contents = {f'{out}.json': numbers} | {
        f'{out}.{suffix}': charts.drawn(picture, suffix) for suffix in ('svg', 'png')
    }
    files.write({Path(path): content for path, content in contents.items()})
    print('written: ' + ', '.join(map(printable, contents)))


def _out(options: argparse.Namespace) -> str:
    """Returns the path of the files to write, without a suffix."""
    if options.out:
        return str(files.local(options.out))
    first = Path(options.networks[0])
    if not first.is_dir():
        raise ConfigError(f'--out: must be given, such as --out={options.inspection}, as {first} is no run folder')
    return str(first / options.inspection)
