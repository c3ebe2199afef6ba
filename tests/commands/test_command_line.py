"""The parser of all commands, and what they share. `slow/test_commands.py` starts them in processes of their own."""

from collections.abc import Callable
from pathlib import Path

import pytest

from jax_resnet import training
from jax_resnet.commands import command_line
from jax_resnet.errors import ConfigError
from tests.conftest import Ended

ROOT = Path(__file__).parents[2]
DIGITS = f'--config={ROOT}/configs/resnet20_digits.py'


def help_of(capsys: pytest.CaptureFixture, *words: str) -> str:
    with pytest.raises(SystemExit) as ended:
        command_line.main([*words, '--help'])
    assert ended.value.code == 0
    return str(capsys.readouterr().out)


def test_help_has_a_line_for_each_command(capsys: pytest.CaptureFixture) -> None:
    lines = [line.split(maxsplit=1) for line in help_of(capsys).splitlines()]
    about = dict(line for line in lines if line and line[0] in command_line.COMMANDS)
    assert [*about] == [*command_line.COMMANDS] and about['evaluate'].startswith('Evaluates a network on')
    for name in about:
        assert about[name] in help_of(capsys, name)


def test_help_lists_every_field_of_a_config(capsys: pytest.CaptureFixture) -> None:
    text = help_of(capsys, 'train', '--config.model.name=identity4', DIGITS)
    assert '--workdir' in text and 'model.stage_sizes=(2, 2, 2, 2)\n      units in each stage (a tuple of' in text
    assert 'schedule.warmup_for=\n' in text and 'model.depth' not in text


def test_a_folder_lists_its_configs(tmp_path: Path, command: Callable[..., Ended]) -> None:
    (tmp_path / 'good.py').write_text('"""A good one.\n\nMore."""\n\ndef get_config():\n  pass\n')
    (tmp_path / 'no_config.py').write_text('x = 1\n')
    (tmp_path / 'broken.py').write_text('def get_config(:\n')
    (tmp_path / 'binary.py').write_bytes(bytes(range(256)))
    (tmp_path / 'latin.py').write_bytes('"""Größe"""'.encode('latin-1'))
    (tmp_path / 'dangling.py').symlink_to('nowhere')
    (tmp_path / 'folder.py').mkdir()
    code, out, err = command('train', f'--config={tmp_path}')
    assert code == 0 and not err
    lines = {line.split(':')[0].rpartition('/')[2]: line.partition(': ')[2] for line in out.splitlines()}
    assert lines.pop('good.py') == 'A good one.'
    assert set(lines) == {'broken.py', 'binary.py', 'latin.py', 'dangling.py', 'folder.py'}
    assert all(line.startswith('cannot be read (') for line in lines.values())


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        ((), 'the following arguments are required: COMMAND'),
        (('evaluate', 'run', 'more'), "unknown argument 'more'; fields are changed by --config.field=value"),
        (('evaluate', 'run', '--config.seed=1'), '--config.seed: must be given with --config=FILE, which it changes'),
        (('predict', 'run', 'a' * 300), f'{"a" * 300}: File name too long'),
        (('train', DIGITS, '--processes=two'), "argument --processes: invalid int value: 'two'"),
        (
            ('export', 'results/weights/resnet20_digits.safetensors', '--out=net.json'),
            '--out=net.json: must not end in .json, where the description is written',
        ),
    ],
)
def test_an_error_is_one_line(words: tuple[str, ...], message: str, command: Callable[..., Ended]) -> None:
    assert command(*words) == (2, '', f'error: {message}\n')


def test_debug_shows_the_traceback() -> None:
    with pytest.raises(ConfigError, match='config.seed=-1: must be'):
        command_line.main(['train', DIGITS, '--config.seed=-1', '--debug'])


def test_the_options_of_train_reach_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[..., Ended]
) -> None:
    def train(config: object, workdir: str, **options: object) -> dict:
        assert options['extend_from'] == f'{tmp_path}/short' and options['profile']
        return {'final_test_error': 1.5}

    monkeypatch.setattr(training, 'train', train)
    words = ('train', DIGITS, f'--workdir={tmp_path}/long', '--extend-from', f'{tmp_path}/short', '--profile')
    assert command(*words) == (0, '', '')
    assert command(*words, '--quiet') == (0, f'{tmp_path}/long: test error 1.50 %\n', '')


def test_a_run_cannot_extend_itself(tmp_path: Path, command: Callable[..., Ended]) -> None:
    ended = command('train', DIGITS, f'--workdir={tmp_path}/run', f'--extend-from={tmp_path}/run')
    assert ended[::2] == (2, f'error: --extend-from={tmp_path}/run: must be another folder than --workdir\n')
