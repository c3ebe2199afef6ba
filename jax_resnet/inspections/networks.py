"""Opens networks to inspect, trained or with their initial weights, and evaluates them, or takes their predictions."""

import argparse
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from jax_resnet import models, training
from jax_resnet.config import loading
from jax_resnet.config.fields import Config
from jax_resnet.config.loading import change
from jax_resnet.config.network import network
from jax_resnet.data.datasets import located
from jax_resnet.data.preprocessing import Preprocess
from jax_resnet.errors import ConfigError, UserError
from jax_resnet.platform import exactness
from jax_resnet.platform.base import Backend
from jax_resnet.runs import outputs, results_folder, weights
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.training import hub
from jax_resnet.training.begin import begin_from
from jax_resnet.training.evaluate import test_split
from jax_resnet.training.load import load
from jax_resnet.training.resident import ResidentSplit
from jax_resnet.training.scores import Scores
from jax_resnet.training.setup import Input, backend, check_pictures, open_input, set_up
from jax_resnet.training.streamed import StreamedSplit

BATCH = 250
"""Images in a batch of an evaluation."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Network:
    """A network to inspect, on one device.

    Attributes:
        name: what was given: a run folder, a file of weights, a name on the Hub, or a config file.
        config: its config, with the data to inspect it on.
        model: the network, unstacked and without rematerialization, with the platform's convolution.
        variables: {'params': ..., 'batch_stats': ...}.
        preprocess: converts images to its input.
        data: the data to inspect it on.
        platform: settings of the device's platform.
        is_elsewhere: whether the data is not the network's own.
    """

    name: str
    config: Config
    model: models.ResNet
    variables: Mapping[str, Any]
    preprocess: Preprocess
    data: Input
    platform: Backend
    is_elsewhere: bool

    @property
    def test_split(self) -> str:
        """The test split of the data."""
        return test_split(self.config.dataset.test, self.data.source.sizes)

    def split(self, spec: str, batch_size: int = BATCH) -> ResidentSplit | StreamedSplit:
        """Opens a split. Raises ConfigError if its pictures are not those of the network's run."""
        return _split(self.name, self.data, spec, self.is_elsewhere, batch_size)

    def scorer(self, split: str, apply: Callable[..., Any] | None = None) -> Callable[..., Scores]:
        """Returns a function that evaluates variants of this network on a split, with one compiled program.

        The function takes the variables, and what else `apply` takes; and perhaps other numbers for the preprocessing,
        `normalize`.

        Args:
            split: a split such as 'test[:1000]'.
            apply: computes logits of (variables, inputs, ...); by default the network itself.
        """
        part, apply = self.split(split), apply or self.model.apply

        def logits(variables: Any, normalize: Any, views: Any, *more: Any) -> Any:
            inputs = self.preprocess._replace(normalize=normalize)(views)
            return apply(variables, inputs[:, 0], *more)

        run = jax.jit(logits, compiler_options=dict(self.platform.compiler_options))

        def scores(variables: Any, *more: Any, normalize: Any = self.preprocess.normalize) -> Scores:
            found = np.zeros((len(part), len(self.data.source.class_names)), np.float32)
            truth = np.zeros(len(part), np.int32)
            for indices, labels, views in part.batches():
                with exactness.exact(self.config.precision.matmul):
                    found[indices] = run(variables, normalize, views, *more)[: len(labels)]
                truth[indices] = labels
            return Scores(found, truth, self.data.source.class_names)

        return scores


def open_networks(options: argparse.Namespace) -> list[Network]:
    """Opens networks.

    Args:
        options: `networks`: run folders, files of weights, names on the Hub, and config files, whose networks have
            their initial weights (those of init_from, if the config has it). `config`: the config of the files of
            weights without a card. `data`: a data set or folder, as for `located`, to inspect them on; None means each
            network's own. `initial`: whether to take the initial weights of runs.

    Raises:
        ConfigError, DataError: a network cannot be loaded, its data is missing, or no network needs the config.
    """
    return [_open(name, config, options.data, options.initial) for name, config in _named(options)]


