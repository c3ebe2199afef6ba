"""Predicts the classes of images: `python -m jax_resnet.predict runs/resnet20_cifar10/seed0 cat.png dog.jpg`."""

from jax_resnet import signals

if __name__ == '__main__':
    signals.end_at_once()

import argparse
import errno
import logging
import os
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageColor, ImageOps

import jax_resnet
from jax_resnet import command_line, files
from jax_resnet.config.fields import Config, Pictures
from jax_resnet.data.pictures import decoding
from jax_resnet.data.pictures.views import Centre
from jax_resnet.errors import ConfigError, DataError
from jax_resnet.files import shown
from jax_resnet.platform import memory
from jax_resnet.training.load import check_finite

FORMATS = ('PNG', 'JPEG', 'WEBP')

CHUNK = 64
"""Number of images that are read, and predicted, at once. It limits the memory that many images need."""

_log = logging.getLogger(__name__)


def main() -> int:
    """Runs the command line and returns its exit code."""
    parser = argparse.ArgumentParser(
        prog='python -m jax_resnet.predict',
        description='Prints the five most likely classes of each image. Images may have any size.',
    )
    parser.add_argument('run', help='the run folder of the network, or its file of weights')
    parser.add_argument('images', nargs='+', help=f'{", ".join(FORMATS)} files')
    parser.add_argument(
        '--background',
        default='black',
        help="colour behind transparent regions, such as white or '#aabbcc' (default: black)",
    )
    return command_line.with_config(parser, _predict)


def read_image(
    path: str | Path, image_shape: tuple[int, int, int], background: str = 'black', pictures: Pictures | None = None
) -> np.ndarray:
    """Reads an image file for the network: resizes it and crops its centre to `image_shape`.

    Args:
        path: a file in one of FORMATS.
        image_shape: (height, width, channels). With one channel, the image becomes grey.
        background: colour behind transparent regions, in Pillow's notation.
        pictures: `Trained.pictures`. If it is given, the picture is cropped as in evaluation.

    Raises:
        ConfigError: the colour is unknown.
        DataError: the file is missing or not an image.
    """
    height, width, channels = image_shape
    try:
        colour = ImageColor.getrgb(background)[:3]
    except ValueError:
        raise ConfigError(f"--background={shown(background)}: must be a colour, such as 'white' or '#aabbcc'") from None
    picture = _decoded(path, exif_rotation=pictures is None or pictures.exif_rotation)
    if picture.alpha is not None:
        name = '#{:02x}{:02x}{:02x}'.format(*colour)
        _log.info('%s: has transparent regions; they are shown on %s', shown(path), name)
    pixels = picture.on(colour)
    if pictures is not None:
        return Centre(pictures.test_shorter_side, height)(pixels, pictures.interpolation)[0]
    image = Image.fromarray(pixels).convert('L' if channels == 1 else 'RGB')
    return np.asarray(ImageOps.fit(image, (width, height), Image.Resampling.BICUBIC), np.uint8).reshape(image_shape)


def _decoded(path: str | Path, exif_rotation: bool) -> decoding.Layer:
    try:
        encoded = files.read(Path(path))
        if not decoding.is_picture(encoded):
            raise ValueError(f'not a {", ".join(FORMATS[:-1])} or {FORMATS[-1]} file')
        return decoding.decode_layer(encoded, exif_rotation)
    except (OSError, ValueError) as e:
        reason = e.strerror if isinstance(e, OSError) else e
        raise DataError(f'{shown(path)}: cannot be read as an image ({reason})') from None


@memory.shortage_as_error('give fewer or smaller images')
def _predict(options: argparse.Namespace, config: Config | None) -> None:
    trained = jax_resnet.load(options.run, config)
    arguments = trained.image_shape, options.background, trained.pictures
    for path in options.images:
        if not Path(path).exists():
            raise DataError(f'{shown(path)}: cannot be read as an image ({os.strerror(errno.ENOENT)})')
    for start in range(0, len(options.images), CHUNK):
        paths = options.images[start : start + CHUNK]
        found = np.asarray(trained.probabilities(np.stack([read_image(path, *arguments) for path in paths])))
        check_finite(options.run, found)
        for path, probabilities in zip(paths, found, strict=True):
            print(shown(path))
            for label in np.argsort(-probabilities)[:5]:
                print(f'  {trained.class_names[label]:20} {100 * probabilities[label]:6.2f} %')


if __name__ == '__main__':
    sys.exit(main())
