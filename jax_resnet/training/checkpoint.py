"""Checkpoints of the training state, written with orbax. Each is complete or absent.

A checkpoint has two parts, the network's variables and the rest of the state, and a digest of each, which detects
damage. Whoever needs only the network reads only the variables.
"""

import contextlib
import gc
import hashlib
import io
import json
import logging
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Sharding, SingleDeviceSharding

from jax_resnet.errors import DataError, UserError, reason
from jax_resnet.hosts import devices
from jax_resnet.platform import memory
from jax_resnet.training.state import TrainState

SPARE_BYTES = 500_000
"""Maximum disk space of a checkpoint's metadata and of the next line of metrics."""

Seconds = dict[str, float]
"""Seconds of each part of a run's wall time."""

_log = logging.getLogger(__name__)


class Damaged(DataError):
    """A checkpoint cannot be read, or is not what was saved."""


class Checkpoints:
    """The checkpoints in a run folder. Every process can read them; only process 0 should write them.

    Args:
        folder: the folder that contains one folder for each checkpoint.
        keep: whether the checkpoint of a step is kept for ever. Of the others, only the last two are kept; so are the
            steps that an earlier start has kept, which may have had another `keep`.
        read_only: whether to change nothing in the folder, in which another process may train. `save` does nothing.
    """

    def __init__(self, folder: Path, keep: Callable[[int], bool] = lambda step: False, read_only: bool = False) -> None:
        import orbax.checkpoint as ocp  # only here, as it adds a handler to the root logger

        self._folder, self._read_only, self._keep, self._args = folder, read_only, keep, ocp.args
        if not read_only:
            folder.mkdir(exist_ok=True)
        # By default, orbax synchronizes all processes. Here each process has a manager of its own.
        own_process = jax.process_index() if jax.process_count() > 1 else None
        self._manager = ocp.CheckpointManager(
            folder.absolute(),
            options=ocp.CheckpointManagerOptions(
                preservation_policy=self,
                cleanup_tmp_directories=not read_only,
                create=False,
                # Otherwise, if a folder cannot be made, orbax's threads delay the end of the process by minutes.
                async_options=ocp.options.AsyncOptions(create_directories_asynchronously=False),
                multiprocessing_options=ocp.options.MultiprocessingOptions(
                    primary_host=own_process or 0,
                    active_processes=None if own_process is None else {own_process},
                    barrier_sync_key_prefix=None if own_process is None else f'process{own_process}',
                ),
            ),
        )
        self._kept_before = self.steps()[:-2]

    def steps(self) -> list[int]:
        """Steps of the complete checkpoints, in ascending order. Waits until the last one is on disk."""
        self._write(self._manager.wait_until_finished)
        return sorted(self._manager.all_steps())

    def should_preserve(self, checkpoints: list[Any], *, context: Any) -> list[bool]:
        """Orbax calls this to know which checkpoints to keep."""
        steps = [checkpoint.step for checkpoint in checkpoints]
        return [step in steps[-2:] or step in self._kept_before or self._keep(step) for step in steps]

    def save(self, state: TrainState, seconds: Mapping[str, float]) -> None:
        """Starts to save a state in the background. Then the caller may donate the state to JAX.

        If its step has a checkpoint already, nothing is done. `seconds` are those of each part of the run up to now.

        Raises:
            DataError: this checkpoint, or the one before, cannot be written. Earlier ones stay.
        """
        step = int(state.step)
        if self._read_only or step in self._manager.all_steps():
            return
        self._write(self._manager.wait_until_finished)  # so that the free space below is correct
        size, free = SPARE_BYTES + sum(x.nbytes for x in jax.tree.leaves(state)), shutil.disk_usage(self._folder).free
        if free < size:
            raise self._unwritten(
                f'the disk is full, {free / 1e6:.1f} MB are free and a checkpoint takes {size / 1e6:.1f}'
            )
        parts = _parts(state)
        about = {'seconds': dict(seconds), 'sha256': {name: _digest(part, seconds) for name, part in parts.items()}}
        if jax.process_count() > 1:  # orbax cannot save arrays on devices from one of several processes
            parts = jax.tree.map(np.array, jax.device_get(parts))
        items = {name: self._args.StandardSave(part) for name, part in parts.items()}
        args = self._args.Composite(**items, about=self._args.JsonSave(about))
        self._write(lambda: self._manager.save(step, args=args, force=True))

    def restore(self, like: TrainState, sharding: Sharding, step: int | None = None) -> tuple[TrainState, Seconds]:
        """Restores the state of a step, or else the newest undamaged one.

        Each newer, damaged checkpoint is logged. Its folder is renamed (unless `read_only`), so that its step can be
        saved again.

        Args:
            like: a state with the same shapes, or the result of `jax.eval_shape`.
            sharding: the sharding of the restored arrays; it may differ from that of the saved arrays.
            step: the step; None for the newest undamaged one.

        Returns:
            The state, and the seconds of each part of the run up to its step.

        Raises:
            Damaged: the checkpoint of this step, or every one, is damaged.
            DataError: the system refuses to read one, such as without permission. Nothing is renamed then.
            OutOfMemory: memory is too small.
        """
        parts = _parts(like)
        restored, seconds = self._newest(parts, sharding) if step is None else self._restore(step, parts, sharding)
        return TrainState(**restored['variables'], **restored['others']), seconds

    def variables(self, like: Mapping[str, Any], sharding: Sharding) -> dict[str, Any]:
        """Restores the network's variables alone from the newest checkpoint in which they are undamaged."""
        variables: dict[str, Any] = self._newest({'variables': like}, sharding)[0]['variables']
        return variables

    def delete_earlier(self) -> None:
        """Deletes all checkpoints of a finished run except the last one and those that are kept longer."""
        for step in self.steps()[:-1]:  # waits for the last one
            if step not in self._kept_before and not self._keep(step):
                self._manager.delete(step)

    def close(self) -> None:
        """Waits until the last checkpoint is on disk. Raises DataError if it cannot be written."""
        self._write(self._manager.close)

    def _newest(self, like: Mapping[str, Any], sharding: Sharding) -> tuple[dict[str, Any], Seconds]:
        damaged: dict[int, str] = {}
        for step in reversed(self.steps()):
            try:
                restored = self._restore(step, like, sharding)
            except Damaged as e:
                damaged[step] = str(e)
                continue
            for damaged_step, message in damaged.items():
                _log.warning('%s; the checkpoint of step %s is used', message, f'{step:,}')
                self._set_aside(damaged_step)
            return restored
        raise Damaged(
            f'no checkpoint can be used ({"; ".join(damaged.values())}): restore one from a backup, or start a new run '
            'in another --workdir'
        )

    def _restore(self, step: int, like: Mapping[str, Any], sharding: Sharding) -> tuple[dict[str, Any], Seconds]:
        own = sharding if sharding.is_fully_addressable else SingleDeviceSharding(jax.local_devices()[0])
        target = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=own), dict(like))
        items = {name: self._args.StandardRestore(part) for name, part in target.items()}
        args = self._args.Composite(**items, about=self._args.JsonRestore())

        def read() -> tuple[dict[str, Any], Seconds]:
            found = self._manager.restore(step, args=args)
            for name in like:
                if found.about['sha256'][name] != _digest(found[name], found.about['seconds']):
                    raise ValueError(f'its {name} are not what was saved: wrong SHA-256')
            return {name: found[name] for name in like}, found.about['seconds']

        folder = self._folder / str(step)
        restored = partial(_quietly, read, lambda reason: Damaged(f'{folder} is damaged: {reason}'))
        with memory.shortage_as_error('free some, or use a device with more'):
            try:
                parts, seconds = restored()
            except Damaged:
                _check_readable(folder)
                parts, seconds = restored()  # too many open files, for example, may have been for a moment
        return parts if sharding.is_fully_addressable else devices.put(parts, sharding), seconds

    def _write(self, action: Callable[[], object]) -> None:
        _quietly(action, lambda reason: self._unwritten(f'cannot be written ({reason})'))

    def _unwritten(self, reason: str) -> DataError:
        stay = 'earlier checkpoints stay, and the next start continues from the last one'
        return DataError(f'{self._folder}: {reason}; {stay}')

    def _set_aside(self, step: int) -> None:
        if not self._read_only:
            aside = self._folder.parent / f'damaged-checkpoint-{step}'
            shutil.rmtree(aside, ignore_errors=True)  # from an earlier damaged checkpoint
            (self._folder / str(step)).replace(aside)
            self._manager.reload()