def predictions(options: argparse.Namespace) -> list[tuple[str, Scores]]:
    """Returns the logits of networks on a split, each with the network's name.

    A finished run of few classes, a result, and a file with the arrays `logits` and `labels` have those on the test
    split: then no network is loaded.

    Args:
        options: as for `open_networks`; a network may also be a result or such a file. `split`: a split such as
            'test[:1000]'; None is the test split.

    Raises:
        ConfigError, DataError: as for `open_networks`; or there are no logits.
    """
    if options.initial:
        raise ConfigError('--initial: must be given to an inspection of weights, not of predictions')
    found = []
    for name, config in _named(options):
        files = [Path(name), Path(name, 'predictions.npz'), Path(name, results_folder.LOGITS)]
        file = next((path for path in files if path.suffix == '.npz' and path.is_file()), None)
        folder = RunFolder(name) if file == Path(name, 'predictions.npz') else None
        has_logits = folder is None or folder.config().model.num_classes <= outputs.MOST_LOGITS
        if file is not None and has_logits and options.split is None and options.data is None:
            logits, labels = outputs.read(file, 'logits', 'labels')
            names = tuple(map(str, range(logits.shape[1])))
            found.append((name, Scores(logits.astype(np.float32), labels.astype(np.int32), names)))
        else:
            found.append((name, training.evaluate(name, options.split, options.data, config)))
    return found


def pictures(options: argparse.Namespace, index: np.ndarray) -> tuple[np.ndarray, Sequence[str]]:
    """Returns the images at some indices of a split, uint8 [n, height, width, channels], and the names of the classes.

    Options as for `predictions`. There are none if all networks are files of predictions; or if the data is missing or
    has changed, which a line of the log says.
    """
    given = [(name, config) for name, config in _named(options) if Path(name).suffix != '.npz' and len(index)]
    for name, config in given[:1]:
        try:
            names: Sequence[str] | None = None
            if Path(name).is_dir():
                found = RunFolder(name).config()
                if Path(name, 'preprocessing.npz').exists():  # not in a result
                    names = RunFolder(name).preprocessing().class_names
            else:
                trained = load(name, config, options.data)
                found, names = trained.config, trained.class_names
            data = open_input(located(found, options.data), class_names=names)
            spec = options.split or test_split(found.dataset.test, data.source.sizes)
            return _split(name, data, spec, options.data is not None).images(index), data.source.class_names
        except UserError as e:
            _log.warning('no pictures are shown: %s', e)
    return np.zeros((0, 1, 1, 1), np.uint8), ()


def _split(
    name: str, data: Input, spec: str, is_elsewhere: bool, batch_size: int = BATCH
) -> ResidentSplit | StreamedSplit:
    if not is_elsewhere:
        check_pictures(name, data, [spec], 'name other data by --data')
    return data.split(spec, 'center', batch_size, _mesh())


def _mesh() -> Mesh:
    return Mesh(np.array(jax.local_devices()[:1]), ('data',))


def _named(options: argparse.Namespace) -> list[tuple[str, Config | None]]:
    """Returns the name of each network, with the config if it is a file of weights that needs one."""
    needs = {
        name: weights.is_file(name) and Path(name).suffix != '.npz' and weights.read(name).preprocessing is None
        for name in options.networks
    }
    if options.config is not None and not any(needs.values()):
        raise ConfigError(f'{options.networks[0]}: must be a file of weights without a card, for --config')
    return [(name, options.config if needs[name] else None) for name in options.networks]


def _open(name: str, config: Config | None, data: str | None, initial: bool) -> Network:
    is_loaded = weights.is_file(name) or hub.is_name(name)
    if is_loaded or (Path(name).is_dir() and not initial):
        trained = load(name, config, data)
        config = change(located(trained.config, data), {'parallel.devices': 1})
        inputs = open_input(config, class_names=trained.class_names)
        variables, preprocess = trained.variables, trained.preprocess
    else:
        config = RunFolder(name).config() if Path(name).is_dir() else loading.load(name, {})[0]
        config = change(located(config, data), {'parallel.devices': 1})
        setup = set_up(config)
        inputs, state = setup.data, setup.initial_state()
        if config.init_from is not None:
            state, line = begin_from(config.init_from, state, setup.model)
            _log.info(line)
        variables, preprocess = models.unstack(state.variables), inputs.preprocess
    platform = backend(config, _mesh())
    net = network(config, **{**platform.network, 'stacked': False, 'rematerialize': False})
    return Network(name, config, net, variables, preprocess, inputs, platform, data is not None)
