"""Evaluates a network on any split of any data with its classes."""

import argparse
from typing import TYPE_CHECKING

from jax_resnet.commands import command_line
from jax_resnet.errors import ConfigError

if TYPE_CHECKING:
    from jax_resnet.training.scores import Scores

MOST_CLASSES, HARDEST = 100, 20
"""With up to MOST_CLASSES classes, all errors are printed; with more, only those of the HARDEST classes."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    command_line.add_network(parser)
    command_line.add_data(parser)
    add = parser.add_argument
    add('--images', metavar='FILE', help='.npy file of another test set, uint8 [n, height, width, channels]')
    add('--labels', metavar='FILE', help='.npy file of its labels, with the same numbers of the classes')
    add(
        '--parts', type=int, default=1, metavar='N',
        help='also print the error of each of N equal parts, such as the 5 severities in a file of CIFAR-10-C',
    )  # fmt: skip
    add('--split', help="split in TFDS's syntax, such as train[:10%%] (default: the data's test or validation split)")
    add(
        '--protocol', default='center', choices=['center', 'ten_crop', 'multi_scale'],
        help='views of each picture: the central crop; ten crops; or the whole picture at five scales',
    )  # fmt: skip
    add(
        '--average',
        choices=['softmax', 'logits'],
        help='what is averaged over the views of ten_crop or multi_scale (default: as in the config)',
    )
    add(
        '--shorter-side',
        type=int,
        help='length in pixels to which the shorter side of pictures is resized before the crop; not for multi_scale',
    )
    add(
        '--crop',
        type=int,
        help='height and width of the crop in pixels, not for multi_scale; 0 is the crop of training for pictures, and '
        'the whole image for other data',
    )
    add(
        '--recalibrate', type=int, default=0, metavar='N',
        help="compute BatchNorm's statistics again, over N training images (default: keep those of the training)",
    )  # fmt: skip
    command_line.add_json(parser)


def run(options: argparse.Namespace) -> None:
    """Evaluates, and prints the errors."""
    from jax_resnet import training
    from jax_resnet.platform import compilation_cache

    if options.parts < 1:
        raise ConfigError(f'--parts={options.parts}: must be at least 1')
    compilation_cache.enable()
    given = (
        'config', 'data', 'split', 'protocol', 'average', 'shorter_side', 'crop', 'recalibrate', 'images', 'labels',
    )  # fmt: skip
    scores = training.evaluate(options.network, **{name: getattr(options, name) for name in given})
    divides = scores.count % options.parts == 0
    parts = scores.parts(options.parts) if options.parts > 1 and divides else []
    if options.json:
        numbers = ('error', 'top5_error', 'loss', 'count', 'correct', 'present_error', 'class_errors')
        found = {name: getattr(scores, name) for name in numbers}
        command_line.print_json(found | ({'part_errors': [part.error for part in parts]} if parts else {}))
    else:
        _print(scores, parts)
    if not divides:
        raise ConfigError(f'--parts={options.parts}: must divide the {scores.count:,} examples')


def _print(scores: 'Scores', parts: 'list[Scores]') -> None:
    if scores.present:
        print(f"the data has {len(scores.class_errors):,} of the network's {len(scores.class_names):,} classes")
    print(f'error {scores.error:.2f} % ({scores.correct:,} of {scores.count:,} correct), loss {scores.loss:.4f}')
    if scores.top5_error is not None:
        print(f'top-5 error {scores.top5_error:.2f} % ({scores.top5_correct:,} of {scores.count:,} correct)')
    if scores.present_error is not None:
        print(
            f'error {scores.present_error:.2f} % ({scores.present_correct:,} of {scores.count:,} correct) among the '
            "data's classes alone; the errors above are among all of the network's"
        )
    for i, part in enumerate(parts, start=1):
        print(f'part {i}: error {part.error:.2f} % ({part.correct:,} of {part.count:,} correct)')
    errors = list(scores.class_errors.items())
    if len(errors) > MOST_CLASSES:
        print(f'the {HARDEST} hardest of {len(errors):,} classes')
        errors = sorted(errors, key=lambda item: -1 if item[1] is None else item[1], reverse=True)[:HARDEST]
    for name, error in errors:
        print(f'  {name:20} ' + ('no examples' if error is None else f'{error:6.2f} %'))
