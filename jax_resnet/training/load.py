"""Loads a trained network from a run folder, a file of weights, or the Hub. Reads only the network's arrays."""

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from jax.sharding import SingleDeviceSharding
from numpy.typing import ArrayLike

from jax_resnet import files, models
from jax_resnet.config.fields import Config, Pictures
from jax_resnet.config.loading import as_config
from jax_resnet.config.network import network
from jax_resnet.data.datasets import image_shape, located, streams, without_data
from jax_resnet.data.preprocessing import Normalization, Preprocess
from jax_resnet.errors import ConfigError, DataError, printable
from jax_resnet.files import local
from jax_resnet.models.pytorch import unit_name
from jax_resnet.models.variables import check_sound
from jax_resnet.platform import exactness
from jax_resnet.runs import weights
from jax_resnet.runs.outputs import Preprocessing
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.runs.weights import Weights
from jax_resnet.training import hub
from jax_resnet.training.checkpoint import Checkpoints
from jax_resnet.training.setup import check_network, open_input, preprocessing

COMPARED_ATTRIBUTES = ('stem', 'stage_sizes', 'widths', 'order', 'shortcut', 'shortcut_windows')
"""Attributes that determine what a network computes from its weights, beside its layers. The head may differ."""

STRIDE_NOTE = (
    "; the stride of a bottleneck is in its first convolution; torchvision's and timm's networks have it in the 3x3 "
    'convolution: config.model.v1_5=True'
)
"""Note on the units whose arrays have the same names and shapes as those of PyTorch's networks."""

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
        config: the config of its training.
    """

    model: models.ResNet
    variables: Mapping[str, Any]
    preprocess: Preprocess
    image_shape: tuple[int, int, int]
    class_names: Sequence[str]
    config: Config

    @property
    def pictures(self) -> Pictures | None:
        """The group `pictures` of the config: how evaluation crops a picture of any size. None if images have one."""
        return self.config.pictures if streams(self.config.dataset.name) else None

    def logits(self, images: ArrayLike) -> jax.Array:
        """Computes the logits, float32 [batch, classes], of images, uint8 [batch, *image_shape].

        Raises:
            ConfigError: the images have another dtype or shape.
        """
        with self.exact():
            return self._logits(self.variables, self._checked(images))  # type: ignore[no-any-return]

    def features(self, images: ArrayLike) -> dict[str, jax.Array]:
        """Computes the outputs of the stem and of each stage, and the pooled features; see `models.features`.

        Arguments and errors as of `logits`.
        """
        with self.exact():
            return self._features(self.variables, self._checked(images))  # type: ignore[no-any-return]

    def probabilities(self, images: ArrayLike) -> jax.Array:
        """Computes the softmax of `logits`, float32 [batch, classes]. Arguments and errors as of `logits`."""
        with self.exact():
            return jax.nn.softmax(self.logits(images))

    def exact(self) -> AbstractContextManager[Any]:
        """A context with the config's precision, in which no option of the caller has an effect."""
        return exactness.exact(self.config.precision.matmul, draws=False)

    def __repr__(self) -> str:
        size = ' x '.join(map(str, self.image_shape))
        count = models.count_parameters(self.variables['params'])
        return f'Trained({count:,} parameters, images of {size}, {len(self.class_names):,} classes)'

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}  # not the compiled functions

    def _checked(self, images: ArrayLike) -> jax.Array:
        images = jnp.asarray(images)
        if images.dtype != jnp.uint8 or images.ndim != 4 or images.shape[1:] != self.image_shape:
            sides = ', '.join(map(str, self.image_shape))
            raise ConfigError(
                f'images: must be uint8 [batch, {sides}], 0 to 255; got {images.dtype} {list(images.shape)}'
            )
        return images

    @cached_property
    def _logits(self) -> Any:
        return jax.jit(lambda variables, images: self.model.apply(variables, self.preprocess(images)))

    @cached_property
    def _features(self) -> Any:
        return jax.jit(lambda variables, images: models.features(self.model, variables, self.preprocess(images)))


