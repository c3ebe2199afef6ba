"""A look at one run: where it is wrong, by its predictions, and the pictures it is most sure of and wrong."""

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
from jax_resnet.runs import outputs
from jax_resnet.runs.run import Run

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Mistake:
    """A wrong answer: the image, uint8 [height, width, channels], its class, the predicted one, and how sure."""

    image: np.ndarray
    label: str
    predicted: str
    probability: float

    @property
    def caption(self) -> str:
        return f'{self.label}, predicted {self.predicted}\n{100 * self.probability:.1f} %'

    def png(self) -> bytes:
        """The image, enlarged to about 96 pixels."""
        from PIL import Image

        image = Image.fromarray(self.image[..., 0] if self.image.shape[-1] == 1 else self.image)
        content = io.BytesIO()
        factor = max(1, round(96 / image.height))
        image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST).save(content, 'PNG')
        return content.getvalue()

    def data_uri(self) -> str:
        return 'data:image/png;base64,' + base64.b64encode(self.png()).decode()


@dataclass(frozen=True)
class Predictions:
    """Of the test split: logits [example, class], labels [example], the classes' names and the worst mistakes.

    Attributes:
        logits, labels, class_names: as above.
        worst: index of each of the most confident mistakes among the examples, and its image; None where not kept.
    """

    logits: np.ndarray
    labels: np.ndarray
    class_names: Sequence[str]
    worst: tuple[np.ndarray, np.ndarray] | None

    @property
    def mistakes(self) -> list[Mistake]:
        """The most confident mistakes that evaluation left in the run folder, if it did."""
        if self.worst is None:
            return []
        index, images = self.worst
        logits, labels = self.logits[index].astype(float), self.labels[index]
        chances = np.exp(logits - logits.max(1, keepdims=True))
        chances /= chances.sum(1, keepdims=True)
        names = self.class_names
        return [
            Mistake(image, names[label], names[wrong], float(row[wrong]))
            for image, label, wrong, row in zip(images, labels, logits.argmax(1), chances, strict=True)
        ]

    @property
    def confusion(self) -> np.ndarray:
        """Counts [class, predicted class]."""
        counts = np.zeros((self.logits.shape[1],) * 2, int)
        np.add.at(counts, (self.labels, self.logits.argmax(1)), 1)
        return counts


def read(run: Run) -> Predictions | None:
    """The predictions that a run has left, or None where there are none.

    Raises:
        ConfigError: files that are damaged, or do not fit each other.
    """
    answers, worst = outputs.predictions(run.folder), outputs.mistakes(run.folder)
    if answers is None:
        return None
    names = outputs.class_names(run.folder)
    if len(names) != answers['logits'].shape[1]:
        raise ConfigError(f'{run.folder}: its predictions are of another number of classes than {len(names)}')
    kept = None if worst is None else (worst['index'], worst['images'])
    return Predictions(answers['logits'], answers['labels'], names, kept)


@cache
def of(run: Run) -> Predictions | None:
    """What `read` gives; where that is damaged None, which the log says once."""
    try:
        return read(run)
    except ConfigError as e:
        _log.warning('left out: %s', one_line(str(e)))
        return None


def drawings(run: Run) -> list[Path]:
    """Drawings that other commands have left in the run folder, such as `python -m jax_resnet.responses` can."""
    return sorted(path for path in run.folder.glob('*.svg') if path.is_file() and not path.is_symlink())


def charts(run: Run, predictions: Predictions | None) -> dict[str, Any]:
    """By name: the confusion matrix and the error of each class, as far as the run has them."""
    if predictions is None:
        return {}
    return {
        'confusion': _confusion_chart(predictions.confusion, predictions.class_names),
        'classes': _classes_chart(run),
    }


def _confusion_chart(counts: np.ndarray, names: Sequence[str]) -> Any:
    alt = altair()
    shares = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
    values = [
        {'class': names[i], 'predicted': names[j], 'count': int(counts[i, j]), 'share': round(float(shares[i, j]), 2)}
        for i, j in np.ndindex(*counts.shape)
        if counts[i, j]
    ]
    few = len(names) <= 20
    domain, plain = alt.Scale(domain=list(names)), {'labels': few, 'ticks': False, 'grid': False, 'domain': False}
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
    chart = heat + text if few else heat
    return styled(chart.properties(title='Confusion matrix: test examples'), width=520, height=420)


def _classes_chart(run: Run) -> Any:
    alt = altair()
    errors = {name: error for name, error in run.summary.get('class_errors', {}).items() if error is not None}
    hardest = sorted(errors.items(), key=lambda pair: -pair[1])[:20]
    values = [{'class': name, 'error': round(error, 2)} for name, error in hardest]
    base = alt.Chart(alt.Data(values=values)).encode(
        x=alt.X('error:Q', title='test error (%)', axis=alt.Axis(tickCount=6)),
        y=alt.Y('class:N', title=None, sort=None, axis=alt.Axis(grid=False, ticks=False, domain=False)),
        tooltip=['class:N', 'error:Q'],
    )
    bars = base.mark_bar(color=PALETTE[0], opacity=0.85, cornerRadiusEnd=2, height={'band': 0.7})
    text = base.mark_text(align='left', dx=4, fontSize=11, color='#344054').encode(
        text=alt.Text('error:Q', format='.1f')
    )
    title = 'Error of each class' if len(errors) <= 20 else 'Error of the 20 hardest classes'
    return styled((bars + text).properties(title=title), width=520, height=max(120, 24 * len(values)))
