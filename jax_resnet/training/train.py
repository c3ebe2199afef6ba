"""Training: `train` trains a run from its config, and continues it after a stop. It reads from top to bottom."""

import contextlib
import itertools
import secrets
import signal
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from clu import parameter_overview
from jax.experimental import multihost_utils
from jax.sharding import NamedSharding, PartitionSpec

from jax_resnet import files
from jax_resnet.config.fields import Config
from jax_resnet.config.loading import as_config
from jax_resnet.errors import Diverged, InputError, Stopped
from jax_resnet.hosts import processes
from jax_resnet.platform import exactness, memory
from jax_resnet.runs.environment import describe_devices, environment
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.signals import StopSignals
from jax_resnet.training import state as states
from jax_resnet.training import summary as summaries
from jax_resnet.training.begin import begin_from, check_data, check_used, extend, find_extension
from jax_resnet.training.checkpoint import Checkpoints
from jax_resnet.training.evaluate import Evaluator
from jax_resnet.training.progress import Progress, Silent
from jax_resnet.training.scores import Scores
from jax_resnet.training.setup import check_same_in_all, preprocessing, set_up, shared_facts
from jax_resnet.training.step import dispatch_size

LESS_MEMORY = (
    'give config.memory.rematerialize=True or a larger config.memory.microbatches, such as 4; the run then continues '
    'from its last checkpoint. Or begin another run with a smaller config.batch_size or network'
)
"""What to do if training lacks memory."""

MOST_MISTAKES = 36
"""Number of wrong predictions whose images a run folder has: those with the highest probabilities."""