@files.safe_streams()
@exactness.exact(draws=False)
def load(path: str | Path, config: Config | Mapping[str, Any] | None = None, data: str | None = None) -> Trained:
    """Loads a trained network. Needs neither the devices of the run, nor its data or its config file.

    Args:
        path: a run folder, of which the last checkpoint is loaded; a file of weights with a card in its header; or a
            name on the Hub, such as 'timm/resnet50.a1_in1k', see `hub`.
        config: for a file of weights without a card, with our names or PyTorch's: a config as for `training.train`,
            which gives the network and the preprocessing. The class names, and a mean image, come from its data set.
        data: other data than that of this config, a name or a folder, as for `evaluate`.

    Raises:
        ConfigError, DataError: there is no run folder or no checkpoint; a file or card is missing or damaged; the
            config does not fit the weights, or is not needed.
    """
    config = None if config is None else as_config(config)
    file, variables = read_network(path, config)
    if config is not None:
        known, about = described(file, config, data)
    elif file.network is not None and file.preprocessing is not None:
        known, about = file.network, file.preprocessing
    else:
        raise DataError(
            f'{path}: its header has no card, which would say how images become its input; give a config by '
            '--config=FILE (a card that names own parts is not used)'
        )
    # The file may have float16 or float64; the network has float32.
    variables = jax.device_put(jax.tree.map(np.float32, variables), jax.local_devices()[0])
    preprocess = Preprocess(Normalization(about.mean, about.std), about.crop)
    return Trained(network(known), variables, preprocess, about.image_shape, about.class_names, known)


def check_finite(path: str | Path, scores: np.ndarray) -> None:
    """Raises DataError if scores of a network, [examples, classes], are infinite or NaN."""
    not_finite = int((~np.isfinite(scores).all(1)).sum())
    if not_finite:
        raise DataError(f'{path}: the logits of {not_finite:,} of {len(scores):,} examples are infinite or NaN')


def described(file: Weights, config: Config, data: str | None = None) -> tuple[Config, Preprocessing]:
    """Returns the config for a file of weights, perhaps with other data, and the preprocessing that it describes.

    Raises:
        ConfigError: the config is not valid; or the file describes its preprocessing already.
        DataError: data that a mean image or the class names need is missing.
    """
    path = file.path
    if file.preprocessing is not None:
        raise ConfigError(f'{path}: already says what --config would; --data names other data')
    model = network(config)
    source = without_data(config.dataset)
    if source is None or len(source.class_names) != model.num_classes:
        config = located(config, data)
        source = without_data(config.dataset)
    try:
        inputs = open_input(config, source)
        check_network(inputs, model)
        return config, preprocessing(inputs)
    except DataError as e:
        reason = 'class names, and the mean that pixel_mean subtracts, come from the training data'
        raise DataError(f'{path}: {reason}: {e}') from None


def read_network(path: str | Path, config: Config | None = None) -> tuple[Weights, dict[str, Any]]:
    """Reads a network, and its variables, unstacked.

    If a file records no network, its `network` is the config, and a log line says what is assumed.

    Args:
        path: a run folder, whose newest weights are read; a file of weights with our names or PyTorch's; or a name on
            the Hub.
        config: describes the network of a file that does not; it is compared with what any other describes.

    Raises:
        ConfigError, DataError: as `load`, or as `to_variables`; or the network is another than that of the config.
    """
    if hub.is_name(path):
        file = hub.read(str(path))
    elif weights.is_file(path) or local(path).is_file():
        file = weights.read(path)
    else:
        file = _newest(RunFolder(path))
    variables, known = to_variables(file), config or file.network
    if known is not None:
        shape = file.preprocessing.image_shape if file.preprocessing else image_shape(known.dataset)
        model = network(known, stacked=True)
        expected = jax.eval_shape(models.unstack, _shapes(model, shape))
        assumed = check_weights(str(path), variables, file.network, model, expected)
        if assumed:
            _log.info('%s %s', printable(path), assumed)
    return file._replace(network=file.network or config), variables


def _newest(folder: RunFolder) -> Weights:
    """The newest weights of a run."""
    config, checkpoints = folder.config(), Checkpoints(folder.checkpoints, read_only=True)
    if not checkpoints.steps():
        raise ConfigError(f'{folder.path}: has no checkpoint yet')
    about, sharding = folder.preprocessing(), SingleDeviceSharding(jax.local_devices()[0])
    variables = checkpoints.variables(_shapes(network(config, stacked=True), about.image_shape), sharding)
    checkpoints.close()
    return Weights(folder.path, flat(models.unstack(jax.device_get(variables))), config, about)


