"""Evaluates a network on a split: `python -m jax_resnet.evaluate runs/resnet20_digits/seed0 --split='train[:10%]'`."""

from jax_resnet import signals

if __name__ == '__main__':
    signals.end_at_once()

import argparse
import sys
from collections.abc import Iterator, Mapping

from jax_resnet import command_line
from jax_resnet.config.fields import Config

MOST_CLASSES, HARDEST = 100, 20
"""With up to MOST_CLASSES classes, all errors are printed; with more, only those of the HARDEST classes."""


def main() -> int:
    """Runs the command line and returns its exit code."""
    parser = argparse.ArgumentParser(
        prog='python -m jax_resnet.evaluate', description='Evaluates a network on any split.'
    )
    parser.add_argument('run', help='a run folder, or a file of weights with its card or with --config')
    parser.add_argument('--split', help="split in TFDS's syntax, such as train[:10%%] (default: the run's test split)")
    parser.add_argument(
        '--data_dir',
        help="folder of prepared TFDS data, of pictures, or of ImageNet's tars (default: as in the run)",
    )
    parser.add_argument(
        '--protocol', default='center', choices=['center', 'ten_crop', 'multi_scale'],
        help='views of each picture: the central crop; ten crops; or the whole picture at five scales',
    )  # fmt: skip
    parser.add_argument(
        '--average',
        choices=['softmax', 'logits'],
        help='what is averaged over the views of ten_crop or multi_scale (default: as in the config)',
    )
    parser.add_argument(
        '--shorter_side',
        type=int,
        help='length in pixels to which the shorter side of pictures is resized before the crop; not for multi_scale',
    )
    parser.add_argument(
        '--crop',
        type=int,
        help='height and width of the crop in pixels, not for multi_scale; 0 is the crop of training for pictures, and '
        'the whole image for other data',
    )
    parser.add_argument(
        '--recalibrate', type=int, default=0, metavar='N',
        help="compute BatchNorm's statistics again, over N training images (default: keep those of the training)",
    )  # fmt: skip
    return command_line.with_config(parser, _evaluate)


def _evaluate(options: argparse.Namespace, config: Config | None) -> None:
    from jax_resnet import training
    from jax_resnet.platform import compilation_cache

    compilation_cache.enable()
    given = ('split', 'data_dir', 'protocol', 'average', 'shorter_side', 'crop', 'recalibrate')
    scores = training.evaluate(options.run, config=config, **{name: getattr(options, name) for name in given})
    print(f'error {scores.error:.2f} % ({scores.correct:,} of {scores.count:,} correct), loss {scores.loss:.4f}')
    if scores.top5_error is not None:
        print(f'top-5 error {scores.top5_error:.2f} % ({scores.top5_correct:,} of {scores.count:,} correct)')
    for line in _class_lines(scores.class_errors):
        print(line)


def _class_lines(errors: Mapping[str, float | None]) -> Iterator[str]:
    """Yields a line for each class, or for the hardest classes if there are many."""
    shown = list(errors.items())
    if len(errors) > MOST_CLASSES:
        shown = sorted(shown, key=lambda item: -1 if item[1] is None else item[1], reverse=True)[:HARDEST]
        yield f'the {HARDEST} hardest of {len(errors):,} classes'
    for name, error in shown:
        yield f'  {name:20} ' + ('no examples' if error is None else f'{error:6.2f} %')


if __name__ == '__main__':
    sys.exit(main())
