"""A trained network, back from its run folder: to use, and to evaluate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, SingleDeviceSharding
from numpy.typing import ArrayLike

from jax_resnet import models
from jax_resnet.data import CentreView, open_source
from jax_resnet.errors import ConfigError
from jax_resnet.training import optimizer, state
from jax_resnet.training.checkpoints import Checkpoints
from jax_resnet.training.evaluation import Evaluator, Scores
from jax_resnet.training.experiment import compiler_options_for, network, parts_for
from jax_resnet.training.run_folder import RunFolder


@dataclass(frozen=True)
class Trained:
    """A network with its weights, and what belongs to them.

    Attributes:
        model: the network, unstacked; differentiable as you like.
        variables: {'params': ..., 'batch_stats': ...}.
        preprocess: from images, uint8 [batch, *image_shape], to the network's input, float32.
        image_shape: (height, width, channels) of the images that it was trained on.
        class_names: one per output.
    """

    model: nn.Module
    variables: Mapping[str, Any]
    preprocess: CentreView
    image_shape: tuple[int, int, int]
    class_names: Sequence[str]

    def logits(self, images: ArrayLike) -> jax.Array:
        """float32 [batch, classes] of images, uint8 [batch, *image_shape]."""
        return self._logits(self.variables, jnp.asarray(images))

    def probabilities(self, images: ArrayLike) -> jax.Array:
        """The softmax of `logits`."""
        return jax.nn.softmax(self.logits(images))

    @cached_property
    def _logits(self) -> Any:
        return jax.jit(lambda variables, images: self.model.apply(variables, self.preprocess(images)))


def load(run_folder: str | Path) -> Trained:
    """The network of a run's last checkpoint. Needs neither the run's devices, nor its data or config file.

    Args:
        run_folder: of a run, finished or not.

    Raises:
        ConfigError: no run folder, or no checkpoint in it yet.
    """
    folder = RunFolder(run_folder)
    trained = _load_stacked(folder)
    return Trained(
        network(folder.config()),
        models.unstack(trained.variables),
        trained.preprocess,
        trained.image_shape,
        trained.class_names,
    )


def evaluate(run_folder: str | Path, split: str | None = None, data_dir: str | None = None) -> Scores:
    """Evaluates a run's last checkpoint, on one device.

    Args:
        run_folder: of a run, finished or not.
        split: a split string such as 'train[:10%]'; by default the run's test split.
        data_dir: where the data lies, if not where the run found it.

    Returns:
        Logits and labels, with the sums and errors that follow from them; `count` is the size of the split.

    Raises:
        ConfigError, DataError: no run folder, no checkpoint yet, no such split or data.
    """
    folder = RunFolder(run_folder)
    trained, config = _load_stacked(folder), folder.config()
    dataset = config['dataset']
    source = open_source(dataset['name'], data_dir or dataset['data_dir'], dataset['manual_dir'])
    device = jax.local_devices()[0]
    examples = source.read(dataset['test'] if split is None else split)
    evaluator = Evaluator(
        trained.model,
        trained.preprocess,
        examples,
        trained.class_names,
        config['batch_size'],
        Mesh(np.array([device]), ('data',)),
        compiler_options_for(device.platform),
    )
    return evaluator(trained.variables)


def _load_stacked(folder: RunFolder) -> Trained:
    """As training runs it."""
    config = folder.config()
    checkpoints = Checkpoints(folder.path / 'checkpoints', read_only=True)
    if not checkpoints.steps():
        raise ConfigError(f'{folder.path}: has no checkpoint yet')
    device = jax.local_devices()[0]
    about = folder.preprocessing()
    model = network(config, **parts_for(device.platform))
    like = jax.eval_shape(
        # The learning rate is no part of the state: any schedule gives the same shapes.
        lambda: state.create(
            model, optimizer.create(config['optimizer'], lambda step: 0.0), jnp.zeros((1, *about.image_shape)), seed=0
        )
    )
    restored, _ = checkpoints.restore_latest(like, SingleDeviceSharding(device))
    checkpoints.close()
    return Trained(model, restored.variables, about.view, about.image_shape, about.class_names)
