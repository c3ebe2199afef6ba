"""Bad input gives exit code 2 and one line that names the field or file, the value, and what is allowed."""

import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.numpy import save_file

from jax_resnet.data import cifar
from jax_resnet.errors import ConfigError
from jax_resnet.training.setup import set_up
from tests.conftest import Ended, of_damage, whole_config
from tests.training.conftest import loop

ROOT = Path(__file__).parents[1]


class Harm:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple:
        return (Path.touch, (Path('harmed'),))


@pytest.fixture(scope='module')
def here(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the config of a finished run, and with files that are not valid."""
    import tensorflow_datasets  # noqa: F401  # defines flags, and a test saves the flags

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
    (here / 'weights.pth').write_bytes(pickle.dumps(Harm()))
    save_file({}, here / 'blank.safetensors')
    (here / 'data-infoless' / 'cifar10' / '3.0.2').mkdir(parents=True)
    return here


# Each case: the command with its arguments, and a text in its line. {here} is the folder of the fixture `here`.
DIGITS = 'train --config=configs/resnet20_digits.py'
SMALL = 'train --config=configs/resnet20_cifar10.py --config.batch_size=16 --config.batch_norm.group_size=0 --config.model.depth=8'
CASES = [
    # the command line of main.py
    ('train', '--config: must be given, such as --config=configs/resnet20_digits.py'),
    (f'{DIGITS} --workdir=', '--workdir: must name a folder; got none'),
    (f'{DIGITS} --workdir={{here}}/run-pickle', '/run-pickle: has a run of another config (config.'),
    ('train --config={here}/same.py --workdir={here}/run-damaged', '/run-damaged/checkpoints/12 is damaged'),
    # config files
    ('train --config=', '--config=.: must be a config file, or a folder with some; it has none'),
    ('train --config={here}/no.py', '/no.py: no such file; the files of this package are in its folder configs'),
    ('train --config={here}/none.py', '/none.py: its get_config must return a ConfigDict; it returns NoneType'),
    ('train --config={here}/more.py', 'config.speed: unknown field; the nearest are config.seed, '),
    (
        'train --config=configs/lab_cifar10.py:resnet57',
        "py:resnet57: ValueError: unknown network 'resnet57'; known are",
    ),
    # fields
    (f'{DIGITS} --config.seed', 'config.seed: has no value; must be an integer, at least 0'),
    (f'{DIGITS} --noconfig.seed', '--noconfig.seed: --no is allowed only for a field that is True or False, and'),
    # data
    (f'{SMALL} --config.dataset.data_dir={{here}}/gone', '/gone (dataset.data_dir)'),
    (
        'data cifar10 --data-dir={here}/data-infoless',
        '/data-infoless/cifar10/3.0.2: must be a folder of prepared TFDS data',
    ),
    # other commands
    ('evaluate {here}/weights.pth', 'weights.pth: must end in .safetensors; scripts/pth_to_safetensors.py'),
    ('evaluate {here}/run-pickle', 'run-pickle/preprocessing.npz cannot be read'),
    (
        'export results/weights/resnet20_digits.safetensors --out={here}/none/net.jaxexport',
        'net.jaxexport: No such file or directory',
    ),
    ('convert {here}/blank.safetensors {here}/out.safetensors', 'blank.safetensors: must have arrays; it has none'),
]


@of_damage
@pytest.mark.parametrize(('line', 'message'), CASES)
def test_a_command_reports_the_error_in_one_line(
    line: str, message: str, here: Path, command: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(loop, 'compile_training', None)  # train nothing
    monkeypatch.setattr(cifar, 'HOST', 'http://127.0.0.1:9/')  # download nothing
    monkeypatch.setenv('XDG_CACHE_HOME', str(here / 'cache'))
    shutil.rmtree(here / 'new', ignore_errors=True)
    words = line.replace('{here}', str(here)).split()
    if words[0] == 'train' and not any(word.startswith('--workdir') for word in words):
        words.append(f'--workdir={here}/new')
    code, _, errors = command(*words)
    assert code == 2
    assert re.fullmatch(r'error: [^\n]+\n', errors) and message in errors
    assert not list(here.glob('out*')) and not Path('harmed').exists()
    if (here / 'new').exists():  # only for errors that a command finds when it reads the data
        assert '/data-' in line and not list((here / 'new' / 'checkpoints').glob('*'))


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'batch_size': 201, 'batch_norm.group_size': 0}, 'config.batch_size=201: must be at most the 200 examples'),
        ({'batch_norm.group_size': 24}, 'config.batch_norm.group_size=24: the batch size, 32, must be a multiple of'),
        ({'train_for': '1e12 epochs'}, 'config.train_for'),
        ({'schedule.warmup_for': '3 steps'}, 'config.schedule.warmup_learning_rate: must be given with warmup_for'),
        ({'dataset.test_crop': 17}, 'test_crop=17: must be at most 18 and 16'),
        (
            {'memory.microbatches': 4},
            'config.memory.microbatches=4: each must have a multiple of 16 of the 32 examples',
        ),
        ({'dataset.pad_with': 'black'}, "config.dataset.pad_with='black'"),
        ({'dataset.normalization': 'channel'}, r'config.dataset.channel_mean=\(.*\): must be 1 numbers'),
        ({'model.num_classes': 100}, 'config.model.num_classes=100: must be 10, the classes of digits'),
    ],
)
def test_values_that_do_not_fit_each_other(changes: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        set_up(whole_config(**changes))
    assert '\n' not in str(error.value)
