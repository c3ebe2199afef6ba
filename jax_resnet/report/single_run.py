"""What a page shows of a single run: where it comes from, its confusions, and its most confident mistakes."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jax_resnet.config.fields import flatten
from jax_resnet.report import wording
from jax_resnet.report.charts import GREY, INK, PALETTE, SHADES, altair, titled
from jax_resnet.runs.outputs import Predictions
from jax_resnet.runs.run import Run
from jax_resnet.runs.run_folder import RunFolder

MOST_CLASSES = 100
"""The most classes for which a confusion matrix is drawn: it has the square of this number of cells."""


def facts(run: Run) -> list[tuple[str, str]]:
    """Returns (name, value) pairs: its config, dates, commit, versions and device, as far as its files say."""
    if run.config is None:
        return []
    shown = {'config': run.file or 'given by a program'}
    if run.file is not None:
        shown['changed fields'] = ', '.join(wording.phrase(*change) for change in run.changes.items()) or 'nothing'
    if run.config.dataset.folder:
        count = f'{run.summary["test_count"]:,} pictures' if run.summary else 'pictures'
        shown['data set'] = f'{count} of the test split in {run.config.dataset.folder}'
    dates = [start['date'].replace('T', ' ').replace('+00:00', ' UTC') for start in run.starts if start['date']]
    shown |= dict(zip(('started', 'last continued'), dict.fromkeys([*dates[:1], *dates[-1:]]), strict=False))
    for start in run.starts[-1:]:
        shown['device'] = start['device']
        shown['commit'] = start['git_commit'] or 'unknown: not in a git checkout'
        shown['versions'] = ', '.join(f'{package} {version}' for package, version in start['versions'].items())
    return [*shown.items()]


def fields(run: Run) -> list[tuple[str, str]]:
    """Returns (dotted name, value) for every field of the config."""
    values = {} if run.config is None else flatten(run.config)
    return [(field, wording.value_name(value)) for field, value in sorted(values.items())]


def mistakes(run: Run, found: Predictions) -> list[tuple[bytes, str]]:
    """Reads the most confident mistakes of a run; [] if it has not kept them.

    Returns:
        The image of each as PNG; and its class, the predicted class, the probability and perhaps the file, in words.
    """
    return [
        (
            png(image, 96),
            f'{found.class_names[found.labels[i]]}, predicted {found.class_names[found.classes[i, 0]]}\n'
            f'{100 * found.probabilities[i, 0]:.1f} %' + (f'\n{found.files[i]}' if found.files else ''),
        )
        for i, image in zip(*(RunFolder(run.folder).mistakes() or ((), ())), strict=True)
    ]


def png(pixels: np.ndarray, height: int = 0) -> bytes:
    """Returns an image, uint8 [height, width, channels], as PNG, enlarged to about a height in pixels."""
    from PIL import Image

    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    factor, content = max(1, round(height / image.height)), io.BytesIO()
    image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST).save(content, 'PNG')
    return content.getvalue()


def data_uri(content: bytes, image_format: str) -> str:
    """Returns a picture for an image element, in which no script runs."""
    return f'data:image/{image_format};base64,{base64.b64encode(content).decode()}'


def drawings(run: Run | None) -> list[Path]:
    """Returns SVG drawings in the run folder, such as those of `python -m jax_resnet inspect responses`."""
    return [] if run is None else sorted(path for path in run.folder.glob('*.svg') if path.is_file())


def confusion(found: Predictions) -> np.ndarray:
    """Returns the confusion matrix: counts [class, predicted class]."""
    counts = np.zeros((len(found.class_names),) * 2, int)
    np.add.at(counts, (found.labels, found.classes[:, 0]), 1)
    return counts


def confusions(found: Predictions, most: int = 20) -> list[tuple[str, int]]:
    """Returns the most frequent confusions: 'class → predicted class', and their count."""
    counts, names = confusion(found), found.class_names
    np.fill_diagonal(counts, 0)
    frequent = np.argsort(-counts, axis=None, kind='stable')[:most]
    pairs = zip(*np.unravel_index(frequent, counts.shape), strict=True)
    return [(f'{names[i]} → {names[j]}', int(counts[i, j])) for i, j in pairs if counts[i, j]]


def charts(run: Run, found: Predictions) -> dict[str, Any]:
    """Draws the confusions and the error of each class, by name.

    The confusions are a matrix of all classes. With more than MOST_CLASSES, bars show only the most frequent ones.
    """
    if len(found.class_names) <= MOST_CLASSES:
        drawn = _matrix(confusion(found), found.class_names)
    else:
        drawn = _bars(confusions(found), 'test examples', '.0f', 'The most frequent confusions: class → predicted')
    errors = {name: error for name, error in run.summary.get('class_errors', {}).items() if error is not None}
    hardest = [(name, round(error, 2)) for name, error in sorted(errors.items(), key=lambda pair: -pair[1])[:20]]
    title = 'Error of each class' if len(errors) <= 20 else 'Error of the 20 hardest classes'
    return {'confusion': drawn, 'classes': _bars(hardest, 'test error (%)', '.1f', title)}


def _matrix(counts: np.ndarray, names: Sequence[str]) -> Any:
    alt = altair()
    shares = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
    values = [
        {'class': names[i], 'predicted': names[j], 'count': int(counts[i, j]), 'share': round(float(shares[i, j]), 2)}
        for i, j in np.ndindex(*counts.shape)
        if counts[i, j]
    ]
    shows_numbers = len(names) <= 20
    domain = alt.Scale(domain=list(names))
    axis = {'labels': shows_numbers, 'ticks': False, 'grid': False, 'domain': False}
    angle = -45 if max(map(len, names)) > 3 else 0
    base = alt.Chart(alt.Data(values=values)).encode(
        x=alt.X('predicted:N', title='predicted', scale=domain, axis=alt.Axis(labelAngle=angle, **axis)),
        y=alt.Y('class:N', title='class', scale=domain, axis=alt.Axis(**axis)),
        tooltip=['class:N', 'predicted:N', 'count:Q', alt.Tooltip('share:Q', title='% of the class')],
    )
    colours = alt.Scale(type='sqrt', domain=[0, 100], range=SHADES)
    heat = base.mark_rect().encode(color=alt.Color('share:Q', scale=colours, legend=None))
    white = alt.condition('datum.share > 50', alt.value('white'), alt.value(INK))
    counts = base.mark_text(fontSize=11).encode(text='count:Q', color=white)
    return titled(heat + counts if shows_numbers else heat, 'Confusion matrix: test examples', 420, width=520)


def _bars(lengths: Sequence[tuple[str, float]], axis: str, number_format: str, title: str) -> Any:
    """Draws a bar for each name, in order, with its length as a number at its end."""
    alt = altair()
    base = alt.Chart(alt.Data(values=[{'name': name, 'length': length} for name, length in lengths])).encode(
        x=alt.X('length:Q', title=axis, axis=alt.Axis(tickCount=6)),
        y=alt.Y('name:N', title=None, sort=None, axis=alt.Axis(grid=False, ticks=False, domain=False, labelLimit=280)),
    )
    bars = base.mark_bar(color=PALETTE[0], opacity=0.85, cornerRadiusEnd=2, height={'band': 0.7})
    numbers = base.mark_text(align='left', dx=4, fontSize=11, color=GREY).encode(
        text=alt.Text('length:Q', format=number_format)
    )
    return titled(bars + numbers, title, max(120, 24 * len(lengths)), width=520)
