"""The training loop. It trains a run from its config, and continues it after a stop."""

import contextlib
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from clu import parameter_overview

from jax_resnet.config.fields import Config
from jax_resnet.config.loading import as_config
from jax_resnet.errors import Diverged, InputError, Stopped
from jax_resnet.hosts import processes
from jax_resnet.platform import exactness, memory
from jax_resnet.runs.environment import describe_devices, environment
from jax_resnet.runs.events import Events
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.signals import StopSignals
from jax_resnet.training.checkpoints import Checkpoints
from jax_resnet.training.evaluation.scores import Scores
from jax_resnet.training.experiment import Experiment
from jax_resnet.training.extension import extended
from jax_resnet.training.inputs.opening import AnyEvaluator
from jax_resnet.training.progress import Progress, ProgressFactory, Silent, trace
from jax_resnet.training.state import all_finite
from jax_resnet.training.step import dispatch_size
from jax_resnet.training.summary import FIRST, advise, describe_summary, introduce, metrics_line, summarize
from jax_resnet.training.transfer import begin, check_sources, open_folder


def train(
    config: Config | Mapping[str, Any],
    workdir: str | Path,
    profile: bool = False,
    progress: ProgressFactory = Progress,
    extend_from: str | Path | None = None,
    file: str | None = None,
    changes: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Trains the run of a config and writes its run folder. Continues the run if it was stopped.

    If `jax.distributed` connects several processes, they train one run. Each must call this with the same arguments.

    Args:
        config: a Config, an ml_collections ConfigDict, or nested dicts. Missing fields get their defaults.
        workdir: the run folder. It is made if it does not exist.
        profile: whether to write a trace of a few steps to `workdir/profile`, for TensorBoard or Perfetto.
        progress: makes the object that shows the progress.
        extend_from: the folder of a shorter run; this run begins with its last checkpoint (see `extension.extend`).
        file: the config file with its argument, if the config was loaded from one. A new run folder records it.
        changes: the fields that were changed in that config, by dotted name. A new run folder records them.

    Returns:
        The summary, as in `summary.json`; errors are percentages. In processes other than process 0, an empty dict.

    Raises:
        ConfigError, DataError: config or data cannot be used, the folder cannot be written, or memory is too small.
        Diverged: the loss, its gradient or a parameter became infinite or NaN. Earlier checkpoints stay.
        Stopped: SIGINT or SIGTERM was received. The state is saved.
    """
    config = as_config(config)
    with exactness.exact(config.precision.matmul) as options, memory.shortage_as_config_error():
        experiment = Experiment.from_config(config)
        folder = RunFolder(workdir, writes=processes.is_first())
        check_sources(experiment, folder)
        with folder.os_errors_as_data_errors():
            finished = open_folder(folder, experiment, file, changes)
            if finished is not None:
                return finished
            with folder.locked():
                folder.write_failure(None)
                start = extended(environment(options), experiment, folder, extend_from)
                return _Run(experiment, folder, progress).train(start, profile)


class _Run:
    """One start of a run: its state, and its actions at their steps."""

    def __init__(self, experiment: Experiment, folder: RunFolder, progress: ProgressFactory) -> None:
        self.experiment, self.folder, self.stop_signals = experiment, folder, StopSignals()
        self.config, self.clock, self.end = experiment.config, experiment.clock, experiment.end
        self.progress = (progress if folder.writes else Silent)(self.clock, self.end, self.config.log_every)
        splits = {'validation': self.config.dataset.validation, 'test': self.config.dataset.test}
        self.evaluators = {name: experiment.evaluator(split) for name, split in splits.items() if split is not None}
        self.scores: dict[str, Scores] = {}
        self.checkpoints = Checkpoints(
            folder.checkpoints,
            lambda step: self._is_due('keep_every', step),
            read_only=not folder.writes,
            like=experiment.abstract_state(),
        )
        self.state, self.seconds_before = begin(experiment, folder, self.checkpoints, self.progress.say)
        self.began, self.step, self.steps_per_dispatch = time.monotonic(), int(self.state.step), 1
        self.totals = jax.device_get(self.state.totals)
        lines = folder.metrics() if folder.writes else []
        self.last_line = lines[-1] if lines else FIRST
        self.last_line_step = processes.from_first(int(self.last_line['step']))
        self.steps_and_seconds = (0, 0.0)  # since the last line of metrics

    def train(self, start: Mapping[str, Any], profile: bool) -> dict[str, Any]:
        """Trains up to the last step and returns the summary. `start` is an entry of environment.json."""
        self.folder.record_start(self.step, start)
        self._introduce()
        with contextlib.ExitStack() as stack:
            stack.callback(self.checkpoints.close)
            stack.callback(self.progress.close)
            if self.folder.writes:
                self.events = Events(self.folder.path / 'tensorboard', self.folder.metrics())
                stack.callback(self.events.close)
            self._compile()
            stack.callback(self.run.close)
            with self.stop_signals:
                return self._loop(profile)

    def _loop(self, profile: bool) -> dict[str, Any]:
        while True:
            if profile:
                self.steps_per_dispatch = 3
            self._stop_if_signalled()
            try:
                if self._is_evaluation_due():
                    self._evaluate()
                if self.step == self.end or self._is_due('checkpoint_every') or self._is_due('keep_every'):
                    self._save()
                if self.step == self.end:
                    return self._finish()
                with trace(self.folder.path, self.progress.say) if profile else contextlib.nullcontext():
                    self._advance()
            except InputError as e:
                if processes.are_several():
                    raise  # the others cannot save this step, as they wait for gradients of this process
                self._stop_if_signalled()
                self._save()
                raise InputError(f'{e}; step {self.step:,} is saved; the same command continues from there') from e
            profile = False

    @property
    def seconds(self) -> float:
        """Duration of the run up to now, over all its starts."""
        return self.seconds_before + time.monotonic() - self.began

    def _introduce(self) -> None:
        overview = parameter_overview.get_parameter_overview(self.state.params, include_stats=False)
        self.folder.write_text('parameters.txt', f'{overview}\n')
        self.folder.write_preprocessing(self.experiment.preprocessing)
        self.progress.say(f'{self.folder.path} on {describe_devices(list(self.experiment.mesh.devices.flat))}')
        for line in introduce(self.experiment, self.state.params):
            self.progress.say(line)
        if self.step:
            self.progress.say(f'continued from step {self.step:,}, epoch {self.clock.epochs(self.step):.2f}')

    def _compile(self) -> None:
        began, remark = time.monotonic(), self.experiment.training_backend.remark
        self.progress.say(f'compiling; {remark}' if remark else 'compiling')
        self.run = self.experiment.compile(self.state)
        for evaluator in self.evaluators.values():
            evaluator.compile(self.experiment.on_own_devices(self.state.variables))
        processes.barrier('compiled')
        self.progress.say(f'compiled in {time.monotonic() - began:.1f} s')

    def _advance(self) -> None:
        """Trains for one dispatch, of about SECONDS_PER_DISPATCH. It ends no later than the step of the next action."""
        durations = [getattr(self.config, f'{action}_every') for action in ('evaluate', 'checkpoint', 'keep', 'log')]
        due = [self.clock.next_due(duration, self.step) for duration in durations if duration is not None]
        first, before, waited, began = self.step, self.totals, self.run.waited, time.monotonic()
        stop = min(first + self.steps_per_dispatch, self.end, self.run.window_end(first), *due)
        self.state = self.run(self.state, stop)
        step, finite, self.totals = jax.device_get((self.state.step, self.state.finite, self.state.totals))
        self.step = int(step)
        if not finite:
            raise self._diverged('the loss or its gradient is')
        steps, seconds = self.step - first, time.monotonic() - began
        self.steps_per_dispatch = dispatch_size(self.steps_per_dispatch, seconds / steps)
        self.steps_and_seconds = self.steps_and_seconds[0] + steps, self.steps_and_seconds[1] + seconds
        loss, errors = self.totals.loss_sum - before.loss_sum, int(self.totals.errors - before.errors)
        self.progress.update(self.step, steps, loss, errors, seconds, self.run.waited - waited)

    def _is_due(self, field: str, step: int | None = None) -> bool:
        duration = getattr(self.config, field)
        return duration is not None and self.clock.is_due(duration, self.step if step is None else step)

    def _is_evaluation_due(self) -> bool:
        return (self._is_due('evaluate_every') or self.step == self.end) and self.last_line_step < self.step

    def _evaluate(self) -> None:
        """Evaluates the network and writes a line of metrics."""
        for name in self.evaluators:
            self.scores[name] = self._score(self.evaluators[name])
            if not np.isfinite(self.scores[name].loss):
                raise self._diverged(f'the {name} loss is')
        if self.folder.writes:
            before, timed = self.last_line, self.steps_and_seconds
            line = metrics_line(self.experiment, self.step, self.totals, before, self.scores, timed, self.seconds)
            self.folder.add_metrics(line)
            self.events.add(line)
            self.progress.add_metrics(line)
            self.last_line = line
        self.last_line_step, self.steps_and_seconds = self.step, (0, 0.0)

    def _score(self, evaluator: AnyEvaluator) -> Scores:
        scored: list[Any] = []
        variables = self.experiment.on_own_devices(self.state.variables)
        with contextlib.closing(evaluator.batches(variables)) as batches:
            for batch in batches:
                scored.append(batch)
                if self.stop_signals.received is not None:
                    break
        self._stop_if_signalled()
        return evaluator.collect(scored)

    def _save(self) -> None:
        if not jax.jit(all_finite)(self.state.variables):
            raise self._diverged('parameters are')
        self.checkpoints.save(self.state, self.seconds)

    def _diverged(self, subject: str) -> Diverged:
        saved = self.checkpoints.steps() if self.folder.writes else None
        return Diverged(f'{subject} not finite: {advise(self.experiment, self.step, saved)}')

    def _stop_if_signalled(self) -> None:
        """Saves and raises Stopped if any process has received a signal. Takes over process 0's dispatch size."""
        signals, steps = processes.gather_numbers(self.stop_signals.received or 0, self.steps_per_dispatch).T
        number, self.steps_per_dispatch = int(signals.max()), int(steps[0])
        if number:
            self._save()
            self.checkpoints.close()
            name = signal.Signals(number).name
            raise Stopped(number, f'stopped by {name} at step {self.step:,}, saved; the same command continues')

    def _finish(self) -> dict[str, Any]:
        for name, evaluator in self.evaluators.items():
            if name not in self.scores:  # no step was left to train in this start
                self.scores[name] = self._score(evaluator)
        test = self.scores['test']
        protocol = self.experiment.protocol_evaluator()
        by_protocol = None if protocol is None else self._score(protocol)
        if not self.folder.writes:
            return {}
        summary = summarize(self.experiment, self.folder.metrics(), test, by_protocol, self.seconds)
        self.checkpoints.close()
        self.folder.write_predictions(test.logits, test.labels)
        self.folder.write_arrays('mistakes.npz', **self.evaluators['test'].mistakes(test))
        self.folder.write_summary(summary)
        self.progress.close()
        self.progress.say(describe_summary(summary))
        return summary
