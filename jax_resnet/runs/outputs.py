"""What the arrays of a run folder are: the preprocessing of the images, and the predictions. Reads and writes .npz."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jax_resnet.errors import ConfigError, reason

MOST_LOGITS = 100
"""Up to this number of classes, predictions.npz has all logits. 1,000 classes and 50,000 examples would be 200 MB."""

LIKELIEST = 5
"""The number of classes, the most likely ones, of which predictions.npz has the probabilities."""


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
        files: the names of the examples' files; empty if the examples are no files.
    """

    classes: np.ndarray
    probabilities: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    files: tuple[str, ...]


def prediction_arrays(logits: np.ndarray, labels: np.ndarray, names: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """Returns the arrays to write into predictions.npz.

    Args:
        logits: the predictions for the test split, float [n, classes].
        labels: the true classes, int [n].
        names: the names of the examples' files, if they are files.

    Returns:
        `labels`; `files`, the names; `classes` and `probabilities`, as in `Predictions`; and `logits`, if there are few
        classes. Of equal logits, the lower class comes first.
    """
    classes = np.argsort(-logits, axis=1, kind='stable')[:, :LIKELIEST].astype(np.int32)
    z = logits.astype(np.float64)
    z -= z.max(1, keepdims=True)
    np.exp(z, out=z)
    probabilities = (np.take_along_axis(z, classes, 1) / z.sum(1, keepdims=True)).astype(np.float32)
    arrays = {'labels': labels, 'files': np.array(names, np.str_), 'classes': classes, 'probabilities': probabilities}
    return arrays | ({'logits': logits} if logits.shape[1] <= MOST_LOGITS else {})


def npz(arrays: Mapping[str, ArrayLike]) -> bytes:
    """Returns the content of an .npz file with these arrays."""
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    return content.getvalue()


def read(path: Path, *names: str) -> list[np.ndarray]:
    """Returns the arrays with these names in an .npz file. Raises ConfigError if it is missing or damaged."""
    try:
        with path.open('rb') as file, np.load(file, allow_pickle=False) as found:
            return [found[name] for name in names]
    except Exception as e:  # for a damaged file numpy, zipfile and zlib raise many types of exception
        raise ConfigError(f'{path} cannot be read ({reason(e)})') from None
