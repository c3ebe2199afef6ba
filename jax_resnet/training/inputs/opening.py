"""Opens the data of an experiment, resident or streamed, and makes evaluators for it."""

from jax.sharding import Mesh

from jax_resnet.config.fields import Config
from jax_resnet.data import PictureSource, Source, open_source
from jax_resnet.data.preprocessing import CentreView
from jax_resnet.models import ResNet
from jax_resnet.platform.base import Backend
from jax_resnet.training.evaluation.evaluator import Evaluator
from jax_resnet.training.evaluation.protocols import ProtocolEvaluator
from jax_resnet.training.inputs.resident import ResidentInput
from jax_resnet.training.inputs.streamed import StreamedInput

Input = ResidentInput | StreamedInput
"""The data of an experiment, with its augmentation, normalization and training program."""

AnyEvaluator = Evaluator | ProtocolEvaluator
"""An evaluator of one view of each image, or of several views."""

SOURCE_FIELDS = ('name', 'data_dir', 'manual_dir', 'folder', 'validation_fraction', 'split_seed')
"""Fields of `config.dataset` that are arguments of `open_source`."""


def open_input(config: Config, source: Source | PictureSource | None = None) -> Input:
    """Opens the data of a config.

    Args:
        config: the config of the experiment.
        source: a data set to use instead of the one in the config.

    Raises:
        ConfigError: its name is unknown, or it cannot be opened in this way.
        DataError: its data is missing or damaged.
    """
    if source is None:
        source = open_source(**{name: getattr(config.dataset, name) for name in SOURCE_FIELDS})
    return StreamedInput(config, source) if isinstance(source, PictureSource) else ResidentInput(config, source)


def evaluation_batch(config: Config) -> int:
    """The number of images that an evaluation computes at a time: not more than training does."""
    return max(1, config.batch_size // config.memory.microbatches)


def evaluator(data: Input, spec: str, model: ResNet, view: CentreView, mesh: Mesh, backend: Backend) -> Evaluator:
    """Makes an evaluator of one view of each image.

    Args:
        data: the data of the experiment.
        spec: a split such as 'test'.
        model: the network of the training state.
        view: converts an image to the network's input.
        mesh: the devices of this process, with one axis `data`.
        backend: settings of the devices' platform.
    """
    split = data.split(spec, evaluation_batch(data.config), mesh)
    return Evaluator(model, view, split, data.source.class_names, mesh, backend)


def protocol_evaluator(
    data: Input, spec: str, model: ResNet, view: CentreView, mesh: Mesh, backend: Backend
) -> ProtocolEvaluator:
    """Makes an evaluator of several views of each picture, according to `config.pictures.protocol` of the data.

    Args:
        data, spec, model, mesh, backend: as for `evaluator`.
        view: as for `evaluator`; only its normalization is used.
    """
    assert isinstance(data, StreamedInput)  # `ResidentInput.check` refuses a protocol
    (height, width, _), fields = data.image_shape, data.config.pictures
    return ProtocolEvaluator(
        model,
        view.normalize.by_channel() if fields.protocol == 'multi_scale' else view.normalize,
        data.source.count(spec),
        data.passes(spec),
        data.views,
        evaluation_batch(data.config) * height * width,
        fields.average,
        data.source.class_names,
        mesh,
        backend,
    )
