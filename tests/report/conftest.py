"""Run folders and studies as they lie on disk, with numbers that can be checked by hand."""

import contextlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from jax_resnet.commands import command_line
from jax_resnet.config.loading import as_config
from jax_resnet.runs.outputs import Preprocessing, npz, prediction_arrays
from jax_resnet.runs.run_folder import RunFolder
from tests.conftest import RESNET8, Ended, small_config

ROOT = Path(__file__).parents[2]
EPOCH = 10  # steps


def write_classes(folder: Path, names: Sequence[str]) -> None:
    """Writes preprocessing.npz for classes of these names."""
    RunFolder(folder).write_preprocessing(Preprocessing(np.zeros(1), np.ones(1), 0, (8, 8, 1), tuple(names)))


def write_run(
    folder: Path,
    seed: int = 0,
    errors: Sequence[float] = (90.0, 40.0, 20.0, 10.0),
    state: str = 'finished',
    file: str | None = None,
    **changes: Any,
) -> Path:
    """A run of four epochs, the learning rate dropped after the second; `errors` are those of the test split.

    `file` is its config file, in which the run has made the `changes`.
    """
    fields = {
        'seed': seed, 'batch_size': 100, 'train_for': '4 epochs', 'dataset.train': 'train', 'dataset.test': 'test',
        'batch_norm.group_size': 50, 'model.num_classes': 3, 'schedule.drop_at': ('2 epochs',),
    }  # fmt: skip
    config = small_config(RESNET8, **fields)
    for name, value in changes.items():
        group, _, leaf = name.rpartition('.')
        (config[group] if group else config)[leaf] = value
    whole = as_config(config)
    folder.mkdir(parents=True)
    (folder / 'config.json').write_text(
        json.dumps({'file': file, 'changes': changes if file else {}, 'fields': msgspec.to_builtins(whole)})
    )
    lines = [
        {
            'step': EPOCH * k, 'epoch': float(k), 'train_loss': error / 30, 'train_error': error - 5,
            'test_loss': error / 25, 'test_error': error, 'learning_rate': config['schedule']['learning_rate'] * (0.1 if k > 2 else 1),
            'images_per_second': 100.0, 'seconds': 3.0 * k, 'train_loss_sum': 1.0 * k, 'train_error_sum': k,
        }
        for k, error in enumerate(errors, start=1)
    ]  # fmt: skip
    lines = lines if state == 'finished' else lines[:2]
    (folder / 'metrics.jsonl').write_text(''.join(json.dumps(line) + '\n' for line in lines))
    if state == 'failed':
        (folder / 'failure.txt').write_text('the loss is not finite\n')
    if state == 'finished':
        summary = {
            'final_test_error': errors[-1], 'best_test_error': min(errors), 'best_epoch': 1.0 + list(errors).index(min(errors)),
            'final_test_loss': 0.2, 'test_correct': 3, 'test_count': 4, 'steps': 40, 'epochs': 4.0,
            'final_train_error': errors[-1] - 5, 'class_errors': {'cat': 50.0, 'dog': 0.0, 'owl': None},
            'parameters': 75_002, 'multiply_adds': 2_986_624, 'seconds': 12.0 + seed, 'device': '1 x cpu (2 cores)',
        }  # fmt: skip
        (folder / 'summary.json').write_text(json.dumps(summary))
        logits = np.float32([[2, 0, 0], [0, 3, 0], [0, 1, 0], [0, 4, 0]])
        (folder / 'predictions.npz').write_bytes(npz(prediction_arrays(logits, np.int32([0, 0, 1, 1]))))
        np.savez(folder / 'mistakes.npz', index=[1], images=np.full((1, 8, 8, 1), 128, np.uint8))
        write_classes(folder, ['cat', 'dog', 'owl'])
    return folder


def write_top5(folder: Path, errors: Sequence[float] = (60.0, 20.0, 9.0, 4.0), **protocol: Any) -> Path:
    """Gives a run top-5 errors, one an evaluation; and what it has by the protocol of its last test, as in a summary."""
    lines = [json.loads(line) for line in (folder / 'metrics.jsonl').read_text().splitlines()]
    lines = [line | {'test_top5_error': error} for line, error in zip(lines, errors, strict=True)]
    (folder / 'metrics.jsonl').write_text(''.join(json.dumps(line) + '\n' for line in lines))
    summary = json.loads((folder / 'summary.json').read_text())
    (folder / 'summary.json').write_text(json.dumps(summary | {'final_test_top5_error': errors[-1], **protocol}))
    return folder


TEN_CROP = {'protocol': 'ten_crop', 'protocol_test_error': 9.5, 'protocol_test_top5_error': 3.25}
"""Of a summary."""


def write_study(folder: Path, rows: Sequence[dict[str, Any]], **changes: Any) -> Path:
    """A study's description; a row is given as label, runs (folders), and what else it has."""
    described = [
        {'group': '', 'published': None, 'published_text': '', 'window': None}
        | row
        | {'runs': {i: f'../../{name}' for i, name in enumerate(row['runs'])}}
        for row in rows
    ]
    study = {
        'study': folder.name, 'file': 'configs/studies/rates.py', 'question': 'Which <rate> is better?', 'about': 'More.',
        'source': 'the Paper', 'measure': 'final', 'changes': {}, 'is_rehearsal': False, 'notes': [], 'rows': described,
    } | changes  # fmt: skip
    folder.mkdir(parents=True)
    (folder / 'study.json').write_text(json.dumps(study))
    return folder


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """`make_study` in a folder of the test's own."""
    return make_study(tmp_path / 'runs')


def make_study(runs: Path) -> Path:
    """A study of two rows of two seeds: errors 10 and 12, 20 and 22; published 9 and 'fail'."""
    for seed in (0, 1):
        write_run(runs / 'a' / f'seed{seed}', seed, (90.0, 40.0, 20.0, 10.0 + 2 * seed))
        write_run(
            runs / 'b' / f'seed{seed}', seed, (95.0, 50.0, 16.0 + 2 * seed, 20.0 + 2 * seed), **{'schedule.learning_rate': 1.0}
        )  # fmt: skip
    rows = [
        {'label': 'rate 0.1', 'runs': ['a/seed0', 'a/seed1'], 'published': 9.0, 'window': [3, 4]},
        {'label': 'rate 1', 'runs': ['b/seed0', 'b/seed1'], 'published_text': 'fail', 'window': [3, 4]},
    ]
    return write_study(runs / 'studies' / 'rates', rows)


def report(*arguments: str | Path) -> Ended:
    """Runs the command in this process, in the checkout."""
    output, errors = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(ROOT),
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(errors),
    ):
        code = command_line.main(['report', *map(str, arguments)])
    return Ended(code, output.getvalue(), errors.getvalue())


@pytest.fixture(scope='session')
def report_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a study and a run that failed, in a folder `out` beside `runs`."""
    runs = tmp_path_factory.mktemp('page') / 'runs'
    make_study(runs)
    write_run(runs / 'only' / 'seed0', state='failed', **{'model.depth': 14})
    out = runs.parent / 'out' / 'report.html'
    done = report(runs, f'--out={out}')
    assert done.code == 0, done.err
    assert 'Rate 0.1 has the smallest final test error' in done.out and 'seed 0: failed, the loss' in done.out
    return out
