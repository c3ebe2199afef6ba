"""The input of a run: what training and evaluation ask of data, and the choice between resident and streamed data."""

from collections.abc import Callable, Generator
from typing import Any, Protocol

import jax
import numpy as np
from jax.sharding import Mesh

from jax_resnet.config.fields import Config
from jax_resnet.data import Examples, PictureSource, Source, open_source
from jax_resnet.data.preprocessing import Augmentation, ColourAugmentation, Normalization, Preprocess
from jax_resnet.platform.base import Backend
from jax_resnet.training.resident import ResidentInput
from jax_resnet.training.state import TrainState
from jax_resnet.training.step import Numbers, Program, Steps
from jax_resnet.training.streamed import StreamedInput

SOURCE_FIELDS = ('name', 'data_dir', 'manual_dir', 'folder', 'validation_fraction', 'split_seed')
"""Fields of `config.dataset` that are arguments of `open_source`."""


class Split(Protocol):
    """A split, of which this process evaluates its share.

    Attributes:
        passes: number of passes over the share. Each has other views of each example.
    """

    passes: int

    def __len__(self) -> int:
        """Number of examples of the whole split."""

    @property
    def like(self) -> tuple[Any, ...]:
        """Arguments of `views` with the shapes of a batch, for compiling ahead of time."""

    @property
    def views(self) -> Callable[..., jax.Array]:
        """Returns the views of a batch, uint8 [batch, views, rows, columns, channels], inside a compiled program."""

    def batches(self) -> Generator[tuple[np.ndarray, np.ndarray, tuple[jax.Array, ...]]]:
        """Yields each batch of each pass: places in the share and labels, both int [n], and arguments of `views`.

        After the n examples of a batch are padded ones, which have neither place nor label.
        """

    def images(self, index: np.ndarray) -> np.ndarray:
        """The images at some places of the whole split, uint8 [n, height, width, channels]."""


class Input(Protocol):
    """The data of a run, with its augmentation and its training program.

    Attributes:
        config: the config of the run.
        source: the data set.
    """

    @property
    def config(self) -> Config: ...

    @property
    def source(self) -> Source | PictureSource: ...

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the images that evaluation takes, before `preprocess`."""

    @property
    def augmentation(self) -> Augmentation | ColourAugmentation:
        """Makes random views of training images."""

    @property
    def normalization(self) -> Normalization:
        """The normalization that `config.dataset.normalization` selects. A mean image needs the training data."""

    @property
    def preprocess(self) -> Preprocess:
        """Converts an image to the network's input in evaluation."""

    def check(self) -> None:
        """Raises ConfigError if fields of the config do not fit each other or the images."""

    def check_data(self) -> None:
        """Raises DataError if data cannot be read that is read only when it is needed."""

    def first(self, count: int) -> Examples:
        """The first training examples, at most `count`, before `preprocess`."""

    def split(self, spec: str, protocol: str, batch_size: int, mesh: Mesh) -> Split:
        """Opens a split such as 'test', for evaluation by a protocol: 'center' (one view of each image), or others.

        Args:
            batch_size: maximum number of images in a batch of all processes together.
            mesh: the devices of this process, with one axis `data`.
        """

    def program(self, steps: Steps, numbers: Numbers, backend: Backend, state: TrainState, mesh: Mesh) -> Program:
        """Compiles the training program for states with the shapes of `state`."""

    def training_images(self, batch_size: int) -> Generator[tuple[np.ndarray, np.ndarray | None]]:
        """Yields batches of the sample stream, uint8 [batch_size, ...], without end; and draws, as for `augmented`."""


def open_input(config: Config, source: Source | PictureSource | None = None) -> Input:
    """Opens the data of a config.

    Args:
        config: the config.
        source: a data set to use instead of the one in the config.

    Raises:
        ConfigError: its name is unknown, or it cannot be opened in this way.
        DataError: its data is missing or damaged.
    """
    if source is None:
        source = open_source(**{name: getattr(config.dataset, name) for name in SOURCE_FIELDS})
    return StreamedInput(config, source) if isinstance(source, PictureSource) else ResidentInput(config, source)
