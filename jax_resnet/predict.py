"""Predicts the classes of images: `python -m jax_resnet.predict runs/resnet20_cifar10/seed0 cat.png dog.jpg`."""

from jax_resnet import signals

if __name__ == '__main__':
    signals.end_at_once()

import argparse
import io
import logging
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageColor, ImageOps, UnidentifiedImageError

import jax_resnet
from jax_resnet import command_line, files
from jax_resnet.data.pictures.crops import CentralView
from jax_resnet.errors import ConfigError, DataError
from jax_resnet.files import shown
from jax_resnet.training.trained import check_finite

FORMATS = ('PNG', 'JPEG', 'WEBP')

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
    path: str | Path, image_shape: tuple[int, int, int], background: str = 'black', view: CentralView | None = None
) -> np.ndarray:
    """Reads an image file for the network: resizes it and crops its centre to `image_shape`.

    Args:
        path: a file in one of FORMATS.
        image_shape: (height, width, channels). With one channel, the image becomes grey.
        background: colour behind transparent regions, in Pillow's notation.
        view: makes the view of evaluation, if the network was trained on pictures.

    Raises:
        ConfigError: the colour is unknown.
        DataError: the file is missing or not an image.
    """
    height, width, channels = image_shape
    try:
        colour = ImageColor.getrgb(background)[:3]
    except ValueError:
        raise ConfigError(f"--background={shown(background)}: must be a colour, such as 'white' or '#aabbcc'") from None
    try:
        with Image.open(io.BytesIO(files.read(Path(path), follow=True)), formats=FORMATS) as file:
            upright = ImageOps.exif_transpose(file) if view is None or view.exif_rotation else file
            image = _with_background(_in_8_bits(upright), colour, path)
            image.load()
    except OSError as e:
        raise DataError(f'{shown(path)}: cannot be read as an image ({_reason(e)})') from None
    except (ValueError, SyntaxError, MemoryError, Image.DecompressionBombError) as e:  # errors of Pillow
        raise DataError(f'{shown(path)}: cannot be read as an image ({e})') from None
    if view is not None:
        return view(np.asarray(image.convert('RGB')))
    image = ImageOps.fit(image.convert('L' if channels == 1 else 'RGB'), (width, height), Image.Resampling.BICUBIC)
    return np.asarray(image, np.uint8).reshape(image_shape)


def _in_8_bits(image: Image.Image) -> Image.Image:
    """Converts 16-bit grey images to 8 bits, as convert() would clip them. Returns other images unchanged."""
    if not image.mode.startswith('I'):
        return image
    grey = np.asarray(image)
    scaled, invisible = Image.fromarray(np.uint8(grey // 257)), image.info.get('transparency')
    if invisible is not None:
        scaled.putalpha(Image.fromarray(np.uint8(255 * (grey != invisible))))
    return scaled


def _with_background(image: Image.Image, colour: tuple[int, ...], path: str | Path) -> Image.Image:
    """Puts a colour behind the transparent regions of an image."""
    if not image.has_transparency_data:
        return image
    image = image.convert('RGBA')
    if image.getchannel('A').getextrema() == (255, 255):
        return image
    _log.info('%s: has transparent regions; they are shown on %s', shown(path), '#{:02x}{:02x}{:02x}'.format(*colour))
    return Image.alpha_composite(Image.new('RGBA', image.size, (*colour, 255)), image)


def _reason(error: OSError) -> str:
    if isinstance(error, UnidentifiedImageError):
        return f'not a {", ".join(FORMATS[:-1])} or {FORMATS[-1]} file'
    return error.strerror or str(error)


def _predict(options: argparse.Namespace, config: dict[str, Any] | None) -> None:
    trained = jax_resnet.load(options.run, config)
    arguments = trained.image_shape, options.background, trained.picture_view
    images = np.stack([read_image(path, *arguments) for path in options.images])
    found = np.asarray(trained.probabilities(images))
    check_finite(options.run, int((~np.isfinite(found).all(1)).sum()), len(found))
    for path, probabilities in zip(options.images, found, strict=True):
        print(shown(path))
        for label in np.argsort(-probabilities)[:5]:
            print(f'  {trained.class_names[label]:20} {100 * probabilities[label]:6.2f} %')


if __name__ == '__main__':
    sys.exit(main())
