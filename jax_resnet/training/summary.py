"""What a run tells: log lines, lines of metrics, the summary, and how its wall time was spent."""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from jax_resnet import models
from jax_resnet.runs.environment import describe_devices
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.training import optimizer
from jax_resnet.training.scores import Scores
from jax_resnet.training.setup import Setup
from jax_resnet.training.state import Totals

FIRST = {'step': 0, 'train_loss_sum': 0.0, 'train_error_sum': 0}
"""The sums before the first line of metrics."""


MOST_CLASSES = 20
"""Maximum number of classes that the log lists."""

PARTS = {
    'training': 'training steps',
    'compiling': 'compiling',
    'evaluation': 'evaluation',
    'input': 'waiting for input',
    'saving': 'saving',
    'other': 'other',
}
"""The parts of a run's wall time, and their names in the log."""


class WallTime:
    """Measures how the main thread spends its wall time. `with wall_time('saving'): ...` names the part of a block.

    A block within another one belongs only to the inner part. What no block names is 'other'.
    """

    def __init__(self) -> None:
        self._spent, self._part, self._since = dict.fromkeys(PARTS, 0.0), 'other', time.monotonic()

    @contextlib.contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        outer = self._part
        self._begin(part)
        try:
            yield
        finally:
            self._begin(outer)

    def add(self, spent: Mapping[str, float]) -> None:
        """Adds seconds to parts, such as those of earlier starts. Negative ones move time from one part to another."""
        for part, seconds in spent.items():
            self._spent[part] += seconds

    def spent(self) -> dict[str, float]:
        """The seconds of each part up to now. Their sum is the duration of the run."""
        self._begin(self._part)
        return dict(self._spent)

    def _begin(self, part: str) -> None:
        now = time.monotonic()
        self._spent[self._part] += now - self._since
        self._part, self._since = part, now


def introduce(setup: Setup) -> list[str]:
    """Lines for the log at the start: the network's size, weight decay, the length of training, the learning rate."""
    data, config, clock = setup.data, setup.data.config, setup.clock
    dataset = config.dataset
    lines = [models.describe(setup.model, data.image_shape)]
    lines.append(_describe_classes(data.source.class_names, data.examples.labels))
    shared = data.source.shared(dataset.train, dataset.test)
    if shared:
        lines.append(f'{shared:,} examples of {dataset.test!r} are also training examples: the test error is biased')
    lines += optimizer.describe(config.optimizer, setup.like.params)
    if config.optimizer.frozen and not config.batch_norm.frozen:
        lines.append('BatchNorm still learns its statistics, in frozen layers, too; batch_norm.frozen=True keeps them')
    length = _length(setup.end, clock.epochs(setup.end), config.shorten)
    lines.append(f'{clock.epoch_size:,} training examples, {length}')
    if config.schedule.warmup_for is None and config.schedule.warmup_learning_rate is not None:
        lines.append('schedule.warmup_learning_rate has no effect, as schedule.warmup_for is None')
    return lines + setup.schedule.describe(setup.end)


def _describe_classes(names: Sequence[str], labels: np.ndarray | None) -> str:
    """A line such as '2 classes: cat 40, dog 38', with the number of training examples of each class if it is known."""
    counts = [''] * len(names) if labels is None else [f' {n:,}' for n in np.bincount(labels, minlength=len(names))]
    each = [name + count for name, count in zip(names, counts, strict=True)][:MOST_CLASSES]
    return f'{len(names):,} classes: {", ".join(each)}{", ..." * (len(names) > MOST_CLASSES)}'


def _learning_rate(setup: Setup, step: int) -> float:
    """The learning rate of the update that leads to `step`."""
    return float(setup.schedule.rate(max(step - 1, 0)))


def metrics_line(
    setup: Setup,
    step: int,
    totals: Totals,
    before: Mapping[str, Any],
    scores: Mapping[str, Scores],
    timed: tuple[int, float],
    seconds: float,
) -> dict[str, Any]:
    """Makes a line of metrics.jsonl. Its training loss and error are those of the steps since `before`, the last line.

    Scores named 'protocol' are only for the summary. `timed` is the number of steps since the last line in this start
    of the run, and their duration; `seconds` is the duration of the run up to now, over all its starts.
    """
    steps, batch_size = step - before['step'], setup.clock.batch_size
    line: dict[str, Any] = {
        'step': step,
        'epoch': setup.clock.epochs(step),
        'train_loss': (totals.loss_sum - before['train_loss_sum']) / steps,
        'train_error': 100 * (int(totals.errors) - before['train_error_sum']) / (steps * batch_size),
    }
    for name, split_scores in scores.items():
        if name == 'protocol':
            continue
        line |= {f'{name}_loss': split_scores.loss, f'{name}_error': split_scores.error}
        if split_scores.top5_error is not None:
            line[f'{name}_top5_error'] = split_scores.top5_error
    return line | {
        'learning_rate': _learning_rate(setup, step),
        'images_per_second': timed[0] * batch_size / timed[1] if timed[0] else None,
        'seconds': seconds,
        'train_loss_sum': totals.loss_sum,
        'train_error_sum': int(totals.errors),
    }


