"""Checkpoints of the training state, by orbax: complete or not there at all; large ones are written beside training.

Each carries a digest of all that it holds, saved with it, so that damage is found out whatever the files' layout.
"""

import contextlib
import gc
import hashlib
import io
import json
import logging
import math
import re
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Sharding, SingleDeviceSharding

from jax_resnet.backend import devices, processes
from jax_resnet.errors import ConfigError, DataError
from jax_resnet.training.state import TrainState

FORMAT = 2
"""Number of the layout below; a later version that changes it must still read this one. Format 1 had no digest."""

SPARE_BYTES = 500_000
"""What a checkpoint takes beside its arrays, at most: metadata, and a later line of metrics."""

LARGE_BYTES = 200_000_000
"""From here on a state is written beside training. A smaller one takes less than a second, and no thread is needed."""

_log = logging.getLogger(__name__)


class Damaged(DataError):
    """A checkpoint that cannot be read, or is not what was saved."""


@dataclass
class _Keep:
    """Orbax's preservation policy: the last two, and those at steps that are kept for good."""

    for_good: Callable[[int], bool]

    def should_preserve(self, checkpoints: Sequence[Any], *, context: Any) -> list[bool]:
        last_two = [c.step for c in checkpoints][-2:]
        return [c.step in last_two or self.for_good(c.step) for c in checkpoints]


