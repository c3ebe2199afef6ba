"""Evaluates a trained network from its run folder or a file of weights."""

import logging
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jax_resnet.config.fields import Config
from jax_resnet.config.loading import change
from jax_resnet.data.datasets import central_view, image_shape, located
from jax_resnet.data.pictures.views import SCALES
from jax_resnet.data.preprocessing import CentreView
from jax_resnet.data.splits import other_classes
from jax_resnet.errors import ConfigError, DataError
from jax_resnet.files import shown
from jax_resnet.platform import exactness, for_platform, memory
from jax_resnet.training.evaluation.recalibration import recalibrated
from jax_resnet.training.evaluation.scores import Scores
from jax_resnet.training.inputs.opening import evaluator, open_input, protocol_evaluator
from jax_resnet.training.trained import check_finite, load_stacked

SECONDS_BETWEEN_LINES = 20
"""Time between two log lines about the progress of an evaluation."""

_log = logging.getLogger(__name__)


@exactness.exact()
@memory.shortage_as_config_error()
def evaluate(
    path: str | Path,
    split: str | None = None,
    data_dir: str | None = None,
    config: Config | Mapping[str, Any] | None = None,
    *,
    protocol: str = 'center',
    average: str | None = None,
    shorter_side: int | None = None,
    crop: int | None = None,
    recalibrate: int = 0,
) -> Scores:
    """Evaluates a trained network. It uses as many local devices as the config says.

    Args:
        path, config: as for `load`.
        split: a split such as 'train[:10%]'; by default the test split of the run.
        data_dir: folder of the prepared data, of the pictures or of ImageNet's tars, if it is not where the run found
            it.
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

    Returns:
        The scores: logits, labels, loss and errors. `count` is the number of examples of the split.

    Raises:
        ConfigError, DataError: as `load`; or the split or the data does not exist; or sizes do not fit; or an option
            has no effect with the protocol; or logits are not finite.
    """
    _check_effects(protocol, average, shorter_side, crop)
    trained, config = load_stacked(path, config, data_dir)
    config, view = _apply_options(config, trained.preprocess, protocol, average, shorter_side, crop)
    data = open_input(located(config, data_dir))
    data.check()
    if tuple(trained.class_names) != data.source.class_names:
        raise DataError(f'{shown(path)}: {other_classes(trained.class_names, data.source.class_names)}')
    mesh = Mesh(np.array(jax.local_devices()[: config.parallel.devices]), ('data',))
    settings = for_platform(mesh.devices.flat[0].platform, config.precision.deterministic)
    variables = jax.device_put(trained.variables, NamedSharding(mesh, PartitionSpec()))
    with exactness.exact(config.precision.matmul):
        if recalibrate:
            variables = recalibrated(config, data, variables, recalibrate, mesh, settings)
        spec = config.dataset.test if split is None else split
        make_evaluator = evaluator if protocol == 'center' else protocol_evaluator
        test = make_evaluator(data, spec, trained.model, view, mesh, settings)
        scores = test.collect(_log_progress(test.batches(variables), len(test)))
    check_finite(path, scores.not_finite, scores.count)
    return scores


def _check_effects(protocol: str, average: str | None, shorter_side: int | None, crop: int | None) -> None:
    """Raises ConfigError if an option of `evaluate` has no effect with the protocol."""
    if protocol == 'center' and average is not None:
        raise ConfigError(
            f'average={average}: must be given only with protocol=ten_crop or multi_scale; center has one view'
        )
    for name, value in (('shorter_side', shorter_side), ('crop', crop)):
        if protocol == 'multi_scale' and value is not None:
            raise ConfigError(
                f'{name}={value}: must be given only with protocol=center or ten_crop; multi_scale takes whole '
                f'pictures, at shorter sides of {", ".join(map(str, SCALES))}'
            )


def _apply_options(
    config: Config,
    view: CentreView,
    protocol: str,
    average: str | None,
    shorter_side: int | None,
    crop: int | None,
) -> tuple[Config, CentreView]:
    """Applies the options of `evaluate` to a config and a view. Raises ConfigError if an option is not valid."""
    changes = {
        'pictures.protocol': protocol,
        'pictures.average': average,
        'pictures.test_shorter_side': shorter_side,
        'dataset.test_crop': crop,
    }
    config = change(config, {name: value for name, value in changes.items() if value is not None})
    if crop is None:
        return config, view
    if central_view(config) is None:
        return config, view._replace(crop=crop)
    mean, size = view.normalize.mean, image_shape(config.dataset)[0]
    if mean.ndim == 3 and mean.shape[0] != size:  # of a mean image of another size, the mean of each channel is used
        normalize = view.normalize.by_channel()
        view = view._replace(normalize=normalize)
        mean, std = (np.broadcast_to(numbers, 3) for numbers in (normalize.mean, normalize.std))
        channels = {'dataset.channel_mean': mean, 'dataset.channel_std': std}
        config = change(config, {'dataset.normalization': 'channel', **channels})
    return config, view


def _log_progress(batches: Generator, count: int) -> Generator:
    """Yields the batches unchanged, and regularly logs how many of `count` images are evaluated."""
    began, seen = time.monotonic(), 0
    for batch in batches:
        yield batch
        seen += len(batch[1])
        if time.monotonic() - began > SECONDS_BETWEEN_LINES:
            began = time.monotonic()
            _log.info('evaluated %s of %s images', f'{seen:,}', f'{count:,}')
