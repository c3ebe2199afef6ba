"""What a config says of a file of weights that has no card: its network, and what its input and output mean."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jax_resnet.config.completion import complete
from jax_resnet.errors import ConfigError, DataError
from jax_resnet.runs import weights
from jax_resnet.runs.files import shown
from jax_resnet.runs.outputs import Preprocessing
from jax_resnet.training.experiment import Experiment
from jax_resnet.training.known import check_same, known, on_trust

_log = logging.getLogger(__name__)


def of(
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
    config['dataset'] = {**config['dataset'], 'data_dir': data_dir or config['dataset']['data_dir']}
    found = known(path)
    try:
        experiment = Experiment.of({**config, 'parallel': {'devices': 1}})
        about = experiment.preprocessing
    except DataError as e:
        needed = "the classes' names, and the mean that pixel_mean subtracts, are of the training data"
        raise DataError(f'{shown(path)}: {needed}: {e}') from None
    if found is None:
        _log.info('%s %s', shown(path), on_trust(experiment.model))
    else:
        check_same(shown(path), found[1], experiment.model)
    return config, about
