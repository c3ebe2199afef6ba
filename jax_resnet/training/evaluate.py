"""Exact evaluation: every example of a split counts once, for any batch size and any number of devices and processes.

Each process evaluates its share of the examples on its own devices. At the end every process has all logits.

A protocol is one view of each image ('center'), or averages the scores of several views of a picture and of their
mirror images: ten crops (He et al. 2015, Tables 2 and 3), or the picture at five scales (Table 4, section 3.4). The
network averages its last feature map over all positions, for any size. As the head is linear, this is the fully
convolutional form of the paper.
"""

import contextlib
from collections.abc import Collection, Generator, Iterable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from tqdm import tqdm

from jax_resnet import files, models
from jax_resnet.config.fields import Config
from jax_resnet.config.loading import change
from jax_resnet.config.network import network
from jax_resnet.data.datasets import image_shape, located, streams
from jax_resnet.data.preprocessing import Normalization, Preprocess
from jax_resnet.data.sources import from_files
from jax_resnet.errors import ConfigError
from jax_resnet.hosts import processes
from jax_resnet.models import ResNet
from jax_resnet.platform import exactness, memory
from jax_resnet.training.load import check_finite, load
from jax_resnet.training.recalibrate import recalibrated
from jax_resnet.training.scores import Scores
from jax_resnet.training.setup import Input, backend, check_pictures, open_input

LESS_MEMORY = (
    'an evaluation takes as many images at a time as a microbatch of its config has; use a device with more memory '
    '(with JAX_PLATFORMS=cpu: the memory of this machine)'
)
"""What to do if an evaluation lacks memory."""

BatchScores = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Indices of the n examples of a batch in the share of this process, their labels, and scores, float32 [n, classes]."""


class Evaluator:
    """Evaluates a network on one split by a protocol.

    Args:
        data: the data of the config. An evaluation computes no more images at a time than a microbatch has.
        model: the network of the training state.
        mesh: the devices of this process, with one axis `data`.
        spec: a split such as 'test'.
        protocol: a value of `config.pictures.protocol`.
        preprocess: converts an image to the network's input; by default as `data` says.
    """

    def __init__(
        self,
        data: Input,
        model: ResNet,
        mesh: Mesh,
        spec: str,
        protocol: str = 'center',
        preprocess: Preprocess | None = None,
    ) -> None:
        config, self._preprocess = data.config, preprocess or data.preprocess
        if protocol == 'multi_scale':
            self._preprocess = Preprocess(self._preprocess.normalize.by_channel())
        self._average = 'logits' if protocol == 'center' else config.pictures.average
        self._mirrors, self._source = protocol != 'center', data.source
        self.split = data.split(spec, protocol, max(1, config.batch_size // config.memory.microbatches), mesh)
        self._backend = backend(config, mesh)
        self._net = self._backend.program_network(model)
        self._everywhere = NamedSharding(mesh, PartitionSpec())
        self._normalize = jax.device_put(self._preprocess.normalize, self._everywhere)
        self._programs: dict[tuple, Any] = {}

    def _predict(self, variables: Any, normalize: Normalization, views: jax.Array) -> jax.Array:
        """Averages the scores of the views of a batch to float32 [batch, classes]."""
        x = self._preprocess._replace(normalize=normalize)(views)
        if self._mirrors:
            x = jnp.concatenate([x, x[:, :, :, ::-1]], axis=1)  # this axis keeps a picture on one device
        variables = variables if self._net.stacked else models.unstack(variables)
        logits = self._net.apply(variables, x.reshape(-1, *x.shape[2:]))
        assert isinstance(logits, jax.Array)
        scores = jax.nn.softmax(logits) if self._average == 'softmax' else logits
        return scores.reshape(*x.shape[:2], -1).mean(1)

    def compile(self, variables: Any, views: Any = None) -> Any:
        """Returns the program for variables and views with these shapes, by default those of the first batches.

        It compiles the program at the first call.
        """
        views = self.split.like if views is None else views
        if views.shape not in self._programs:
            given = variables, self._normalize, views
            self._programs[views.shape] = self._backend.compile(self._predict, *given, out_shardings=self._everywhere)
        return self._programs[views.shape]

    def batches(self, variables: Any) -> Generator[BatchScores]:
        """Yields the scores of each batch. Each example of this process's share occurs once in each pass."""
        with contextlib.closing(self.split.batches()) as batches:
            for indices, labels, views in batches:
                scores = self.compile(variables, views)(variables, self._normalize, views)
                yield indices, labels, np.asarray(scores)[: len(labels)]

    def collect(self, batches: Iterable[BatchScores]) -> Scores:
        """Returns the scores of all examples, from the `batches` of each process. All processes must call it."""
        count = len(processes.share(len(self.split)))
        several = self._mirrors or self.split.passes > 1
        labels, seen = np.zeros(count, np.int32), np.zeros(count, int)
        sums = np.zeros((count, len(self._source.class_names)), np.float64 if several else np.float32)
        for indices, batch_labels, scores in batches:
            labels[indices] = batch_labels
            sums[indices] += scores
            seen[indices] += 1
        assert (seen == self.split.passes).all()
        labels, sums = processes.gather_rows(labels, len(self.split)), processes.gather_rows(sums, len(self.split))
        logits = sums / self.split.passes
        if self._average == 'softmax':
            with np.errstate(divide='ignore'):  # a probability can be zero in float32
                logits = np.maximum(np.log(logits), np.finfo(np.float32).min)
        present = getattr(self._source, 'present', ())
        return Scores(logits.astype(np.float32), labels, self._source.class_names, present)


