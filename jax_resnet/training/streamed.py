"""Input that streams pictures: threads decode, crop and resize them; each step is one dispatch."""

import contextlib
import math
import sys
import time
import warnings
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jax_resnet.config import fields
from jax_resnet.config.fields import Config
from jax_resnet.data import PictureSource, image_shape, preprocessing
from jax_resnet.data.pictures import checks, views
from jax_resnet.data.pictures.batches import Batch, Batches, Feed, Pass, allow_open_files, iterate, mean_image
from jax_resnet.data.pictures.views import CentreCrop, training_crop
from jax_resnet.data.preprocessing import Augment, ColourAugmentation, Normalization, Preprocess
from jax_resnet.data.sources import Parts, Pictures
from jax_resnet.errors import ConfigError, InputError
from jax_resnet.hosts import devices, processes
from jax_resnet.platform.base import Backend
from jax_resnet.training.state import TrainState
from jax_resnet.training.step import Numbers, Program, Steps


class StreamedSplit:
    """A split whose views come from the host, for evaluation. Its interface: `ResidentSplit`.

    All examples of a batch have views of the same shape. Each shape is compiled once. A batch has about as many pixels
    as `batch_size` images; half as many for 'ten_crop' and 'multi_scale', whose views an evaluation doubles.
    """

    def __init__(self, config: Config, pictures: Pictures, protocol: str, batch_size: int, mesh: Mesh) -> None:
        self._settings = settings = config.pictures
        self._shape, self._by_example = image_shape(config.dataset), NamedSharding(mesh, PartitionSpec('data'))
        self._pixels = batch_size * math.prod(self._shape[:2]) // (1 if protocol == 'center' else 2)
        chosen = views.evaluation_views(protocol, settings.test_shorter_side, self._shape[0])
        self.passes, self._whole = len(chosen), Pass(pictures, chosen[0], *_decoding(settings))
        share = processes.share(len(pictures))
        own = Parts([(pictures, share.start, share.stop)])
        self._own = [Pass(own, view, *_decoding(settings)) for view in chosen]
        self._feed = Feed(self._by_shape, partial(jax.device_put, device=self._by_example))
        shape = 1, *self._shape  # of the first batches' views
        self.like = jax.ShapeDtypeStruct((self._batch_size(shape), *shape), np.uint8, sharding=self._by_example)

    def __len__(self) -> int:
        return len(self._whole)

    def batches(self) -> Generator[tuple[np.ndarray, np.ndarray, jax.Array]]:
        """Yields the batches in the order in which they are full."""
        self._feed.begin(0)
        try:
            for batch in iter(self._feed.take, None):
                labels = np.asarray(batch.labels)
                indices = np.asarray(batch.draws)[:, 1]
                yield indices[labels >= 0], labels[labels >= 0], batch.images
        finally:
            self._feed.close()

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the pictures' files."""
        return tuple(map(self._whole.pictures.name, range(len(self))))

    def images(self, index: np.ndarray) -> np.ndarray:
        """The first views of the pictures."""
        return np.array([self._whole[i].images[0] for i in index], np.uint8).reshape(-1, *self._shape)

    def _by_shape(self, number: int) -> Generator[Batch]:
        """Yields all batches of this process. Feed, which asks for it, begins with batch 0."""
        for one_pass in self._own:
            waiting: dict[tuple[int, ...], list[Batch]] = {}
            with contextlib.closing(_iterator(one_pass, self._settings)(0)) as pictures:
                for picture in pictures:
                    shape = picture.images.shape
                    waiting.setdefault(shape, []).append(picture)
                    if len(waiting[shape]) == self._batch_size(shape):
                        yield self._batch(waiting.pop(shape))
            yield from map(self._batch, waiting.values())

    def _batch(self, pictures: Sequence[Batch]) -> Batch:
        images, labels, draws = map(np.stack, zip(*pictures, strict=True))
        missing = self._batch_size(images.shape[1:]) - len(images)
        return Batch(
            np.pad(images, ((0, missing), *[(0, 0)] * 4)),
            np.pad(labels, (0, missing), constant_values=-1),
            np.pad(draws, ((0, missing), (0, 0))),
        )

    def _batch_size(self, shape: tuple[int, ...]) -> int:
        """Number of pictures in a batch of views of this shape."""
        most = max(1, self._pixels // math.prod(shape[:-1]))
        return devices.local_batch_size(most, len(self), self._by_example.mesh.size)


@dataclass
class StreamedInput:
    """Input whose pictures are decoded, cropped and resized when they are needed. Its interface: `ResidentInput`."""

    config: Config
    source: PictureSource
    waited: float = 0.0
    _feed: Feed | None = None

    @cached_property
    def examples(self) -> Parts:
        """The training pictures."""
        return self.source.read(self.config.dataset.train)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the central crop."""
        return image_shape(self.config.dataset)

    @property
    def augmentation(self) -> Augment:
        """Random colours and flip of training pictures, which are already cropped."""
        dataset = self.config.dataset
        views = ColourAugmentation(dataset.flip, dataset.color_jitter, dataset.lighting)
        return preprocessing.with_own(views, dataset.augmentation, (dataset.crop, dataset.crop, 3))

    @cached_property
    def preprocess(self) -> Preprocess:
        """Normalizes the view of a picture as `config.dataset.normalization` says."""
        return Preprocess(preprocessing.normalization(self.config.dataset, self._mean_image))

    def check(self) -> None:
        """Raises ConfigError if sizes in the config do not fit each other, or too few files may be open."""
        check_sizes(self.config.dataset, self.config.pictures)
        allow_open_files(self.config.pictures.processes)

    def check_data(self) -> None:
        """Reads the pictures that `config.dataset.check` selects. Raises DataError if some cannot be read."""
        specs = self.config.dataset.splits
        checks.warn_about_missing_classes(self.source, specs)
        checks.check(self.source, specs, self.config.dataset.check)

    def listing(self, specs: Sequence[str]) -> np.ndarray:
        """The files of the splits, with their sizes, to compare them with those of a run: b'train/cat/0.jpg 12345'."""
        splits = sorted({split for spec in specs for split, _, _ in self.source.ranges(spec)} & {*self.source.listing})
        found = [np.char.add(f'{split}/'.encode(), self.source.listing[split]) for split in splits]
        return np.concatenate([np.zeros(0, np.bytes_), *found])

    def split(self, spec: str, protocol: str, batch_size: int, mesh: Mesh) -> StreamedSplit:
        """Opens a split by the views of the protocol."""
        return StreamedSplit(self.config, self.source.read(spec), protocol, batch_size, mesh)

    def program(self, steps: Steps, numbers: Numbers, backend: Backend, state: TrainState) -> Program:
        """Compiles the training program for states with the shapes of `state`. Each step is one dispatch.

        Threads make its batches, each process its rows of them. The number of a batch is that of its step. The program
        ends before the step of a picture that cannot be read. The next call reads it again, and may raise InputError;
        the state can be saved before. With several processes, the process that needs the picture raises InputError at
        once, because the others cannot go on without it.
        """
        batch, side = self.config.batch_size, self.config.dataset.crop
        everywhere = NamedSharding(steps.by_example.mesh, PartitionSpec())
        like = [
            jax.ShapeDtypeStruct(shape, dtype, sharding=steps.by_example)
            for shape, dtype in (((batch, side, side, 3), np.uint8), ((batch,), np.int32), ((batch, 2), np.uint32))
        ]
        numbers = devices.put(numbers, everywhere)
        compiled = partial(backend.compile, donate_argnums=0, out_shardings=everywhere)
        with warnings.catch_warnings():
            warnings.filterwarnings('ignore', 'Some donated buffers')  # of arrays that change their shapes when packed
            packed = jax.eval_shape(steps.pack, state)
            packed = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=everywhere), packed)
            pack, unpack = compiled(steps.pack, state), compiled(steps.unpack, packed)
            step = compiled(steps.step, packed, numbers, *like)
        batches = replace(self._training(batch), rows=processes.share(batch))
        put = partial(jax.make_array_from_process_local_data, steps.by_example)
        self._feed = feed = Feed(_iterator(batches, self.config.pictures), put)

        def take(state: TrainState) -> Any:
            """The next batch. `waited` grows by the time from the end of the last step until it is ready."""
            if feed.is_ready:
                return feed.take()
            jax.block_until_ready(state)
            began = time.monotonic()
            batch = feed.take()
            self.waited += time.monotonic() - began
            return batch

        def run(state: TrainState, stop: int) -> TrainState:
            first = int(state.step)
            feed.begin(first)
            batch = take(state)
            state = pack(state)
            for number in range(first + 1, stop + 1):
                state = step(state, numbers, *batch)
                if number < stop:
                    try:
                        batch = take(state)
                    except InputError:
                        if jax.process_count() > 1:
                            raise
                        break
            return unpack(state)  # type: ignore[no-any-return]

        return run

    def close(self) -> None:
        """Stops the threads that make batches ahead of time."""
        if self._feed is not None:
            self._feed.close()

    def training_images(self, batch_size: int) -> Generator[tuple[np.ndarray, np.ndarray]]:
        """Yields batches of random crops, uint8 [batch_size, crop, crop, 3], and their draws, without end.

        The draws are uint32 [batch_size, 2], as for `training.step.augmented`.
        """
        with contextlib.closing(_iterator(self._training(batch_size), self.config.pictures)(0)) as batches:
            for batch in batches:
                yield batch.images, batch.draws

    def _training(self, batch_size: int) -> Batches:
        """Batches of random crops of the training split. Each epoch has a new order."""
        settings, size, seed = self.config.pictures, self.config.dataset.crop, self.config.stream_seed
        crop = training_crop(settings, size)
        return Batches(self.examples, crop, size, batch_size, sys.maxsize, seed, *_decoding(settings))

    def _mean_image(self) -> Normalization:
        """The normalization that subtracts the mean central crop of the training pictures."""
        settings = self.config.pictures
        key = f'{self.source.fingerprint}-{self.config.dataset.train}'
        size, crop = self.image_shape[0], CentreCrop(settings.test_shorter_side, self.image_shape[0])
        central = Batches(self.examples, crop, size, 100, 0, 0, *_decoding(settings))
        return preprocessing.pixel_mean(mean_image(central, key, settings.threads, settings.processes)[None])


def _decoding(settings: fields.Pictures) -> tuple[str, bool]:
    return settings.interpolation, settings.exif_rotation


def _iterator(batches: Batches | Pass, settings: fields.Pictures) -> Callable[[int], Generator[Batch]]:
    """A function that begins with the batch of a number and yields batches in order."""
    return partial(iterate, batches, threads=settings.threads, processes=settings.processes)


def check_sizes(dataset: fields.Dataset, pictures: fields.Pictures) -> None:
    """Raises ConfigError if a crop is larger than the resized pictures, or a smallest value is above its largest.

    Args:
        dataset, pictures: groups of a config; their fields have been checked one by one.
    """
    crop, test_crop = dataset.crop, dataset.test_crop or dataset.crop
    if not crop:
        raise ConfigError('config.dataset.crop=0: must be the height and width of a view, such as 224')
    if dataset.pad:
        raise ConfigError(f'config.dataset.pad={dataset.pad}: must be 0 for pictures, which are not padded')
    least, most = pictures.shorter_side
    if pictures.view == 'scale' and not crop <= least <= most:
        raise ConfigError(
            f'config.pictures.shorter_side={(least, most)}: must be two lengths, the smaller one first, and at least '
            f'config.dataset.crop={crop}'
        )
    for name in ('area', 'aspect_ratio'):
        least, most = getattr(pictures, name)
        if least > most:
            raise ConfigError(
                f'config.pictures.{name}={(least, most)}: must be the smallest and then the largest value'
            )
    test_field = 'test_crop' if dataset.test_crop else 'crop'
    for name, size in ((test_field, test_crop), *([('crop', crop)] if pictures.view == 'centre' else [])):
        if size > pictures.test_shorter_side:
            raise ConfigError(
                f'config.pictures.test_shorter_side={pictures.test_shorter_side}: must be at least '
                f'config.dataset.{name}={size}'
            )
    if dataset.normalization == 'pixel_mean' and crop != test_crop:
        raise ConfigError(f"config.dataset.test_crop={test_crop}: must be crop={crop} with normalization='pixel_mean'")
