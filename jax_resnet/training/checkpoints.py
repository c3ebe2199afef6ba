"""Checkpoints of the training state, by orbax: written beside training, complete or not there at all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
from jax.sharding import Sharding

from jax_resnet.errors import ConfigError
from jax_resnet.training.state import TrainState

FORMAT = 1
"""Number of the layout below; a later version that changes it must still read this one."""


@dataclass
class _Keep:
    """Orbax's preservation policy: the last two, and those at steps that are kept for good."""

    for_good: Callable[[int], bool]

    def should_preserve(self, checkpoints: Sequence[Any], *, context: Any) -> list[bool]:
        last_two = [c.step for c in checkpoints][-2:]
        return [c.step in last_two or self.for_good(c.step) for c in checkpoints]


class Checkpoints:
    """The checkpoints in a run folder.

    Args:
        folder: where they lie, one folder a step.
        keep: whether the checkpoint of a step is kept for good; of the others, the last two are.
        read_only: nothing is saved or cleaned up, so that a run that goes on is not disturbed.
    """

    def __init__(self, folder: Path, keep: Callable[[int], bool] = lambda step: False, read_only: bool = False) -> None:
        import orbax.checkpoint as ocp  # adds a handler to the root logger

        self._folder, self._args = folder, ocp.args
        self._manager = ocp.CheckpointManager(
            folder.absolute(),
            options=ocp.CheckpointManagerOptions(
                preservation_policy=_Keep(keep), cleanup_tmp_directories=not read_only, create=not read_only
            ),
        )

    def steps(self) -> list[int]:
        """Steps of the complete checkpoints, in order."""
        return sorted(self._manager.all_steps())

    def save(self, state: TrainState, seconds: float) -> None:
        """Begins to save; the arrays are copied before this returns, so that the state can be donated.

        Args:
            state: at a step later than any saved; at the last saved step nothing is done.
            seconds: of training so far, over all starts of the run.
        """
        step = int(state.step)
        if step in self._manager.all_steps():
            return
        about = {'format': FORMAT, 'seconds': seconds}
        args = self._args.Composite(state=self._args.StandardSave(state), about=self._args.JsonSave(about))
        self._manager.save(step, args=args, force=True)

    def restore(self, step: int, like: TrainState, sharding: Sharding) -> tuple[TrainState, float]:
        """The state saved at `step`, laid out by `sharding`, and its seconds.

        Args:
            step: one of `steps()`.
            like: a state of the same shapes (or their `jax.eval_shape`).
            sharding: on the devices at hand, whichever it was saved from.

        Raises:
            ConfigError: the checkpoint is damaged, or of a later version of this package.
        """
        path = self._folder / str(step)
        target = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), like)
        args = self._args.Composite(state=self._args.StandardRestore(target), about=self._args.JsonRestore())
        try:
            saved = self._manager.restore(step, args=args)
        except Exception as e:  # orbax and tensorstore raise many kinds
            reason = ' '.join(str(e).split())[:200]
            raise ConfigError(f'{path} is damaged ({reason}); without that folder the checkpoint before is used') from e
        if saved.about['format'] > FORMAT:
            raise ConfigError(f'{path} has format {saved.about["format"]}; this version of jax_resnet reads {FORMAT}')
        return saved.state, saved.about['seconds']

    def close(self) -> None:
        """Waits until what was begun is on disk."""
        self._manager.close()
