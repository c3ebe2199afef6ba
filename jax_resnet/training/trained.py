"""Loads a trained network from a run folder or a file of weights."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import SingleDeviceSharding
from numpy.typing import ArrayLike

from jax_resnet import models
from jax_resnet.config.fields import Config
from jax_resnet.config.loading import as_config, change
from jax_resnet.config.network import network
from jax_resnet.data.datasets import central_view, located, without_data
from jax_resnet.data.pictures.crops import CentralView
from jax_resnet.data.preprocessing import CentreView, Normalization
from jax_resnet.errors import ConfigError, DataError
from jax_resnet.files import shown
from jax_resnet.platform import exactness, for_platform
from jax_resnet.runs import weights
from jax_resnet.runs.outputs import Preprocessing
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.training import optimizer, state
from jax_resnet.training.checkpoints import Checkpoints
from jax_resnet.training.experiment import Experiment
from jax_resnet.training.saved_weights import (
    check_same,
    describe_assumptions,
    first_difference,
    read_variables,
    recorded_network,
    variables_of,
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trained:
    """A trained network with its weights, its preprocessing and its class names.

    Attributes:
        model: the network, unstacked. It can be differentiated in forward and in reverse mode.
        variables: {'params': ..., 'batch_stats': ...}.
        preprocess: converts images, uint8 [batch, *image_shape], to the network's input, float32.
        image_shape: (height, width, channels) of the images.
        class_names: one for each output.
        picture_view: converts a picture of any size to such an image, as in evaluation. None if the network was not
            trained on streamed pictures.
    """

    model: models.ResNet
    variables: Mapping[str, Any]
    preprocess: CentreView
    image_shape: tuple[int, int, int]
    class_names: Sequence[str]
    picture_view: CentralView | None = None

    def logits(self, images: ArrayLike) -> jax.Array:
        """Computes the logits, float32 [batch, classes], of images, uint8 [batch, *image_shape].

        Raises:
            ConfigError: the images have another dtype or shape.
        """
        images = jnp.asarray(images)
        if images.dtype != jnp.uint8 or images.ndim != 4 or images.shape[1:] != self.image_shape:
            sides = ', '.join(map(str, self.image_shape))
            raise ConfigError(
                f'images: must be uint8 [batch, {sides}], 0 to 255; got {images.dtype} {list(images.shape)}'
            )
        return self._logits(self.variables, images)

    def probabilities(self, images: ArrayLike) -> jax.Array:
        """Computes the softmax of `logits`, float32 [batch, classes]. Arguments and errors as of `logits`."""
        return jax.nn.softmax(self.logits(images))

    @cached_property
    def _logits(self) -> Any:
        return jax.jit(lambda variables, images: self.model.apply(variables, self.preprocess(images)))


@exactness.exact(draws=False)
def load(path: str | Path, config: Config | Mapping[str, Any] | None = None) -> Trained:
    """Loads a trained network. Needs neither the devices of the run, nor its data or its config file.

    Args:
        path: a run folder, of which the last checkpoint is loaded; or a file of weights with its card beside it.
        config: for a file of weights without a card, with our names or PyTorch's: a config as for `training.train`,
            which gives the network and the preprocessing. The class names, and a mean image, come from its data set.

    Raises:
        ConfigError, DataError: there is no run folder or no checkpoint; a file or card is missing or damaged; the
            config does not fit the weights, or is not needed.
    """
    trained, config = load_stacked(path, config)
    variables, view = models.unstack(trained.variables), central_view(config)
    return replace(trained, model=network(config), variables=variables, picture_view=view)


def check_finite(path: str | Path, not_finite: int, count: int) -> None:
    """Raises DataError if `not_finite` of `count` examples have logits that are infinite or NaN."""
    if not_finite:
        raise DataError(f'{shown(path)}: the logits of {not_finite:,} of {count:,} examples are infinite or NaN')


def described(
    path: str | Path, config: Config | Mapping[str, Any], data_dir: str | None = None
) -> tuple[Config, Preprocessing]:
    """Returns the config for a file of weights, with all fields, and the preprocessing that it describes.

    If the file does not record its network, a log line says what is assumed.

    Args:
        path: path of the file of weights.
        config: a config as for `training.train`.
        data_dir: folder of the data, if it differs from the config.

    Raises:
        ConfigError: the config is not valid or has another network; `path` is a run folder, or a file with a card.
        DataError: the file cannot be read; or data that a mean image or the class names need is missing.
    """
    if not weights.is_file(path):
        raise ConfigError(f'{shown(path)}: must be a file of weights, {" or ".join(weights.SUFFIXES)}, for --config')
    if weights.card_of(path).exists():
        raise ConfigError(f'{shown(path)}: has a card, {weights.card_of(path).name}, which says what --config would')
    config = located(as_config(config), data_dir)
    recorded = recorded_network(path)
    try:
        experiment = Experiment.from_config(change(config, {'parallel.devices': 1}), without_data(config.dataset))
        preprocessing = experiment.preprocessing
    except DataError as e:
        reason = 'class names, and the mean that pixel_mean subtracts, come from the training data'
        raise DataError(f'{shown(path)}: {reason}: {e}') from None
    if recorded is None:
        _log.info('%s %s', shown(path), describe_assumptions(experiment.model))
    else:
        check_same(shown(path), recorded[1], experiment.model)
    return config, preprocessing


def load_stacked(
    path: str | Path, config: Config | Mapping[str, Any] | None, data_dir: str | None = None
) -> tuple[Trained, Config]:
    """Loads a network in its stacked form, and its config. Arguments and errors as of `load` and `described`."""
    if config is not None:
        return _from_config(path, *described(path, config, data_dir))
    return _from_weights(path) if weights.is_file(path) else _from_run(RunFolder(path))


def _from_config(path: str | Path, config: Config, preprocessing: Preprocessing) -> tuple[Trained, Config]:
    model, like = _model_and_state(config, preprocessing)
    return _check_and_assemble(path, model, like, read_variables(path), preprocessing, 'the config'), config


def _from_run(folder: RunFolder) -> tuple[Trained, Config]:
    config = folder.config()
    checkpoints = Checkpoints(folder.checkpoints, read_only=True)
    if not checkpoints.steps():
        raise ConfigError(f'{folder.path}: has no checkpoint yet')
    preprocessing = folder.preprocessing()
    try:
        model, like = _model_and_state(config, preprocessing)
    except (KeyError, TypeError, ValueError) as e:
        raise ConfigError(f'{folder.path}/config.json describes no network ({type(e).__name__}: {e})') from None
    restored, _ = checkpoints.restore_latest(like, SingleDeviceSharding(jax.local_devices()[0]))
    checkpoints.close()
    return _assemble(model, restored.variables, preprocessing), config


def _from_weights(path: str | Path) -> tuple[Trained, Config]:
    config, arrays, preprocessing = weights.read_with_card(path)
    unstacked = variables_of(arrays, path)
    try:
        model, like = _model_and_state(config, preprocessing)
    except (KeyError, TypeError, ValueError) as e:
        raise DataError(f'{path}: its card describes no network ({type(e).__name__}: {e})') from None
    return _check_and_assemble(path, model, like, unstacked, preprocessing, 'its card'), config


def _check_and_assemble(
    path: str | Path,
    model: models.ResNet,
    like: state.TrainState,
    unstacked: Any,
    preprocessing: Preprocessing,
    description: str,
) -> Trained:
    """Puts a file's variables on a device. Raises DataError if they do not fit the network of `description`."""
    variables = models.stack(unstacked)
    difference = first_difference(variables, like.variables, description)
    if difference is not None:
        raise DataError(f'{shown(path)}: must have the network of {description}; {difference}')
    # The file may have float16 or float64; the network has float32.
    arrays = jax.tree.map(lambda array, expected: np.asarray(array, expected.dtype), variables, like.variables)
    return _assemble(model, jax.device_put(arrays, SingleDeviceSharding(jax.local_devices()[0])), preprocessing)


def _assemble(model: models.ResNet, variables: Any, preprocessing: Preprocessing) -> Trained:
    view = CentreView(Normalization(preprocessing.mean, preprocessing.std), preprocessing.crop)
    return Trained(model, variables, view, preprocessing.image_shape, preprocessing.class_names)


def _model_and_state(config: Config, preprocessing: Preprocessing) -> tuple[models.ResNet, state.TrainState]:
    """The network in its stacked form, and the shapes and dtypes of its training state."""
    model = network(config, **for_platform(jax.local_devices()[0].platform).network)
    # Any learning rate serves, as it is not part of the state.
    tx = optimizer.create(config.optimizer, lambda step: 0.0, config.schedule.head_factor)
    images = jnp.zeros((1, *preprocessing.image_shape))
    like = jax.eval_shape(lambda: state.create(model, tx, images, jax.random.key(0)))
    return model, like
