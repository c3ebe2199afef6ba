"""The predictions of one run: its confusions, the error of each class, and its most confident mistakes."""

import base64
import io
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from jax_resnet.errors import ConfigError
from jax_resnet.report.charts import PALETTE, altair, styled
from jax_resnet.report.table import one_line
from jax_resnet.runs.outputs import Predictions
from jax_resnet.runs.run import Run
from jax_resnet.runs.run_folder import RunFolder

_log = logging.getLogger(__name__)

MOST_CLASSES = 100
"""The most classes for which a confusion matrix is drawn: it has the square of this number of cells."""


@dataclass(frozen=True)
class Mistake:
    """A wrong prediction.

    Attributes:
        image: uint8 [height, width, channels].
        label: the name of the true class.
        predicted: the name of the predicted class.
        probability: the predicted probability of that class.
    """

    image: np.ndarray
    label: str
    predicted: str
    probability: float

    @property
    def caption(self) -> str:
        return f'{self.label}, predicted {self.predicted}\n{100 * self.probability:.1f} %'

    def png(self) -> bytes:
        """Returns the image as PNG, enlarged to about 96 pixels."""
        from PIL import Image

        image = Image.fromarray(self.image[..., 0] if self.image.shape[-1] == 1 else self.image)
        content = io.BytesIO()
        factor = max(1, round(96 / image.height))
        image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST).save(content, 'PNG')
        return content.getvalue()

    def data_uri(self) -> str:
        return 'data:image/png;base64,' + base64.b64encode(self.png()).decode()


@dataclass(frozen=True)
class PredictionAnalysis:
    """The predictions for the test split, with their confusions and mistakes.

    Attributes:
        answers: the most likely classes of each example, and its label.
        worst: for the most confident mistakes, their indices among the examples and their images; None if the run
            has not kept them.
    """

    answers: Predictions
    worst: tuple[np.ndarray, np.ndarray] | None

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.answers.class_names

    @property
    def mistakes(self) -> list[Mistake]:
        """The most confident mistakes; empty if the run has not kept them."""
        if self.worst is None:
            return []
        (index, images), (classes, probabilities, labels, names) = self.worst, self.answers
        return [
            Mistake(image, names[label], names[wrong], float(probability))
            for image, label, wrong, probability in zip(
                images, labels[index], classes[index, 0], probabilities[index, 0], strict=True
            )
        ]

    @property
    def confusion(self) -> np.ndarray:
        """The confusion matrix: counts [class, predicted class]."""
        counts = np.zeros((len(self.class_names),) * 2, int)
        np.add.at(counts, (self.answers.labels, self.answers.classes[:, 0]), 1)
        return counts

    def confusions(self, most: int = 20) -> list[tuple[str, str, int]]:
        """Returns the most frequent confusions: the class, the predicted class, and their count."""
        counts, names = self.confusion, self.class_names
        np.fill_diagonal(counts, 0)
        frequent = np.argsort(-counts, axis=None, kind='stable')[:most]
        pairs = zip(*np.unravel_index(frequent, counts.shape), strict=True)
        return [(names[i], names[j], int(counts[i, j])) for i, j in pairs if counts[i, j]]


def read(run: Run) -> PredictionAnalysis | None:
    """Reads the predictions of a run. Returns None if it has none.

    Raises:
        ConfigError: the files are damaged, or do not fit each other.
    """
    folder = RunFolder(run.folder)
    answers, worst = folder.predictions(), folder.mistakes()
    if answers is None:
        return None
    return PredictionAnalysis(answers, worst)


@cache
def read_if_undamaged(run: Run) -> PredictionAnalysis | None:
    """Like `read`, but returns None for damaged files, and logs a warning once."""
    try:
        return read(run)
    except ConfigError as e:
        _log.warning('predictions are left out: %s', one_line(str(e)))
        return None


def drawings(run: Run) -> list[Path]:
    """Returns SVG drawings in the run folder. `python -m jax_resnet inspect` writes them."""
    return sorted(path for path in run.folder.glob('*.svg') if path.is_file())


