"""Makes what a config describes: data, network, devices, learning rate, compiled steps. Checks that they fit.

Here resident or streamed data is chosen. Both inputs have one interface.
"""

import logging
import math
import zlib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from msgspec import structs

import jax_resnet
from jax_resnet import models
from jax_resnet.config import schedule as schedules
from jax_resnet.config.durations import Clock
from jax_resnet.config.fields import Config, flatten, own_parts
from jax_resnet.config.network import network
from jax_resnet.config.schedule import Schedule
from jax_resnet.data import PictureSource, Source, open_source
from jax_resnet.data.pictures.checks import without_unreadable
from jax_resnet.data.sources import with_classes
from jax_resnet.errors import ConfigError, printable
from jax_resnet.hosts import devices, processes
from jax_resnet.models import ResNet
from jax_resnet.own_parts import errors
from jax_resnet.platform import for_platform
from jax_resnet.platform.base import Backend
from jax_resnet.runs.outputs import Preprocessing
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.training import hub, optimizer, state
from jax_resnet.training.resident import ResidentInput
from jax_resnet.training.state import TrainState
from jax_resnet.training.step import Numbers, Program, Steps
from jax_resnet.training.streamed import StreamedInput

Input = ResidentInput | StreamedInput

_log = logging.getLogger(__name__)

SOURCE_FIELDS = ('name', 'data_dir', 'manual_dir', 'folder', 'validation_fraction', 'split_seed')
"""Fields of `config.dataset` that are arguments of `open_source`."""


def open_input(
    config: Config, source: Source | PictureSource | None = None, class_names: Sequence[str] | None = None
) -> Input:
    """Opens the data of a config. Arguments and errors as of `set_up`.

    `class_names` are those of a trained network. The labels become the network's if it has all classes of the data.
    """
    if source is None:
        source = open_source(**{name: getattr(config.dataset, name) for name in SOURCE_FIELDS})
    if class_names is not None:
        source = with_classes(source, class_names)
    if isinstance(source, Source):
        return ResidentInput(config, source)
    return StreamedInput(config, without_unreadable(source) if config.dataset.check == 'skip' else source)


def check_pictures(path: str | Path, data: Input, specs: Sequence[str], advice: str | None) -> None:
    """Compares the pictures of some splits with those of the run in a folder, if the path is one, and not the Hub's.

    Raises:
        ConfigError: they differ. The message ends with `advice`. If it is None, somebody has asked for these pictures;
            then this is a line of the log.
    """
    if hub.is_name(path):
        return
    different = (folder := RunFolder(path)).different_pictures(data.listing(specs))
    if different and advice is None:
        _log.warning('%s: is a run on other pictures: %s', printable(folder.path), different)
    elif different:
        record = folder.path / 'pictures.npz'
        raise ConfigError(
            f'{folder.path}: is a run on other pictures: {different}; {advice}, or remove {record} to use these'
        )


class Setup(NamedTuple):
    """What a config describes. No data is decoded yet, and nothing is compiled.

    Attributes:
        data: the input.
        model: the network, in the layout of training states.
        mesh: the devices of all processes, with one axis `data`.
        clock: converts durations to steps.
        schedule: the learning rate.
        like: the shapes of the training state.
    """

    data: Input
    model: ResNet
    mesh: Mesh
    clock: Clock
    schedule: Schedule
    like: TrainState

    @property
    def end(self) -> int:
        """The last step."""
        return self.clock.steps(self.data.config.train_for)

    def initial_state(self) -> TrainState:
        """Computes the state before the first step of a run, on each device of all processes."""
        config, everywhere = self.data.config, NamedSharding(self.mesh, PartitionSpec())
        seed_key = devices.put(jax.random.key(config.seed), everywhere)
        make = partial(state.create, config, self.model, self.data.image_shape)
        compiled = backend(config, self.mesh).compile(make, seed_key, runs_once=True, out_shardings=everywhere)
        return compiled(seed_key)  # type: ignore[no-any-return]

    def training_backend(self) -> Backend:
        """Settings of the devices' platform for the training."""
        config, forward = self.data.config, models.count_multiply_adds(self.model, self.data.image_shape)
        return backend(config, self.mesh, 3.0 * self.end * config.batch_size * forward)  # forward and two gradients

    def compile(self, settings: Backend) -> Program:
        """Compiles the training program, for `training_backend`."""
        data, everywhere = self.data, NamedSharding(self.mesh, PartitionSpec())
        by_example, net = NamedSharding(self.mesh, PartitionSpec('data')), settings.program_network(self.model)
        steps = Steps(data.config, net, settings.flat_arrays, data.augmentation, by_example)
        numbers = Numbers.create(data.config.stream_seed, self.schedule, data.preprocess.normalize)
        like = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=everywhere), self.like)
        return data.program(steps, numbers, settings, like)