def _shapes(model: models.ResNet, image_shape: Sequence[int]) -> dict[str, Any]:
    shapes: dict[str, Any] = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, *image_shape)))
    return shapes


def to_variables(file: Weights) -> dict[str, Any]:
    """Returns the arrays of a file with our names or PyTorch's as our variables, unstacked.

    Raises:
        DataError: the file has unknown names or two arrays of one name, or has arrays that are not floats, not finite
            or negative variances.
    """
    try:
        is_ours = all(name.startswith(('params/', 'batch_stats/')) for name in file.arrays)
        if is_ours:
            check_sound(file.arrays)
        found = unflatten_dict(file.arrays, sep='/') if is_ours else models.from_pytorch(file.arrays)
        variables: dict[str, Any] = models.unstack(found)
    except (IndexError, TypeError, ValueError) as e:  # not ValueError, if one name is also the prefix of another
        raise DataError(f'{file.path}: {e}') from None
    for name, array in flatten_dict(variables, sep='/').items():
        if not jnp.issubdtype(array.dtype, jnp.floating):
            raise DataError(f'{file.path}: {name} is {array.dtype}; weights must be floating-point numbers')
    return variables


def flat(variables: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Flattens variables to arrays by their names in a file of weights, such as 'params/stem/conv/kernel'."""
    return {name: np.asarray(array) for name, array in flatten_dict(dict(variables), sep='/').items()}


def check_weights(
    name: str,
    weights: Mapping[str, Any],
    recorded: Config | None,
    model: models.ResNet,
    expected: Mapping[str, Any],
    where: str = 'the config',
) -> str:
    """Raises ConfigError if weights are of another network than `model`. The message names the first difference.

    Returns what is assumed of the network if none is recorded, for the log; else ''.

    Args:
        name: name of the weights, for the message.
        weights: the variables, unstacked.
        recorded: the config that the run or the file of weights records; None if it records none.
        model, expected: the network, and its variables or their shapes.
        where: where the network is from, for the message.
    """
    found, needed = (
        {array: np.shape(x) for array, x in flatten_dict(dict(tree), sep='/').items()} for tree in (weights, expected)
    )
    depths, units = (_depth(found), _depth(needed)), unit_name(model.layers[0])
    pairs: dict[str, tuple[Any, ...]] = {
        array: tuple(list(tree[array]) if array in tree else 'missing' for tree in (found, needed))
        for array in sorted({*found, *needed})
    }
    if recorded is not None:
        nets = network(recorded), model
        pairs['units'] = tuple(unit_name(net.layers[0]) for net in nets)
        pairs |= {attribute: tuple(getattr(net, attribute) for net in nets) for attribute in COMPARED_ATTRIBUTES}
        without = [[[one._replace(dropout=0.0) for one in layers] for layers in net.layers] for net in nets]
        pairs |= {'layers': tuple(without), 'pooled_size': tuple(net.pooling.pooled_size for net in nets)}
        pairs['batch_norm.epsilon'] = tuple(getattr(net.norm, 'epsilon', None) for net in nets)
    for part, (has, needs) in pairs.items():
        if has != needs:
            depth = f'these are the weights of a ResNet-{depths[0]}, not of a ResNet-{depths[1]}; '
            raise ConfigError(
                f'{name}: has another network; {depth if depths[0] != depths[1] else ""}'
                f'{part} is {has} in the weights, {needs} in {where}'
            )
    if recorded is not None:
        return ''
    attributes = f'shortcut {model.shortcut}, order {model.order}, units {units}'
    note = STRIDE_NOTE if units == 'bottleneck' else ''
    return f'does not name its network; {attributes} are taken from the config, unchecked{note}'


def _depth(names: Iterable[str]) -> int:
    """Counts the weighted layers of a network by the names of its arrays, as the papers do."""
    return 2 + sum(bool(re.fullmatch(r'params/stage\d+/unit\d+/conv\d+/kernel', name)) for name in names)