def _parts(state: TrainState) -> dict[str, Any]:
    others = {name: getattr(state, name) for name in ('step', 'finite', 'opt_state', 'totals')}
    return {'variables': state.variables, 'others': others}


def _check_readable(folder: Path) -> None:
    """Raises DataError if the system refuses to read a file of a checkpoint, which is then not damaged."""

    def refused(e: OSError) -> None:
        raise DataError(
            f'{folder}: cannot be read ({e.strerror}); nothing is changed, try the same command again'
        ) from e

    for parent, _, names in os.walk(folder, onerror=refused):
        for name in names:
            try:
                Path(parent, name).read_bytes()
            except OSError as e:
                refused(e)


def _digest(part: Any, seconds: Mapping[str, float]) -> str:
    """SHA-256 of a part of a checkpoint and of its time: the name, dtype, shape and bytes of each array."""
    digest = hashlib.sha256(json.dumps(seconds, sort_keys=True).encode())
    for path, array in jax.tree.leaves_with_path(jax.device_get(part)):
        digest.update(f'{jax.tree_util.keystr(path)} {array.dtype} {array.shape} '.encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


_quiet = threading.Lock()  # several threads may train, and each restores the stderr that it has found


def _quietly(action: Callable[[], Any], failed: Callable[[str], DataError]) -> Any:
    """Calls orbax, and hides what its threads print to stderr. `failed` makes the error to raise of a reason."""
    with _quiet, contextlib.redirect_stderr(io.StringIO()):
        try:
            return action()
        except (UserError, MemoryError):
            raise
        except Exception as e:  # orbax and tensorstore raise many types
            if isinstance(e, RuntimeError) and memory.is_shortage(e):  # of a device
                raise
            error = failed(_reason(e))
        time.sleep(0.5)  # its other reads and writes fail, too, and print what is dropped here
        gc.collect()
    raise error


def _reason(error: Exception) -> str:
    """The error's message in one line, without what tensorstore adds to it."""
    is_system = isinstance(error, OSError)
    return reason(error if is_system else Exception(re.split(r' \[tensorstore_spec|\. See full', str(error))[0]))
