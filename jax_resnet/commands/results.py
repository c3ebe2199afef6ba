"""Keeps measured results and weights, and makes their tables.

- `add RUN ...` keeps the small files of each finished run.
- `weights RUN ...` writes the weights of the run with the median test error, with a card. Of an even number of runs,
  it takes the better of the two middle ones.
- `table` writes the tables and curves of README.md and results/README.md again, from the runs in `results`.
"""

import argparse
from pathlib import Path

from jax_resnet.commands import command_line
from jax_resnet.errors import ConfigError
from jax_resnet.report import readme
from jax_resnet.runs import results_folder, weights
from jax_resnet.runs.run_folder import RunFolder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar='add | weights | table')
    add = command_line.add_parser(actions, 'add', 'keeps the small files of finished runs', action=_add)
    publish = command_line.add_parser(actions, 'weights', 'writes the weights of the median run', action=_weights)
    command_line.add_parser(actions, 'table', 'writes the tables and curves again', action=_table)
    for action in (add, publish):
        action.add_argument('runs', nargs='+', help='run folders')
    publish.add_argument(
        '--out', help='the .safetensors file to write (default: results/weights/<config name>.safetensors)'
    )


def run(options: argparse.Namespace) -> None:
    options.action(options)


def _add(options: argparse.Namespace) -> None:
    for run in [results_folder.finished(folder) for folder in options.runs]:
        told = f'{run.summary["final_test_error"]:.2f} % test error, {run.config and run.config.length}'
        print(f'{results_folder.add(run)}: {told}')


def _weights(options: argparse.Namespace) -> None:
    import jax_resnet
    from jax_resnet.training.load import flat

    runs = [results_folder.finished(folder) for folder in options.runs]
    for run in runs:
        if run.recipe != runs[0].recipe:
            raise ConfigError(f'{run.folder}: must have the config of {runs[0].folder}; only the seed may differ')
    ranked = sorted(runs, key=lambda run: (run.summary['final_test_error'], run.seed))
    middle = ranked[(len(ranked) - 1) // 2]
    card = {
        'file': middle.file,
        'changes': middle.changes,
        'seed': middle.seed,
        'median_of_seeds': sorted(run.seed for run in runs),
        'test_error': middle.summary['final_test_error'],
        'test_count': middle.summary['test_count'],
        'parameters': middle.summary['parameters'],
        'environment': middle.starts,
        'fields': middle.config,
    }
    kept = results_folder.result_path(middle).parent.relative_to(results_folder.RESULTS)
    path = Path(options.out or results_folder.RESULTS / 'weights' / f'{kept}.safetensors')
    trained = jax_resnet.load(middle.folder)
    weights.write(path, flat(trained.variables), card, RunFolder(middle.folder).preprocessing())
    print(f'{path}: {readme.describe(card)}')


def _table(options: argparse.Namespace) -> None:
    for path in readme.write():
        print(path)
