"""Measures which examples all, some or none of several networks get wrong, and how often two of them agree.

Geirhos et al. 2020, arXiv 2006.16736. Two networks are consistent on an example if both are right or both are wrong.
Networks of accuracies a and b whose errors are independent are consistent on a b + (1 - a)(1 - b) of the examples.
Kappa is the excess over this share, relative to the largest possible one: 0 means independent errors, 1 the same ones.
No network is needed: predictions are enough. The pictures that all get wrong are shown if a network names their data.
"""

import argparse
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

import numpy as np

from jax_resnet.errors import ConfigError
from jax_resnet.inspections import charts
from jax_resnet.report.charts import SHADES, WIDTH, altair
from jax_resnet.report.single_run import data_uri, png

MOST_PICTURES = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--split', help="split in TFDS's syntax (default: the test split)")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Compares the predictions of at least two networks for the same examples."""
    from jax_resnet.inspections import networks

    found = networks.predictions(options)
    if len(found) < 2:
        raise ConfigError('agreement: must have at least two networks')
    labels = found[0][1].labels
    for name, scores in found:
        if not np.array_equal(scores.labels, labels):
            raise ConfigError(f'{name}: must have the examples of {found[0][0]}, in the same order')
    guesses = np.stack([scores.logits.argmax(1) for _, scores in found])
    wrong = guesses != labels
    hardest = np.flatnonzero(wrong.all(0))
    images, names = networks.pictures(options, hardest[:MOST_PICTURES])
    return {
        'networks': [name for name, _ in found],
        'examples': len(labels),
        'errors': [scores.error for _, scores in found],
        'wrong_by': np.bincount(wrong.sum(0), minlength=len(found) + 1).tolist(),
        'wrong_by_if_independent': (len(labels) * _chances(wrong.mean(1))).tolist(),
        'pairs': [
            {'networks': [found[i][0], found[j][0]], **_pair(guesses[[i, j]], wrong[[i, j]])}
            for i, j in combinations(range(len(found)), 2)
        ],
        'wrong_by_all': hardest.tolist(),
        'pictures': [
            {'caption': f'{names[labels[i]]}, {names[guesses[0, i]]}', 'url': data_uri(png(image), 'png')}
            for image, i in zip(images, hardest, strict=False)
        ],
    }


def _chances(errors: Any) -> Any:
    """Returns the chances that 0, 1, ... of independent networks are wrong."""
    chances = np.ones(1)
    for error in errors:
        chances = np.convolve(chances, [1 - error, error])
    return chances


def _pair(guesses: Any, wrong: Any) -> dict[str, float]:
    a, b = wrong.mean(1)
    consistent, expected = float((wrong[0] == wrong[1]).mean()), float(a * b + (1 - a) * (1 - b))
    return {
        'same_prediction': float((guesses[0] == guesses[1]).mean()),
        'consistent': consistent,
        'consistent_if_independent': expected,
        'kappa': (consistent - expected) / (1 - expected) if expected < 1 else 1.0,
    }


def draw(measured: Mapping[str, Any]) -> list[Any]:
    """Draws how many networks get an example wrong, the kappa of each pair, and the pictures that all get wrong."""
    alt, names = altair(), charts.short(measured['networks'])
    series = {'measured': 'wrong_by', 'if errors were independent': 'wrong_by_if_independent'}
    rows = [
        {'network': title, 'wrong': k, 'count': count if count >= 0.1 else None}
        for title, name in series.items()
        for k, count in enumerate(measured[name])
    ]
    log_axis = charts.LOGARITHMIC
    counts = charts.panel(rows, ('wrong', 'networks that get an example wrong'), ('count', 'examples'), **log_axis)
    short = dict(zip(measured['networks'], names, strict=True))
    pairs = [
        {'a': short[a], 'b': short[b], 'kappa': pair['kappa']}
        for pair in measured['pairs']
        for a, b in [pair['networks']]
    ]
    base = alt.Chart(alt.Data(values=pairs), width=WIDTH, height=30 * len(names)).encode(
        x=alt.X('b:N', title=None, sort=None, axis=alt.Axis(labelAngle=0)), y=alt.Y('a:N', title=None, sort=None)
    )
    shade = alt.Color('kappa:Q', scale=alt.Scale(domain=[0, 1], range=SHADES), legend=None)
    kappa = base.mark_rect().encode(color=shade) + base.mark_text(fontSize=11).encode(
        text=alt.Text('kappa:Q', format='.2f')
    )
    panels = [counts, kappa.properties(title='Kappa of each pair')]
    if measured['pictures']:
        values = [{**one, 'column': i} for i, one in enumerate(measured['pictures'])]
        images = alt.Chart(alt.Data(values=values), width=WIDTH, height=75).encode(x=alt.X('column:O', axis=None))
        shown = images.mark_image(width=40, height=40, aria=False).encode(url='url:N')
        words = images.mark_text(dy=28, fontSize=9, aria=False).encode(text='caption:N')
        panels.append((shown + words).properties(title='Pictures that all get wrong: the class, and the first guess'))
    return panels


def summarize(measured: Mapping[str, Any]) -> Iterator[str]:
    """Yields lines for all networks and for each pair."""
    yield f'{measured["examples"]:,} examples'
    for k, (count, chance) in enumerate(zip(measured['wrong_by'], measured['wrong_by_if_independent'], strict=True)):
        wrong = f'{k} of {len(measured["networks"])} networks wrong'
        yield f'  {wrong}: {count:,} examples; {chance:,.1f} if errors were independent'
    for pair in measured['pairs']:
        a, b = pair['networks']
        yield (
            f'{a} and {b}: same prediction for {100 * pair["same_prediction"]:.2f} %, consistent on '
            f'{100 * pair["consistent"]:.2f} % ({100 * pair["consistent_if_independent"]:.2f} % if errors were '
            f'independent), kappa {pair["kappa"]:.3f}'
        )