class Checkpoints:
    """The checkpoints in a run folder. Of several processes the first writes them, and each reads them by itself.

    Args:
        folder: where they lie, one folder a step.
        keep: whether the checkpoint of a step is kept for good; of the others, the last two are.
        read_only: nothing is saved or cleaned up, so that a run that goes on is not disturbed; `save` does nothing.
        like: the shapes of the states to save; ones of LARGE_BYTES are written beside training.
    """

    def __init__(
        self,
        folder: Path,
        keep: Callable[[int], bool] = lambda step: False,
        read_only: bool = False,
        like: TrainState | None = None,
    ) -> None:
        import orbax.checkpoint as ocp  # adds a handler to the root logger

        self._folder, self._read_only, self._args, self._failed = folder, read_only, ocp.args, False
        if not read_only:
            folder.mkdir(exist_ok=True)
        alone = jax.process_index() if processes.are_several() else None  # orbax has other processes wait otherwise
        self._manager = ocp.CheckpointManager(
            folder.absolute(),
            options=ocp.CheckpointManagerOptions(
                preservation_policy=_Keep(keep),
                cleanup_tmp_directories=not read_only,
                create=False,
                enable_async_checkpointing=like is not None and _bytes(like) >= LARGE_BYTES,
                multiprocessing_options=ocp.options.MultiprocessingOptions(
                    primary_host=alone or 0,
                    active_processes=None if alone is None else {alone},
                    barrier_sync_key_prefix=None if alone is None else f'process{alone}',
                ),
            ),
        )

    def steps(self) -> list[int]:
        """Steps of the complete checkpoints, in order."""
        return sorted(self._manager.all_steps())

    def save(self, state: TrainState, seconds: float) -> None:
        """Saves, or begins to save a large state, whose arrays are copied before this returns: it can be donated.

        Args:
            state: at a step later than any saved; at the last saved step nothing is done.
            seconds: of training so far, over all starts of the run.

        Raises:
            DataError: this one, or the one before, cannot be written; what is saved stays.
        """
        step = int(state.step)
        if self._read_only or step in self._manager.all_steps():
            return
        self._write(self._manager.wait_until_finished)  # what the one before takes of the disk is to be known
        size, free = _bytes(state), shutil.disk_usage(self._folder).free
        if free < size + SPARE_BYTES:
            raise DataError(
                f'{self._folder}: the disk is full, {free / 1e6:.1f} MB are free and a checkpoint takes '
                f'{(size + SPARE_BYTES) / 1e6:.1f}; the checkpoints before stay, and are continued'
            )
        about: dict[str, Any] = {'format': FORMAT, 'seconds': seconds}
        about['sha256'] = _digest(about, state)
        if processes.are_several():  # orbax refuses arrays of one process's devices, and would ask all for the others
            state = jax.tree.map(np.array, jax.device_get(state))
        args = self._args.Composite(state=self._args.StandardSave(state), about=self._args.JsonSave(about))
        self._write(lambda: self._manager.save(step, args=args, force=True))

    def restore_latest(self, like: TrainState, sharding: Sharding) -> tuple[TrainState, float]:
        """The newest state that is whole, laid out by `sharding`, and its seconds of training.

        A damaged one is said and passed over; unless `read_only` its folder is set aside, to be saved again.

        Args:
            like: a state of the same shapes (or their `jax.eval_shape`).
            sharding: on the devices at hand, whichever it was saved from.

        Raises:
            Damaged: all of them are, so that going on would start over.
            ConfigError: the newest is of a later version of this package.
        """
        damaged: dict[int, str] = {}
        for step in reversed(self.steps()):
            try:
                restored = self.restore(step, like, sharding)
            except Damaged as e:
                damaged[step] = str(e)
                continue
            for bad, reason in damaged.items():
                _log.warning('%s; the checkpoint of step %s is used', reason, f'{step:,}')
                self._set_aside(bad)
            return restored
        raise Damaged(
            f'no checkpoint can be used ({"; ".join(damaged.values())}): bring one back from a copy, or name another '
            '--workdir to start over'
        )

    def restore(self, step: int, like: TrainState, sharding: Sharding) -> tuple[TrainState, float]:
        """The state saved at `step`, one of `steps()`; else as `restore_latest`."""
        path, reason = self._folder / str(step), ''
        with contextlib.redirect_stderr(io.StringIO()):
            try:
                return self._restore(step, like, sharding)
            except ConfigError:
                raise
            except Exception as e:  # orbax and tensorstore raise many kinds
                reason = _reason(e)
            _let_threads_end()
        raise Damaged(f'{path} is damaged: {reason}')

    def close(self) -> None:
        """Waits until what was begun is on disk. Raises DataError where that cannot be."""
        if not self._failed:
            self._write(self._manager.close)

    def _write(self, action: Callable[[], object]) -> None:
        with contextlib.redirect_stderr(io.StringIO()):
            try:
                action()
                return
            except Exception as e:  # as in `restore`
                self._failed, reason = True, _reason(e)
            _let_threads_end()
        raise DataError(f'{self._folder}: cannot be written ({reason}); the checkpoints before stay, and are continued')

    def _restore(self, step: int, like: TrainState, sharding: Sharding) -> tuple[TrainState, float]:
        about = self._manager.restore(step, args=self._args.Composite(about=self._args.JsonRestore())).about
        digest, later = about.pop('sha256', None), about['format'] > FORMAT
        try:
            state = self._restore_state(step, like, sharding)
            # With a digest as of this version's, that number is a flipped bit; a later version has its own.
            is_later = later and digest != _digest(about | {'format': FORMAT}, state)
        except Exception:
            if not later:
                raise
            is_later = True
        if is_later:
            path = self._folder / str(step)
            raise ConfigError(f'{path} has format {about["format"]}; this version of jax_resnet reads {FORMAT}')
        if (digest or about['format'] > 1) and digest != _digest(about, state):
            raise ValueError('its content is not what was saved: wrong SHA-256')
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
            shutil.rmtree(aside, ignore_errors=True)  # of an earlier time
            (self._folder / str(step)).replace(aside)
            self._manager.reload()


def _bytes(state: TrainState) -> int:
    """Of all arrays, or of what they will be."""
    return sum(math.prod(x.shape) * x.dtype.itemsize for x in jax.tree.leaves(state))


def _reason(error: Exception) -> str:
    """One line; of a long one, as tensorstore's, its begin and its end, where the system's reason stands."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = ' '.join(re.split(r' \[tensorstore_spec|\. See full', str(error))[0].split())
    return text if len(text) <= 300 else f'{text[:150]} ... {text[-150:]}'


def _let_threads_end() -> None:
    """Of the arrays that orbax still reads or writes when one fails, each prints a traceback, at the latest at exit."""
    time.sleep(0.5)
    gc.collect()


def _digest(about: Mapping[str, Any], state: TrainState) -> str:
    """SHA-256 of a checkpoint's content: `about`, and each array's name, type, shape and bytes."""
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for path, array in jax.tree.leaves_with_path(jax.device_get(state)):
        digest.update(f'{jax.tree_util.keystr(path)} {array.dtype} {array.shape} '.encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
