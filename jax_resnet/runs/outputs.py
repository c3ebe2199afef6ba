"""The arrays of a run folder: the preprocessing of the images, and the predictions."""

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
    class_names: tuple[str, ...]


def preprocessing(folder: Path) -> Preprocessing:
    """Returns the preprocessing of a run. Raises ConfigError if preprocessing.npz is missing or damaged."""
    mean, std, crop, shape, names = _read(folder / 'preprocessing.npz', *Preprocessing._fields)
    return Preprocessing(mean, std, int(crop), tuple(shape.tolist()), tuple(names.tolist()))


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
        ConfigError: the file or preprocessing.npz is damaged.
    """
    path = folder / 'predictions.npz'
    if not path.exists():
        return None
    names = preprocessing(folder).class_names
    if len(names) <= MOST_LOGITS:
        logits, labels = _read(path, 'logits', 'labels')
        return Predictions(*_likeliest(logits), labels, names)
    classes, probabilities, labels = _read(path, 'classes', 'probabilities', 'labels')
    return Predictions(classes, probabilities, labels, names)


def mistakes(folder: Path) -> tuple[np.ndarray, np.ndarray] | None:
    """Reads mistakes.npz: images of wrongly predicted examples. Raises ConfigError if it is damaged.

    Returns:
        The positions of the n examples in the predictions, int [n], and their images, uint8 [n, height, width,
        channels]. None if there is no such file.
    """
    path = folder / 'mistakes.npz'
    if not path.exists():
        return None
    index, images = _read(path, 'index', 'images')
    return index, images


def _likeliest(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns each example's LIKELIEST classes, int32, and their softmax, float32. Ties: the lower class first."""
    classes = np.argsort(-logits, axis=1, kind='stable')[:, :LIKELIEST].astype(np.int32)
    z = logits.astype(np.float64)
    z -= z.max(1, keepdims=True)
    np.exp(z, out=z)
    return classes, (np.take_along_axis(z, classes, 1) / z.sum(1, keepdims=True)).astype(np.float32)


def _read(path: Path, *names: str) -> list[np.ndarray]:
    try:
        found = arrays.from_npz(files.read(path))
        return [found[name] for name in names]
    except (OSError, ValueError, KeyError) as e:
        reason = e.strerror if isinstance(e, OSError) else f'it has no {e}' if isinstance(e, KeyError) else e
        raise ConfigError(f'{shown(path)} cannot be read ({reason})') from None
