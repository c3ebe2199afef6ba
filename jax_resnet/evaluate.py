"""Evaluates a network on a split: `python -m jax_resnet.evaluate runs/resnet20_digits/seed0 --split='train[:10%]'`."""

from jax_resnet import signals

if __name__ == '__main__':
    signals.end_at_once()

import argparse
import sys
from typing import Any

from jax_resnet import command_line


def main() -> int:
    """Runs the command line; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog='python -m jax_resnet.evaluate', description='Evaluates a network on any split.'
    )
    parser.add_argument('run', help='the run folder, or a file of weights with its card or --config')
    parser.add_argument('--split', help="in TFDS's syntax, such as train[:10%%]; by default the run's test split")
    parser.add_argument('--data_dir', help='folder of prepared TFDS data, if not where the run found it')
    return command_line.with_config(parser, _evaluate)


def _evaluate(options: argparse.Namespace, config: dict[str, Any] | None) -> None:
    from jax_resnet import training
    from jax_resnet.backend import compilation_cache

    compilation_cache.enable()
    scores = training.evaluate(options.run, options.split, options.data_dir, config)
    print(f'error {scores.error:.2f} % ({scores.correct:,} of {scores.count:,} correct), loss {scores.loss:.4f}')
    for name, error in scores.class_errors.items():
        print(f'  {name:20} ' + ('no examples' if error is None else f'{error:6.2f} %'))


if __name__ == '__main__':
    sys.exit(main())
