"""Bad input gives exit code 2 and one line that names the field or file, the value, and what is allowed."""

import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.numpy import save_file

from jax_resnet.errors import ConfigError
from jax_resnet.training.setup import Setup, set_up
from tests.conftest import Ended, of_damage, whole_config

ROOT = Path(__file__).parents[1]


class Harm:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple:
        return (Path.touch, (Path('harmed'),))


@pytest.fixture(scope='module')
def here(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the config of a finished run, and with files that are not valid."""
    here = tmp_path_factory.mktemp('bad')
    (here / 'none.py').write_text('def get_config():\n  pass')
    (here / 'same.py').write_text('from tests.conftest import small_config as get_config')
    (here / 'more.py').write_text('def get_config():\n  return {"speed": 3}')
    for name, file, content in (
        ('run-pickle', 'preprocessing.npz', pickle.dumps(Harm())),
        ('run-damaged', 'checkpoints/12/variables/manifest.ocdbt', b''),
    ):
        shutil.copytree(finished_run, here / name)
        (here / name / file).write_bytes(content)
    (here / 'run-damaged' / 'summary.json').unlink()  # not finished
    (here / 'run').symlink_to(finished_run)
    (here / 'weights.pth').write_bytes(pickle.dumps(Harm()))
    save_file({}, here / 'blank.safetensors')
    return here


# Each case: the command with its arguments, and a text in its line. {here} is the folder of the fixture `here`.
DIGITS = 'train --config=configs/resnet20_digits.py'
CASES = [
    # the command line of main.py
    ('train', '--config: must be given, such as --config=configs/resnet20_digits.py'),
    (f'{DIGITS} --workdir=', '--workdir: must name a folder; got none'),
    (f'{DIGITS} --workdir={{here}}/run-pickle', '/run-pickle: has a run of another config (config.'),
    ('train --config={here}/same.py --workdir={here}/run-damaged', '/run-damaged/checkpoints/12 is damaged'),
    # config files
    ('train --config=', '--config: must name a config file; got nothing'),
    ('train --config={here}/no.py', '/no.py: no such file; the files of this package are in its folder configs'),
    ('train --config={here}/none.py', '/none.py: its get_config must return a ConfigDict; it returns NoneType'),
    ('train --config={here}/more.py', 'config.speed: unknown field; the nearest are config.seed, '),
    ('train --config=configs/lab_cifar10.py:resnet57', "ValueError: unknown network 'resnet57'; known are"),
    # fields
    (f'{DIGITS} --config.seed', 'config.seed: has no value; must be an integer, at least 0'),
    (f'{DIGITS} --noconfig.seed', '--noconfig.seed: --no is allowed only for a field that is True or False, and'),
    # other commands
    ('evaluate {here}/weights.pth', 'weights.pth: must end in .safetensors; scripts/pth_to_safetensors.py'),
    ('evaluate {here}/run-pickle', 'run-pickle/preprocessing.npz cannot be read'),
    ('export {here}/run --out={here}', ': must be the path of a file'),
    ('convert {here}/blank.safetensors {here}/out.safetensors', 'blank.safetensors: must have arrays; it has none'),
]


@of_damage
@pytest.mark.parametrize(('line', 'message'), CASES)
def test_a_command_reports_the_error_in_one_line(
    line: str, message: str, here: Path, command: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(Setup, 'compile', None)  # train nothing
    words = line.replace('{here}', str(here)).split()
    if words[0] == 'train' and not any(word.startswith('--workdir') for word in words):
        words.append(f'--workdir={here}/new')
    code, _, errors = command(*words)
    assert code == 2
    assert re.fullmatch(r'error: [^\n]+\n', errors) and message in errors
    assert not list(here.glob('out*')) and not (here / 'new').exists() and not Path('harmed').exists()


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'batch_size': 201, 'batch_norm.group_size': 0}, 'config.batch_size=201: must be at most the 200 examples'),
        ({'batch_norm.group_size': 24}, 'config.batch_norm.group_size=24: the batch size, 32, must be a multiple of'),
        ({'train_for': '1e12 epochs'}, 'config.train_for'),
        ({'schedule.warmup_for': '3 steps'}, 'config.schedule.warmup_learning_rate: must be given with warmup_for'),
        ({'dataset.test_crop': 17}, 'test_crop=17: must be at most 18 and 16'),
        ({'memory.microbatches': 4}, 'config.memory.microbatches=4: each must have a multiple of 16 of the 32'),
        ({'dataset.pad_with': 'black'}, "config.dataset.pad_with='black'"),
        ({'dataset.normalization': 'channel'}, r'config.dataset.channel_mean=\(.*\): must be 1 numbers'),
    ],
)
def test_values_that_do_not_fit_each_other(changes: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        set_up(whole_config(**changes))
    assert '\n' not in str(error.value)