@files.safe_streams()
def train(
    config: Config | Mapping[str, Any],
    workdir: str | Path,
    profile: bool = False,
    progress: type[Progress] = Progress,
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
        progress: the class of the object that shows the progress.
        extend_from: the folder of a shorter run; this run begins with its last checkpoint (see `begin.extend`),
            or with another one: RUN@STEP.
        file: the config file with its argument, if the config was loaded from one. A new run folder records it.
        changes: the fields that were changed in that config, by dotted name. A new run folder records them.

    Returns:
        The summary, as in `summary.json`; errors are percentages. In processes other than process 0, an empty dict.

    Raises:
        ConfigError, DataError: config or data cannot be used, or the folder cannot be written.
        OutOfMemory: the host or a device has too little memory.
        Diverged: the loss, its gradient or a parameter became infinite or NaN. Earlier checkpoints stay.
        Stopped: SIGINT or SIGTERM was received. The state is saved.
    """
    config, wall_time = as_config(config), summaries.WallTime()
    with contextlib.ExitStack() as stack:
        folder = RunFolder(workdir, writes=jax.process_index() == 0)
        jax_options = stack.enter_context(exactness.exact(config.precision.matmul))
        stack.enter_context(folder.failures_written())
        stack.enter_context(memory.shortage_as_error(LESS_MEMORY))

        # ---- Data, network, learning rate -------------------------------------------------------------------------
        if folder.writes and folder.has_begun():
            folder.check_same(config)
        with wall_time('input'):
            setup = set_up(config)
            data, mesh, clock = setup.data, setup.mesh, setup.clock
            if folder.writes:
                data.check_data()
        end = setup.end

        # ---- How the run begins: a new one, from its last checkpoint, or from that of a shorter run ----------------
        if folder.writes and folder.has_begun():
            check_data(folder, data, 'give another folder by --workdir')
        stack.enter_context(folder.os_errors_as_data_errors())
        processes.barrier('opened')  # decoding or checking data may have taken long in one of them
        check_same_in_all(shared_facts(data))
        shown = (progress if folder.writes else Silent)(clock, end, config.log_every)
        stack.callback(shown.close)
        finished = folder.summary() if folder.writes else None
        if processes.from_first(finished is not None):
            if finished is None:
                return {}
            shown.say(f'This run is already finished. Its summary, from {folder.path}:')
            shown.say(summaries.describe_summary(finished))
            return finished
        start = environment(jax_options)
        extension = None
        if extend_from is not None and folder.writes and not folder.saved_steps():
            extension = find_extension(extend_from, folder, setup)
            start['extension'] = extension.line
        if processes.from_first(extension is None and not folder.saved_steps()):
            with wall_time('compiling'):
                state = setup.initial_state()
            if config.init_from is not None:
                state, line = begin_from(
                    config.init_from, state, setup.model, data.source.class_names, data.preprocess.normalize
                )
                shown.say(line)
                start['initialization'] = line
        # What could be checked has been checked, so from here on the folder is that of this run.
        stack.enter_context(folder.locked())
        listing = data.listing(config.dataset.splits)
        folder.write_pictures(listing)
        if jax.process_count() > 1:
            mark = folder.path / f'start{processes.from_first(secrets.randbits(31))}'
            with contextlib.ExitStack() as marked:
                if folder.writes:
                    mark.touch()
                    marked.callback(mark.unlink)
                processes.barrier('marked')
                different = folder.different_pictures(listing)
                pictures = f'pictures ({different})' if different else 'pictures'
                shared = 'run folder, on a file system that all processes share'
                check_same_in_all({shared: mark.exists(), pictures: different})
        if folder.writes:
            folder.open(config, file, changes)
        with wall_time('saving'):
            if extension is not None:
                extend(extension, folder)
                shown.say(extension.line)
            keep = partial(clock.is_due, config.keep_every)
            checkpoints = Checkpoints(folder.checkpoints, keep, read_only=not folder.writes)
            stack.callback(checkpoints.close)
            continues = bool(processes.from_first(len(checkpoints.steps())))
            if continues:
                # Process 0 finds the newest undamaged checkpoint. Then the others restore the same one.
                chosen = None if folder.writes else processes.from_first(0)
                state, spent = checkpoints.restore(setup.like, NamedSharding(mesh, PartitionSpec()), chosen)
                if folder.writes:
                    processes.from_first(int(state.step))
                wall_time.add(spent)
        step = int(state.step)
        with wall_time('compiling'):
            settings = setup.training_backend()
        start['platform'] = dict(settings.used)
        line = check_used(folder.starts() if continues else [], settings.used, config.precision.deterministic)
        if line:
            shown.say(line)
        with wall_time('saving'):
            folder.cut_metrics(step)  # the run will write the lines after this step again
            if folder.writes:
                folder.record_start(step, start)
            last_line = [summaries.FIRST, *(folder.metrics() if folder.writes else [])][-1]
            last_line = {**last_line, 'step': processes.from_first(last_line['step'])}

        # ---- Compile ----------------------------------------------------------------------------------------------
        with wall_time('compiling'):
            introduction = summaries.introduce(setup)
        own_copy = partial(  # of arrays that have a copy on each device of all processes
            multihost_utils.global_array_to_host_local_array, global_mesh=mesh, pspecs=PartitionSpec()
        )
        splits = {'validation': config.dataset.validation, 'test': config.dataset.test}
        with wall_time('input'):
            folder.write_preprocessing(preprocessing(data))
            make_evaluator = partial(Evaluator, data, setup.model, mesh.local_mesh)
            evaluators = {name: make_evaluator(spec) for name, spec in splits.items() if spec is not None}
        folder.write_parameters(parameter_overview.get_parameter_overview(state.params, include_stats=False))
        shown.say(f'{folder.path} on {describe_devices(list(mesh.devices.flat))}')
        for line in introduction:
            shown.say(line)
        if step:
            shown.say(f'continued from step {step:,}, epoch {clock.epochs(step):.2f}')
        shown.say(f'compiling; {settings.remark}' if settings.remark else 'compiling')
        began = time.monotonic()
        with wall_time('compiling'):
            run = setup.compile(settings)
            stack.callback(data.close)
            for one in evaluators.values():
                one.compile(own_copy(state.variables))
            processes.barrier('compiled')
        shown.say(f'compiled in {time.monotonic() - began:.1f} s')

        # ---- The loop. Until here a signal ends the process; from here on the state is saved first -----------------
        stop_signals = stack.enter_context(StopSignals())
        totals = jax.device_get(state.totals)
        scores: dict[str, Scores] = {}
        last_loss = 'none'
        steps_per_dispatch = 3 if profile else 1
        timed = 0, 0.0  # steps and seconds since the last line of metrics

        def diverged(subject: str) -> Diverged:
            where = summaries.describe_divergence(setup, step, last_loss, folder, checkpoints.steps())
            return Diverged(f'{subject} not finite: {where}')

        def save() -> None:
            with wall_time('saving'):
                if not jax.jit(states.all_finite)(state.variables):
                    raise diverged('parameters are')
                checkpoints.save(state, wall_time.spent())

        while True:
            # Stop after a signal in any process.
            number, steps_per_dispatch = _heed(stop_signals, steps_per_dispatch)
            if number:
                save()
                checkpoints.close()
                name = signal.Signals(number).name
                raise Stopped(number, f'stopped by {name} at step {step:,}, saved; the same command continues')

            try:
                # Evaluate and log, if it is due. At its end, a run that continues may have its last line already.
                is_new = last_line['step'] < step
                if (is_new and clock.is_due(config.evaluate_every, step)) or (step == end and (is_new or not scores)):
                    with wall_time('evaluation'):
                        if step == end and config.pictures.protocol != 'center':
                            spec, protocol = config.dataset.test, config.pictures.protocol
                            evaluators['protocol'] = make_evaluator(spec, protocol)
                        scores = _score(evaluators, own_copy(state.variables), stop_signals)
                    if not scores:
                        continue
                    for name, one_split in scores.items():
                        if not np.isfinite(one_split.loss):
                            raise diverged(f'the {name} loss is')
                    if is_new:
                        seconds = sum(wall_time.spent().values())
                        last_line = summaries.metrics_line(setup, step, totals, last_line, scores, timed, seconds)
                        folder.add_metrics(last_line)
                        shown.add_metrics(last_line)
                        timed = 0, 0.0

                # Save, if it is due.
                if step == end or clock.is_due(config.checkpoint_every, step) or keep(step):
                    save()
                if step == end:
                    break

                # Run the next chunk of steps. It ends no later than the next step at which an action is due.
                intervals = config.evaluate_every, config.checkpoint_every, config.keep_every, config.log_every
                stop = min(step + steps_per_dispatch, *(clock.next_due(each, step) for each in intervals), end)
                before, waited_before, began = totals, data.waited, time.monotonic()
                is_traced = profile and folder.writes
                with (
                    wall_time('training'),
                    jax.profiler.trace(folder.profile) if is_traced else contextlib.nullcontext(),
                ):
                    state = run(state, stop)
                    reached, finite, totals = jax.device_get((state.step, state.finite, state.totals))
                seconds, waited = time.monotonic() - began, data.waited - waited_before
                wall_time.add({'training': -waited, 'input': waited})
            except InputError as e:
                if jax.process_count() > 1:
                    raise  # the others cannot save this step, as they wait for gradients of this process
                save()
                checkpoints.close()
                message = f'{e}; step {step:,} is saved; the same command continues from there'
                raise InputError(message) from e
            if profile:
                shown.say(f'trace written to {folder.profile}')
                profile = False

            # Check that the loss and its gradient are finite, and show the progress.
            steps, step = int(reached) - step, int(reached)
            if not finite:
                raise diverged('the loss or its gradient is')
            loss, errors = totals.loss_sum - before.loss_sum, int(totals.errors - before.errors)
            last_loss = f'{loss / steps:.4g}, the mean of steps {step - steps + 1:,} to {step:,}'
            steps_per_dispatch = dispatch_size(steps_per_dispatch, seconds / steps)
            timed = timed[0] + steps, timed[1] + seconds
            shown.update(step, steps, loss, errors, seconds, waited)
            train_error = 100 * errors / (steps * config.batch_size)
            folder.write_progress({'step': step, 'end': end, 'epoch': clock.epochs(step), 'train_error': train_error})

        # ---- The end: predictions and the summary -----------------------------------------------------------------
        if not folder.writes:
            return {}
        with wall_time('saving'):
            checkpoints.delete_earlier()
            checkpoints.close()
            test, split = scores['test'], evaluators['test'].split
            worst = test.mistakes(MOST_MISTAKES)
            mistakes = {'index': worst, 'images': split.images(worst)}
            folder.write_predictions(test.logits, test.labels, mistakes, split.files)
        summary = summaries.summarize(setup, folder.metrics(), scores, wall_time.spent())
        folder.write_summary(summary)
        shown.close()
        shown.say(summaries.describe_summary(summary))
        return summary


def _heed(stop_signals: StopSignals, steps_per_dispatch: int = 1) -> tuple[int, int]:
    """The number of a signal that any process has received, or 0; and the dispatch size of process 0, for all."""
    signals, steps = processes.gather_numbers(stop_signals.received or 0, steps_per_dispatch).T
    return int(signals.max()), int(steps[0])


def _score(evaluators: Mapping[str, Evaluator], variables: Any, stop_signals: StopSignals) -> dict[str, Scores]:
    """Evaluates the network. Returns the scores by the evaluators' names; none after a signal in any process."""
    scores: dict[str, Scores] = {}
    for name, one in evaluators.items():
        with contextlib.closing(one.batches(variables)) as batches:
            found = [*itertools.takewhile(lambda _: stop_signals.received is None, batches)]
        if _heed(stop_signals)[0]:
            return {}
        scores[name] = one.collect(found)
    return scores
