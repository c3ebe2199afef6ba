"""A config file, and fields changed in it, as a command line has them."""

from pathlib import Path
from typing import Any

import pytest
from absl import flags

from jax_resnet.config import arguments, loader
from jax_resnet.config.completion import flatten
from jax_resnet.config.fields import check, fields_of
from jax_resnet.config.network import network
from jax_resnet.errors import ConfigError
from tests.test_parameter_counts import PARAMETERS

ROOT = Path(__file__).parents[2]
DIGITS = 'configs/resnet20_digits.py'


@pytest.fixture(autouse=True)
def _in_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def of_command(*words: str) -> loader.Loaded:
    """What a command line comes to."""
    values = flags.FlagValues()
    flags.DEFINE_string('config', None, '', flag_values=values)
    flags.DEFINE_string('workdir', None, '', flag_values=values)
    return loader.read(*arguments.parse(['main.py', *words], values))


@pytest.mark.parametrize(('name', 'argument'), PARAMETERS)
def test_every_argument_of_its_network_is_a_field_of_every_config(name: str, argument: str | None) -> None:
    file = f'configs/{name}.py' + (f':{argument}' if argument else '')
    config, changes = loader.load(file, {})
    whole = config.to_dict()
    assert set(flatten(whole)) == set(fields_of(whole['model']['name'])) and changes == {}
    check(whole)
    # and each is changed by a command line to what it is
    given = {field: value for field, value in flatten(whole).items() if value is not None}
    again, changes = loader.load(file, given)
    assert again.to_dict() == whole and changes == {}


@pytest.mark.parametrize(
    ('file', 'words', 'expected'),
    [
        (DIGITS, ['--config.model.order=full_preactivation'], {'model.order': 'full_preactivation'}),
        (DIGITS, ['--config.model.unit=bottleneck', '--config.model.depth=29'], {'model.unit': 'bottleneck', 'model.depth': 29}),
        ('configs/preact_resnet110_cifar10.py', ['--config.model.shortcut=B'], {'model.shortcut': 'B'}),
        ('configs/resnet56_cifar10.py', ['--config.model.stage_sizes=(5,9,13)'], {'model.stage_sizes': (5, 9, 13)}),
        ('configs/resnet56_cifar10.py', ['--config.model.stage_sizes=5,9,13'], {'model.stage_sizes': (5, 9, 13)}),
        (DIGITS, ['--config.model.zero_last_scale', '--config.model.shortcut=B'],
         {'model.zero_last_scale': True, 'model.shortcut': 'B'}),
        (DIGITS, ['--config.model.name=cifar_plain'], {'model.name': 'cifar_plain'}),
        ('configs/plain20_cifar10.py', ['--config.model.name=cifar_resnet'], {'model.name': 'cifar_resnet'}),
        (
            DIGITS,
            ['--config.model.width=32', '--config.model.name=scaled_resnet', '--config.model.dropout=0.5'],
            {'model.name': 'scaled_resnet', 'model.width': 32, 'model.dropout': 0.5},
        ),
        (DIGITS, ['--config.model.name=identity4'], {'model.name': 'identity4'}),
        (DIGITS, ['--config.model.name=scaled_resnet', '--config.model.width=128'], {'model.name': 'scaled_resnet'}),
        (DIGITS, ['--config.seed', '3', '--config.dataset.flip', '--workdir=x'], {'seed': 3, 'dataset.flip': True}),
        (DIGITS, ['-config.seed=3', '--noconfig.dataset.flip'], {'seed': 3}),
        (DIGITS, ['--config.batch_size=64', '--config.train_for=12 epochs'], {}),
        (DIGITS, ['--config.seed=1', '--config.seed=2'], {'seed': 2}),
        (DIGITS, ['--config.schedule.drop_at=1 epoch', '--config.schedule.drop_at=2 epochs'], {'schedule.drop_at': ('1 epoch', '2 epochs')}),
        (DIGITS, ["--config.schedule.drop_at=('1 epoch', '2 epochs')"], {'schedule.drop_at': ('1 epoch', '2 epochs')}),
        (DIGITS, ['--config.schedule.drop_at=()'], {'schedule.drop_at': ()}),
        (DIGITS, ['--config.schedule.learning_rate=1', '--config.parallel.devices=1'], {'schedule.learning_rate': 1.0, 'parallel.devices': 1}),
        ('configs/resnet110_cifar10.py', ['--config.schedule.warmup_for=None', '--config.schedule.warmup_learning_rate=None'],
         {'schedule.warmup_for': None, 'schedule.warmup_learning_rate': None}),
        (DIGITS, ['--config.init_from=None'], {}),
    ],
)  # fmt: skip
def test_fields_are_changed_before_or_after_the_config(file: str, words: list[str], expected: dict[str, Any]) -> None:
    for command in ([f'--config={file}', *words], [*words, '--config', file]):
        loaded = of_command(*command)
        assert loaded.changes == expected
        values = flatten(loaded.config.to_dict())
        assert values.items() >= expected.items() and values.items() >= loaded.changes.items()
        check(loaded.config.to_dict())
        network(loaded.config.to_dict())  # there is such a one
        assert {type(values[name]) for name in expected} == {type(value) for value in expected.values()}


def test_a_file_of_flags_stands_for_its_lines(tmp_path: Path) -> None:
    (tmp_path / 'flags').write_text(f'--config={DIGITS}\n# a comment\n--config.seed=3\n')
    assert of_command(f'--flagfile={tmp_path / "flags"}', '--config.batch_size=32').changes == {
        'seed': 3,
        'batch_size': 32,
    }


def test_lists_of_a_file_become_tuples(tmp_path: Path) -> None:
    text = f'import runpy\n\ndef get_config():\n  config = runpy.run_path({str(ROOT / DIGITS)!r})["get_config"]()\n  '
    text += "with config.ignore_type():\n    config.schedule.drop_at = ['1 epoch']\n"
    (tmp_path / 'mine.py').write_text(text + '  return config\n')
    assert loader.load(str(tmp_path / 'mine.py'), {})[0].schedule.drop_at == ('1 epoch',)


def test_a_field_of_another_network_is_named_with_those_of_this() -> None:
    with pytest.raises(
        ConfigError, match='config.model.width: is not an argument of cifar_resnet, which has depth, unit, '
    ):
        loader.load(DIGITS, {'model.width': 3})


def test_a_shortcut_that_the_network_has_anyway_is_no_change() -> None:
    file = '--config=configs/resnet20_cifar10.py'
    assert of_command(file, '--config.model.shortcut=A').changes == {}
    assert of_command(file, '--config.model.shortcut=B').changes == {'model.shortcut': 'B'}
    changes = of_command(file, '--config.model.unit=bottleneck', '--config.model.shortcut=B').changes
    assert changes == {'model.unit': 'bottleneck'}
    assert of_command('--config=configs/plain20_cifar10.py', '--config.batch_size=64').changes == {'batch_size': 64}


def test_a_field_that_is_none_in_plain_dicts_takes_a_text_or_a_number(tmp_path: Path) -> None:
    config = loader.load('configs/resnet20_digits.py', {})[0].to_dict()
    (tmp_path / 'plain.py').write_text(f'def get_config():\n    return {config!r}\n')
    given = {'init_from': 'runs/x/seed0', 'keep_every': '1 epoch', 'schedule.warmup_learning_rate': '0.01'}
    loaded, changes = loader.load(str(tmp_path / 'plain.py'), given)
    assert changes == {**given, 'schedule.warmup_learning_rate': 0.01}
    check(loaded.to_dict())