@files.safe_streams()
@exactness.exact()
@memory.shortage_as_error(LESS_MEMORY)
def evaluate(
    path: str | Path,
    split: str | None = None,
    data: str | None = None,
    config: Config | Mapping[str, Any] | None = None,
    *,
    protocol: str = 'center',
    average: str | None = None,
    shorter_side: int | None = None,
    crop: int | None = None,
    recalibrate: int = 0,
    images: str | Path | None = None,
    labels: str | Path | None = None,
) -> Scores:
    """Evaluates a trained network. It uses as many local devices as the config says.

    Args:
        path, config: as for `load`.
        split: a split such as 'train[:10%]'; by default the test split of the run, or that of `data`.
        data: the name of a data set, or a folder of pictures, of ImageNet's tars or of prepared data; by default the
            data of the run.
        protocol: the views of a picture: 'center', 'ten_crop' (He et al. 2015, Tables 2 and 3) or 'multi_scale' (Table
            4).
        average: what is averaged over the views of 'ten_crop' or 'multi_scale', 'softmax' or 'logits'; by default
            config.pictures.average.
        shorter_side: shorter side of the resized picture in pixels, for 'center' and 'ten_crop'; by default
            config.pictures.test_shorter_side.
        crop: height and width of the crop in pixels, for 'center' and 'ten_crop'; by default config.dataset.test_crop.
            0 is the crop of training for pictures, and the whole image for other data.
        recalibrate: number of training images over which BatchNorm's statistics are recomputed; 0 keeps those of
            training.
        images, labels: .npy files of another test set, as for `data.sources.from_files`, instead of `data`. Its split
            is 'test'.

    Returns:
        The scores: logits, labels, loss and errors. `count` is the number of examples of the split. The data may have
        only some of the network's classes, such as Imagenette ten of ImageNet's; see `Scores.present`.

    Raises:
        ConfigError, DataError: as `load`; or the split or the data does not exist; or sizes do not fit; or an option
            has no effect with the protocol; or logits are not finite.
    """
    trained = load(path, config, data)
    options = {'average': average, 'shorter_side': shorter_side, 'crop': crop}
    config, preprocess = _with_options(trained.config, trained.preprocess, protocol, options)
    if (images is None) != (labels is None) or (images is not None and (data is not None or recalibrate)):
        raise ConfigError('images: must be given with labels, and without data and recalibrate')
    if images is not None and labels is not None:
        if streams(config.dataset.name):
            raise ConfigError(f'images={images}: must be for a network of small images; this one takes pictures')
        source = from_files(images, labels, trained.image_shape, trained.class_names)
        inputs, split = open_input(config, source, class_names=trained.class_names), split or 'test'
    else:
        inputs = open_input(located(config, data), class_names=trained.class_names)
        split = test_split(config.dataset.test, inputs.source.sizes) if split is None else split
        specs = [split, config.dataset.train] if recalibrate else [split]
        check_pictures(path, inputs, specs, 'name other data by --data' if data is None else None)
    inputs.check()
    mesh = Mesh(np.array(jax.local_devices()[: config.parallel.devices]), ('data',))
    model = network(config, **backend(config, mesh).network)
    variables = jax.device_put(models.stack(trained.variables), NamedSharding(mesh, PartitionSpec()))
    with exactness.exact(config.precision.matmul):
        if recalibrate:
            variables = recalibrated(inputs, preprocess.normalize, variables, recalibrate, mesh)
        test = Evaluator(inputs, model, mesh, split, protocol, preprocess)
        scores = test.collect(_with_bar(test.batches(variables), len(test.split) * test.split.passes))
    check_finite(path, scores.logits)
    return scores


def test_split(spec: str, splits: Collection[str]) -> str:
    """Returns the test split of a config, or of other data that does not have it."""
    is_known = any(spec.startswith(name) for name in splits)
    return spec if is_known else next((name for name in ('test', 'validation') if name in splits), spec)


def _with_options(
    config: Config, preprocess: Preprocess, protocol: str, options: Mapping[str, str | int | None]
) -> tuple[Config, Preprocess]:
    """Applies options of `evaluate`. Raises ConfigError if one is not valid, or has no effect with the protocol."""
    without_effect = {'center': ('average',), 'multi_scale': ('shorter_side', 'crop')}
    for name in without_effect.get(protocol, ()):
        if options[name] is not None:
            raise ConfigError(f'{name}={options[name]}: has no effect with protocol={protocol}')
    fields = {'average': 'pictures.average', 'shorter_side': 'pictures.test_shorter_side', 'crop': 'dataset.test_crop'}
    changes = {field: options[name] for name, field in fields.items() if options[name] is not None}
    config, crop = change(config, {'pictures.protocol': protocol, **changes}), options['crop']
    if isinstance(crop, int) and not streams(config.dataset.name):
        return config, preprocess._replace(crop=crop)
    mean = preprocess.normalize.mean
    if crop is not None and mean.ndim == 3 and len(mean) != image_shape(config.dataset)[0]:
        # Of a mean image of another size, the mean of each channel is used.
        preprocess = Preprocess(preprocess.normalize.by_channel())
        mean, std = (np.broadcast_to(numbers, 3) for numbers in preprocess.normalize)
        channels = {'dataset.channel_mean': mean, 'dataset.channel_std': std}
        config = change(config, {'dataset.normalization': 'channel', **channels})
    return config, preprocess


def _with_bar(batches: Generator[BatchScores], count: int) -> Generator[BatchScores]:
    """Yields the batches unchanged. In a terminal, a bar shows how many of `count` images are evaluated."""
    with tqdm(total=count, desc='evaluated', unit=' images', disable=None, leave=False) as bar:
        for batch in batches:
            yield batch
            bar.update(len(batch[1]))
