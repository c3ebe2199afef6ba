"""Makes what a config describes: data, network, devices, learning rate, compiled steps. Checks that they fit."""

import math
import zlib
from typing import NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh
from msgspec import structs

import jax_resnet
from jax_resnet import models
from jax_resnet.config import schedule as schedules
from jax_resnet.config.durations import Clock
from jax_resnet.config.fields import Config, flatten
from jax_resnet.config.network import network
from jax_resnet.config.schedule import Schedule
from jax_resnet.data import PictureSource, Source
from jax_resnet.errors import ConfigError
from jax_resnet.hosts import devices, processes
from jax_resnet.models import ResNet
from jax_resnet.platform import for_platform
from jax_resnet.platform.base import Backend
from jax_resnet.training import optimizer, state
from jax_resnet.training.inputs import Input, open_input
from jax_resnet.training.state import TrainState
from jax_resnet.training.step import Numbers, Program, Steps


class Setup(NamedTuple):
    """What a config describes. No data is decoded yet, and nothing is compiled.

    Attributes:
        data: the input.
        model: the network, in the form of training states.
        mesh: the devices of all processes, with one axis `data`.
        clock: converts durations to steps.
        schedule: the learning rate.
    """

    data: Input
    model: ResNet
    mesh: Mesh
    clock: Clock
    schedule: Schedule


def set_up(config: Config, source: Source | PictureSource | None = None) -> Setup:
    """Opens the data set, and checks that the fields of the config fit each other, the data and the devices.

    Args:
        config: the config.
        source: a data set to use instead of the one in the config.

    Raises:
        ConfigError: a combination of fields is not valid.
        DataError: the data is missing or damaged.
    """
    dataset, mesh = config.dataset, devices.mesh(config.parallel.devices, config.batch_size)
    attributes = dict(backend(config, mesh).network)
    if config.memory.rematerialize:
        attributes['rematerialize'] = True
    model, data = network(config, **attributes), open_input(config, source)
    clock = Clock(data.source.count(dataset.train), config.batch_size)
    for split in (dataset.validation, dataset.test):
        if split is not None:
            data.source.count(split)
    check_batches(config, clock, mesh)
    try:
        schedule = schedules.create(config.schedule, clock, clock.steps(config.train_for))
    except ValueError as e:
        raise ConfigError(f'config.schedule.{e}') from None
    check_network(config, data, model)
    return Setup(data, model, mesh, clock, schedule)


def check_batches(config: Config, clock: Clock, mesh: Mesh) -> None:
    """Raises ConfigError if batches, microbatches, BatchNorm's groups, devices and the data do not fit each other."""
    dataset, batch_size, group_size = config.dataset, config.batch_size, config.batch_norm.group_size
    if batch_size > clock.epoch_size:
        raise ConfigError(
            f'config.batch_size={batch_size}: must be at most the {clock.epoch_size} examples of {dataset.train!r}'
        )
    if clock.steps(config.train_for) * batch_size >= 2**31:
        raise ConfigError(f'config.train_for={config.train_for!r}: must be less than {2**31:,} examples')
    try:
        models.batch_norm.count_groups(batch_size, group_size)
    except ValueError as e:
        raise ConfigError(f'config.batch_norm.group_size={group_size}: {e}') from None
    # A microbatch must contain whole groups of BatchNorm, and its examples are divided among the devices.
    microbatches, unit = config.memory.microbatches, math.lcm(group_size or batch_size, mesh.size)
    if microbatches > 1 and (batch_size % microbatches or (batch_size // microbatches) % unit):
        raise ConfigError(
            f'config.memory.microbatches={microbatches}: each must have a multiple of {unit} of the {batch_size} '
            f'examples: whole groups of BatchNorm (config.batch_norm.group_size={group_size}), divided among '
            f'{mesh.size} device(s)'
        )


def check_network(config: Config, data: Input, model: ResNet) -> None:
    """Raises ConfigError if optimizer, network and data do not fit each other."""
    dataset, channels, classes = config.dataset, data.image_shape[-1], len(data.source.class_names)
    try:
        optimizer.create(config.optimizer, lambda step: 0.0, config.schedule.head_factor)
    except ValueError as e:
        raise ConfigError(f'config.optimizer.{e}') from None
    data.check()
    for name in ('channel_mean', 'channel_std'):
        numbers = getattr(dataset, name)
        if dataset.normalization == 'channel' and len(numbers) != channels:
            raise ConfigError(f'config.dataset.{name}={numbers}: must be {channels} numbers')
    if model.num_classes != classes:
        raise ConfigError(
            f'config.model.num_classes={model.num_classes}: must be {classes}, the classes of '
            f'{dataset.folder or dataset.name}'
        )
    try:
        state.shapes(config, model, data.image_shape)
    except ValueError as e:
        raise ConfigError(f'config.model: {e}') from None


def check_same_in_all(config: Config, source: Source | PictureSource) -> None:
    """Raises ConfigError if config, data or versions differ between processes. All processes must call it."""
    splits = [config.dataset.train, config.dataset.validation, config.dataset.test]
    facts = {
        'config': sorted(flatten(config).items()),
        'data': (source.class_names, [source.count(split) for split in splits if split is not None]),
        'versions': (jax_resnet.__version__, jax.__version__, jax.lib.__version__),
    }
    checksums = [zlib.crc32(repr(fact).encode()) >> 1 for fact in facts.values()]  # shifted to fit into int32
    for name, values in zip(facts, processes.gather_numbers(*checksums).T, strict=True):
        different = np.flatnonzero(values != values[0])
        if len(different):
            listed = ', '.join(map(str, different))
            raise ConfigError(f'all processes must have the same {name}; it differs from process 0 in: {listed}')


def backend(config: Config, mesh: Mesh, multiply_adds: float = 0.0) -> Backend:
    """Settings of the devices' platform.

    Args:
        config: the config.
        mesh: the devices.
        multiply_adds: number of multiply-adds of a whole run; 0 for evaluation and initialization.
    """
    precision, gpu = config.precision, structs.asdict(config.gpu)
    return for_platform(mesh.devices.flat[0].platform, precision.deterministic, gpu, multiply_adds)


def training_backend(config: Config, data: Input, model: ResNet, mesh: Mesh, end: int) -> Backend:
    """Settings of the devices' platform for a training of `end` steps."""
    forward = models.count_multiply_adds(model, data.image_shape)
    return backend(config, mesh, 3.0 * end * config.batch_size * forward)  # forward and two gradients


def compile_training(
    config: Config, data: Input, model: ResNet, mesh: Mesh, schedule: Schedule, settings: Backend, like: TrainState
) -> Program:
    """Compiles the training program.

    Args:
        config: the config.
        data, model, mesh, schedule: as in `Setup`.
        settings: those of the platform for this training.
        like: a state with the shapes of those that the program will be called with.
    """
    steps = Steps.create(config, model, settings, data.augmentation, mesh)
    numbers = Numbers.create(config.seed, schedule, data.normalization)
    return data.program(steps, numbers, settings, like, mesh)