def set_up(config: Config, source: Source | PictureSource | None = None) -> Setup:
    """Opens the data set, or takes another `source`, and checks that config, data and devices fit each other.

    Raises:
        ConfigError: a combination of fields is not valid.
        DataError: the data is missing or damaged.
    """
    dataset, mesh = config.dataset, devices.mesh(config.parallel.devices, config.batch_size)
    attributes = dict(backend(config, mesh).network)
    if config.memory.rematerialize:
        attributes['rematerialize'] = True
    model, data = network(config, **attributes), open_input(config, source)
    clock = Clock(data.source.count(dataset.train), config.batch_size, config.shorten)
    for split in dataset.splits:
        data.source.count(split)
    check_batches(config, clock, mesh)
    try:
        schedule = schedules.create(config.schedule, clock, clock.steps(config.train_for))
    except ValueError as e:
        divided = f'; config.shorten={config.shorten} divides its durations' if config.shorten > 1 else ''
        raise ConfigError(f'config.schedule.{e}{divided}') from None
    like = check_network(data, model)
    if config.batch_norm.frozen and config.init_from is None:
        raise ConfigError('config.batch_norm.frozen=True: needs config.init_from, which has the statistics to keep')
    return Setup(data, model, mesh, clock, schedule, like)


def check_batches(config: Config, clock: Clock, mesh: Mesh) -> None:
    """Raises ConfigError if batches, microbatches, BatchNorm's groups, devices and the data do not fit each other."""
    dataset, batch_size = config.dataset, config.batch_size
    group_size = 1 if config.batch_norm.frozen else config.batch_norm.group_size  # frozen: there are no groups
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


def check_network(data: Input, model: ResNet) -> TrainState:
    """Returns the shapes of the training state. Raises ConfigError if optimizer, network and data do not fit."""
    config, channels, classes = data.config, data.image_shape[-1], len(data.source.class_names)
    dataset = config.dataset
    optimizer.create(config.optimizer, lambda step: 0.0)  # checks its fields
    data.check()
    for name in ('channel_mean', 'channel_std'):
        numbers = getattr(dataset, name)
        if dataset.normalization == 'channel' and len(numbers) != channels:
            raise ConfigError(f'config.dataset.{name}={numbers}: must be {channels} numbers')
    if model.num_classes != classes:
        names = ', '.join(data.source.class_names[:5]) + ', ...' * (classes > 5)
        raise ConfigError(
            f'config.model.num_classes={model.num_classes}: must be {classes}, the classes of '
            f'{dataset.folder or dataset.name} ({names})'
        )
    _ = data.augmentation  # checks an own one
    try:
        with errors('own parts', ', '.join(own_parts(config))):
            like = state.shapes(config, model, data.image_shape)
            for side in {dataset.crop, dataset.test_crop} - {0, data.image_shape[0]}:  # the network must fit these, too
                state.shapes(config, model, (side, side, channels))
    except ValueError as e:
        raise ConfigError(f'config.model: {e}') from None
    optimizer.check_frozen(config.optimizer.frozen, jax.eval_shape(models.unstack, like.params))
    return like


def preprocessing(data: Input) -> Preprocessing:
    """What the network's input and output mean, for run folders and files of weights."""
    normalize, crop = data.preprocess
    return Preprocessing(*normalize, crop, data.image_shape, tuple(data.source.class_names))


def check_same_in_all(facts: Mapping[str, object]) -> None:
    """Raises ConfigError if facts differ between processes. All processes must call it."""
    checksums = [zlib.crc32(repr(fact).encode()) >> 1 for fact in facts.values()]  # shifted to fit into int32
    for name, values in zip(facts, processes.gather_numbers(*checksums).T, strict=True):
        different = np.flatnonzero(values != values[0])
        if len(different):
            listed = ', '.join(map(str, different))
            raise ConfigError(f'all processes must have the same {name}; it differs from process 0 in: {listed}')


def shared_facts(data: Input) -> dict[str, Any]:
    """What must be the same in all processes before they train, for `check_same_in_all`."""
    return {
        'config': sorted(flatten(data.config).items()),
        'data': data.source.class_names,
        'versions': (jax_resnet.__version__, jax.__version__, jax.lib.__version__),
    }


def backend(config: Config, mesh: Mesh, multiply_adds: float = 0.0) -> Backend:
    """Settings of the devices' platform, for a run of so many multiply-adds; 0 for evaluation and initialization."""
    precision, gpu = config.precision, structs.asdict(config.gpu)
    if config.optimizer.frozen or config.optimizer.name not in optimizer.OPTIMIZERS:
        gpu['flat_arrays'] = False  # a flat array has parameters of all layers
    return for_platform(mesh.devices.flat[0].platform, precision.deterministic, gpu, multiply_adds)
