"""The log lines, the lines of metrics and the summary of a run."""

from collections.abc import Mapping, Sequence
from typing import Any

from jax_resnet import models
from jax_resnet.runs.environment import describe_devices
from jax_resnet.training.evaluation.scores import Scores
from jax_resnet.training.experiment import Experiment
from jax_resnet.training.optimizer import describe_decay
from jax_resnet.training.state import Totals

FIRST = {'step': 0, 'train_loss_sum': 0.0, 'train_error_sum': 0}
"""The sums before the first line of metrics."""


def introduce(experiment: Experiment, params: Any) -> list[str]:
    """Lines for the log at the start: the network's size, weight decay, the length of training, the learning rate."""
    clock, end = experiment.clock, experiment.end
    dataset = experiment.config.dataset
    lines = [models.describe(experiment.model, experiment.input.image_shape)]
    shared = experiment.input.source.shared(dataset.train, dataset.test)
    if shared:
        lines.append(f'{shared:,} examples of {dataset.test!r} are also training examples: the test error is biased')
    lines.append(describe_decay(experiment.config.optimizer, params))
    lines.append(f'{clock.epoch_size:,} training examples, {end:,} steps, {clock.epochs(end):.2f} epochs')
    schedule = experiment.config.schedule
    if schedule.warmup_for is None and schedule.warmup_learning_rate is not None:
        lines.append('schedule.warmup_learning_rate has no effect, as schedule.warmup_for is None')
    return lines + experiment.schedule.describe(end)


def metrics_line(
    experiment: Experiment,
    step: int,
    totals: Totals,
    before: Mapping[str, Any],
    scores: Mapping[str, Scores],
    steps_and_seconds: tuple[int, float],
    seconds: float,
) -> dict[str, Any]:
    """Makes a line of metrics.jsonl. Its training loss and error are those of the steps since the line before.

    Args:
        experiment: the experiment of the run.
        step: the step at which the network was evaluated.
        totals: sums over all steps of the run.
        before: the line before, or FIRST.
        scores: scores of each evaluated split, by its name.
        steps_and_seconds: number of steps since the last line in this start of the run, and their duration.
        seconds: duration of the run up to now, over all its starts.
    """
    steps, batch_size = step - before['step'], experiment.clock.batch_size
    line: dict[str, Any] = {
        'step': step,
        'epoch': experiment.clock.epochs(step),
        'train_loss': (totals.loss_sum - before['train_loss_sum']) / steps,
        'train_error': 100 * (int(totals.errors) - before['train_error_sum']) / (steps * batch_size),
    }
    for name, split_scores in scores.items():
        line |= {f'{name}_loss': split_scores.loss, f'{name}_error': split_scores.error}
        if split_scores.top5_error is not None:
            line[f'{name}_top5_error'] = split_scores.top5_error
    line['learning_rate'] = experiment.learning_rate(step)
    timed_steps, timed_seconds = steps_and_seconds
    line['images_per_second'] = timed_steps * batch_size / timed_seconds if timed_steps else None
    line['seconds'] = seconds
    return line | {'train_loss_sum': totals.loss_sum, 'train_error_sum': int(totals.errors)}


def describe_line(line: Mapping[str, Any]) -> str:
    """Converts a line of metrics to a line for the log."""
    names = [name for name in ('train', 'validation', 'test') if line.get(f'{name}_error') is not None]
    errors = ', '.join(f'{name} {line[f"{name}_error"]:.2f} %{_top5(line.get(f"{name}_top5_error"))}' for name in names)
    losses = ', '.join(f'{name} loss {line[f"{name}_loss"]:.4g}' for name in names if name != 'validation')
    return f'epoch {line["epoch"]:.2f}: error {errors}; {losses}'


