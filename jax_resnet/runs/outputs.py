"""The arrays of a run folder, each checked when it is read: what the network takes, and what it answered."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from jax_resnet import files
from jax_resnet.errors import ConfigError
from jax_resnet.files import shown
from jax_resnet.runs import arrays


class Preprocessing(NamedTuple):
    """What a network's input and output mean.

    Attributes:
        mean, std: of pixels in [0, 1], float32, [height, width, channels], [channels] or [].
        crop: height and width of the central crop that is evaluated; 0 is the whole image.
        image_shape: (height, width, channels) of the images.
        class_names: one per output.
    """

    mean: np.ndarray
    std: np.ndarray
    crop: int
    image_shape: tuple[int, int, int]
    class_names: tuple[str, ...]


def preprocessing(folder: Path) -> Preprocessing:
    """What the network of a run takes. Raises ConfigError where preprocessing.npz is missing or damaged."""
    path = folder / 'preprocessing.npz'
    found = _read(path, 'mean', 'std', 'crop', 'image_shape', 'class_names')
    try:
        return checked(
            found['mean'],
            found['std'],
            int(found['crop']),
            found['image_shape'].tolist(),
            found['class_names'].tolist(),
        )
    except (ValueError, TypeError, OverflowError) as e:
        raise ConfigError(f'{shown(path)} cannot be read ({e})') from None


def checked(mean: np.ndarray, std: np.ndarray, crop: int, image_shape: object, class_names: object) -> Preprocessing:
    """The same, where it can be; else ValueError or TypeError."""
    height, width, channels = map(int, image_shape)  # type: ignore[call-overload]
    names = tuple(map(str, class_names))  # type: ignore[call-overload]
    mean, std = np.asarray(mean, np.float32), np.asarray(std, np.float32)
    if not all(1 <= side < 2**16 for side in (height, width, channels)) or not 0 <= crop <= min(height, width):
        raise ValueError(f'crop {crop} of image_shape {[height, width, channels]}')
    if np.broadcast_shapes(mean.shape, std.shape, (height, width, channels)) != (height, width, channels):
        raise ValueError(f'mean of shape {list(mean.shape)}, std of {list(std.shape)} for {[height, width, channels]}')
    if not (np.isfinite(mean).all() and np.isfinite(std).all() and std.all()):
        raise ValueError('mean or std has a number that it cannot have')
    return Preprocessing(mean, std, crop, (height, width, channels), names)


def class_names(folder: Path) -> list[str]:
    """Of the network's outputs. Raises ConfigError where preprocessing.npz is missing or damaged."""
    return [str(name) for name in _read(folder / 'preprocessing.npz', 'class_names')['class_names']]


def predictions(folder: Path) -> dict[str, np.ndarray] | None:
    """logits, float [examples, classes], and labels, int [examples], of the test split, if they are there.

    Raises:
        ConfigError: they are damaged.
    """
    path = folder / 'predictions.npz'
    if not path.exists():
        return None
    found = _read(path, 'logits', 'labels')
    logits, labels = found['logits'], found['labels']
    is_fit = (
        logits.ndim == 2 and labels.shape == logits.shape[:1] and (logits.dtype.kind, labels.dtype.kind) == ('f', 'i')
    )
    if not is_fit or (labels.size and not 0 <= labels.min() <= labels.max() < logits.shape[1]):
        raise ConfigError(f'{shown(path)} is damaged: its logits and labels do not fit')
    return found


def mistakes(folder: Path) -> dict[str, np.ndarray] | None:
    """index, int [n], into the predictions, and images, uint8 [n, height, width, channels], if they are there.

    Raises:
        ConfigError: they are damaged.
    """
    path, answers = folder / 'mistakes.npz', predictions(folder)
    if not path.exists() or answers is None:
        return None
    found, count = _read(path, 'index', 'images'), len(answers['labels'])
    index, images = found['index'], found['images']
    is_fit = (
        index.dtype.kind == 'i' and images.dtype == np.uint8 and images.ndim == 4 and index.shape == images.shape[:1]
    )
    if not is_fit or (index.size and not 0 <= index.min() <= index.max() < count):
        raise ConfigError(f'{shown(path)} is damaged: its index and images do not fit')
    return found


def _read(path: Path, *needed: str) -> dict[str, np.ndarray]:
    try:
        found = arrays.from_npz(files.read(path))
    except OSError as e:
        raise ConfigError(f'{shown(path)} cannot be read ({e.strerror})') from None
    except ValueError as e:
        raise ConfigError(f'{shown(path)} cannot be read ({e})') from None
    for name in needed:
        if name not in found:
            raise ConfigError(f'{shown(path)} is damaged: it has no {name}')
    return found
