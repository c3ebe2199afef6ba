"""The arrays of a run folder: the preprocessing of the images, and the predictions. Each array is checked when read."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jax_resnet import files
from jax_resnet.errors import ConfigError
from jax_resnet.files import shown
from jax_resnet.runs import arrays

MOST_LOGITS = 100
"""Up to this number of classes, predictions.npz has all logits. 1,000 classes and 50,000 examples would be 200 MB."""

LIKELIEST = 5
"""With more classes, predictions.npz has only this many, the most likely ones, for each example."""


class Preprocessing(NamedTuple):
    """What a network's input and output mean.

    Attributes:
        mean, std: the mean and standard deviation of pixels in [0, 1], float32 of shape [height, width, channels],
            [channels] or [].
        crop: height and width of the central crop that evaluations use; 0 means the whole image.
        image_shape: (height, width, channels) of the images.
        class_names: one for each output of the network.
    """

    mean: np.ndarray
    std: np.ndarray
    crop: int
    image_shape: tuple[int, int, int]
    class_names: tuple[str, ...]


def preprocessing(folder: Path) -> Preprocessing:
    """Returns the preprocessing of a run. Raises ConfigError if preprocessing.npz is missing or damaged."""
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
    """Checks these values and returns them as a `Preprocessing`. Raises ValueError or TypeError if they do not fit."""
    height, width, channels = map(int, image_shape)  # type: ignore[call-overload]
    names = tuple(map(str, class_names))  # type: ignore[call-overload]
    mean, std = np.asarray(mean, np.float32), np.asarray(std, np.float32)
    if not all(1 <= side < 2**16 for side in (height, width, channels)) or not 0 <= crop <= min(height, width):
        raise ValueError(f'crop {crop} and image_shape {[height, width, channels]} do not fit each other')
    if np.broadcast_shapes(mean.shape, std.shape, (height, width, channels)) != (height, width, channels):
        shapes = f'mean {list(mean.shape)}, std {list(std.shape)} and images {[height, width, channels]}'
        raise ValueError(f'the shapes of {shapes} do not fit each other')
    if not (np.isfinite(mean).all() and np.isfinite(std).all() and std.all()):
        raise ValueError('mean and std must be finite, and std must not be 0')
    return Preprocessing(mean, std, crop, (height, width, channels), names)


def class_names(folder: Path) -> list[str]:
    """Returns the names of the classes. Raises ConfigError if preprocessing.npz is missing or damaged."""
    path = folder / 'preprocessing.npz'
    names = _read(path, 'class_names')['class_names']
    if names.ndim != 1:
        raise ConfigError(f'{shown(path)} is damaged: class_names must be a list')
    return [str(name) for name in names]


class Predictions(NamedTuple):
    """What a network predicted for the n examples of the test split.

    Attributes:
        classes: the k most likely classes of each example, the most likely first, int [n, k].
        probabilities: their softmax, float [n, k].
        labels: the true classes, int [n].
        class_names: one for each output of the network.
    """

    classes: np.ndarray
    probabilities: np.ndarray
    labels: np.ndarray
    class_names: list[str]


def predictions_of(logits: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the arrays to write into predictions.npz.

    Args:
        logits: the predictions for the test split, float [n, classes].
        labels: the true classes, int [n].

    Returns:
        `logits` and `labels`. With more than MOST_LOGITS classes, `classes`, `probabilities` and `labels` instead, as
        in `Predictions`.
    """
    if logits.shape[1] <= MOST_LOGITS:
        return {'logits': logits, 'labels': labels}
    classes, probabilities = _likeliest(logits)
    return {'classes': classes, 'probabilities': probabilities, 'labels': labels}


def predictions(folder: Path) -> Predictions | None:
    """Reads predictions.npz, with logits or with the likeliest classes. Returns None if there is no such file.

    Raises:
        ConfigError: the file is damaged, or does not fit the names of the classes in preprocessing.npz.
    """
    path = folder / 'predictions.npz'
    if not path.exists():
        return None
    found, names = _read(path, 'labels'), class_names(folder)
    try:
        return _fitting(found, names)
    except ValueError as e:
        raise ConfigError(f'{shown(path)} is damaged: {e}') from None


def mistakes(folder: Path) -> dict[str, np.ndarray] | None:
    """Reads mistakes.npz: images of wrongly predicted examples.

    Returns:
        index: the positions of the n examples in the predictions, int [n]; images: uint8 [n, height, width, channels].
        None if there is no mistakes.npz or no predictions.npz.

    Raises:
        ConfigError: one of the files is damaged.
    """
    path, answers = folder / 'mistakes.npz', predictions(folder)
    if not path.exists() or answers is None:
        return None
    found, count = _read(path, 'index', 'images'), len(answers.labels)
    index, images = found['index'], found['images']
    is_fit = (
        index.dtype.kind == 'i' and images.dtype == np.uint8 and images.ndim == 4 and index.shape == images.shape[:1]
    )
    if not is_fit or (index.size and not 0 <= index.min() <= index.max() < count):
        raise ConfigError(f'{shown(path)} is damaged: its index and images do not fit each other')
    return found


def _fitting(found: Mapping[str, np.ndarray], names: list[str]) -> Predictions:
    """Makes `Predictions` of the arrays. Raises ValueError if they do not fit each other and the classes."""
    labels, count = found['labels'], len(names)
    if 'logits' in found:
        logits = found['logits']
        if logits.dtype.kind != 'f' or logits.ndim != 2 or logits.shape[1] != count:
            raise ValueError(f'its logits must be floating-point numbers for {count} classes')
        classes, probabilities = _likeliest(logits)
    elif found.keys() >= {'classes', 'probabilities'}:
        classes, probabilities = found['classes'], found['probabilities']
    else:
        raise ValueError('it must have logits, or classes and probabilities')
    are_fit = classes.ndim == 2 and classes.shape == probabilities.shape and labels.shape == classes.shape[:1]
    kinds = [array.dtype.kind for array in (classes, probabilities, labels)]
    if not are_fit or not classes.shape[1] or kinds != ['i', 'f', 'i']:
        raise ValueError('its arrays do not fit each other')
    if not all(((array >= 0) & (array < count)).all() for array in (classes, labels)):
        raise ValueError(f'its classes and labels must be from 0 to {count - 1}')
    if not ((probabilities >= 0) & (probabilities <= 1)).all():  # NaN fails here, too
        raise ValueError('its probabilities must be from 0 to 1')
    return Predictions(classes, probabilities, labels, names)


def _likeliest(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns each example's LIKELIEST classes, int32, and their softmax, float32. Ties: the lower class first."""
    classes = np.argsort(-logits, axis=1, kind='stable')[:, :LIKELIEST].astype(np.int32)
    with np.errstate(invalid='ignore'):  # the softmax of an infinite logit is NaN
        z = logits.astype(np.float64)
        z -= z.max(1, keepdims=True)
        np.exp(z, out=z)
    return classes, (np.take_along_axis(z, classes, 1) / z.sum(1, keepdims=True)).astype(np.float32)


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
