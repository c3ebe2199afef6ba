"""Evaluation of a trained network, from its run folder or a file of weights."""

import logging
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jax_resnet import backend
from jax_resnet.backend import exactness, memory
from jax_resnet.config.fields import FIELDS, check_value
from jax_resnet.data.datasets import central_view, located
from jax_resnet.data.preprocessing import CentreView
from jax_resnet.data.splits import other_classes
from jax_resnet.errors import DataError
from jax_resnet.files import shown
from jax_resnet.training.evaluation.recalibration import recalibrated
from jax_resnet.training.evaluation.scores import Scores
from jax_resnet.training.input import evaluator, open_input, protocol_evaluator
from jax_resnet.training.trained import check_finite, load_stacked

SECONDS_BETWEEN_LINES = 20

_log = logging.getLogger(__name__)


@exactness.exact()
@memory.shortage_as_config_error()
def evaluate(
    path: str | Path,
    split: str | None = None,
    data_dir: str | None = None,
    config: Mapping[str, Any] | None = None,
    *,
    protocol: str = 'center',
    average: str | None = None,
    shorter_side: int | None = None,
    crop: int | None = None,
    recalibrate: int = 0,
) -> Scores:
    """Evaluates a trained network, on as many local devices as its config says.

    Args:
        path, config: of a run folder, or a file of weights, as `load` takes them.
        split: a split string such as 'train[:10%]'; by default the run's test split.
        data_dir: where the data lies, or the folder of pictures, if not where the run found it.
        protocol: what is seen of a picture: the 'center', 'ten_crop' (He et al. 2015, Tables 2 and 3) or 'multi_scale'
            (Table 4).
        average: 'softmax' or 'logits' of several views; by default as config.pictures.average.
        shorter_side: in pixels, before the crop; by default config.pictures.test_shorter_side.
        crop: height and width in pixels; by default config.dataset.test_crop.
        recalibrate: take BatchNorm's statistics anew, as means over so many training images; 0: as training left them.

    Returns:
        Logits and labels, with the sums and errors that follow from them; `count` is the size of the split.

    Raises:
        ConfigError, DataError: as `load`; no such split or data; sizes that cannot be; logits that are not finite.
    """
    trained, config = load_stacked(path, config, data_dir)
    config, view = _as_tested(config, trained.preprocess, protocol, average, shorter_side, crop)
    data = open_input({**config, 'dataset': located(config['dataset'], data_dir)})
    data.check()
    if tuple(trained.class_names) != data.source.class_names:
        raise DataError(f'{shown(path)}: {other_classes(trained.class_names, data.source.class_names)}')
    mesh = Mesh(np.array(jax.local_devices()[: config['parallel']['devices']]), ('data',))
    platform = backend.for_platform(mesh.devices.flat[0].platform, config['precision']['deterministic'])
    variables = jax.device_put(trained.variables, NamedSharding(mesh, PartitionSpec()))
    with exactness.exact(config['precision']['matmul']):
        if recalibrate:
            variables = recalibrated(config, data, variables, recalibrate, mesh, platform)
        spec = config['dataset']['test'] if split is None else split
        make = evaluator if protocol == 'center' else protocol_evaluator
        tested = make(data, spec, trained.model, view, mesh, platform)
        scores = tested.collect(_told(tested.batches(variables), len(tested)))
    check_finite(path, scores.not_finite, scores.count)
    return scores


def _as_tested(
    config: Mapping[str, Any],
    view: CentreView,
    protocol: str,
    average: str | None,
    shorter_side: int | None,
    crop: int | None,
) -> tuple[dict[str, Any], CentreView]:
    """The config and the view, with what is tested changed. Raises ConfigError for what cannot be."""
    changes = {
        'pictures.protocol': protocol,
        'pictures.average': average,
        'pictures.test_shorter_side': shorter_side,
        'dataset.test_crop': crop,
    }
    groups = {group: dict(config[group]) for group in ('pictures', 'dataset')}
    for name, value in changes.items():
        if value is not None:
            check_value(name, value, FIELDS[name])
            group, _, leaf = name.partition('.')
            groups[group][leaf] = value
    if crop is None:
        return {**config, **groups}, view
    if central_view(config) is None:
        return {**config, **groups}, view._replace(crop=crop)
    if view.normalize.mean.ndim == 3:  # a mean image of another size serves by its channels alone
        normalize = view.normalize.by_channel()
        view = view._replace(normalize=normalize)
        groups['dataset'] |= {'normalization': 'channel', 'channel_mean': tuple(normalize.mean.tolist())}
        groups['dataset']['channel_std'] = tuple(np.broadcast_to(normalize.std, 3).tolist())
    return {**config, **groups}, view


def _told(batches: Generator, count: int) -> Generator:
    """The same, with a line now and then that says how far the evaluation is."""
    began, seen = time.monotonic(), 0
    for batch in batches:
        yield batch
        seen += len(batch[1])
        if time.monotonic() - began > SECONDS_BETWEEN_LINES:
            began = time.monotonic()
            _log.info('evaluated %s of %s images', f'{seen:,}', f'{count:,}')