def describe_line(line: Mapping[str, Any]) -> str:
    """Converts a line of metrics to a line for the log."""
    names = [name for name in ('train', 'validation', 'test') if line.get(f'{name}_error') is not None]
    errors = ', '.join(f'{name} {line[f"{name}_error"]:.2f} %{_top5(line.get(f"{name}_top5_error"))}' for name in names)
    losses = ', '.join(f'{name} loss {line[f"{name}_loss"]:.4g}' for name in names if name != 'validation')
    return f'epoch {line["epoch"]:.2f}: error {errors}; {losses}'


def describe_divergence(setup: Setup, step: int, last_loss: str, folder: RunFolder, saved: Sequence[int]) -> str:
    """Says where a run diverged: its numbers after `step` are not finite. `saved` are the steps of its checkpoints."""
    parts = [
        f'step {step:,}, epoch {setup.clock.epochs(step):.2f}',
        f'last finite training loss: {last_loss}',
        f'learning rate: {_learning_rate(setup, step):g}',
    ]
    changes = folder.origin()['changes']
    if changes:
        parts.append(f'changed fields: {", ".join(f"config.{name}={value!r}" for name, value in changes.items())}')
    parts.append(f'the last checkpoint is of step {saved[-1]:,}' if saved else 'there is no checkpoint yet')
    return '; '.join(parts)


def summarize(
    setup: Setup, metrics: Sequence[Mapping[str, Any]], scores: Mapping[str, Scores], spent: Mapping[str, float]
) -> dict[str, Any]:
    """Makes the summary of a finished run. The result is the final error; the best error is only additional.

    Args:
        metrics: the lines of metrics.jsonl; the last one is that of the last step.
        scores: the scores at the end: of 'test', and of 'protocol', if `config.pictures.protocol` is not 'center'.
        spent: seconds of each part of the run, over all its starts.
    """
    last, best = metrics[-1], min(metrics, key=lambda line: line['test_error'])
    config, test, protocol = setup.data.config, scores['test'], scores.get('protocol')
    summary = {
        'final_test_error': test.error,
        'final_test_loss': test.loss,
        'final_test_top5_error': test.top5_error,
        'protocol': protocol and config.pictures.protocol,
        'protocol_test_error': protocol and protocol.error,
        'protocol_test_top5_error': protocol and protocol.top5_error,
        'best_test_error': best['test_error'],
        'best_epoch': best['epoch'],
        'final_train_error': last['train_error'],
        'final_validation_error': last.get('validation_error'),
        'test_correct': test.correct,
        'test_count': test.count,
        'class_errors': test.class_errors,
        'parameters': models.count_parameters(setup.like.params),
        'multiply_adds': models.count_multiply_adds(setup.model, setup.data.image_shape),
        'steps': last['step'],
        'epochs': last['epoch'],
        'shorten': config.shorten,
        'seconds': sum(spent.values()),
        'seconds_by_part': dict(spent),
        'device': describe_devices(list(setup.mesh.devices.flat)),
    }
    return {name: value for name, value in summary.items() if value is not None}


def _length(steps: int, epochs: float, shorten: int) -> str:
    return f'{steps:,} steps, {epochs:.2f} epochs' + (f' (shortened {shorten} times)' if shorten > 1 else '')


def _top5(error: float | None) -> str:
    return '' if error is None else f' (top-5 {error:.2f} %)'


def describe_summary(summary: Mapping[str, Any]) -> str:
    """Converts a summary to lines for the log."""
    error = summary['final_test_error']
    length = _length(summary['steps'], summary['epochs'], summary.get('shorten', 1))
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
        f'training           {length}, {summary["seconds"]:.0f} s on {summary["device"]}',
    ]
    shares = {PARTS[part]: seconds / summary['seconds'] for part, seconds in summary['seconds_by_part'].items()}
    lines.append('time               ' + ', '.join(f'{name} {100 * share:.1f} %' for name, share in shares.items()))
    return '\n'.join(lines)
