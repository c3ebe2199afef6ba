"""A trained network, back from its run folder or a file of weights: to use, and to evaluate."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from jax.sharding import SingleDeviceSharding
from numpy.typing import ArrayLike

from jax_resnet import backend, models
from jax_resnet.config.completion import complete
from jax_resnet.config.network import network
from jax_resnet.data.datasets import central_view, located, without_data
from jax_resnet.data.pictures.crops import CentralView
from jax_resnet.data.preprocessing import CentreView, Normalization
from jax_resnet.errors import ConfigError, DataError
from jax_resnet.files import shown
from jax_resnet.runs import weights
from jax_resnet.runs.outputs import Preprocessing
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.training import optimizer, state
from jax_resnet.training.checkpoints import Checkpoints
from jax_resnet.training.experiment import Experiment
from jax_resnet.training.known import check_same, known, on_trust, read_variables, variables_of

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trained:
    """A network with its weights, and what belongs to them.

    Attributes:
        model: the network, unstacked; differentiable as you like.
        variables: {'params': ..., 'batch_stats': ...}.
        preprocess: from images, uint8 [batch, *image_shape], to the network's input, float32.
        image_shape: (height, width, channels) of the images that it was trained on.
        class_names: one per output.
        picture_view: from a picture of any size to such an image, as evaluation sees it; None where there are none.
    """

    model: models.ResNet
    variables: Mapping[str, Any]
    preprocess: CentreView
    image_shape: tuple[int, int, int]
    class_names: Sequence[str]
    picture_view: CentralView | None = None

    def logits(self, images: ArrayLike) -> jax.Array:
        """float32 [batch, classes] of images, uint8 [batch, *image_shape]; ConfigError for others."""
        images = jnp.asarray(images)
        if images.dtype != jnp.uint8 or images.ndim != 4 or images.shape[1:] != self.image_shape:
            sides = ', '.join(map(str, self.image_shape))
            raise ConfigError(
                f'images: must be uint8 [batch, {sides}], 0 to 255; got {images.dtype} {list(images.shape)}'
            )
        return self._logits(self.variables, images)

    def probabilities(self, images: ArrayLike) -> jax.Array:
        """The softmax of `logits`."""
        return jax.nn.softmax(self.logits(images))

    @cached_property
    def _logits(self) -> Any:
        return jax.jit(lambda variables, images: self.model.apply(variables, self.preprocess(images)))


def load(path: str | Path, config: Mapping[str, Any] | None = None) -> Trained:
    """A trained network. Needs neither the run's devices, nor its data or config file.

    Args:
        path: the folder of a run, finished or not, whose last checkpoint is taken; or a file of weights, with its
            card beside it.
        config: of a file of weights without a card, ours or PyTorch's: its network and preprocessing, as
            `training.train` takes it. The names of the classes, and a mean image, come from the config's data set.

    Raises:
        ConfigError, DataError: no run folder, or no checkpoint in it yet; a file or card that is missing or damaged;
            a config that the weights do not fit, or that is not needed.
    """
    trained, config = load_stacked(path, config)
    variables, view = models.unstack(trained.variables), central_view(config)
    return replace(trained, model=network(config), variables=variables, picture_view=view)


def check_finite(path: str | Path, not_finite: int, count: int) -> None:
    """Raises DataError where examples have logits that are infinite or not numbers: nothing can be said of these."""
    if not_finite:
        raise DataError(
            f'{shown(path)}: its logits of {not_finite:,} of {count:,} examples are infinite or not numbers'
        )


def described(
    path: str | Path, config: Mapping[str, Any], data_dir: str | None = None
) -> tuple[dict[str, Any], Preprocessing]:
    """The config, complete, and the preprocessing that it describes. A line says what is taken on trust.

    Args:
        path: of the file of weights.
        config: as `training.train` takes it.
        data_dir: where the data lies, if not where the config says.

    Raises:
        ConfigError: a config that cannot be or is of another network; a run folder, or a file that has its own.
        DataError: the file cannot be read; data that is needed, for a mean image or the classes, is not there.
    """
    if not weights.is_file(path):
        raise ConfigError(f'{shown(path)}: must be a file of weights, {" or ".join(weights.SUFFIXES)}, for --config')
    if weights.card_of(path).exists():
        raise ConfigError(f'{shown(path)}: has a card, {weights.card_of(path).name}, which says what --config would')
    config = complete(config)
    config['dataset'] = located(config['dataset'], data_dir)
    found = known(path)
    try:
        experiment = Experiment.of({**config, 'parallel': {'devices': 1}}, without_data(config['dataset']))
        about = experiment.preprocessing
    except DataError as e:
        needed = "the classes' names, and the mean that pixel_mean subtracts, are of the training data"
        raise DataError(f'{shown(path)}: {needed}: {e}') from None
    if found is None:
        _log.info('%s %s', shown(path), on_trust(experiment.model))
    else:
        check_same(shown(path), found[1], experiment.model)
    return config, about


def _view(about: Preprocessing) -> CentreView:
    return CentreView(Normalization(about.mean, about.std), about.crop)


def load_stacked(
    path: str | Path, config: Mapping[str, Any] | None, data_dir: str | None = None
) -> tuple[Trained, Mapping[str, Any]]:
    """A trained network as training runs it, and its config. Arguments and errors as of `load`, and `described`."""
    if config is not None:
        return _from_config(path, *described(path, config, data_dir))
    return _from_weights(path) if weights.is_file(path) else _from_run(RunFolder(path))


def _from_config(
    path: str | Path, config: Mapping[str, Any], about: Preprocessing
) -> tuple[Trained, Mapping[str, Any]]:
    model, like = _model_and_state(config, about)
    return _placed(path, model, like, read_variables(path), about, 'the config'), config


def _from_run(folder: RunFolder) -> tuple[Trained, dict[str, Any]]:
    config = folder.config()
    checkpoints = Checkpoints(folder.checkpoints, read_only=True)
    if not checkpoints.steps():
        raise ConfigError(f'{folder.path}: has no checkpoint yet')
    about = folder.preprocessing()
    try:
        model, like = _model_and_state(config, about)
    except (KeyError, TypeError, ValueError) as e:
        raise ConfigError(f'{folder.path}/config.json describes no network ({type(e).__name__}: {e})') from None
    restored, _ = checkpoints.restore_latest(like, SingleDeviceSharding(jax.local_devices()[0]))
    checkpoints.close()
    return Trained(model, restored.variables, _view(about), about.image_shape, about.class_names), config


def _from_weights(path: str | Path) -> tuple[Trained, dict[str, Any]]:
    config, arrays, about = weights.read_with_card(path)
    unstacked = variables_of(arrays, path)
    try:
        model, like = _model_and_state(config, about)
    except (KeyError, TypeError, ValueError) as e:
        raise DataError(f'{path}: its card describes no network ({type(e).__name__}: {e})') from None
    return _placed(path, model, like, unstacked, about, 'its card'), config


def _placed(
    path: str | Path, model: models.ResNet, like: state.TrainState, unstacked: Any, about: Preprocessing, whose: str
) -> Trained:
    """The network with a file's variables, on a device. Raises DataError where these are another network's."""
    variables = models.stack(unstacked)
    there, here = flatten_dict(variables, sep='/'), flatten_dict(like.variables, sep='/')
    for name in sorted({*there, *here}):
        if name not in there or name not in here or np.shape(there[name]) != here[name].shape:
            raise DataError(f'{shown(path)}: does not hold the network of {whose}; see {name}')
    # Of float16 or float64, too: the network's own are float32.
    arrays = {name: np.asarray(array, here[name].dtype) for name, array in there.items()}
    variables = jax.device_put(unflatten_dict(arrays, sep='/'), SingleDeviceSharding(jax.local_devices()[0]))
    return Trained(model, variables, _view(about), about.image_shape, about.class_names)


def _model_and_state(config: Mapping[str, Any], about: Preprocessing) -> tuple[models.ResNet, state.TrainState]:
    """The network as training runs it, and the shapes of its state."""
    model = network(config, **backend.for_platform(jax.local_devices()[0].platform).network)
    # The learning rate is no part of the state: any schedule gives the same shapes.
    tx = optimizer.create(config['optimizer'], lambda step: 0.0, config['schedule']['head_factor'])
    images = jnp.zeros((1, *about.image_shape))
    like = jax.eval_shape(lambda: state.create(model, tx, images, seed=0))
    return model, like
