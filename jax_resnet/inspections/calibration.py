"""Measures whether probabilities can be trusted: calibration error and reliability, before and after a temperature.

Guo et al. 2017, arXiv 1706.04599. A network is calibrated if, of all predictions with a probability of 80 %, 80 % are
right. The expected calibration error is the mean difference between confidence and accuracy over 15 bins of equal
width, weighted by their examples. The logits are divided by a temperature, which is fitted to the negative
log-likelihood of one half of the examples, drawn by --seed. Both halves are judged. No network is needed: predictions
are enough.
"""

import argparse
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from jax_resnet.errors import ConfigError
from jax_resnet.inspections import charts
from jax_resnet.report.charts import GREY, altair

BINS = 15


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--split', help="split in TFDS's syntax (default: the test split)")
    parser.add_argument('--seed', type=int, default=0, help='draws the half on which the temperature is fitted')


def measure(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Judges each network's predictions, on all examples and on both halves of them."""
    from jax_resnet.inspections import networks

    measured = []
    for name, scores in networks.predictions(options):
        if scores.count < 2:
            raise ConfigError(f'{name}: must have at least two examples, one for each half')
        order = np.random.default_rng(options.seed).permutation(scores.count)
        halves = {'fitted': order[: scores.count // 2], 'judged': order[scores.count // 2 :]}
        t = temperature(scores.logits[halves['fitted']], scores.labels[halves['fitted']])
        numbers: dict[str, Any] = {'all': judge(scores.logits, scores.labels)}
        for half, index in halves.items():
            for when, logits in (('before', scores.logits[index]), ('after', scores.logits[index] / t)):
                numbers[f'{half}_half_{when}'] = judge(logits, scores.labels[index])
        about = {'network': name, 'examples': scores.count, 'seed': options.seed, 'error': scores.error}
        measured.append({**about, 'temperature': t, **numbers})
    return measured


def judge(logits: Any, labels: Any) -> dict[str, Any]:
    """Returns the expected calibration error in percent, the negative log-likelihood, and the bins with examples.

    A bin includes its upper limit, as in the authors' code. For each bin: its number of examples, their mean confidence
    and their accuracy.

    Args:
        logits: float [n, classes].
        labels: int [n].
    """
    from scipy.special import log_softmax

    log_p = log_softmax(logits.astype(np.float64), 1)
    confidence, right = np.exp(log_p.max(1)), log_p.argmax(1) == labels
    index = np.clip(np.ceil(confidence * BINS) - 1, 0, BINS - 1).astype(int)
    bins = [
        {
            'count': int((index == i).sum()),
            'confidence': float(confidence[index == i].mean()),
            'accuracy': float(right[index == i].mean()),
        }
        for i in np.unique(index)
    ]
    error = sum(one['count'] * abs(one['confidence'] - one['accuracy']) for one in bins) / len(labels)
    nll = -float(log_p[np.arange(len(labels)), labels].mean())
    return {'examples': len(labels), 'calibration_error': 100 * error, 'negative_log_likelihood': nll, 'bins': bins}


def temperature(logits: Any, labels: Any) -> float:
    """Returns the temperature, from 0.01 to 100, of the smallest negative log-likelihood, which is convex in 1/T."""
    from scipy.special import log_softmax

    z, low, high = logits.astype(np.float64), 0.01, 100.0
    own = z[np.arange(len(labels)), labels]
    for _ in range(60):  # halves the range of 1/T, on a logarithmic scale, by the sign of the derivative
        factor = (low * high) ** 0.5
        derivative = ((np.exp(log_softmax(factor * z, 1)) * z).sum(1) - own).mean()
        low, high = (low, factor) if derivative > 0 else (factor, high)
    return 1 / factor


def draw(measured: Sequence[dict[str, Any]]) -> list[Any]:
    """Draws the reliability of the judged half, before and after the temperature."""
    alt, panels = altair(), []
    ends = alt.Chart(alt.Data(values=[{'x': 0, 'y': 0}, {'x': 1, 'y': 1}]))
    diagonal = ends.mark_line(color=GREY, strokeDash=[4, 4], strokeWidth=1).encode(x='x:Q', y='y:Q')
    for when in ('before', 'after'):
        rows = [
            {'network': name, **one}
            for name, found in charts.named(measured)
            for one in found[f'judged_half_{when}']['bins']
        ]
        accuracy = 'accuracy', f'accuracy, {when} the temperature'
        panels.append(charts.panel(rows, ('confidence', 'confidence'), accuracy, also=['count:Q']) + diagonal)
    return panels


def summarize(measured: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yields lines for each network."""
    for one in measured:
        about = f'{one["examples"]:,} examples, error {one["error"]:.2f} %'
        yield f'{one["network"]}: {about}, temperature {one["temperature"]:.3f}'
        for half in ('fitted', 'judged'):
            before, after = one[f'{half}_half_before'], one[f'{half}_half_after']
            yield f'  {half} half, {before["examples"]:,} examples, without and with the temperature:'
            for name, digits in (('calibration_error', 2), ('negative_log_likelihood', 4)):
                yield f'    {name.replace("_", " ")}: {before[name]:.{digits}f}, {after[name]:.{digits}f}'
