"""The results folder, its tables in the README, and published weights, with runs of a small network."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import jax_resnet
from jax_resnet import training
from jax_resnet.config.loading import load
from jax_resnet.data import open_source
from jax_resnet.report import readme
from jax_resnet.runs import results_folder, weights
from jax_resnet.runs import run as runs
from jax_resnet.runs.run import FINISHED
from jax_resnet.runs.run_folder import RunFolder
from tests.conftest import Ended

ROOT = Path(__file__).parents[2]
FILE = 'configs/resnet20_digits.py'
SMALL = {
    'batch_size': 32, 'train_for': '4 steps', 'dataset.train': 'train[:200]', 'model.depth': 8, 'batch_norm.group_size': 16,
    'schedule.drop_at': ('3 steps',), 'parallel.devices': 1,
}  # fmt: skip
RUNS = [f'runs/resnet20_digits/small/seed{seed}' for seed in range(3)]


@pytest.fixture(scope='module')
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like a checkout with three finished runs."""
    folder = tmp_path_factory.mktemp('results')
    (folder / 'configs').symlink_to(ROOT / 'configs')
    (folder / 'pages' / 'results').mkdir(parents=True)
    for page in (readme.README, readme.CHANGED):
        (folder / 'pages' / page).write_text(f'# Net\n\n{readme.BEGIN}\n{readme.END}\n\nMore.\n')
    for seed, run in enumerate(RUNS):
        data_dir = str(folder / 'data')  # a result must not have the data's folder
        config, changes = load(FILE, SMALL | {'dataset.data_dir': data_dir, 'seed': seed})
        training.train(config, folder / run, file=FILE, changes=changes)
    return folder


