"""Input whose data is on the devices: a dispatch has many steps, and each step gathers its examples."""

import itertools
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jax_resnet.config.fields import FIELDS, PICTURES, Config, flatten
from jax_resnet.data import Examples, Source, preprocessing, stream
from jax_resnet.data.preprocessing import Augment, Augmentation, Preprocess
from jax_resnet.errors import ConfigError
from jax_resnet.hosts import devices, processes
from jax_resnet.platform.base import Backend
from jax_resnet.training.state import KeyPurpose, TrainState
from jax_resnet.training.step import Numbers, Program, Steps


class ResidentSplit:
    """A split on the devices, for evaluation. The only view of an image is the whole image.

    Args:
        examples: the examples of the split.
        batch_size: maximum batch size of all processes together.
        mesh: the devices of this process, with one axis `data`.

    Attributes:
        passes: number of passes over this process's share. Each has other views of each example.
        files: the names of the files of the whole split's pictures; empty for images that are no files.
        like: shape and sharding of the views of a batch, uint8 [batch, views, rows, columns, channels].
    """

    passes = 1
    files = ()

    def __init__(self, examples: Examples, batch_size: int, mesh: Mesh) -> None:
        share, size = processes.share(len(examples)), devices.local_batch_size(batch_size, len(examples), mesh.size)
        by_example = NamedSharding(mesh, PartitionSpec('data'))
        self._examples, self._batches = examples, []
        self.like = jax.ShapeDtypeStruct((size, 1, *examples.images.shape[1:]), np.uint8, sharding=by_example)
        for start in range(share.start, share.stop, size):
            rows = np.arange(start, min(start + size, share.stop))
            views = np.zeros(self.like.shape, np.uint8)
            views[: len(rows), 0] = examples.images[rows]
            self._batches.append((rows - share.start, examples.labels[rows], jax.device_put(views, by_example)))

    def __len__(self) -> int:
        return len(self._examples)

    def batches(self) -> Generator[tuple[np.ndarray, np.ndarray, jax.Array]]:
        """Yields each batch: indices in this process's share and labels, both int [n], and views.

        After the n examples of a batch are padded ones, which have neither index nor label.
        """
        yield from self._batches

    def images(self, index: np.ndarray) -> np.ndarray:
        """The images at some indices of the whole split, uint8 [n, height, width, channels]."""
        return self._examples.images[index]


@dataclass(frozen=True)
class ResidentInput:
    """Input whose whole data set is decoded and on the devices.

    Attributes:
        config: the config.
        source: its data set.
        waited: seconds in which the devices were idle because their input was not ready.
    """

    config: Config
    source: Source
    waited = 0.0

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
    def preprocess(self) -> Preprocess:
        """Normalizes as `config.dataset.normalization` says, and takes the central `config.dataset.test_crop`."""
        dataset = self.config.dataset
        normalize = preprocessing.normalization(dataset, lambda: preprocessing.pixel_mean(self.examples.images))
        return Preprocess(normalize, dataset.test_crop)

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

    def program(self, steps: Steps, numbers: Numbers, backend: Backend, state: TrainState) -> Program:
        """Compiles the training program for states with the shapes of `state`. A call is one dispatch of many steps."""
        everywhere = NamedSharding(steps.by_example.mesh, PartitionSpec())
        arguments = devices.put((numbers, self.examples.images, self.examples.labels), everywhere)
        compiled = backend.compile(
            steps.run, state, np.int32(0), *arguments, donate_argnums=0, out_shardings=everywhere
        )

        def run(state: TrainState, stop: int) -> TrainState:
            end = stream.window_end(int(state.step), self.config.batch_size, len(self.examples))
            return compiled(state, np.int32(min(stop, end)), *arguments)  # type: ignore[no-any-return]

        return run

    def close(self) -> None:
        """Does nothing, as no batches are made ahead of time."""
