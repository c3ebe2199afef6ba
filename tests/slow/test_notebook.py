"""The notebook runs on a new run, and its stored outputs have the form of what it shows there.

To store new outputs: `make train`, then `jupyter nbconvert --to=notebook --execute --inplace` with the notebook.
"""

import base64
import io
import json
import re
import subprocess
import sys
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jax_resnet.report import charts

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / 'docs' / 'from_a_run_to_a_table.ipynb'

RUNNER = '''
import ast, base64, contextlib, io, json, sys

def bundle(value):
    """The representations of a value, by MIME type, as Jupyter stores them."""
    data = {'text/plain': repr(value)}
    if hasattr(value, '_repr_mimebundle_'):
        bundled = value._repr_mimebundle_()
        data |= bundled[0] if isinstance(bundled, tuple) else bundled
    for name, kind in (('html', 'text/html'), ('png', 'image/png'), ('jpeg', 'image/jpeg')):
        if hasattr(value, f'_repr_{name}_'):
            data[kind] = getattr(value, f'_repr_{name}_')()
    return {kind: base64.b64encode(v).decode() if isinstance(v, bytes) else v for kind, v in data.items()}

names, outputs = {}, []
for cell in json.load(open(sys.argv[1]))['cells']:
    if cell['cell_type'] != 'code':
        continue
    *body, last = ast.parse(''.join(cell['source'])).body
    value, printed = None, io.StringIO()
    with contextlib.redirect_stdout(printed):
        if not isinstance(last, ast.Expr):
            body, last = [*body, last], None
        exec(compile(ast.Module(body, []), 'cell', 'exec'), names)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), 'cell', 'eval'), names)
    outputs.append([])
    if printed.getvalue():
        outputs[-1].append({'text': printed.getvalue()})
    if value is not None:
        outputs[-1].append({'data': bundle(value)})
json.dump(outputs, open(sys.argv[2], 'w'))
'''
"""A program that runs the cells without Jupyter. It writes their outputs to a file."""


def outputs_of(notebook: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """The stored outputs of the code cells: each has a `text` or the `data` of a value, by MIME type."""
    cells = []
    for cell in notebook['cells']:
        if cell['cell_type'] == 'code':
            texts = [line for output in cell['outputs'] for line in output.get('text', [])]
            values = [output['data'] for output in cell['outputs'] if 'data' in output]
            data = [{'data': {kind: ''.join(lines) for kind, lines in value.items()}} for value in values]
            cells.append([{'text': ''.join(texts)}, *data] if texts else data)
    return cells


def table(output: dict[str, Any]) -> list[list[str]]:
    """The rows of an HTML table, with the header."""
    rows = re.findall(r'<tr>(.*?)</tr>', output['data']['text/html'])
    return [[cell.strip() for cell in re.findall(r'<t[hd].*?>(.*?)</t[hd]>', row)] for row in rows]


def picture(output: dict[str, Any]) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(output['data']['image/png']))))


class Cell(IntEnum):
    """The code cells, in order."""

    FILES = 0
    METRICS = 1
    PLOT = 2
    SUMMARY = 3
    CONFUSION = 4
    DIGIT = 5
    PREDICTION = 6
    REPORT = 7


STORED = outputs_of(json.loads(NOTEBOOK.read_text()))


