"""Makes the objects of an experiment from its config: data, network, optimizer, devices. Checks that they fit."""

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from msgspec import structs

import jax_resnet
from jax_resnet import models
from jax_resnet.config import schedule
from jax_resnet.config.durations import Clock
from jax_resnet.config.fields import Config, flatten
from jax_resnet.config.loading import as_config
from jax_resnet.config.network import network
from jax_resnet.data import PictureSource, Source
from jax_resnet.errors import ConfigError
from jax_resnet.hosts import devices, processes
from jax_resnet.platform import for_platform
from jax_resnet.platform.base import Backend, Form
from jax_resnet.runs.outputs import Preprocessing
from jax_resnet.training import optimizer, state
from jax_resnet.training.evaluation.evaluator import Evaluator
from jax_resnet.training.evaluation.protocols import ProtocolEvaluator
from jax_resnet.training.inputs.opening import Input, evaluator, open_input, protocol_evaluator
from jax_resnet.training.state import TrainState
from jax_resnet.training.step import Numbers, Program, Steps


@dataclass(frozen=True)
class Experiment:
    """The data, network and optimizer that a config describes, and the devices on which they run.

    Use `Experiment.from_config(config)` to make one. Data is decoded, and programs are compiled, only when needed.

    Attributes:
        config: the config, with all its fields.
        input: the data.
        clock: converts durations to steps.
        mesh: the devices of all processes, with one axis `data`.
        model: the network.
    """

    config: Config
    input: Input
    clock: Clock
    mesh: Mesh
    model: models.ResNet

    @classmethod
    def from_config(
        cls, config: Config | Mapping[str, Any], source: Source | PictureSource | None = None
    ) -> 'Experiment':
        """Checks the config and opens its data set.

        Args:
            config: a config, as for `training.train`.
            source: a data set to use instead of the one in the config.

        Raises:
            ConfigError: a field, or a combination of fields, is not valid.
            DataError: the data is missing or damaged.
        """
        config = as_config(config)
        dataset, batch_size = config.dataset, config.batch_size
        mesh = devices.mesh(config.parallel.devices, batch_size)
        attributes = dict(for_platform(mesh.devices.flat[0].platform).network)
        if config.memory.rematerialize:
            attributes['rematerialize'] = True
        model = network(config, **attributes)
        data = open_input(config, source)
        clock = Clock(data.source.count(dataset.train), batch_size)
        for split in (dataset.validation, dataset.test):
            if split is not None:
                data.source.count(split)
        experiment = cls(config, data, clock, mesh, model)
        experiment._check_together()
        return experiment

    @property
    def end(self) -> int:
        """The last step."""
        return self.clock.steps(self.config.train_for)

    @cached_property
    def schedule(self) -> schedule.Schedule:
        """The learning rate as a function of the step."""
        return schedule.create(self.config.schedule, self.clock, self.end)

    def learning_rate(self, step: int) -> float:
        """The learning rate of the update that leads to `step`."""
        return float(self.schedule.rate(max(step - 1, 0)))

    def optimizer(self, rate: optax.Schedule) -> optax.GradientTransformation:
        """The optimizer, with a learning rate as a function of the step."""
        return optimizer.create(self.config.optimizer, rate, self.config.schedule.head_factor)

    @property
    def everywhere(self) -> NamedSharding:
        """The sharding with a copy on each device of all processes."""
        return NamedSharding(self.mesh, PartitionSpec())

    @property
    def own_mesh(self) -> Mesh:
        """The devices of this process, on which it evaluates its share of a split."""
        return devices.local_mesh(self.mesh)

    def on_own_devices(self, tree: Any) -> Any:
        """Returns, of arrays with a copy on each device of all processes, the copies on this process's devices."""
        return devices.own(tree, NamedSharding(self.own_mesh, PartitionSpec()))

    @property
    def backend(self) -> Backend:
        """Settings of the devices' platform for evaluation and initialization."""
        return self._backend_for(multiply_adds=0.0)

    @cached_property
    def training_backend(self) -> Backend:
        """Settings of the devices' platform for training."""
        forward = models.count_multiply_adds(self.model, self.input.image_shape)
        return self._backend_for(3.0 * self.end * self.config.batch_size * forward)  # forward and two gradients

    def _backend_for(self, multiply_adds: float) -> Backend:
        platform, config = self.mesh.devices.flat[0].platform, self.config
        return for_platform(platform, config.precision.deterministic, structs.asdict(config.gpu), multiply_adds)

    @property
    def form(self) -> Form:
        """The network in the form in which training runs it."""
        return self.training_backend.form(self.model)

    @property
    def preprocessing(self) -> Preprocessing:
        """The preprocessing of images, and the names of the classes."""
        normalize, crop = self.input.view
        names = tuple(self.input.source.class_names)
        return Preprocessing(normalize.mean, normalize.std, crop, self.input.image_shape, names)

    def steps(self) -> Steps:
        """The training steps, not compiled."""
        return Steps(
            form=self.form,
            optimizer=self.optimizer,
            augment=self.input.augmentation,
            batch_size=self.config.batch_size,
            by_example=NamedSharding(self.mesh, PartitionSpec('data')),
            microbatches=self.config.memory.microbatches,
            label_smoothing=self.config.loss.label_smoothing,
        )

    @property
    def numbers(self) -> Numbers:
        """The numbers that the training steps take as arguments."""
        return Numbers.create(self.config.seed, self.schedule, self.input.normalization)

    def compile(self, state: TrainState) -> Program:
        """Compiles the training program for states with the shapes of `state`."""
        return self.input.program(self.steps(), self.numbers, self.training_backend, state, self.mesh)

    def evaluator(self, split: str) -> Evaluator:
        """Makes the evaluator of a split such as 'test'."""
        return evaluator(self.input, split, self.model, self.input.view, self.own_mesh, self.backend)

    def protocol_evaluator(self) -> ProtocolEvaluator | None:
        """Makes the test split's evaluator by `config.pictures.protocol`; None if that is the central crop."""
        if self.config.pictures.protocol == 'center':
            return None
        split = self.config.dataset.test
        return protocol_evaluator(self.input, split, self.model, self.input.view, self.own_mesh, self.backend)

    def check_same_in_all(self) -> None:
        """Raises ConfigError if config, data or versions differ between processes. All processes must call it."""
        source, dataset = self.input.source, self.config.dataset
        splits = [dataset.train, dataset.validation, dataset.test]
        facts = {
            'config': sorted(flatten(self.config).items()),
            'data': (source.class_names, [source.count(split) for split in splits if split is not None]),
            'versions': (jax_resnet.__version__, jax.__version__, jax.lib.__version__),
        }
        checksums = [zlib.crc32(repr(fact).encode()) >> 1 for fact in facts.values()]  # shifted to fit into int32
        for name, values in zip(facts, processes.gather_numbers(*checksums).T, strict=True):
            different = np.flatnonzero(values != values[0])
            if len(different):
                listed = ', '.join(map(str, different))
                raise ConfigError(f'all processes must have the same {name}; it differs from process 0 in: {listed}')

    def initial_state(self) -> TrainState:
        """Computes the state before the first step, on the devices."""
        seed_key = devices.put(jax.random.key(self.config.seed), self.everywhere)
        create = self.backend.compile(self._create, seed_key, runs_once=True, out_shardings=self.everywhere)
        return create(seed_key)  # type: ignore[no-any-return]

    def abstract_state(self) -> TrainState:
        """The shapes and dtypes of the state."""
        return jax.eval_shape(self._create, jax.random.key(0))

    def _create(self, seed_key: jax.Array) -> TrainState:
        images = jnp.zeros((1, *self.input.image_shape))
        return state.create(self.model, self.optimizer(self.schedule.rate), images, seed_key)

    def _check_together(self) -> None:
        config, size = self.config, self.clock.epoch_size
        dataset, batch_size, group_size = config.dataset, config.batch_size, config.batch_norm.group_size
        channels = self.input.image_shape[-1]
        if batch_size > size:
            raise ConfigError(
                f'config.batch_size={batch_size}: must be at most the {size} examples of {dataset.train!r}'
            )
        if self.end * batch_size >= 2**31:
            raise ConfigError(f'config.train_for={config.train_for!r}: must be less than {2**31:,} examples')
        try:
            models.batch_norm.count_groups(batch_size, group_size)
        except ValueError as e:
            raise ConfigError(f'config.batch_norm.group_size={group_size}: {e}') from None
        # A microbatch must contain whole groups of BatchNorm, and its examples are divided among the devices.
        microbatches, unit = config.memory.microbatches, math.lcm(group_size or batch_size, self.mesh.size)
        if microbatches > 1 and (batch_size % microbatches or (batch_size // microbatches) % unit):
            raise ConfigError(
                f'config.memory.microbatches={microbatches}: each must have a multiple of {unit} of the {batch_size} '
                f'examples: whole groups of BatchNorm (config.batch_norm.group_size={group_size}), divided among '
                f'{self.mesh.size} device(s)'
            )
        try:
            _ = self.schedule
        except ValueError as e:
            raise ConfigError(f'config.schedule.{e}') from None
        try:
            _ = self.optimizer(self.schedule.rate)
        except ValueError as e:
            raise ConfigError(f'config.optimizer.{e}') from None
        self.input.check()
        for name in ('channel_mean', 'channel_std'):
            numbers = getattr(dataset, name)
            if dataset.normalization == 'channel' and len(numbers) != channels:
                raise ConfigError(f'config.dataset.{name}={numbers}: must be {channels} numbers')
        outputs, classes = self.model.num_classes, len(self.input.source.class_names)
        if outputs != classes:
            raise ConfigError(
                f'config.model.num_classes={outputs}: must be {classes}, the classes of '
                f'{dataset.folder or dataset.name}'
            )
        try:
            self.abstract_state()
        except ValueError as e:
            raise ConfigError(f'config.model: {e}') from None
