"""What a finished run comes to: `summary.json`, and the same for a person."""

from collections.abc import Mapping, Sequence
from typing import Any

from jax_resnet import models
from jax_resnet.backend.environment import describe_devices
from jax_resnet.training.evaluation import Scores
from jax_resnet.training.experiment import Experiment


def summarize(
    experiment: Experiment, metrics: Sequence[Mapping[str, Any]], test: Scores, seconds: float
) -> dict[str, Any]:
    """The summary of a finished run. The result is the final error; the best is told beside it, never instead.

    Args:
        experiment: what was run.
        metrics: the lines of metrics.jsonl, the last of which is of the last step.
        test: the scores of the test split at the end.
        seconds: that the run took, over all its starts.
    """
    last, best = metrics[-1], min(metrics, key=lambda line: line['test_error'])
    model, image_shape = experiment.model, experiment.source.image_shape
    return {
        'final_test_error': test.error,
        'final_test_loss': test.loss,
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
            f'best test error    {summary["best_test_error"]:.2f} % at epoch {summary["best_epoch"]:.2f}',
            *([f'final validation   {validation:.2f} % error'] if validation is not None else []),
            f'final train error  {train}',
            'hardest classes    ' + (', '.join(f'{name} {percent[name]:.1f} %' for name in hardest) or 'none'),
            f'size               {summary["parameters"]:,} parameters, {summary["multiply_adds"]:,} multiply-adds',
            f'training           {summary["steps"]:,} steps, {summary["epochs"]:.2f} epochs, '
            f'{summary["seconds"]:.0f} s on {summary["device"]}',
        ]
    )
