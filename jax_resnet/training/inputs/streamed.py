"""Input and training program for streamed pictures: threads decode, crop and resize; each step is one dispatch."""

import contextlib
import math
import sys
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jax_resnet.config.fields import Config
from jax_resnet.config.pictures import check_pictures
from jax_resnet.data import Examples, PictureSource, image_shape, preprocessing
from jax_resnet.data.pictures import checks, mean, views
from jax_resnet.data.pictures.batches import Batch, Batches, iterate
from jax_resnet.data.pictures.crops import CentreCrop, training_crop
from jax_resnet.data.pictures.feed import Feed
from jax_resnet.data.pictures.source import Parts, Pictures
from jax_resnet.data.pictures.views import Viewed, Views
from jax_resnet.data.preprocessing import CentreView, ColourAugmentation, Normalization
from jax_resnet.errors import InputError
from jax_resnet.hosts import devices, processes
from jax_resnet.platform.base import Backend
from jax_resnet.training.evaluation.splits import StreamedSplit, whole_batch
from jax_resnet.training.state import TrainState
from jax_resnet.training.step import Numbers, Program, Steps

IN_FLIGHT = 2
"""Maximum number of unfinished steps when another one is dispatched. Each keeps its batch on the devices."""


class StreamedProgram:
    """A compiled training program for batches that come from the host. Each step is one dispatch.

    Args:
        steps, numbers, backend, state, everywhere: as for `ResidentProgram`.
        feed: copies batches to the devices. The number of a batch is the number of its step.
        image_shape: (height, width, channels) of a view.
    """

    def __init__(
        self,
        steps: Steps,
        numbers: Numbers,
        backend: Backend,
        state: TrainState,
        feed: Feed,
        image_shape: tuple[int, int, int],
        everywhere: NamedSharding,
    ) -> None:
        self.waited, self._feed = 0.0, feed
        self._failed: InputError | None = None
        self._pending: deque[jax.Array] = deque()
        self._numbers = devices.put(numbers, everywhere)
        form, batch = steps.form, steps.batch_size
        like = [
            jax.ShapeDtypeStruct(shape, dtype, sharding=steps.by_example)
            for shape, dtype in (((batch, *image_shape), np.uint8), ((batch,), np.int32), ((batch, 2), np.uint32))
        ]

        def step(held: TrainState, numbers: Numbers, *batch: jax.Array) -> tuple[TrainState, jax.Array]:
            held = steps.streamed(held, numbers, *batch)
            return held, held.step + 0  # a copy to wait for: the next step gets `held` as a donation

        compiled = partial(backend.compile, donate_argnums=0, out_shardings=everywhere)
        with warnings.catch_warnings():
            warnings.filterwarnings('ignore', 'Some donated buffers')  # of arrays that change their shapes when packed
            held = jax.eval_shape(form.pack_state, state)
            held = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=everywhere), held)
            self._pack_state = compiled(form.pack_state, state)
            self._step = compiled(step, held, self._numbers, *like)
            self._unpack_state = compiled(form.unpack_state, held)

    def __call__(self, state: TrainState, stop: int) -> TrainState:
        """Trains; see `Program`. If a picture cannot be read, stops before its step; the next call raises InputError.

        So the state of the last step can be saved. With several processes, the process that needs the picture raises
        InputError at once, because the others cannot go on without it.
        """
        if self._failed is not None:
            raise self._failed
        first = int(state.step)
        self._feed.begin(first)
        batch = self._take()
        held = self._pack_state(state)
        for step in range(first + 1, stop + 1):
            held, done = self._step(held, self._numbers, *batch)
            self._pending.append(done)
            if len(self._pending) > IN_FLIGHT:
                self._pending.popleft().block_until_ready()
            if step < stop:
                try:
                    batch = self._take()
                except InputError as e:
                    if processes.are_several():
                        raise
                    self._failed = e
                    break
        self._pending.clear()
        return self._unpack_state(held)  # type: ignore[no-any-return]

    def window_end(self, step: int) -> int:
        """Has no limit: one call can reach any step."""
        return sys.maxsize

    def close(self) -> None:
        """Stops the threads that make batches ahead of time."""
        self._feed.close()

    def _take(self) -> Any:
        """Returns the next batch. Adds to `waited` the time from the end of all dispatched steps until it is ready."""
        if self._feed.is_ready:
            return self._feed.take()
        while self._pending:
            self._pending.popleft().block_until_ready()
        began = time.monotonic()
        batch = self._feed.take()
        self.waited += time.monotonic() - began
        return batch