def charts(run: Run, analysis: PredictionAnalysis | None) -> dict[str, Any]:
    """Draws the confusions and the error of each class, by name. Without an analysis there are no charts.

    The confusions are a matrix of all classes. With more than MOST_CLASSES, bars show only the most frequent ones.
    """
    if analysis is None:
        return {}
    names = analysis.class_names
    are_few = len(names) <= MOST_CLASSES
    drawn = _confusion_chart(analysis.confusion, names) if are_few else _confusions_chart(analysis.confusions())
    return {'confusion': drawn, 'classes': _classes_chart(run)}


def _confusion_chart(counts: np.ndarray, names: Sequence[str]) -> Any:
    alt = altair()
    shares = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
    values = [
        {'class': names[i], 'predicted': names[j], 'count': int(counts[i, j]), 'share': round(float(shares[i, j]), 2)}
        for i, j in np.ndindex(*counts.shape)
        if counts[i, j]
    ]
    shows_numbers = len(names) <= 20
    domain, plain = (
        alt.Scale(domain=list(names)),
        {'labels': shows_numbers, 'ticks': False, 'grid': False, 'domain': False},
    )
    base = alt.Chart(alt.Data(values=values)).encode(
        x=alt.X(
            'predicted:N',
            title='predicted',
            scale=domain,
            axis=alt.Axis(labelAngle=-45 if max(map(len, names)) > 3 else 0, **plain),
        ),
        y=alt.Y('class:N', title='class', scale=domain, axis=alt.Axis(**plain)),
        tooltip=['class:N', 'predicted:N', 'count:Q', alt.Tooltip('share:Q', title='% of the class')],
    )
    colours = alt.Scale(type='sqrt', domain=[0, 100], range=['#f5f8fc', PALETTE[0]])
    heat = base.mark_rect().encode(color=alt.Color('share:Q', scale=colours, legend=None))
    white = alt.condition('datum.share > 50', alt.value('white'), alt.value('#344054'))
    text = base.mark_text(fontSize=11).encode(text='count:Q', color=white)
    chart = heat + text if shows_numbers else heat
    return styled(chart.properties(title='Confusion matrix: test examples'), width=520, height=420)


def _confusions_chart(confusions: Sequence[tuple[str, str, int]]) -> Any:
    counts = [(f'{name} → {predicted}', count) for name, predicted, count in confusions]
    title = f'The {len(counts)} most frequent confusions: class → predicted'
    return _bars(counts, 'class → predicted', 'test examples', '.0f', title)


def _classes_chart(run: Run) -> Any:
    errors = {name: error for name, error in run.summary.get('class_errors', {}).items() if error is not None}
    hardest = [(name, round(error, 2)) for name, error in sorted(errors.items(), key=lambda pair: -pair[1])[:20]]
    title = 'Error of each class' if len(errors) <= 20 else 'Error of the 20 hardest classes'
    return _bars(hardest, 'class', 'test error (%)', '.1f', title)


def _bars(lengths: Sequence[tuple[str, float]], name: str, axis: str, form: str, title: str) -> Any:
    """Draws a bar for each name, in order, with its length as a number at its end."""
    alt = altair()
    values = [{'name': bar, 'length': length} for bar, length in lengths]
    base = alt.Chart(alt.Data(values=values)).encode(
        x=alt.X('length:Q', title=axis, axis=alt.Axis(tickCount=6)),
        y=alt.Y('name:N', title=None, sort=None, axis=alt.Axis(grid=False, ticks=False, domain=False, labelLimit=280)),
        tooltip=[alt.Tooltip('name:N', title=name), alt.Tooltip('length:Q', title=axis)],
    )
    bars = base.mark_bar(color=PALETTE[0], opacity=0.85, cornerRadiusEnd=2, height={'band': 0.7})
    text = base.mark_text(align='left', dx=4, fontSize=11, color='#344054').encode(
        text=alt.Text('length:Q', format=form)
    )
    return styled((bars + text).properties(title=title), width=520, height=max(120, 24 * len(values)))
