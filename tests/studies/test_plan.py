"""From a study's file to its runs: what is asked for, computed and merged, and what is refused."""

import json
import runpy
from pathlib import Path

import pytest

from configs.studies import base
from jax_resnet.config.durations import Clock
from jax_resnet.config.fields import Config
from jax_resnet.data import datasets
from jax_resnet.errors import ConfigError
from jax_resnet.studies import read
from tests.studies.conftest import ROOT

STUDIES = sorted(path.stem for path in (ROOT / 'configs' / 'studies').glob('*.py') if path.stem != 'base')


@pytest.fixture(autouse=True)
def _in_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def examples_seen(config: Config) -> int:
    shares = {'train': 50_000, 'train[:50%]': 25_000, 'train[:20%]': 10_000}
    return Clock(shares[config.dataset.train], config.batch_size).steps(config.train_for) * config.batch_size


@pytest.mark.parametrize('name', STUDIES)
def test_every_study_can_be_planned(name: str) -> None:
    plan = read(f'configs/studies/{name}.py', [0, 1])
    assert plan.question.endswith('?') and plan.about
    assert len(plan.jobs) == 2 * len(plan.rows) and len({job.folder for job in plan.jobs}) == len(plan.jobs)
    assert {job.seed for job in plan.jobs[: len(plan.rows)]} == {0}
    assert f'configs/studies/{name}.py' in Path(f'configs/studies/{name}.py').read_text()
    json.dumps(plan.describe())


def test_a_run_is_that_of_the_command_line() -> None:
    plan = read('configs/studies/learning_rate.py:1/2', [3])
    job = plan.jobs[0]
    assert job.folder == Path('runs/report_cifar10-resnet20/schedule.learning_rate=0.05,train_for=164_epochs/seed3')
    assert job.command == (
        "python -m jax_resnet train --config=configs/report_cifar10.py:resnet20 '--config.train_for=164 epochs' "
        '--config.schedule.learning_rate=0.05 --config.seed=3'
    )
    assert job.config.seed == 3 and job.config.schedule.learning_rate == 0.05
    assert plan.folder == Path('runs/studies/learning_rate-1_2')
    assert plan.rows[0].parameters == 269_722 and plan.rows[1].parameters == 275_572


def test_studies_share_runs() -> None:
    def folders(study: str) -> set[Path]:
        return {job.folder for job in read(f'configs/studies/{study}', [0]).jobs}

    base = Path('runs/report_cifar10-resnet20/train_for=164_epochs/seed0')  # whichever study asks for it
    assert base in folders('learning_rate.py') & folders('epochs.py') & folders('data_and_batch.py')
    assert len(folders('table6_2015.py:20,56') & folders('figure6_2015.py:resnet')) == 2


def test_drops_move_with_the_epochs() -> None:
    lengths = {job.config.train_for: job.config.schedule.drop_at for job in read('configs/studies/epochs.py', [0]).jobs}
    assert lengths == {
        '82 epochs': ('41 epochs', '61 epochs'),
        '164 epochs': ('81 epochs', '122 epochs'),
        '328 epochs': ('162 epochs', '244 epochs'),
    }  # the Report's


def test_the_number_of_samples_stays() -> None:
    plan = read('configs/studies/data_and_batch.py', [0])
    assert {len(plan.rows)} == {12}
    for job in plan.jobs:
        assert abs(examples_seen(job.config) - 164 * 50_000) < job.config.batch_size
    half = next(job for job in plan.jobs if job.label == 'half of the data')
    assert half.config.schedule.drop_at == ('162 epochs', '244 epochs')
    assert half.config.evaluate_every == '2 epochs'


def test_set_changes_every_run_and_classes_follow_the_data() -> None:
    changes = {'train_for': '1 epoch', 'dataset.name': 'digits'}
    plan = read('configs/studies/learning_rate.py:1,1/10', [0, 1], changes)
    assert plan.folder == Path('runs/studies/learning_rate-1,1_10/dataset.name=digits,train_for=1_epoch')
    assert {job.config.train_for for job in plan.jobs} == {'1 epoch'}
    assert {job.config.model.num_classes for job in plan.jobs} == {10}
    assert [row.about['label'] for row in plan.rows] == ['learning rate 0.1', 'learning rate 0.01']
    assert plan.notes[0].startswith(
        'left out: learning rate 0.1 (CIFAR-100) (the same as learning rate 0.1 (digits)); learning'
    )
    assert plan.describe()['changes'] == changes and not plan.is_rehearsal


def test_changes_of_a_study_are_values_that_differ_from_its_configs() -> None:
    given = {
        'schedule.drop_at': '20 epochs', 'schedule.warmup_for': 'None', 'dataset.flip': 'False', 'train_for': '64000 steps'
    }  # fmt: skip
    plan = read('configs/studies/table6_2015.py:20,110', [0], given)
    changes = {'schedule.drop_at': ('20 epochs',), 'schedule.warmup_for': None, 'dataset.flip': False}
    assert plan.describe()['changes'] == changes
    same = read('configs/studies/table6_2015.py:20', [0], {'train_for': '64000 steps'})
    assert same.describe()['changes'] == {} and same.folder == Path('runs/studies/table6_2015-20')
    assert read('configs/studies/table6_2015.py:20', [0], {'model.shortcut': 'A'}).changes == {}
    # Its rows train for 164 epochs, and the file of their config for 350.
    longer = read('configs/studies/learning_rate.py:cifar10,1,1/10', [0], {'train_for': '350 epochs'})
    assert longer.changes == {'train_for': '350 epochs'}
    assert longer.folder == Path('runs/studies/learning_rate-cifar10,1,1_10/train_for=350_epochs')


