"""A config file, and fields changed in it, as a command line has them."""

import json
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest
from ml_collections import ConfigDict

from configs import resnet20_digits
from jax_resnet.config import loading
from jax_resnet.config.arguments import separate
from jax_resnet.config.fields import (
    FIELDS,
    NETWORKS,
    CifarPlain,
    CifarResNet,
    Config,
    fields_with,
    flatten,
)
from jax_resnet.config.loading import as_config, change, load
from jax_resnet.config.network import network
from jax_resnet.errors import ConfigError
from tests.conftest import small_config
from tests.test_parameter_counts import CONFIGS

ROOT = Path(__file__).parents[2]
DIGITS = 'configs/resnet20_digits.py'


@pytest.fixture(autouse=True)
def _in_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def of_command(*words: str) -> tuple[Config, dict[str, Any]]:
    """The config of a command line, and the changes in it."""
    _, file, changes = separate(words)
    assert file is not None
    return load(file, changes)


@pytest.mark.parametrize(('name', 'argument'), CONFIGS)
def test_every_argument_of_its_network_is_a_field_of_every_config(name: str, argument: str | None) -> None:
    file = f'configs/{name}.py' + (f':{argument}' if argument else '')
    config, changes = load(file, {})
    assert set(flatten(config)) == set(fields_with(config.model.name)) and changes == {}
    # and each is changed by a command line to what it is
    for convert in (str, lambda value: value):
        assert load(file, {field: convert(value) for field, value in flatten(config).items()}) == (config, {})


@pytest.mark.parametrize(
    ('file', 'words', 'expected'),
    [
        (DIGITS, ['--config.model.unit=bottleneck', '--config.model.depth=29'], {'model.unit': 'bottleneck', 'model.depth': 29}),
        ('configs/resnet56_cifar10.py', ['--config.model.stage_sizes=5,9,13'], {'model.stage_sizes': (5, 9, 13)}),
        (DIGITS, ['--config.model.zero_last_scale', '--config.model.shortcut=B'],
         {'model.zero_last_scale': True, 'model.shortcut': 'B'}),
        (
            DIGITS,
            ['--config.model.width=32', '--config.model.name=scaled_resnet', '--config.model.dropout=0.5'],
            {'model.name': 'scaled_resnet', 'model.width': 32, 'model.dropout': 0.5},
        ),
        (DIGITS, ['--config.model.name=scaled_resnet', '--config.model.width=128'], {'model.name': 'scaled_resnet'}),
        (DIGITS, ['--config.seed', '3', '--config.dataset.flip', '--workdir=x'], {'seed': 3, 'dataset.flip': True}),
        (DIGITS, ['-config.seed=3', '--noconfig.dataset.flip'], {'seed': 3}),
        (DIGITS, ['--config.batch_size=64', '--config.train_for=12 epochs'], {}),
        (DIGITS, ['--config.seed=1', '--config.seed=2'], {'seed': 2}),
        (DIGITS, ['--config.schedule.drop_at=1 epoch', '--config.schedule.drop_at=2 epochs'], {'schedule.drop_at': ('1 epoch', '2 epochs')}),
        (DIGITS, ["--config.schedule.drop_at=('1 epoch', '2 epochs')"], {'schedule.drop_at': ('1 epoch', '2 epochs')}),
        (DIGITS, ['--config.schedule.drop_at=1 epoch,2 epochs'], {'schedule.drop_at': ('1 epoch', '2 epochs')}),
        (DIGITS, ['--config.schedule.drop_at=()'], {'schedule.drop_at': ()}),
        (DIGITS, ['--config.schedule.learning_rate=1', '--config.parallel.devices=1'], {'schedule.learning_rate': 1.0, 'parallel.devices': 1}),
        ('configs/resnet110_cifar10.py', ['--config.schedule.warmup_for=None', '--config.schedule.warmup_learning_rate=None'],
         {'schedule.warmup_for': None, 'schedule.warmup_learning_rate': None}),
    ],
)  # fmt: skip
def test_fields_are_changed_before_or_after_the_config(file: str, words: list[str], expected: dict[str, Any]) -> None:
    for command in ([f'--config={file}', *words], [*words, '--config', file]):
        config, changes = of_command(*command)
        assert changes == expected
        values = flatten(config)
        assert values.items() >= expected.items()
        network(config)  # there is such a one
        assert {type(values[name]) for name in expected} == {type(value) for value in expected.values()}


def test_other_words_are_left() -> None:
    rest, file, changes = separate(
        ['runs/x', '--split', 'test', f'--config={DIGITS}', '--noconfig.dataset.flip', '--n=3']
    )
    assert (rest, file, changes) == (['runs/x', '--split', 'test', '--n=3'], DIGITS, {'dataset.flip': 'False'})