@dataclass(frozen=True)
class StreamedInput:
    """The input of an experiment whose pictures are decoded, cropped and resized when they are needed.

    Attributes:
        config: the config of the experiment.
        source: the data set.
    """

    config: Config
    source: PictureSource

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the central crop."""
        return image_shape(self.config.dataset)

    @property
    def augmentation(self) -> ColourAugmentation:
        """Random colours and flip of training pictures, which are already cropped."""
        dataset = self.config.dataset
        return ColourAugmentation(dataset.flip, dataset.color_jitter, dataset.lighting)

    @cached_property
    def normalization(self) -> Normalization:
        """The normalization that `config.dataset.normalization` selects."""
        return preprocessing.normalization(self.config.dataset, self._mean_image)

    @property
    def view(self) -> CentreView:
        """The view of a central crop in evaluation: the whole crop, normalized."""
        return CentreView(self.normalization)

    def check(self) -> None:
        """Raises ConfigError if sizes in the config do not fit each other."""
        check_pictures(self.config.dataset, self.config.pictures)

    def check_data(self) -> None:
        """Reads the pictures that `config.dataset.check` selects. Raises DataError if some cannot be read."""
        dataset = self.config.dataset
        specs = [spec for spec in (dataset.train, dataset.validation, dataset.test) if spec is not None]
        checks.warn_about_missing_classes(self.source, specs)
        checks.check(self.source, specs, dataset.check)

    def first(self, count: int) -> Examples:
        """The first training examples, at most `count`: their central crops."""
        pictures = self.source.read(self.config.dataset.train)
        return Examples(*self._central(pictures, 1).views(range(min(count, len(pictures)))))

    def split(self, spec: str, batch_size: int, mesh: Mesh) -> StreamedSplit:
        """Opens a split such as 'validation', for evaluation."""
        pictures = self.source.read(spec)
        size = whole_batch(batch_size, len(pictures), mesh.size)
        own = self._central(_share(pictures), size)
        by_example = NamedSharding(mesh, PartitionSpec('data'))
        return StreamedSplit(self._central(pictures, size), own, self._iterator(own), by_example)

    def program(self, steps: Steps, numbers: Numbers, backend: Backend, state: TrainState, mesh: Mesh) -> Program:
        """Compiles the training program. Threads make its batches; each process makes its rows of them."""
        size, batch_size = self.config.dataset.crop, self.config.batch_size
        batches = replace(self._training(batch_size), rows=processes.share(batch_size))
        feed = Feed(self._iterator(batches), partial(devices.put_rows, sharding=steps.by_example, size=batch_size))
        return StreamedProgram(
            steps, numbers, backend, state, feed, (size, size, 3), NamedSharding(mesh, PartitionSpec())
        )

    def training_images(self, batch_size: int) -> Generator[tuple[np.ndarray, np.ndarray]]:
        """Yields batches of random crops, uint8 [batch_size, crop, crop, 3], and their draws, without end.

        The draws are uint32 [batch_size, 2], as for `training.step.augmented`.
        """
        with contextlib.closing(self._iterator(self._training(batch_size))(0)) as batches:
            for batch in batches:
                yield batch.images, batch.draws

    def passes(self, spec: str) -> list[Views]:
        """The views over which `config.pictures.protocol` averages, for this process's share of a split.

        Each item of the list is one pass over the pictures.
        """
        pictures, fields = _share(self.source.read(spec)), self.config.pictures
        chosen = views.of_protocol(fields.protocol, fields.test_shorter_side, self.image_shape[0])
        return [Views(pictures, view, fields.interpolation, fields.exif_rotation) for view in chosen]

    def views(self, one_pass: Views, first: int) -> Generator[Viewed]:
        """Yields the views of a pass in order, beginning with the picture at index `first`."""
        fields = self.config.pictures
        return iterate(one_pass, first, fields.threads, fields.processes)

    def _training(self, batch_size: int) -> Batches:
        """Batches of random crops of the training split. Each epoch has a new order."""
        fields, size = self.config.pictures, self.config.dataset.crop
        pictures, crop = self.source.read(self.config.dataset.train), training_crop(fields, size)
        decoding = fields.interpolation, fields.exif_rotation
        return Batches(pictures, crop, size, batch_size, sys.maxsize, self.config.seed, *decoding)

    def _central(self, pictures: Pictures, batch_size: int) -> Batches:
        """Batches of central crops of all pictures, in order."""
        size, fields = self.image_shape[0], self.config.pictures
        crop, count = CentreCrop(fields.test_shorter_side, size), math.ceil(len(pictures) / batch_size)
        decoding = fields.interpolation, fields.exif_rotation
        return Batches(pictures, crop, size, batch_size, count, None, *decoding)

    def _iterator(self, batches: Batches) -> Callable[[int], Generator[Batch]]:
        fields = self.config.pictures
        return partial(iterate, batches, threads=fields.threads, processes=fields.processes)

    def _mean_image(self) -> Normalization:
        """The normalization that subtracts the mean central crop of the training pictures."""
        pictures = self.source.read(self.config.dataset.train)
        key = f'{self.source.fingerprint}-{self.config.dataset.train}'
        fields = self.config.pictures
        mean_crop = mean.mean_image(self._central(pictures, 100), key, fields.threads, fields.processes)
        return preprocessing.mean_image(mean_crop)


def _share(pictures: Pictures) -> Pictures:
    """The pictures in this process's share."""
    share = processes.share(len(pictures))
    return pictures if len(share) == len(pictures) else Parts([(pictures, share.start, share.stop)])
