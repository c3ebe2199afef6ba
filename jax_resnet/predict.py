"""Names what is in images: `python -m jax_resnet.predict runs/resnet20_cifar10/seed0 cat.png dog.jpg`."""

from jax_resnet import signals

if __name__ == '__main__':
    signals.end_at_once()

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

import jax_resnet
from jax_resnet import command_line
from jax_resnet.errors import DataError


def main() -> int:
    """Runs the command line; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog='python -m jax_resnet.predict', description='Prints the five most likely classes of images, of any size.'
    )
    parser.add_argument('run', help='the run folder of the network, or its file of weights')
    parser.add_argument('images', nargs='+', help='PNG or JPEG files')
    options = parser.parse_args()
    return command_line.run(lambda: _predict(options))


def read_image(path: str | Path, image_shape: tuple[int, int, int]) -> np.ndarray:
    """An image file as the network takes it: scaled, and cut in the centre, to `image_shape`; grey if that says so.

    Raises:
        DataError: no such file, or no image.
    """
    height, width, channels = image_shape
    try:
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file)
            if image.mode.startswith('I'):  # 16 bits of grey, which convert() would clip to 8
                image = Image.fromarray(np.uint8(np.asarray(image) // 257))
            image = image.convert('L' if channels == 1 else 'RGB')
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as e:  # what Pillow raises
        raise DataError(f'{path}: cannot be read as an image ({e})') from None
    image = ImageOps.fit(image, (width, height), Image.Resampling.BICUBIC)
    return np.asarray(image, np.uint8).reshape(image_shape)


def _predict(options: argparse.Namespace) -> None:
    trained = jax_resnet.load(options.run)
    images = np.stack([read_image(path, trained.image_shape) for path in options.images])
    for path, probabilities in zip(options.images, np.asarray(trained.probabilities(images)), strict=True):
        print(path)
        for label in np.argsort(-probabilities)[:5]:
            print(f'  {trained.class_names[label]:20} {100 * probabilities[label]:6.2f} %')


if __name__ == '__main__':
    sys.exit(main())