@pytest.fixture
def checkout(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of `trained`, as the working directory."""
    folder = shutil.copytree(trained, tmp_path / 'checkout', symlinks=True)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def results(command: Callable[..., Ended]) -> Callable[..., Ended]:
    return lambda *words: command('results', *words)


def error_of(run: str) -> float:
    return float(json.loads(Path(run, 'summary.json').read_text())['final_test_error'])


def test_add_keeps_the_numbers_of_the_run_folder(checkout: Path, results: Callable[..., Ended]) -> None:
    ended = results('add', *RUNS)
    assert ended.code == 0
    folders = results_folder.paths()
    assert [path.name for path in folders] == ['seed0', 'seed1', 'seed2']
    assert ended.out.startswith(f'{folders[0]}: {error_of(RUNS[0]):.2f} % test error')
    result, run = runs.read(folders[0]), runs.read(Path(RUNS[0]))
    with np.load(folders[0] / 'logits.npz') as kept, np.load(Path(RUNS[0], 'predictions.npz')) as own:
        np.testing.assert_array_equal(kept['logits'], own['logits'].astype(np.float16))
        np.testing.assert_array_equal(kept['labels'], own['labels'])
    assert result.file == 'configs/resnet20_digits.py'
    assert result.changes == {name: value for name, value in SMALL.items() if name != 'parallel.devices'}
    assert folders[0].parts[:2] == ('results', 'resnet20_digits') and folders[0].parts[2].endswith(',train_for=4_steps')
    assert (result.state, result.seed, result.summary) == (FINISHED, 0, run.summary)
    assert (result.metrics, result.starts, result.recipe) == (run.metrics, run.starts, run.recipe)
    assert str(checkout) not in (folders[0] / 'config.json').read_text()
    assert results('add', *RUNS).code == 0  # a second time changes nothing


def test_add_refuses_runs_without_a_result(checkout: Path, results: Callable[..., Ended]) -> None:
    own = json.loads(Path(shutil.copytree(RUNS[0], 'own'), 'config.json').read_text())
    Path('own', 'config.json').write_text(json.dumps(own | {'file': None}))
    Path(RUNS[1], 'summary.json').unlink()
    cases = {
        RUNS[1]: f'error: {RUNS[1]}: must be the folder of a finished run; it is stopped, at epoch 0.6 of 4 steps',
        'configs': 'error: configs: must be the folder of a finished run; it is missing',
        'own': 'error: own: must be a run of a config file; its config.json names none',
    }
    for run, message in cases.items():
        ended = results('add', RUNS[0], run)
        assert ended.code == 2
        assert ended.err == message + '\n' and not Path('results').exists()
    shutil.copytree(RUNS[0], 'moved')
    assert results('add', 'moved').code == 0
    (path,) = results_folder.paths()
    assert path == results_folder.result_path(runs.read(path))
    (path / 'summary.json').write_text('{}')
    ended = results('add', RUNS[0])
    assert ended.code == 2
    assert 'has the result of another run of this config and seed; delete it first' in ended.err


@pytest.fixture
def pages(checkout: Path) -> None:
    """Both pages, without results."""
    shutil.copytree('pages', '.', dirs_exist_ok=True)


def test_changed_configs_are_on_their_own_page(pages: None, results: Callable[..., Ended]) -> None:
    """The results are the small runs, and two that look like runs of a config of the 2015 paper and of another one."""
    assert results('add', *RUNS).code == results('weights', *RUNS).code == 0
    for name, error in (('resnet56_cifar10', 6.5), ('resnet20_digits', 1.25)):
        folder = RunFolder(f'runs/{name}')
        folder.open(load(f'configs/{name}.py', {})[0], f'configs/{name}.py')
        folder.record_start(0, {'versions': {}, 'device': '', 'git_commit': None, 'date': None, 'jax_options': {}})
        folder.add_metrics(runs.read(Path(RUNS[0])).metrics[-1])
        summary = runs.read(Path(RUNS[0])).summary
        folder.write_summary({**summary, 'final_test_error': error, 'seconds': 90.0, 'device': '1 x abacus'})
        assert results('add', str(folder.path)).code == 0
    assert results('table').code == 0
    text, page = (re.sub(' +', ' ', path.read_text()) for path in (readme.README, readme.CHANGED))  # aligned columns
    assert text.startswith('# Net\n\n') and text.endswith('\n\nMore.\n')
    assert '| resnet56_cifar10 | 6.50 | 6.97 | 0 | 0:01:30 | 1 x abacus |' in text
    assert '| resnet20_digits | 1.25 | none | 0 | 0:01:30 | 1 x abacus |' in text
    errors = [error_of(run) for run in RUNS]
    (row,) = [line for line in page.splitlines() if line.startswith('| resnet20_digits')]
    assert ', depth 8' in row and 'trained for 4 steps' in row and 'published' not in page
    assert f' | {np.mean(errors):.2f} ± {np.std(errors, ddof=1):.2f} | 0, 1, 2 | {np.median(errors):.2f} | ' in row
    assert 'None yet.' in text and f'test error {np.median(errors):.2f} %' in page
    assert page.count('](weights/resnet20_digits/') == 1
    pictures = {path.name for path in Path('results/curves').iterdir()}
    assert pictures == {'results_cifar10.svg', 'results_digits.svg', 'changed_configs_digits.svg'}
    assert all(f'](results/curves/{name})' in text or f'](curves/{name})' in page for name in pictures)
    before = readme.README.read_text()
    assert results('table').code == 0 and readme.README.read_text() == before
    readme.README.write_text('# Net\n')
    assert results('table').code == 2 and readme.README.read_text() == '# Net\n'


def test_the_pages_are_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    sections = readme.read()
    for page, section in sections.items():
        assert readme.fill(page, section) == page.read_text(), 'run: python -m jax_resnet results table'
    drawn = {picture for section in sections.values() for picture, _ in readme.pictures(section).values()}
    assert {*readme.CURVES.glob('*.svg')} == drawn
    published = [*Path('results/weights').glob('**/*.safetensors')]
    assert len([weights.read(path) for path in published]) == 3  # none is damaged


def test_weights_are_those_of_the_median_run(checkout: Path, results: Callable[..., Ended]) -> None:
    ended = results('weights', *RUNS, '--out=published/net.safetensors')
    assert ended.code == 0
    median = sorted(RUNS, key=lambda run: (error_of(run), run))[1]
    assert (
        f'test error {error_of(median):.2f} %, the run of seed {median[-1]}, the median of seeds 0, 1, 2' in ended.out
    )
    card = weights.read('published/net.safetensors').card
    assert (card['seed'], card['median_of_seeds']) == (int(median[-1]), [0, 1, 2])
    images = open_source('digits').read('test[:10]').images
    ours, theirs = jax_resnet.load('published/net.safetensors'), jax_resnet.load(median)
    np.testing.assert_array_equal(ours.logits(images), theirs.logits(images))
    np.testing.assert_array_equal(ours.preprocess(images), theirs.preprocess(images))
    assert ours.class_names == tuple('0123456789') and ours.image_shape == (16, 16, 1)
    shutil.rmtree('runs')
    assert training.evaluate('published/net.safetensors').error == pytest.approx(card['test_error'], rel=1e-5)


def test_the_weights_of_two_runs_are_those_of_the_better_one(checkout: Path, results: Callable[..., Ended]) -> None:
    assert results('weights', *RUNS[:2], '--out=net.safetensors').code == 0
    assert weights.read('net.safetensors').card['test_error'] == min(map(error_of, RUNS[:2]))


def test_weights_of_several_configs_have_no_median(checkout: Path, results: Callable[..., Ended]) -> None:
    path = Path(RUNS[2], 'config.json')
    path.write_text(path.read_text().replace('"batch_size": 32', '"batch_size": 64'))
    ended = results('weights', *RUNS)
    assert ended.code == 2
    assert f'{RUNS[2]}: must have the config of {RUNS[0]}; only the seed may differ' in ended.err
    assert not Path('results').exists()
