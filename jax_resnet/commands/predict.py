"""Predicts the five most likely classes of pictures of any size."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from jax_resnet import files
from jax_resnet.commands import command_line
from jax_resnet.config.fields import Pictures
from jax_resnet.errors import DataError, printable, reason

CHUNK = 64
"""Number of pictures that are read, and predicted, at once. It limits the memory that many pictures need."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    command_line.add_network(parser)
    parser.add_argument(
        'pictures', nargs='+', help='JPEG, PNG or WebP files; of a folder, all pictures in it and in its folders'
    )
    command_line.add_json(parser)


def run(options: argparse.Namespace) -> None:
    """Predicts, and prints the most likely classes of each picture."""
    config, paths = options.config, list_pictures(options.pictures)

    import jax_resnet
    from jax_resnet.platform import memory
    from jax_resnet.training.load import check_finite

    found: list[dict[str, Any]] = []
    with memory.shortage_as_error('give fewer or smaller pictures'):
        trained = jax_resnet.load(options.network, config)
        for start in range(0, len(paths), CHUNK):
            chunk = paths[start : start + CHUNK]
            images = np.stack([read_image(path, trained.image_shape, trained.pictures) for path in chunk])
            probabilities = np.asarray(trained.probabilities(images))
            check_finite(options.network, probabilities)
            for path, row in zip(chunk, probabilities, strict=True):
                labels = np.argsort(-row)[:5]
                best = [{'name': trained.class_names[label], 'probability': float(row[label])} for label in labels]
                found.append({'picture': str(path), 'classes': best})
                lines = [printable(path), *(f'  {one["name"]:20} {100 * one["probability"]:6.2f} %' for one in best)]
                if not options.json:
                    print('\n'.join(lines))
    if options.json:
        command_line.print_json(found)


def list_pictures(names: list[str]) -> list[Path]:
    """Lists files as they are given, and of each folder the pictures in it and in its folders, sorted.

    Hidden files and leftovers of systems are ignored, as in training.

    Raises:
        DataError: a folder has no pictures.
    """
    from jax_resnet.data.pictures.folder import ENDINGS, is_ignored

    found = []
    for path in map(files.local, names):
        inside = sorted(
            inner
            for inner in path.rglob('*')
            if inner.suffix.lower() in ENDINGS
            and inner.is_file()
            and not any(map(is_ignored, inner.relative_to(path).parts))
        )
        if path.is_dir() and not inside:
            raise DataError(f'{path}: has no pictures ({", ".join(ENDINGS)})')
        found += inside or [path]
    return found


def read_image(path: str | Path, image_shape: tuple[int, int, int], pictures: Pictures | None = None) -> np.ndarray:
    """Reads an image file for the network: resizes it and crops its centre to `image_shape`.

    Args:
        path: a JPEG, PNG or WebP file.
        image_shape: (height, width, channels). With one channel, the image becomes grey.
        pictures: `Trained.pictures`. If it is given, the picture is cropped as in evaluation.

    Raises:
        DataError: the file is missing or not an image.
    """
    from PIL import Image, ImageOps

    from jax_resnet.data.pictures.decoding import decode
    from jax_resnet.data.pictures.views import CentreCrop

    height, width, channels = image_shape
    try:
        pixels = decode(Path(path).read_bytes(), pictures is None or pictures.exif_rotation)
    except (OSError, ValueError) as e:
        raise DataError(f'{path}: cannot be read as an image ({reason(e)})') from None
    if pictures is not None:
        return CentreCrop(pictures.test_shorter_side, height).views(pixels, pictures.interpolation)[0]
    image = Image.fromarray(pixels).convert('L' if channels == 1 else 'RGB')
    return np.asarray(ImageOps.fit(image, (width, height), Image.Resampling.BICUBIC), np.uint8).reshape(image_shape)