def advise(experiment: Experiment, step: int, saved: Sequence[int] | None) -> str:
    """Says at which step a run diverged, and what may help.

    Args:
        experiment: the experiment of the run.
        step: the step after which a number is not finite.
        saved: the steps of its checkpoints; None if they are not known.
    """
    schedule = experiment.config.schedule
    rate = schedule.learning_rate
    warmup = (
        f"a warm-up (config.schedule.warmup_for='400 steps', warmup_learning_rate={rate / 10:g})"
        if schedule.warmup_for is None
        else f'a longer warm-up (config.schedule.warmup_for is {schedule.warmup_for!r})'
    )
    advice = f'try a config.schedule.learning_rate below {rate:g}, or {warmup}'
    checkpoint = f'the last checkpoint is of step {saved[-1]:,}' if saved else 'there is no checkpoint yet'
    parts = [f'step {step:,}, epoch {experiment.clock.epochs(step):.2f}', advice]
    return '; '.join(parts if saved is None else [*parts, checkpoint])


def summarize(
    experiment: Experiment,
    metrics: Sequence[Mapping[str, Any]],
    test: Scores,
    by_protocol: Scores | None,
    seconds: float,
) -> dict[str, Any]:
    """Makes the summary of a finished run. The result is the final error; the best error is only additional.

    Args:
        experiment: the experiment of the run.
        metrics: the lines of metrics.jsonl; the last one is that of the last step.
        test: scores of the test split at the end.
        by_protocol: scores of the test split by `config.pictures.protocol`; None if that is the central crop.
        seconds: duration of the run, over all its starts.
    """
    last, best = metrics[-1], min(metrics, key=lambda line: line['test_error'])
    model, image_shape = experiment.model, experiment.input.image_shape
    summary: dict[str, Any] = {'final_test_error': test.error, 'final_test_loss': test.loss}
    if test.top5_error is not None:
        summary['final_test_top5_error'] = test.top5_error
    if by_protocol is not None:
        summary['protocol'] = experiment.config.pictures.protocol
        summary['protocol_test_error'] = by_protocol.error
        if by_protocol.top5_error is not None:
            summary['protocol_test_top5_error'] = by_protocol.top5_error
    summary['best_test_error'], summary['best_epoch'] = best['test_error'], best['epoch']
    summary['final_train_error'] = last['train_error']
    if 'validation_error' in last:
        summary['final_validation_error'] = last['validation_error']
    return summary | {
        'test_correct': test.correct,
        'test_count': test.count,
        'class_errors': test.class_errors,
        'parameters': models.count_parameters(experiment.abstract_state().params),
        'multiply_adds': models.count_multiply_adds(model, image_shape),
        'steps': experiment.end,
        'epochs': experiment.clock.epochs(experiment.end),
        'seconds': seconds,
        'device': describe_devices(list(experiment.mesh.devices.flat)),
    }


def _top5(error: float | None) -> str:
    return '' if error is None else f' (top-5 {error:.2f} %)'


def describe_summary(summary: Mapping[str, Any]) -> str:
    """Converts a summary to lines for the log."""
    error = summary['final_test_error']
    percent = {name: error for name, error in summary['class_errors'].items() if error}
    hardest = sorted(percent, key=lambda name: -percent[name])[:3]
    lines = [
        f'final test error   {error:.2f} % (accuracy {100 - error:.2f} %: '
        f'{summary["test_correct"]:,} of {summary["test_count"]:,})'
    ]
    if 'final_test_top5_error' in summary:
        lines.append(f'final top-5 error  {summary["final_test_top5_error"]:.2f} %')
    if 'protocol' in summary:
        name = {'ten_crop': '10-crop error', 'multi_scale': 'multi-scale error'}[summary['protocol']]
        top5 = _top5(summary.get('protocol_test_top5_error'))
        lines.append(f'{name:18} {summary["protocol_test_error"]:.2f} %{top5}')
    lines.append(f'best test error    {summary["best_test_error"]:.2f} % at epoch {summary["best_epoch"]:.2f}')
    if 'final_validation_error' in summary:
        lines.append(f'final validation   {summary["final_validation_error"]:.2f} % error')
    lines += [
        f'final train error  {summary["final_train_error"]:.2f} % (augmented batches since the evaluation before)',
        'hardest classes    ' + (', '.join(f'{name} {percent[name]:.1f} %' for name in hardest) or 'none'),
        f'size               {summary["parameters"]:,} parameters, {summary["multiply_adds"]:,} multiply-adds',
        f'training           {summary["steps"]:,} steps, {summary["epochs"]:.2f} epochs, '
        f'{summary["seconds"]:.0f} s on {summary["device"]}',
    ]
    return '\n'.join(lines)
