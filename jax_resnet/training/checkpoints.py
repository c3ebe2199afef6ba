"""Checkpoints of the training state, written with orbax. Each is complete or absent.

Large ones are written in the background. Each checkpoint contains a digest of its content, which detects damage.
"""

import contextlib
import io
import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax.traverse_util import flatten_dict
from jax.sharding import Sharding, SingleDeviceSharding

from jax_resnet import models
from jax_resnet.errors import DataError, UserError
from jax_resnet.hosts import devices, processes
from jax_resnet.platform import memory
from jax_resnet.runs import weights
from jax_resnet.training.checkpoint_errors import is_damage, let_threads_end, reason_of
from jax_resnet.training.state import TrainState, digest_of, size_in_bytes

SPARE_BYTES = 500_000
"""Maximum disk space of a checkpoint's metadata and of the next line of metrics."""

LARGE_BYTES = 200_000_000
"""States from this size on are written in the background. A smaller one takes less than a second."""

_EARLIER_STAY = 'earlier checkpoints stay, and the next start continues from the last one'

_log = logging.getLogger(__name__)


class Damaged(DataError):
    """A checkpoint cannot be read, or is not what was saved."""


@dataclass
class _Keep:
    """A preservation policy for orbax: keeps the last two checkpoints, and those of certain steps for ever.

    Attributes:
        keep: whether the checkpoint of a step is kept for ever.
        before: the steps that an earlier start has kept beside its last two. It may have had another `keep`.
    """

    keep: Callable[[int], bool]
    before: Sequence[int] = ()

    def should_preserve(self, checkpoints: Sequence[Any], *, context: Any) -> list[bool]:
        last_two = [c.step for c in checkpoints][-2:]
        return [c.step in last_two or c.step in self.before or self.keep(c.step) for c in checkpoints]