@pytest.fixture(scope='module')
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a new run like the notebook's, with a smaller network, in a folder like a checkout."""
    checkout = tmp_path_factory.mktemp('checkout')
    for name in ('main.py', 'configs', 'jax_resnet'):
        (checkout / name).symlink_to(ROOT / name)
    (checkout / 'docs').mkdir()
    folder = 'runs/resnet20_digits/seed0'
    command = ['main.py', '--config=configs/resnet20_digits.py', '--config.model.depth=8', f'--workdir={folder}']
    done = subprocess.run([sys.executable, *command], cwd=checkout, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return checkout / folder


@pytest.fixture(scope='module')
def new(run: Path) -> list[list[dict[str, Any]]]:
    """The outputs of the notebook on that run. It begins in docs/, as Jupyter does."""
    docs = run.parents[2] / 'docs'
    words = [sys.executable, '-W', 'ignore::ResourceWarning', '-c', RUNNER, str(NOTEBOOK), 'outputs.json']
    done = subprocess.run(words, cwd=docs, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads((docs.parent / 'outputs.json').read_text())


def numbers(text: str) -> list[float]:
    return [float(number.replace(',', '')) for number in re.findall(r'\d[\d,]*(?:\.\d+)?', text)]


def metrics_of(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / 'metrics.jsonl').read_text().splitlines()]


def test_the_same_outputs_are_stored(new: list[list[dict[str, Any]]]) -> None:
    def kinds(cells: list[list[dict[str, Any]]]) -> list[list[list[str]]]:
        return [[sorted(output.get('data', ['text'])) for output in cell] for cell in cells]

    assert len(STORED) == len(Cell)
    assert all(len(outputs) == 1 for outputs in STORED)
    assert kinds(STORED) == kinds(new)
    assert STORED[Cell.FILES] == new[Cell.FILES]


def test_the_table_of_metrics(run: Path, new: list[list[dict[str, Any]]]) -> None:
    (head, *stored), (new_head, *lines) = (table(outputs[Cell.METRICS][0]) for outputs in (STORED, new))
    assert head == new_head == ['epoch', 'learning_rate', 'train_loss', 'test_loss', 'train_error', 'test_error']
    assert [line[:2] for line in stored] == [line[:2] for line in lines]  # epochs and learning rates
    for table_line, line in zip(lines, metrics_of(run), strict=True):
        assert [float(text) for text in table_line] == pytest.approx([line[name] for name in head], abs=0.005)
    assert all(float(loss) > 0 for line in stored for loss in line[2:4])
    assert all(0 <= float(error) <= 100 for line in stored for error in line[4:])


def test_the_plot(new: list[list[dict[str, Any]]]) -> None:
    stored, made = picture(STORED[Cell.PLOT][0]), picture(new[Cell.PLOT][0])
    assert stored.shape[1:] == made.shape[1:]
    for pixels in (stored, made):
        blue = (pixels[..., :3] == [*bytes.fromhex(charts.PALETTE[0][1:])]).all(-1)
        assert 150 < blue.sum() < 3000  # of two curves and a legend
        assert (
            np.nonzero(blue)[1].max() > 440
        )  # to the last epoch; the axis leaves out the large errors of the first ones
    assert len(base64.b64decode(STORED[Cell.PLOT][0]['data']['image/png'])) < 60_000


def test_the_summary(run: Path, new: list[list[dict[str, Any]]]) -> None:
    stored, made = (outputs[Cell.SUMMARY][0]['text'] for outputs in (STORED, new))
    assert re.sub(r'[\d.,]+', '0', stored) == re.sub(r'[\d.,]+', '0', made)
    summary = json.loads((run / 'summary.json').read_text())
    names = ['final_test_error', 'best_test_error', 'best_epoch', 'test_correct', 'test_count', 'parameters']
    assert numbers(made) == pytest.approx([summary[name] for name in names], abs=0.005)
    final, best, epoch, correct, count, parameters = numbers(stored)
    assert (count, parameters) == (360, 269_434)
    _, *lines = table(STORED[Cell.METRICS][0])
    assert f'{final:.2f}' == lines[-1][-1] == f'{100 * (1 - correct / count):.2f}'
    assert [f'{epoch:.2f}', f'{best:.2f}'] in [[line[0], line[-1]] for line in lines]
    assert best == min(float(line[-1]) for line in lines)


def test_the_confusion_matrix(run: Path, new: list[list[dict[str, Any]]]) -> None:
    (head, *stored), (new_head, *made) = (table(outputs[Cell.CONFUSION][0]) for outputs in (STORED, new))
    digits = [str(digit) for digit in range(10)]
    assert head[1:] == new_head[1:] == digits
    assert [row[0] for row in stored] == [row[0] for row in made] == digits
    ours, others = (np.array(rows, int)[:, 1:] for rows in (stored, made))
    assert ours.shape == others.shape == (10, 10)
    np.testing.assert_array_equal(ours.sum(1), others.sum(1))  # the examples of each class
    np.testing.assert_array_equal(others.sum(1), np.bincount(np.load(run / 'predictions.npz')['labels']))
    assert np.trace(ours) == numbers(STORED[Cell.SUMMARY][0]['text'])[3]


def test_the_prediction(run: Path, new: list[list[dict[str, Any]]]) -> None:
    np.testing.assert_array_equal(picture(STORED[Cell.DIGIT][0]), picture(new[Cell.DIGIT][0]))
    logits, labels = (np.load(run / 'predictions.npz')[name] for name in ('logits', 'labels'))
    for outputs in (STORED, new):
        label, predicted, probability = numbers(outputs[Cell.PREDICTION][0]['text'])
        assert label == labels[0] and predicted in range(10) and 0.1 < probability <= 1
    assert predicted == logits[0].argmax()
    assert probability == pytest.approx(np.exp(logits[0].max()) / np.exp(logits[0]).sum(), abs=0.001)


def test_the_table_of_the_report(run: Path, new: list[list[dict[str, Any]]]) -> None:
    stored, made = (outputs[Cell.REPORT][0]['text'].splitlines() for outputs in (STORED, new))
    assert [re.split(r'  +', line.strip()) for line in stored if '  network' in line] == [
        re.split(r'  +', line.strip()) for line in made if '  network' in line
    ]
    (row,) = (re.split(r'  +', line) for line in stored if line.startswith('resnet20_digits  '))
    final, best, *_ = numbers(STORED[Cell.SUMMARY][0]['text'])
    assert [row[i] for i in (1, 2, 4, 6, 7)] == [f'{final:.2f}', '1 of 1', f'{best:.2f}', 'ResNet-20', '269,434']
    command = [sys.executable, '-m', 'jax_resnet', 'report', 'runs/resnet20_digits/seed0']
    printed = subprocess.run(command, cwd=run.parents[2], capture_output=True, text=True).stdout
    assert new[Cell.REPORT][0]['text'] + '\n' == printed


def test_it_says_nothing_of_the_machine_that_ran_it() -> None:
    text = NOTEBOOK.read_text()
    assert not re.search(r'/(root|home|tmp|work|Users)/|\d\d:\d\d:\d\d|timestamp|"execution": ', text)
    assert json.loads(text)['metadata'] == {
        'kernelspec': {'display_name': 'Python 3', 'language': 'python', 'name': 'python3'},
        'language_info': {'name': 'python'},
    }
