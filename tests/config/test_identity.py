"""Which fields of a config make a run what it is, and where it goes."""

from pathlib import Path

import pytest

from jax_resnet.config.fields import FIELDS, FREE, Config
from jax_resnet.config.identity import compared, default_name, recipe
from jax_resnet.config.loading import as_config, load
from jax_resnet.runs import results_folder, run
from tests.conftest import small_config

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ('file', 'changes', 'expected'),
    [
        ('configs/resnet20_cifar10.py', {}, 'runs/resnet20_cifar10/seed2'),
        ('configs/resnet20_cifar10.py', {'batch_size': 256, 'seed': 2}, 'runs/resnet20_cifar10/batch_size=256/seed2'),
        ('configs/lab_cifar10.py:resnet56', {}, 'runs/lab_cifar10-resnet56/seed2'),
        ('/mine/my-net.py', {}, 'runs/my-net/seed2'),
        ('x.py:../../elsewhere', {}, 'runs/x-.._.._elsewhere/seed2'),  # leads nowhere else
        ('x.py', {'dataset.data_dir': '/d', 'parallel.devices': 4, 'log_every': '1 step'}, 'runs/x/seed2'),
        ('x.py', {'b': 1, 'a': 'train[:50%]/x'}, 'runs/x/a=train:50%_x,b=1/seed2'),
    ],
)
def test_default_name(file: str, changes: dict, expected: str) -> None:
    assert default_name(file, changes, 2) == Path(expected)


def test_long_names_are_shortened_and_stay_different() -> None:
    names = [default_name('x.py', {f'field{i}': 'v' * 20 for i in range(20)} | {'z': z}, 0) for z in (1, 2)]
    assert names[0] != names[1] and len(names[0].parts[2]) <= 230
    assert names[0].parts[2].startswith(f'field0={"v" * 20},')


@pytest.mark.parametrize(
    ('field', 'value', 'is_another_run', 'is_another_recipe'),
    [
        ('batch_size', 64, True, True),
        ('seed', 3, True, False),
        ('keep_every', '1 epoch', False, False),
        ('dataset.folder', 'elsewhere', False, False),  # of a known data set: digits
    ],
)
def test_what_counts(field: str, value: object, is_another_run: bool, is_another_recipe: bool) -> None:
    before, after = as_config(small_config()), as_config(small_config(**{field: value}))
    assert (compared(before) != compared(after)) == is_another_run
    assert (recipe(before) != recipe(after)) == is_another_recipe


def test_runs_on_two_folders_of_own_pictures_differ() -> None:
    folders = [{'dataset.name': 'folder', 'dataset.folder': name} for name in ('raw', 'clean')]
    raw, clean = (as_config(small_config(**changes)) for changes in folders)
    assert compared(raw) == compared(clean) and recipe(raw) != recipe(clean)  # a run's folder may move
    pictures = ('data/flowers/v2', 'data/flowers_v2', 'data_flowers/v2', 'cats & dogs', 'cats  dogs')
    names = [default_name('x.py', {'dataset.folder': folder}, 0) for folder in pictures]
    assert names[0] == Path('runs/x/dataset.folder=data_flowers_v2/seed0') and len({*names}) == len(names)
    assert default_name('x.py', {'dataset.folder': f'{pictures[1]}/'}, 0) == names[1]


@pytest.mark.parametrize('path', sorted((path.parent for path in ROOT.glob('results/**/summary.json')), key=str))
def test_results_are_those_of_configs_of_today(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = run.read(path)
    config, _ = load(result.file, {**result.changes, 'seed': result.seed})
    assert compared(config) == compared(result.config)
    assert results_folder.result_path(result) == path.relative_to(ROOT)


def test_a_field_identifies_a_run_unless_its_line_says_that_it_is_free() -> None:
    """No field is free because another field's name is the beginning of its own."""
    for name in FIELDS.keys() - {'model.name'}:
        assert (name in compared(Config())) == (FREE not in FIELDS[name].marks), name
