"""Recomputes BatchNorm's statistics after training, as means over training images, like the papers' authors.

In training, the running statistics depend mostly on the last steps, during which the parameters still changed.
"""

import logging
import math
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jax_resnet import models
from jax_resnet.config.fields import Config
from jax_resnet.config.loading import change
from jax_resnet.config.network import network
from jax_resnet.data.preprocessing import Normalization
from jax_resnet.errors import ConfigError
from jax_resnet.training.setup import Input, backend
from jax_resnet.training.state import KeyPurpose
from jax_resnet.training.step import augmented

LARGEST_BATCH = 256
"""Maximum batch size, if BatchNorm's groups allow it."""

_log = logging.getLogger(__name__)


def batch_size(config: Config) -> int:
    """Number of images in a batch, which contains whole groups of BatchNorm."""
    size, group = config.batch_size, config.batch_norm.group_size
    return size if not group or size <= group else max(group, min(size, LARGEST_BATCH) // group * group)


def recalibrated(
    data: Input, normalize: Normalization, variables: Mapping[str, Any], count: int, mesh: Mesh
) -> dict[str, Any]:
    """Returns a network's variables with new BatchNorm statistics, from the first images of the sample stream.

    As in training, the images are augmented, and BatchNorm normalizes each group by the group's own statistics. The new
    statistics are the arithmetic means of the groups' means and of their biased variances.

    `normalize` is the network's own, and `variables` are stacked. `count`, the number of images, is rounded up to whole
    batches, which a log line says.

    Raises:
        ConfigError: `count` is less than 1.
    """
    if count < 1:
        raise ConfigError(f'recalibrate={count}: must be a number of training images, at least 1')
    config, settings = data.config, backend(data.config, mesh)
    without_momentum = change(config, {'batch_norm.momentum': 0.0, 'batch_norm.frozen': False})
    net, size = settings.program_network(network(without_momentum, **settings.network)), batch_size(config)
    seed_key = jax.random.key(config.stream_seed)
    everywhere = NamedSharding(mesh, PartitionSpec())
    by_example = everywhere if size % mesh.size else NamedSharding(mesh, PartitionSpec('data'))

    def statistics(variables: Any, step: jax.Array, images: jax.Array, draws: jax.Array | None) -> Any:
        views = augmented(data.augmentation, normalize, seed_key, step, images, draws)
        rngs = {'dropout': jax.random.fold_in(KeyPurpose.DROPOUT.key(seed_key), step)}
        variables = variables if net.stacked else models.unstack(variables)
        _, updates = net.apply(variables, views, train=True, mutable=['batch_stats'], rngs=rngs)
        return models.stack(updates['batch_stats'])

    run = jax.jit(statistics, compiler_options=dict(settings.compiler_options), out_shardings=everywhere)
    batches = math.ceil(count / size)
    _log.info("BatchNorm's statistics are the means over %s training images", f'{batches * size:,}')
    sums: Any = None
    for step, (images, draws) in zip(range(batches), data.training_images(size), strict=False):
        on_devices = jax.device_put((images, draws), by_example)
        batch_stats = jax.tree.map(np.float64, jax.device_get(run(variables, np.int32(step), *on_devices)))
        sums = batch_stats if sums is None else jax.tree.map(np.add, sums, batch_stats)
    means = jax.tree.map(lambda x: np.float32(x / batches), sums)
    return {**variables, 'batch_stats': jax.device_put(means, everywhere)}