@pytest.mark.parametrize(('study', 'shorten', 'epochs'), [('table6_2015', 700, 163.84), ('preactivation', 20, 164)])
def test_a_rehearsal_has_a_twentieth_of_the_epochs_on_the_digits(study: str, shorten: int, epochs: float) -> None:
    plan = read(f'configs/studies/{study}.py:20', [0], {'model.depth': '8'}, is_rehearsal=True)
    config = plan.jobs[0].config
    assert (config.dataset.name, config.dataset.flip, config.model.depth) == ('digits', False, 8)
    assert plan.folder.name == 'rehearsal' and plan.describe()['is_rehearsal'] and config.shorten == shorten
    clock = Clock(datasets.count(config.dataset), config.batch_size, shorten)
    assert clock.epochs(clock.steps(config.train_for)) == pytest.approx(epochs / 20, rel=0.06)
    longer = read(f'configs/studies/{study}.py:20', [0], {'shorten': '7'}, is_rehearsal=True)
    assert longer.jobs[0].config.shorten == 7


def test_a_shortened_study_has_other_runs_and_its_windows_are_shortened_too() -> None:
    plan = read('configs/studies/learning_rate.py:cifar10,1', [0], {'shorten': '10'})
    assert plan.changes == {'shorten': 10} and plan.rows[0].about['window'] == (9.0, 16.0)
    assert plan.folder == Path('runs/studies/learning_rate-cifar10,1/shorten=10')
    assert plan.jobs[0].folder == Path('runs/report_cifar10-resnet20/shorten=10,train_for=164_epochs/seed0')


def test_rows_are_named_by_what_is_trained() -> None:
    (row,) = read('configs/studies/learning_rate.py:cifar10,1', [0], is_rehearsal=True).rows
    assert row.title == 'learning rate 0.1 (digits)'
    rows = read('configs/studies/table6_2015.py:20,56', [0], {'model.depth': '8'}).rows
    assert [row.title for row in rows] == ['ResNet-8']


def test_draws_from_scaleds_space_are_those_of_their_seed_within_the_limit() -> None:
    draws, limit = ('2,seed=1', '2,seed=1', '2,seed=2'), {'model.parameter_limit': '1000000'}
    plans = [read(f'configs/studies/scaled.py:{draw}', [0], limit) for draw in draws]
    labels = [[row.about['label'] for row in plan.rows] for plan in plans]
    assert labels[0] == labels[1] != labels[2] and len(labels[0]) == 3
    assert all(row.parameters <= 1e6 for plan in plans for row in plan.rows)
    best = read('configs/studies/scaled.py:0', [0]).rows
    assert len(best) == 1 and best[0].parameters == 4_435_082 and best[0].about['published'] == 9.3
    assert best[0].jobs[0].folder == Path('runs/scaled_cifar10/seed0')
    assert 'B 3-3, C 128, F 3-3, K 3-3, P 1, drop (config.model: parameter_limit=1,000,000: this' in plans[0].notes[0]


def test_the_grid_of_scaled_scales_all_stages_alike() -> None:
    rows = runpy.run_path('configs/studies/scaled.py')['get_study']('grid')['rows']
    assert len({row['label'] for row in rows}) == len(rows) == 3 * 3 * 2 * 2 * 2 * (1 + 4 * 3)
    assert all(len(set(row['changes']['model.windows'])) == 1 for row in rows)


def test_networks_that_the_digits_are_too_small_for_are_left_out_of_a_rehearsal() -> None:
    plan = read('configs/studies/scaled.py:20', [0], is_rehearsal=True)
    assert plan.rows and plan.notes[0].startswith('left out: B ')


@pytest.mark.parametrize(
    ('study', 'changes', 'message'),
    [
        ('configs/studies/none.py', {}, 'configs/studies/none.py: no such file'),
        ('configs/base.py', {}, 'must be a study file; it has no function get_study'),
        ('configs/studies/table6_2015.py:21', {}, "unknown name '21'; known are 20, 32, 44"),
        ('configs/studies/table6_2015.py:20', {'train': '1 epoch'}, 'config.train: unknown field; the nearest are '),
        ('configs/studies/table6_2015.py:20', {'model.depth': '21'}, 'config.model: depth must be 6n'),
        ('configs/studies/scaled.py:0', {'model.pooled_size': '3'}, 'config.model: pooled_size must divide the size'),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(study: str, changes: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace('(', r'\(').replace('[', r'\[')) as error:
        read(study, [0], changes)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize(
    ('study', 'message'),
    [
        ('None', 'get_study must return what base.study makes; Expected `object`, got `null`'),
        ("{'rows': [], 'source': '', 'measure': 'final'}", 'Object missing required field `most`'),
        ('{}["x"]', "KeyError: 'x'"),
    ],
)
def test_what_is_no_study_is_one_line(checkout: Path, study: str, message: str) -> None:
    Path('mine.py').write_text(f'get_study = lambda: {study}')
    with pytest.raises(ConfigError, match=f'^--study=mine.py: .*{message}') as error:
        read('mine.py', [0])
    assert '\n' not in str(error.value)


def test_pictures_have_no_rehearsal() -> None:
    with pytest.raises(ConfigError, match=r'--rehearse: is only for studies on CIFAR; .* imagenet_resnet on imagenet'):
        read('configs/studies/table4_2015.py', [0], is_rehearsal=True)


def test_a_row_may_have_a_config_of_another_folder() -> None:
    rows = [base.row('a row', config)['config'] for config in ('resnet20_digits.py', '/mine/own.py')]
    assert rows == ['configs/resnet20_digits.py', '/mine/own.py']
