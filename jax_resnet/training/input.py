"""The data of an experiment, resident or streamed, and what evaluates a network on it."""

from collections.abc import Mapping
from typing import Any

from jax.sharding import Mesh

from jax_resnet.backend.base import Backend
from jax_resnet.data import PictureSource, Source, open_source
from jax_resnet.data.preprocessing import CentreView
from jax_resnet.models import ResNet
from jax_resnet.training.evaluation.evaluator import Evaluator
from jax_resnet.training.evaluation.protocols import ProtocolEvaluator
from jax_resnet.training.resident import ResidentInput
from jax_resnet.training.streamed import StreamedInput

Input = ResidentInput | StreamedInput
"""The part of an experiment that its data determines."""

AnyEvaluator = Evaluator | ProtocolEvaluator
"""Of one view of each image, or of several."""

OF_SOURCE = ('name', 'data_dir', 'manual_dir', 'folder', 'validation_fraction', 'split_seed')
"""The fields of `config.dataset` that `open_source` takes."""


def open_input(config: Mapping[str, Any], source: Source | PictureSource | None = None) -> Input:
    """The data that a config names.

    Args:
        config: of the experiment.
        source: a data set to use in place of the one that the config names.

    Raises:
        ConfigError, DataError: data that cannot be, or that is missing.
    """
    if source is None:
        source = open_source(**{name: config['dataset'][name] for name in OF_SOURCE})
    return StreamedInput(config, source) if isinstance(source, PictureSource) else ResidentInput(config, source)


def evaluator(data: Input, spec: str, model: ResNet, view: CentreView, mesh: Mesh, backend: Backend) -> Evaluator:
    """What evaluates a network on one view of each image.

    Args:
        data: of the experiment.
        spec: a split string, such as 'test'.
        model: the network, as states hold it.
        view: what it sees of an image.
        mesh: the devices of this process, one axis `data`.
        backend: what the devices' platform needs.
    """
    split = data.split(spec, data.config['batch_size'], mesh)
    return Evaluator(model, view, split, data.source.class_names, mesh, backend)


def protocol_evaluator(
    data: Input, spec: str, model: ResNet, view: CentreView, mesh: Mesh, backend: Backend
) -> ProtocolEvaluator:
    """What evaluates a network on several views of each picture, as `config.pictures.protocol` of the data says.

    Args: as for `evaluator`; of `view`, the normalization is taken.
    """
    assert isinstance(data, StreamedInput)  # its check refuses a protocol for others
    (height, width, _), fields = data.image_shape, data.config['pictures']
    return ProtocolEvaluator(
        model,
        view.normalize.by_channel() if fields['protocol'] == 'multi_scale' else view.normalize,
        data.source.count(spec),
        data.passes(spec),
        data.views,
        data.config['batch_size'] * height * width,
        fields['average'],
        data.source.class_names,
        mesh,
        backend,
    )
