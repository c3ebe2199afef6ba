"""Input whose data is on the devices: a dispatch has many steps, and each step gathers its examples."""

import itertools
import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jax_resnet.config.fields import FIELDS, PICTURES, Config, flatten
from jax_resnet.data import Examples, Source, preprocessing, stream
from jax_resnet.data.preprocessing import Augment, Augmentation, Normalization, Preprocess
from jax_resnet.errors import ConfigError
from jax_resnet.hosts import devices, processes
from jax_resnet.platform.base import Backend
from jax_resnet.training.state import KeyPurpose, TrainState
from jax_resnet.training.step import Numbers, Steps


class ResidentProgram:
    """A compiled training program for examples that are on the devices. A call is one dispatch of many steps.

    Attributes:
        waited: seconds in which the devices were idle because their input was not ready.
    """

    waited = 0.0

    def __init__(self, steps: Steps, numbers: Numbers, backend: Backend, state: TrainState, examples: Examples) -> None:
        everywhere = NamedSharding(steps.by_example.mesh, PartitionSpec())
        self._batch_size, self._size = steps.config.batch_size, len(examples)
        self._arguments = devices.put((numbers, examples.images, examples.labels), everywhere)
        self._run = backend.compile(
            steps.run, state, np.int32(0), *self._arguments, donate_argnums=0, out_shardings=everywhere
        )

    def __call__(self, state: TrainState, stop: int) -> TrainState:
        """Trains up to step `stop`, or up to the first step that is not finite. The call donates `state`.

        It ends earlier at the end of the stream's window (see `data.stream`).
        """
        end = stream.window_end(int(state.step), self._batch_size, self._size)
        return self._run(state, np.int32(min(stop, end)), *self._arguments)  # type: ignore[no-any-return]

    def close(self) -> None:
        """Does nothing, as no batches are made ahead of time."""


class ResidentSplit:
    """A split on the devices, for evaluation. The only view of an image is the whole image.

    Args:
        examples: the examples of the split.
        batch_size: maximum batch size of all processes together.
        mesh: the devices of this process, with one axis `data`.

    Attributes:
        passes: number of passes over this process's share. Each has other views of each example.
        files: the names of the files of the whole split's pictures; empty for images that are no files.
    """

    passes = 1
    files = ()

    def __init__(self, examples: Examples, batch_size: int, mesh: Mesh) -> None:
        self._examples, self._batch = examples, devices.whole_batch(batch_size, len(examples), mesh.size)
        share = processes.share(len(examples))
        self._labels = examples.labels[share.start : share.stop]
        padded_size = max(1, math.ceil(len(share) / self._batch)) * self._batch  # at least one batch, to compile for
        padding = (0, padded_size - len(share)), (0, 0), (0, 0), (0, 0)
        padded = np.pad(examples.images[share.start : share.stop], padding)
        self._images = jax.device_put(padded, NamedSharding(mesh, PartitionSpec()))
        self._by_example = NamedSharding(mesh, PartitionSpec('data'))

    def __len__(self) -> int:
        return len(self._examples)

    @property
    def like(self) -> tuple[jax.Array, jax.Array]:
        """Arguments of `views` with the shapes of a batch, for compiling ahead of time."""
        return self._images, jnp.int32(0)

    def views(self, images: jax.Array, start: jax.Array) -> jax.Array:
        """Returns the views of a batch, uint8 [batch, views, rows, columns, channels], in a compiled program."""
        batch = jax.lax.dynamic_slice_in_dim(images, start, self._batch)
        return jax.lax.with_sharding_constraint(batch, self._by_example)[:, None]

    def batches(self) -> Generator[tuple[np.ndarray, np.ndarray, tuple[jax.Array, ...]]]:
        """Yields each batch: indices in this process's share and labels, both int [n], and arguments of `views`.

        After the n examples of a batch are padded ones, which have neither index nor label.
        """
        indices = np.arange(len(self._labels))
        for start in range(0, len(self._images), self._batch):
            batch = slice(start, start + self._batch)
            yield indices[batch], self._labels[batch], (self._images, jnp.int32(start))

    def images(self, index: np.ndarray) -> np.ndarray:
        """The images at some indices of the whole split, uint8 [n, height, width, channels]."""
        return self._examples.images[index]


