"""BatchNorm's statistics as true averages over training images, computed after training, as the papers' authors did.

The moving averages of training follow the last steps alone, whose parameters differed.
"""

import logging
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jax_resnet.backend.base import Backend
from jax_resnet.config.network import network
from jax_resnet.errors import ConfigError
from jax_resnet.training.input import Input
from jax_resnet.training.state import Purpose
from jax_resnet.training.step import augmented

LARGEST_BATCH = 256
"""Images at most, where BatchNorm's groups allow it."""

_log = logging.getLogger(__name__)


def batch_size(config: Mapping[str, Any]) -> int:
    """Images in a batch: whole groups of BatchNorm."""
    size, group = config['batch_size'], config['batch_norm']['group_size']
    return size if not group or size <= max(group, LARGEST_BATCH) else max(group, LARGEST_BATCH // group * group)


def recalibrated(
    config: Mapping[str, Any], data: Input, variables: Mapping[str, Any], count: int, mesh: Mesh, backend: Backend
) -> dict[str, Any]:
    """The variables of a network with other statistics: arithmetic means over the first images of the sample stream.

    The images are augmented as in training, and normalized by the statistics of their own group, as there. What is
    averaged is each group's mean and biased variance: what the moving averages follow.

    Args:
        config: of the experiment.
        data: its data.
        variables: of its network, stacked.
        count: training images; rounded up to whole batches, as a line says.
        mesh, backend: the devices, and what their platform needs.

    Raises:
        ConfigError: no images.
    """
    if count < 1:
        raise ConfigError(f'recalibrate={count}: must be a number of training images, at least 1')
    momentless = {**config, 'batch_norm': {**config['batch_norm'], 'momentum': 0.0}}
    form, size, seed = backend.form(network(momentless, **backend.network)), batch_size(config), config['seed']
    everywhere = NamedSharding(mesh, PartitionSpec())
    by_example = everywhere if size % mesh.size else NamedSharding(mesh, PartitionSpec('data'))

    def statistics(variables: Any, step: jax.Array, images: jax.Array, draws: jax.Array | None) -> Any:
        views = augmented(data.augmentation, data.normalization, seed, step, images, draws)
        rngs = {'dropout': jax.random.fold_in(Purpose.DROPOUT.key(seed), step)}
        variables = form.variables(variables)
        _, updates = form.net.apply(variables, views, train=True, mutable=['batch_stats'], rngs=rngs)
        return form.unpack_state(form.pack(updates['batch_stats']))

    run = backend.jit(statistics, out_shardings=everywhere)
    batches = -(-count // size)
    _log.info("BatchNorm's statistics are the means over %s training images", f'{batches * size:,}')
    sums: Any = None
    for step, (images, draws) in zip(range(batches), data.training_images(size), strict=False):
        given = jax.device_put((images, draws), by_example)
        of_batch = jax.tree.map(np.float64, jax.device_get(run(variables, np.int32(step), *given)))
        sums = of_batch if sums is None else jax.tree.map(np.add, sums, of_batch)
    means = jax.tree.map(lambda x: np.float32(x / batches), sums)
    return {**variables, 'batch_stats': jax.device_put(means, everywhere)}
