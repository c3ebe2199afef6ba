"""A look at one run: where it is wrong, by its predictions, and the pictures it is most sure of and wrong."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from jax_resnet.report.charts import PALETTE, altair, styled
from jax_resnet.runs import outputs
from jax_resnet.runs.run import Run

HEIGHT, WIDTH = 12, 64


@dataclass(frozen=True)
class Mistake:
    """A wrong answer: the image, uint8 [height, width, channels], its class, the class that was named, and how sure."""

    image: np.ndarray
    label: str
    named: str
    probability: float

    @property
    def caption(self) -> str:
        return f'{self.label}, named {self.named}\n{100 * self.probability:.1f} %'

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


def mistakes(run: Run) -> list[Mistake]:
    """The most confident mistakes that evaluation left in the run folder, if it did."""
    kept, predictions = outputs.mistakes(run.folder), outputs.predictions(run.folder)
    if kept is None or predictions is None:
        return []
    names, images = outputs.class_names(run.folder), kept['images']
    logits, labels = predictions['logits'][kept['index']].astype(float), predictions['labels'][kept['index']]
    chances = np.exp(logits - logits.max(1, keepdims=True))
    chances /= chances.sum(1, keepdims=True)
    named = logits.argmax(1)
    return [
        Mistake(image, names[label], names[wrong], float(row[wrong]))
        for image, label, wrong, row in zip(images, labels, named, chances, strict=True)
    ]


def confusion(run: Run) -> np.ndarray | None:
    """Counts [class, named class] over the test split, or None where there are no predictions."""
    predictions = outputs.predictions(run.folder)
    if predictions is None:
        return None
    logits, labels = predictions['logits'], predictions['labels']
    counts = np.zeros((logits.shape[1],) * 2, int)
    np.add.at(counts, (labels, logits.argmax(1)), 1)
    return counts


def drawings(run: Run) -> list[Path]:
    """Drawings that other commands have left in the run folder, such as `python -m jax_resnet.responses` can."""
    return sorted(path for path in run.folder.glob('*.svg') if not path.is_symlink())


def charts(run: Run) -> dict[str, Any]:
    """By name: the confusion matrix and the error of each class, as far as the run has them."""
    counts = confusion(run)
    if counts is None:
        return {}
    return {'confusion': _confusion_chart(counts, outputs.class_names(run.folder)), 'classes': _classes_chart(run)}


def curve(run: Run) -> str:
    """The errors of a run for a terminal: `o` test, `.` training, in %."""
    lines = run.metrics
    if not lines:
        return 'no evaluation yet'
    top = max(10, ceil(max(max(line['test_error'], line['train_error'] or 0) for line in lines) / 10) * 10)
    grid = [[' '] * WIDTH for _ in range(HEIGHT)]
    last = lines[-1]['epoch']
    for name, mark in (('train_error', '.'), ('test_error', 'o')):
        for line in lines:
            if line[name] is None:
                continue
            x = min(WIDTH - 1, int(line['epoch'] / last * (WIDTH - 1)))
            y = HEIGHT - 1 - round(line[name] / top * (HEIGHT - 1))
            grid[y][x] = mark
    scale = {0: f'{top} %', HEIGHT - 1: '0 %'}
    rows = [f'{scale.get(y, ""):>6} |{"".join(row).rstrip()}' for y, row in enumerate(grid)]
    axis = f'{"":7}+{"-" * WIDTH}\n{"":8}0{f"epoch {last:.1f}":>{WIDTH - 1}}'
    return '\n'.join([*rows, axis, f'{"":8}error: o test, . training'])


def _confusion_chart(counts: np.ndarray, names: Sequence[str]) -> Any:
    alt = altair()
    shares = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
    values = [
        {'class': names[i], 'named': names[j], 'count': int(counts[i, j]), 'share': round(float(shares[i, j]), 2)}
        for i, j in np.ndindex(*counts.shape)
        if counts[i, j]
    ]
    few = len(names) <= 20
    domain, plain = alt.Scale(domain=list(names)), {'labels': few, 'ticks': False, 'grid': False, 'domain': False}
    base = alt.Chart(alt.Data(values=values)).encode(
        x=alt.X(
            'named:N',
            title='named',
            scale=domain,
            axis=alt.Axis(labelAngle=-45 if max(map(len, names)) > 3 else 0, **plain),
        ),
        y=alt.Y('class:N', title='class', scale=domain, axis=alt.Axis(**plain)),
        tooltip=['class:N', 'named:N', 'count:Q', alt.Tooltip('share:Q', title='% of the class')],
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