@dataclass(frozen=True)
class ResidentInput:
    """Input whose whole data set is decoded and on the devices."""

    config: Config
    source: Source

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the data set's images."""
        return self.source.image_shape

    @property
    def augmentation(self) -> Augment:
        """Random crop and flip of training images."""
        dataset, (height, width, channels) = self.config.dataset, self.image_shape
        views = Augmentation(dataset.pad, dataset.pad_with, dataset.crop, dataset.flip)
        shape = dataset.crop or height, dataset.crop or width, channels
        return preprocessing.with_own(views, dataset.augmentation, shape)

    @cached_property
    def normalization(self) -> Normalization:
        """The normalization that `config.dataset.normalization` selects."""
        return preprocessing.normalization(self.config.dataset, lambda: preprocessing.pixel_mean(self.examples.images))

    @property
    def preprocess(self) -> Preprocess:
        """Normalizes, and takes the central `config.dataset.test_crop`."""
        return Preprocess(self.normalization, self.config.dataset.test_crop)

    @cached_property
    def examples(self) -> Examples:
        """The training split."""
        return self.source.read(self.config.dataset.train)

    def check(self) -> None:
        """Raises ConfigError if fields of the config do not fit each other or the images."""
        dataset, (height, width, _) = self.config.dataset, self.image_shape
        most = min(height, width) + 2 * dataset.pad
        if dataset.crop > most or dataset.test_crop > min(height, width):
            raise ConfigError(
                f'config.dataset.crop={dataset.crop}, test_crop={dataset.test_crop}: must be at most '
                f'{most} and {min(height, width)} for images of {height} x {width} padded by {dataset.pad}'
            )
        if dataset.pad_with == 'black' and dataset.normalization == 'pixel_mean':
            raise ConfigError(
                "config.dataset.pad_with='black': the mean of each pixel is subtracted before padding; "
                "with normalization='pixel_mean' it must be 'zero'"
            )
        for name, value in flatten(self.config).items():
            if name in FIELDS and PICTURES in FIELDS[name].marks and value != FIELDS[name].default:
                raise ConfigError(f'config.{name}={value!r}: is for pictures; {self.source.name} has none')

    def check_data(self) -> None:
        """Reads the training examples. An unknown split is an error too."""
        len(self.examples)

    def listing(self, specs: Sequence[str]) -> np.ndarray:
        """The files of pictures: none, because the examples of these data sets are known."""
        return np.zeros(0, np.bytes_)

    @property
    def labels(self) -> np.ndarray:
        """The labels of the training examples."""
        return self.examples.labels

    def first(self, count: int) -> Examples:
        """The first training examples, at most `count`."""
        return Examples(self.examples.images[:count], self.examples.labels[:count])

    def split(self, spec: str, protocol: str, batch_size: int, mesh: Mesh) -> ResidentSplit:
        """Puts a split on the devices. `check` refuses every protocol except 'center'.

        Args:
            batch_size: maximum number of images in a batch of all processes together.
            mesh: the devices of this process, with one axis `data`.
        """
        return ResidentSplit(self.source.read(spec), batch_size, mesh)

    def training_images(self, batch_size: int) -> Generator[tuple[np.ndarray, None]]:
        """Yields batches of the sample stream, uint8 [batch_size, height, width, channels], without end.

        The second value of each pair is None: `training.step.augmented` needs no draws for these.
        """
        images, key = self.examples.images, KeyPurpose.ORDER.key(jax.random.key(self.config.stream_seed))
        for step in itertools.count():
            window = stream.window(key, jnp.int32(step), batch_size, len(images))
            yield images[np.asarray(window.batch(jnp.int32(step), batch_size))], None

    def program(self, steps: Steps, numbers: Numbers, backend: Backend, state: TrainState) -> ResidentProgram:
        """Compiles the training program for states with the shapes of `state`."""
        return ResidentProgram(steps, numbers, backend, state, self.examples)
