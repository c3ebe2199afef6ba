"""What a run says of itself: at its start, in each line of metrics, and at its end."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jax_resnet import models
from jax_resnet.backend.environment import describe_devices
from jax_resnet.training.evaluation.scores import Scores
from jax_resnet.training.experiment import Experiment
from jax_resnet.training.optimizer import describe_decay
from jax_resnet.training.state import Totals


def introduce(experiment: Experiment, params: Any) -> list[str]:
    """Lines for a person: the network's size, what decays, how long it trains, and the learning rate."""
    clock, end = experiment.clock, experiment.end
    dataset = experiment.config['dataset']
    shared = experiment.input.source.shared(dataset['train'], dataset['test'])
    return [
        models.describe(experiment.model, experiment.input.image_shape),
        *([f'{shared:,} examples of {dataset["test"]!r} are trained on: the test error is none'] if shared else []),
        describe_decay(experiment.config['optimizer'], params),
        f'{clock.epoch_size:,} training examples, {end:,} steps, {clock.epochs(end):.2f} epochs',
        *experiment.schedule.describe(end),
    ]


def metrics_line(
    experiment: Experiment,
    step: int,
    totals: Totals,
    scores: Mapping[str, Scores],
    trained: tuple[int, float],
    seconds: float,
) -> dict[str, Any]:
    """A line of metrics.jsonl; its training loss and error are None where no step is in the totals.

    Args:
        experiment: what is run.
        step: that was reached.
        totals: since the last line.
        scores: of each evaluated split, by name.
        trained: steps since the last line in this start of the run, and the seconds that they took.
        seconds: of the run, over all its starts.
    """
    steps, batch_size = int(totals.steps), experiment.clock.batch_size
    line: dict[str, Any] = {
        'step': step,
        'epoch': experiment.clock.epochs(step),
        'train_loss': float(totals.loss) / steps if steps else None,
        'train_error': 100 * int(totals.errors) / (steps * batch_size) if steps else None,
    }
    for name, of_split in scores.items():
        line |= {f'{name}_loss': of_split.loss, f'{name}_error': of_split.error}
        if of_split.top5_error is not None:
            line[f'{name}_top5_error'] = of_split.top5_error
    line['learning_rate'] = experiment.learning_rate(step)
    line['images_per_second'] = trained[0] * batch_size / trained[1] if trained[0] else None
    line['seconds'] = seconds
    return line


def describe_line(line: Mapping[str, Any]) -> str:
    """A line of metrics, for a person."""
    told = [name for name in ('train', 'validation', 'test') if line.get(f'{name}_error') is not None]
    errors = ', '.join(f'{name} {line[f"{name}_error"]:.2f} %{_top5(line.get(f"{name}_top5_error"))}' for name in told)
    losses = ', '.join(f'{name} loss {line[f"{name}_loss"]:.4g}' for name in told if name != 'validation')
    return f'epoch {line["epoch"]:.2f}: error {errors}; {losses}'


def advise(experiment: Experiment, step: int, saved: Sequence[int]) -> str:
    """Where a run diverged, and what may help; `saved` are the steps of its checkpoints."""
    rate = experiment.learning_rate(step)
    return (
        f'step {step:,}, epoch {experiment.clock.epochs(step):.2f}; try a '
        f'config.schedule.learning_rate below {rate:g}, or a warm-up '
        f"(config.schedule.warmup_for='400 steps', warmup_learning_rate={rate / 10:g}); "
        f'the last checkpoint, {f"of step {saved[-1]:,}" if saved else "none yet"}, is from before'
    )


def summarize(
    experiment: Experiment,
    metrics: Sequence[Mapping[str, Any]],
    test: Scores,
    by_protocol: Scores | None,
    seconds: float,
) -> dict[str, Any]:
    """The summary of a finished run. The result is the final error; the best is told beside it, never instead.

    Args:
        experiment: what was run.
        metrics: the lines of metrics.jsonl, the last of which is of the last step.
        test: the scores of the test split at the end.
        by_protocol: its scores by `config.pictures.protocol`; None where that is the central crop alone.
        seconds: that the run took, over all its starts.
    """
    last, best = metrics[-1], min(metrics, key=lambda line: line['test_error'])
    model, image_shape = experiment.model, experiment.input.image_shape
    return {
        'final_test_error': test.error,
        'final_test_loss': test.loss,
        **({} if test.top5_error is None else {'final_test_top5_error': test.top5_error}),
        **({} if by_protocol is None else _of_protocol(experiment.config['pictures']['protocol'], by_protocol)),
        'best_test_error': best['test_error'],
        'best_epoch': best['epoch'],
        'final_train_error': last['train_error'],
        **({'final_validation_error': last['validation_error']} if 'validation_error' in last else {}),
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


def _of_protocol(protocol: str, scores: Scores) -> dict[str, Any]:
    top5 = {} if scores.top5_error is None else {'protocol_test_top5_error': scores.top5_error}
    return {'protocol': protocol, 'protocol_test_error': scores.error, **top5}


def _top5(error: float | None) -> str:
    return '' if error is None else f' (top-5 {error:.2f} %)'


def _told_more(summary: Mapping[str, Any]) -> Iterator[str]:
    """Lines of the top-5 error and of the protocol's, where there are such."""
    if 'final_test_top5_error' in summary:
        yield f'final top-5 error  {summary["final_test_top5_error"]:.2f} %'
    if 'protocol' in summary:
        name = {'ten_crop': '10-crop error', 'multi_scale': 'multi-scale error'}[summary['protocol']]
        yield f'{name:18} {summary["protocol_test_error"]:.2f} %{_top5(summary.get("protocol_test_top5_error"))}'


def describe_summary(summary: Mapping[str, Any]) -> str:
    """The summary, for a person."""
    error = summary['final_test_error']
    percent = {name: error for name, error in summary['class_errors'].items() if error}
    hardest = sorted(percent, key=lambda name: -percent[name])[:3]
    validation = summary.get('final_validation_error')
    train = 'not known: it was lost with the last lines of metrics.jsonl'
    if summary['final_train_error'] is not None:
        train = f'{summary["final_train_error"]:.2f} % (augmented batches since the last evaluation)'
    return '\n'.join(
        [
            f'final test error   {error:.2f} % (accuracy {100 - error:.2f} %: '
            f'{summary["test_correct"]:,} of {summary["test_count"]:,})',
            *_told_more(summary),
            f'best test error    {summary["best_test_error"]:.2f} % at epoch {summary["best_epoch"]:.2f}',
            *([f'final validation   {validation:.2f} % error'] if validation is not None else []),
            f'final train error  {train}',
            'hardest classes    ' + (', '.join(f'{name} {percent[name]:.1f} %' for name in hardest) or 'none'),
            f'size               {summary["parameters"]:,} parameters, {summary["multiply_adds"]:,} multiply-adds',
            f'training           {summary["steps"]:,} steps, {summary["epochs"]:.2f} epochs, '
            f'{summary["seconds"]:.0f} s on {summary["device"]}',
        ]
    )