def test_a_config_is_typed_and_whole_whatever_gives_it(tmp_path: Path) -> None:
    config, _ = load(DIGITS, {})
    assert config.schedule.learning_rate == 0.1 and config.model == CifarResNet(depth=20)
    plain = msgspec.to_builtins(config)
    assert as_config(resnet20_digits.get_config()) == as_config(plain) == as_config(config) == config
    assert as_config(json.loads(json.dumps(plain))) == config  # tuples are lists there
    assert as_config({'model': {'name': 'cifar_plain', 'depth': 8}}) == Config(model=CifarPlain(depth=8))  # defaults
    changed = as_config(ConfigDict({'batch_size': np.int64(8), 'dataset': {'channel_std': np.ones(3)}}))
    assert (changed.batch_size, changed.dataset.channel_std) == (8, (1.0, 1.0, 1.0)) and type(changed.batch_size) is int
    (tmp_path / 'plain.py').write_text(f'def get_config():\n    return {plain!r}\n')
    given = {'init_from': 'runs/x/seed0', 'keep_every': '1 epoch', 'schedule.warmup_learning_rate': '0.01'}
    _, changes = load(str(tmp_path / 'plain.py'), given)
    assert changes == given | {'schedule.warmup_learning_rate': 0.01}


def test_the_base_config_has_every_field() -> None:
    assert {name for name in flatten(small_config()) if not name.startswith('model.')} == FIELDS.keys() - {'model.name'}


def test_a_shortcut_that_the_network_has_anyway_is_no_change() -> None:
    file = '--config=configs/resnet20_cifar10.py'
    assert of_command(file, '--config.model.shortcut=A')[1] == {}
    assert of_command(file, '--config.model.shortcut=B')[1] == {'model.shortcut': 'B'}


@pytest.mark.parametrize(
    ('model', 'network', 'expected'),
    [
        ({'name': 'cifar_resnet', 'depth': 20, 'num_classes': 100}, 'cifar_plain', {'depth': 20, 'num_classes': 100}),
        ({'name': 'cifar_plain', 'depth': 20}, 'cifar_resnet', {'depth': 20, 'shortcut': ''}),
        ({'name': 'cifar_plain', 'depth': 18, 'num_classes': 10}, 'imagenet_resnet', {'depth': 18, 'num_classes': 10}),
    ],
)
def test_another_network_takes_its_own_defaults(
    model: dict[str, Any], network: str, expected: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / 'mine.py').write_text(f'def get_config():\n    return {{"model": {model!r}}}\n')
    config, _ = load(str(tmp_path / 'mine.py'), {'model.name': network})
    assert config.model == msgspec.convert({'name': network, **expected}, NETWORKS[network])


def _value_error(changes: dict[str, Any], config: Any = None) -> str:
    with pytest.raises(ConfigError) as error:
        change(as_config(config or {}), changes)
    assert '\n' not in str(error.value)
    return str(error.value)


def test_what_another_network_lacks_is_an_error() -> None:
    for changes, message in (
        ({'model.name': 'scaled_resnet', 'batch_size': 3}, "has no argument order, which the config sets to 'full_pre"),
        ({'model.name': 'resnet'}, "config.model.name='resnet': must be one of cifar_resnet, cifar_plain, "),
    ):
        with pytest.raises(ConfigError, match=message):
            load('configs/preact_resnet20_cifar10.py', changes)
    with pytest.raises(ConfigError, match='config.model.depth: is missing .weighted layers'):
        load('configs/identity4_cifar10.py', {'model.name': 'cifar_resnet', 'model.stage_sizes': ''})
    assert _value_error({'model.width': 3}).startswith(
        'config.model.width: is not an argument of cifar_resnet, which has'
    )


@pytest.mark.parametrize(
    ('name', 'meant'),
    [
        ('lr', 'schedule.learning_rate'),
        ('epochs', 'train_for'),
        ('model.layers', 'model.depth'),
        ('schedule.learnin_rate', 'schedule.learning_rate'),
    ],
)
def test_an_unknown_field_names_the_nearest(name: str, meant: str) -> None:
    assert _value_error({name: 1}).startswith(f'config.{name}: unknown field; the nearest are config.{meant}, config.')


def test_a_group_names_its_fields() -> None:
    assert _value_error({'loss': 1}) == 'config.loss: is a group of fields: config.loss.label_smoothing'
    with pytest.raises(ConfigError, match='config.loss: is a group of fields'):
        as_config({'loss': 1})


def test_configs_are_loaded_in_several_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that has loaded its config leaves `configs` importable for one that still loads."""
    monkeypatch.setattr(sys, 'path', [path for path in sys.path if path not in ('', str(loading.HOME))])
    first, second = threading.Event(), threading.Event()
    files = {name: tmp_path / f'{name}.py' for name in ('first', 'second')}
    for file in files.values():
        file.write_text('import meeting, sys\ndef get_config(): return meeting.functions[__file__](sys.path)\n')
    thread = threading.Thread(target=loading.run, args=(str(files['first']), 'config'))

    def in_first(path: list[str]) -> None:
        first.set()
        second.wait(60)

    def in_second(path: list[str]) -> bool:
        second.set()
        thread.join(60)
        return str(loading.HOME) in path

    functions = {str(files['first']): in_first, str(files['second']): in_second}
    monkeypatch.setitem(sys.modules, 'meeting', SimpleNamespace(functions=functions))
    before = [*sys.path]
    thread.start()
    first.wait(60)
    assert loading.run(str(files['second']), 'config')[1]
    assert sys.path == before