class Checkpoints:
    """The checkpoints in a run folder. Every process can read them; only process 0 should write them.

    Args:
        folder: the folder that contains one folder for each checkpoint.
        keep: whether the checkpoint of a step is kept for ever. Of the others, only the last two are kept.
        read_only: whether to change nothing in the folder, in which another process may train. `save` does nothing.
        like: a state with the shapes of the states to save. With LARGE_BYTES or more, they are saved in the background.
    """

    def __init__(
        self,
        folder: Path,
        keep: Callable[[int], bool] = lambda step: False,
        read_only: bool = False,
        like: TrainState | None = None,
    ) -> None:
        import orbax.checkpoint as ocp  # only here, as it adds a handler to the root logger

        self._folder, self._read_only, self._args, self._failed = folder, read_only, ocp.args, False
        if not read_only:
            folder.mkdir(exist_ok=True)
        # By default, orbax synchronizes all processes. Here each process has a manager of its own.
        own_process = jax.process_index() if processes.are_several() else None
        policy = _Keep(keep)
        self._manager = ocp.CheckpointManager(
            folder.absolute(),
            options=ocp.CheckpointManagerOptions(
                preservation_policy=policy,
                cleanup_tmp_directories=not read_only,
                create=False,
                enable_async_checkpointing=like is not None and size_in_bytes(like) >= LARGE_BYTES,
                # Otherwise, if a folder cannot be made, orbax's threads delay the end of the process by minutes.
                async_options=ocp.options.AsyncOptions(create_directories_asynchronously=False),
                multiprocessing_options=ocp.options.MultiprocessingOptions(
                    primary_host=own_process or 0,
                    active_processes=None if own_process is None else {own_process},
                    barrier_sync_key_prefix=None if own_process is None else f'process{own_process}',
                ),
            ),
        )
        policy.before = self.steps()[:-2]

    def steps(self) -> list[int]:
        """Steps of the complete checkpoints, in ascending order."""
        return sorted(self._manager.all_steps())

    def save(self, state: TrainState, seconds: float) -> None:
        """Saves a state, or starts to save a large one in the background. Then the caller may donate the state to JAX.

        Args:
            state: the state. If its step has a checkpoint already, nothing is done.
            seconds: duration of the run up to now, over all its starts.

        Raises:
            DataError: this checkpoint, or the one before, cannot be written. Earlier ones stay.
        """
        step = int(state.step)
        if self._read_only or step in self._manager.all_steps():
            return
        self._write(self._manager.wait_until_finished)  # so that the free space below is correct
        size, free = size_in_bytes(state), shutil.disk_usage(self._folder).free
        if free < size + SPARE_BYTES:
            raise DataError(
                f'{self._folder}: the disk is full, {free / 1e6:.1f} MB are free and a checkpoint takes '
                f'{(size + SPARE_BYTES) / 1e6:.1f}; {_EARLIER_STAY}'
            )
        about: dict[str, Any] = {'seconds': seconds}
        about['sha256'] = digest_of(about, state)
        if processes.are_several():  # orbax cannot save arrays on devices from one of several processes
            state = jax.tree.map(np.array, jax.device_get(state))
        args = self._args.Composite(state=self._args.StandardSave(state), about=self._args.JsonSave(about))
        self._write(lambda: self._manager.save(step, args=args, force=True))

    def restore_latest(self, like: TrainState, sharding: Sharding) -> tuple[TrainState, float]:
        """Restores the newest undamaged checkpoint.

        Each newer, damaged checkpoint is logged. Its folder is renamed (unless `read_only`), so that its step can be
        saved again.

        Args:
            like: a state with the same shapes, or the result of `jax.eval_shape`.
            sharding: the sharding of the restored arrays; it may differ from that of the saved arrays.

        Returns:
            The state, and the duration of the run up to its step in seconds.

        Raises:
            Damaged: all checkpoints are damaged.
            DataError, ConfigError: as `restore`.
        """
        damaged: dict[int, str] = {}
        for step in reversed(self.steps()):
            try:
                restored = self.restore(step, like, sharding)
            except Damaged as e:
                damaged[step] = str(e)
                continue
            for damaged_step, reason in damaged.items():
                _log.warning('%s; the checkpoint of step %s is used', reason, f'{step:,}')
                self._set_aside(damaged_step)
            return restored
        raise Damaged(
            f'no checkpoint can be used ({"; ".join(damaged.values())}): restore one from a backup, or start a new run '
            'in another --workdir'
        )

    def restore(self, step: int, like: TrainState, sharding: Sharding) -> tuple[TrainState, float]:
        """Like `restore_latest`, but restores the checkpoint of `step`.

        Raises:
            Damaged: this checkpoint is damaged.
            DataError: its weights are not finite, or a variance is negative; or it cannot be read for another reason,
                such as too many open files.
            ConfigError: memory is too small.
        """
        path = self._folder / str(step)
        with contextlib.redirect_stderr(io.StringIO()), memory.shortage_as_config_error():
            try:
                return self._restore(step, like, sharding)
            except (UserError, MemoryError):
                raise
            except Exception as e:  # orbax and tensorstore raise many types
                if isinstance(e, RuntimeError) and memory.is_shortage(e):  # of a device
                    raise
                text = f'{path} is damaged' if is_damage(e) else f'{path}: cannot be read'
                failed = (Damaged if is_damage(e) else DataError)(f'{text}: {reason_of(e)}')
            let_threads_end()
        raise failed

    def close(self) -> None:
        """Waits until the last checkpoint is on disk. Raises DataError if it cannot be written."""
        if not self._failed:
            self._write(self._manager.close)

    def _write(self, action: Callable[[], object]) -> None:
        with contextlib.redirect_stderr(io.StringIO()):
            try:
                action()
                return
            except Exception as e:  # many types, as in `restore`
                self._failed, why = True, reason_of(e)
            let_threads_end()
        raise DataError(f'{self._folder}: cannot be written ({why}); {_EARLIER_STAY}')

    def _restore(self, step: int, like: TrainState, sharding: Sharding) -> tuple[TrainState, float]:
        about = self._manager.restore(step, args=self._args.Composite(about=self._args.JsonRestore())).about
        digest, state = about.pop('sha256', None), self._restore_state(step, like, sharding)
        if digest != digest_of(about, state):
            raise ValueError('its content is not what was saved: wrong SHA-256')
        unstacked = flatten_dict(models.unstack(jax.device_get(state.variables)), sep='/')
        weights.check_sound(self._folder / str(step), unstacked)
        return state if sharding.is_fully_addressable else devices.put(state, sharding), about['seconds']

    def _restore_state(self, step: int, like: TrainState, sharding: Sharding) -> TrainState:
        own = sharding if sharding.is_fully_addressable else SingleDeviceSharding(jax.local_devices()[0])
        target = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=own), like)
        args = self._args.Composite(state=self._args.StandardRestore(target))
        state: TrainState = self._manager.restore(step, args=args).state
        return state

    def _set_aside(self, step: int) -> None:
        if not self._read_only:
            aside = self._folder.parent / f'damaged-checkpoint-{step}'
            shutil.rmtree(aside, ignore_errors=True)  # from an earlier damaged checkpoint
            (self._folder / str(step)).replace(aside)
            self._manager.reload()
