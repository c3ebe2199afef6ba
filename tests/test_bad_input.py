"""Bad input gives exit code 2 and one line that names the field or file, the value, and what is allowed."""

import importlib
import json
import os
import pickle
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from absl.testing import flagsaver
from PIL import Image
from safetensors.numpy import save_file

import main
from jax_resnet import training
from jax_resnet.config.loading import as_config, load
from jax_resnet.data import cifar
from jax_resnet.errors import ConfigError
from jax_resnet.training.setup import set_up
from tests.conftest import of_damage, small_config, whole_config
from tests.training.conftest import loop

ROOT = Path(__file__).parents[1]


class Harm:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple:
        return (Path.touch, (Path('harmed'),))


@pytest.fixture(scope='module')
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trained run, and with files that are not valid."""
    here = tmp_path_factory.mktemp('bad')
    (here / 'file').write_text('a file')
    (here / 'empty').mkdir()
    _make_configs(here)
    training.train(load(str(here / 'same.py'), {})[0], here / 'run')
    _make_images(here)
    _make_weights(here)
    _make_runs(here)
    _make_data(here)
    return here


def _make_configs(here: Path) -> None:
    good = 'from configs.resnet20_digits import get_config as base\ndef get_config():\n  config = base()\n  '
    texts = {
        'raises': "def get_config():\n  raise RuntimeError('no such luck')",
        'exits': 'import sys\ndef get_config():\n  sys.exit(3)',
        'divides': '1 / 0',
        'lacks': 'config = {}',
        'syntax': 'def get_config(:',
        'imports': 'import no_such_module',
        'none': 'def get_config():\n  pass',
        'plain': 'def get_config():\n  return {"seed": 1}',
        'argument': 'def get_config(which):\n  return None',
        'same': good + "config.model.unit, config.model.depth, config.train_for = 'one_layer', 5, '4 epochs'\n  "
        "config.evaluate_every = config.checkpoint_every = '4 epochs'\n  return config",
        'more': good + 'config.speed = 3\n  return config',
        'nameless': good + 'del config.model.name\n  return config',
        'digits': good + 'config.seed = 10**5000\n  return config',
        'rate': good + 'config.schedule.learning_rate = 10**5000\n  return config',
        'cyclic': 'def get_config():\n  config = {"model": {}}\n  config["model"]["model"] = config\n  return config',
        'cyclic_list': good + 'rates = []\n  rates.append(rates)\n  config.schedule.drop_at = rates\n  return config',
        'deep': good + 'config.dataset.shape = {"height": 8}\n  return config',
        'number': 'def get_config():\n  return {1: 2}',
        'dotted': 'def get_config():\n  return {"a.b": 2}',
        'unhashable': good + 'config.model.unlock()\n  with config.ignore_type():\n    '
        'config.model.name = ["cifar_resnet"]\n  return config',
    }
    for name, text in texts.items():
        (here / f'{name}.py').write_text(text)
    (here / 'binary.py').write_bytes(bytes(range(256)))
    os.mkfifo(here / 'pipe')


def _make_images(here: Path) -> None:
    Image.fromarray(np.zeros((99, 99), np.uint8)).save(here / 'whole.png')
    (here / 'half.png').write_bytes((here / 'whole.png').read_bytes()[:60])
    (here / 'text.png').write_text('no image')
    (here / 'nothing.png').write_bytes(b'')
    (here / 'pickle.png').write_bytes(pickle.dumps(Harm()))


def _make_weights(here: Path) -> None:
    (here / 'pickle.npz').write_bytes(pickle.dumps(Harm()))
    (here / 'pickle.safetensors').write_bytes(pickle.dumps(Harm()))
    np.savez(here / 'object.npz', x=np.array([Harm()], dtype=object))
    (here / 'text.safetensors').write_text('no weights')
    (here / 'nothing.safetensors').write_bytes(b'')
    (here / 'nothing.npz').write_bytes(b'')
    save_file({'conv1.weight': np.zeros((16, 3, 3, 3), np.float32)}, here / 'whole.safetensors')
    (here / 'half.safetensors').write_bytes((here / 'whole.safetensors').read_bytes()[:500])
    np.savez(here / 'whole.npz', **{'params/head/bias': np.zeros(10)})
    (here / 'half.npz').write_bytes((here / 'whole.npz').read_bytes()[:100])
    np.savez(here / 'foreign.npz', **{'encoder.weight': np.zeros(3)})
    np.savez(here / 'shape.npz', **{'conv1.weight': np.zeros(3)})
    np.savez(here / 'ours.npz', **{'params/encoder/weights': np.zeros(3)})
    np.savez(here / 'blank.npz')
    np.savez(here / 'twice.npz', **{'params/stem': np.zeros(3), 'params/stem/conv/kernel': np.zeros(3)})
    (here / 'weights.pth').write_bytes(pickle.dumps(Harm()))


def _make_runs(here: Path) -> None:
    def damaged(name: str, file: str, content: bytes | None) -> None:
        shutil.copytree(here / 'run', here / name)
        path = here / name / file
        path.unlink() if content is None else path.write_bytes(content)

    damaged('run-cut', 'config.json', b'{"seed": 0,')
    damaged('run-list', 'config.json', b'[]')
    damaged('run-less', 'config.json', b'{"file": null}')
    damaged('run-pickle', 'preprocessing.npz', pickle.dumps(Harm()))
    damaged('run-blind', 'preprocessing.npz', None)
    damaged('run-damaged', 'checkpoints/90/variables/manifest.ocdbt', b'')
    damaged('run-summary', 'summary.json', b'')
    (here / 'run-damaged' / 'summary.json').unlink()  # not finished
    damaged('run-metrics', 'summary.json', None)
    (here / 'run-metrics' / 'metrics.jsonl').write_text('{"step": 3\n{"step": 4}\n')
    config = json.loads((here / 'run' / 'config.json').read_text())
    config['fields']['model']['depth'] = 8
    damaged('run-other', 'config.json', json.dumps(config).encode())
    shutil.copytree(here / 'run', here / 'run-new')
    shutil.rmtree(here / 'run-new' / 'checkpoints')


def _make_data(here: Path) -> None:
    """Makes an archive of CIFAR-10 with other examples, and folders that look like prepared data."""
    archive = here / 'archive' / 'cifar-10-batches-bin'
    archive.mkdir(parents=True)
    for file in [*(f'data_batch_{number}.bin' for number in range(1, 6)), 'test_batch.bin']:
        (archive / file).write_bytes(bytes(24 * 3073))
    for name, info in (('infoless', None), ('text', 'no JSON')):
        folder = here / f'data-{name}' / 'cifar10' / '3.0.2'
        folder.mkdir(parents=True)
        if info is not None:
            (folder / 'dataset_info.json').write_text(info)
    import tensorflow_datasets  # noqa: F401  # defines flags, and a test saves the flags


# Each case: the command with its arguments, and a text in its line. {here} is the folder of the fixture `here`.
DIGITS = 'main --config=configs/resnet20_digits.py'
SMALL = 'main --config=configs/resnet20_cifar10.py --config.batch_size=16 --config.batch_norm.group_size=0 --config.model.depth=8'
CASES = [
    # main.py: the command line
    ('main', '--config: must be given, such as --config=configs/resnet20_digits.py'),
    ('main --confg=3', "Unknown command line flag 'confg'. Did you mean: config ?"),
    (f'{DIGITS} batch_size=3', "unknown argument 'batch_size=3'; fields are changed by --config.field=value"),
    (f'{DIGITS} --workdir=', '--workdir: must name a folder; got none'),
    (f'{DIGITS} --workdir={{here}}/file', '/file: must be a folder, or a path where one can be made (File exists)'),
    (
        f'{DIGITS} --workdir={{here}}/file/run',
        '/file/run: must be a folder, or a path where one can be made (Not a directory)',
    ),
    (f'{DIGITS} --workdir=/proc/x', '/proc/x: must be a folder, or a path where one can be made'),
    (f'{DIGITS} --workdir={{here}}/run', '/run: has a run of another config (config.'),
    ('main --config={here}/same.py --workdir={here}/run-summary', '/run-summary/summary.json is damaged'),
    ('main --config={here}/same.py --workdir={here}/run-metrics', '/run-metrics/metrics.jsonl: line 1 is damaged'),
    ('main --config={here}/same.py --workdir={here}/run-damaged', '/run-damaged/checkpoints/90 is damaged'),
    # config files
    ('main --config=', '--config=.: must be a config file, or a folder with some; it has none'),
    ('main --config={here}/no.py', '/no.py: no such file; the files of this package are in its folder configs'),
    ('main --config={here}/empty', '/empty: must be a config file, or a folder with some; it has none'),
    ('main --config={here}/raises.py', '/raises.py: RuntimeError: no such luck'),
    ('main --config={here}/divides.py', '/divides.py: ZeroDivisionError: division by zero'),
    ('main --config={here}/lacks.py', '/lacks.py: must be a config file; it has no function get_config'),
    ('main --config={here}/syntax.py', '/syntax.py: SyntaxError: invalid syntax (syntax.py, line 1)'),
    ('main --config={here}/imports.py', "/imports.py: ModuleNotFoundError: No module named 'no_such_module'"),
    ('main --config={here}/binary.py', '/binary.py: SyntaxError: source code string cannot contain null bytes'),
    ('main --config={here}/none.py', '/none.py: its get_config must return a ConfigDict; it returns NoneType'),
    ('main --config={here}/argument.py', '/argument.py: TypeError: get_config() missing 1 required positional'),
    ('main --config={here}/plain.py --config.seed=-1', 'config.seed=-1: must be an integer, at least 0'),
    ('main --config={here}/nameless.py', 'config.model.name: is missing (the network); must be one of cifar_resnet, '),
    (
        'main --config={here}/digits.py',
        'config.seed=a huge integer: must be an integer, at least 0',
    ),
    ('main --config={here}/rate.py', '/rate.py: OverflowError: int too large to convert to float'),
    ('main --config={here}/cyclic.py', 'config: must be groups of fields that do not contain themselves'),
    ('main --config={here}/cyclic_list.py', 'config: must be groups of fields that do not contain themselves'),
    ('main --config={here}/deep.py', 'config.dataset.shape: unknown field; the nearest are config.'),
    ('main --config={here}/number.py', 'config: must be a group of fields by name'),
    ('main --config={here}/dotted.py', 'config.a.b: unknown field; the nearest are config.'),
    ('main --config={here}/unhashable.py', "config.model.name=('cifar_resnet',): must be one of cifar_resnet, "),
    ('main --config={here}/pipe', '/pipe: no such file; the files of this package'),
    (f'{DIGITS} --flagfile={{here}}/binary.py', "'utf-8' codec can't decode"),
    (f'{DIGITS} --profile=maybe', 'flag --profile=maybe: '),
    ('main --config={here}/more.py', 'config.speed: unknown field; the nearest are config.seed, '),
    ('main --config=configs/resnet20_digits.py:x', 'digits.py:x: TypeError: get_config() takes 0 positional arguments'),
    ('main --config=configs/lab_cifar10.py:resnet57', "py:resnet57: ValueError: unknown network 'resnet57'; known are"),
    ('main --config={here}/exits.py', '/exits.py: SystemExit: 3'),
    # fields
    (f'{DIGITS} --config.batchsize=3', 'config.batchsize: unknown field; the nearest are config.batch_size, '),
    (f'{DIGITS} --config.sed=3', 'config.sed: unknown field; the nearest are config.seed, '),
    (f'{DIGITS} --config.learning_rate=1', 'unknown field; the nearest are config.schedule.learning_rate, '),
    (
        f'{DIGITS} --config.schedule=1',
        'config.schedule: is a group of fields: config.schedule.name, config.schedule.learning_rate, ',
    ),
    (f'{DIGITS} --config.lr=3', 'config.lr: unknown field; the nearest are config.schedule.learning_rate, '),
    (f'{DIGITS} --config.schedule.lr=3', 'schedule.lr: unknown field; the nearest are config.schedule.learning_rate, '),
    (f'{DIGITS} --config.model.layers=8', 'config.model.layers: unknown field; the nearest are config.model.depth, '),
    (f'{DIGITS} --config.seed', 'config.seed: has no value; must be an integer, at least 0'),
    (f'{DIGITS} --noconfig.seed', '--noconfig.seed: --no is allowed only for a field that is True or False, and'),
    (
        'main --config=configs/plain20_cifar10.py --config.model.shortcut=A',
        "shortcut='A': must be one of none",
    ),
    (
        f'{DIGITS} --config.model.width=8',
        'config.model.width: is not an argument of cifar_resnet, which has depth, unit, ',
    ),
    (
        f'{DIGITS} --config.model.order=mixed',
        "config.model.order='mixed': must be one of original, bn_after_addition, ",
    ),
    (f'{DIGITS} --config.model.stage_sizes=5,9', 'config.model: stage_sizes must be 3 counts, 9 in all at depth 20'),
    (f'{DIGITS} --config.model.stage_sizes=5,9,13', 'config.model: stage_sizes must be 3 counts, 9 in all at depth 20'),
    (f'{DIGITS} --config.model.unit=bottleneck --config.model.depth=21', 'config.model: depth must be 9n+2'),
    (f'{DIGITS} --config.model.name=resnet', "config.model.name='resnet': must be one of cifar_resnet, cifar_plain, "),
    (f'{DIGITS} --config.model.name=imagenet_resnet', 'config.model: depth must be one of 18, 34, 50, '),
    (f'{DIGITS} --config.model.name=identity4 --config.model.depth=8', 'model.depth: is not an argument of identity4'),
    (
        'main --config=configs/preact_resnet110_cifar10.py --config.model.name=scaled_resnet',
        "config.model.name='scaled_resnet': has no argument order, which the config sets to 'full_preactivation'; its a",
    ),
    (
        'main --config=configs/identity4_cifar10.py --config.model.name=cifar_resnet --config.model.stage_sizes=3,3,3',
        'config.model.depth: is missing (weighted layers: 6n+2',
    ),
    (f'{DIGITS} --config.train_for=1e9999999', "config.train_for='1e9999999': must be a positive number and a unit"),
    (f'{DIGITS} --config.batch_size=x', "config.batch_size='x': must be an integer, at least 1, below 4,294,967,296"),
    (f'{DIGITS} --config.batch_size=', "config.batch_size='': must be an integer"),
    (f'{DIGITS} --config.batch_size=2.5', 'config.batch_size=2.5: must be an integer'),
    (
        f'{DIGITS} --config.batch_size=1438 --config.parallel.devices=1',
        "config.batch_size=1438: must be at most the 1437 examples of 'train'",
    ),
    (f'{DIGITS} --config.dataset.flip=maybe', "config.dataset.flip='maybe': must be True or False"),
    (f'{DIGITS} --config.model.depth=deep', "config.model.depth='deep': must be an integer, at least 1"),
    (f'{DIGITS} --config.schedule.learning_rate=nan', "learning_rate='nan': must be a number, at least 1.2e-38"),
    (
        f'{DIGITS} --config.seed=99999999999999999999',
        'seed=99999999999999999999: must be an integer, at least 0',
    ),
    (f'{DIGITS} --config.dataset.train=trian', "split 'trian' of digits: 'trian' is unknown"),
    (
        f'{DIGITS} --config.dataset.train=train[:0]',
        "split 'train[:0]' of digits has a part without examples, from 0 to 0",
    ),
    (f'{DIGITS} --config.dataset.validation=train[2000:]', "split 'train[2000:]' of digits"),
    (f'{DIGITS} --config.dataset.test=', "split '' of digits"),
    (
        f'{DIGITS} --config.dataset.name=cifar11',
        "config.dataset.name='cifar11': must be one of cifar10, cifar100, digits",
    ),
    # data
    (
        f'{SMALL} --config.dataset.data_dir={{here}}/gone',
        '/gone, and http://127.0.0.1:9/cifar-10-binary.tar.gz cannot be',
    ),
    # other commands
    ('predict {here}/run {here}/half.png', 'half.png: cannot be read as an image'),
    ('predict {here}/run {here}/text.png', 'text.png: cannot be read as an image'),
    ('predict {here}/run {here}/nothing.png', 'nothing.png: cannot be read as an image'),
    ('predict {here}/run {here}/pickle.png', 'pickle.png: cannot be read as an image'),
    ('predict {here}/run {here}/none.png', 'none.png: cannot be read as an image'),
    ('predict {here}/run {here}/empty', 'empty: cannot be read as an image'),
    ('predict {here}/none {here}/whole.png', 'none: must be a run folder'),
    ('predict {here}/file {here}/whole.png', 'file: must be a run folder'),
    ('evaluate {here}/empty', 'empty: must be a run folder; it has no config.json'),
    ('evaluate {here}/weights.pth', 'weights.pth: must end in .safetensors or .npz; scripts/pth_to_safetensors.py'),
    ('evaluate {here}/run-new', 'run-new: has no checkpoint yet'),
    ('evaluate {here}/run-cut', 'run-cut/config.json is damaged'),
    ('evaluate {here}/run-list', 'run-list/config.json is damaged: Expected `object`, got `array`'),
    ('evaluate {here}/run-less', 'run-less/config.json is damaged: Object missing required field `changes`'),
    ('evaluate {here}/run-pickle', 'run-pickle/preprocessing.npz cannot be read'),
    ('evaluate {here}/run-blind', 'run-blind/preprocessing.npz cannot be read'),
    ('evaluate {here}/run-damaged', '/run-damaged/checkpoints/90 is damaged'),
    ('evaluate {here}/run-other', '/run-other/checkpoints/90 is damaged: User-provided restore item'),
    ('evaluate {here}/run --split=tset', "split 'tset'"),
    ('evaluate {here}/run --split=test[:0]', "split 'test[:0]' of digits has a part without examples"),
    ('evaluate {here}/run --split=', "split '' of digits"),
    ('export {here}/run --out={here}/none/net.jaxexport', 'net.jaxexport: cannot be written'),
    ('export {here}/run --out={here}/empty', 'empty: cannot be written'),
    ('export {here}/none --out={here}/net.jaxexport', 'must be a run folder'),
    ('convert {here}/pickle.npz {here}/out.npz', 'pickle.npz: cannot be read as weights'),
    ('convert {here}/pickle.safetensors {here}/out.npz', 'pickle.safetensors: cannot be read as weights'),
    ('convert {here}/object.npz {here}/out.npz', 'object.npz: cannot be read as weights'),
    ('convert {here}/text.safetensors {here}/out.npz', 'text.safetensors: cannot be read as weights'),
    ('convert {here}/nothing.safetensors {here}/out.npz', 'nothing.safetensors: cannot be read as weights'),
    ('convert {here}/nothing.npz {here}/out.npz', 'nothing.npz: cannot be read as weights'),
    ('convert {here}/half.safetensors {here}/out.npz', 'half.safetensors: cannot be read as weights'),
    ('convert {here}/half.npz {here}/out.npz', 'half.npz: cannot be read as weights'),
    ('convert {here}/none.npz {here}/out.npz', 'none.npz: cannot be read as weights'),
    ('convert {here}/weights.pth {here}/out.npz', 'must end in .safetensors or .npz'),
    ('convert {here}/foreign.npz {here}/out.npz', 'foreign.npz: encoder.weight: is not a tensor'),
    ('convert {here}/shape.npz {here}/out.npz', 'shape.npz: conv1.weight: has shape [3]; must have 4 dimensions'),
    ('convert {here}/ours.npz {here}/out.npz --to=cifar', 'ours.npz: params/encoder/weights: has no counterpart'),
    ('convert {here}/blank.npz {here}/out.npz', 'blank.npz: must have arrays; it has none'),
    ('convert {here}/twice.npz {here}/out.npz', 'twice.npz: '),
    ('convert {here}/whole.npz {here}/out.txt', 'out.txt: must end in'),
    ('convert {here}/whole.npz {here}/whole.npz/out.npz', 'whole.npz/out.npz: cannot be written'),
    ('convert {here}/whole.npz {here}/whole.npz/out.safetensors', 'whole.npz/out.safetensors: cannot be written'),
    (
        'data cifar10 --data_dir={here}/data-infoless',
        '/data-infoless/cifar10/3.0.2: must be a folder of prepared TFDS data',
    ),
    ('data cifar10 --data_dir={here}/data-text', '/data-text/cifar10/3.0.2: must be a folder of prepared TFDS data'),
    ('data cifar10 --data_dir={here}/gone --manual_dir={here}/empty', 'empty has none of cifar-10-binary.tar.gz'),
    (
        'data cifar10 --data_dir={here}/gone --manual_dir={here}/archive',
        'cifar-10-batches-bin is damaged: its train examples are not those of cifar10',
    ),
]


def outcome(command: str, here: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> tuple:
    """Runs a command. Returns the exit code and what it prints to standard error."""
    program, *arguments = command.replace('{here}', str(here)).split()
    if program == 'main' and not any(word.startswith('--workdir') for word in arguments):
        arguments.append(f'--workdir={here}/new')
    monkeypatch.setattr(sys, 'argv', [f'{program}.py', *arguments])
    if program == 'main':
        with flagsaver.flagsaver():
            code = main.main(sys.argv)
    else:
        module = 'jax_resnet.data.__main__' if program == 'data' else f'jax_resnet.{program}'
        code = importlib.import_module(module).main()
    return code, capsys.readouterr().err


@of_damage
@pytest.mark.parametrize(('command', 'message'), CASES)
def test_a_command_reports_the_error_in_one_line(
    command: str, message: str, here: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(loop, 'compile_training', None)  # train nothing
    monkeypatch.setattr(cifar, 'HOST', 'http://127.0.0.1:9/')  # download nothing
    monkeypatch.setenv('XDG_CACHE_HOME', str(here / 'cache'))
    shutil.rmtree(here / 'new', ignore_errors=True)
    code, errors = outcome(command, here, capsys, monkeypatch)
    assert code == 2
    assert re.fullmatch(r'error: [^\n]+\n', errors) and message in errors
    assert not list(here.glob('out*')) and not Path('harmed').exists()
    if (here / 'new').exists():  # only for errors that a command finds when it reads the data
        assert '/data-' in command and not list((here / 'new' / 'checkpoints').glob('*'))


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, 'argv', ['main.py', '--config=configs/resnet20_digits.py', '--config.seed=-1', '--debug'])
    with flagsaver.flagsaver(), pytest.raises(ConfigError, match='config.seed=-1: must be'):
        main.main(sys.argv)


@pytest.mark.parametrize(
    ('name', 'value', 'allowed'),
    [
        ('seed', -1, 'an integer, at least 0'),
        ('seed', 2**32, 'an integer, at least 0, below 4,294,967,296'),
        ('batch_size', 0, 'an integer, at least 1'),
        ('batch_size', 1.5, 'an integer'),
        ('batch_size', True, 'an integer'),
        ('train_for', '12', 'a positive number and a unit'),
        ('train_for', 12, 'a positive number and a unit'),
        ('evaluate_every', None, 'a positive number and a unit'),
        ('dataset.normalization', 'mean', 'one of pixel_mean, channel, half'),
        ('dataset.channel_std', (0.2, 0.0, 0.2), 'a tuple of (a number, above 0, at most 1)'),
        ('dataset.flip', 1, 'True or False'),
        ('dataset.data_dir', 5, 'a text'),
        ('optimizer.momentum', 1.1, 'a number, at least 0, at most 1'),
        ('optimizer.weight_decay', float('nan'), 'a number, at least 0'),
        ('optimizer.decay', 'some', 'one of kernels, all'),
        ('schedule.learning_rate', 0.0, 'a number, at least 1.2e-38'),
        ('schedule.learning_rate', float('inf'), 'a number, at least 1.2e-38'),
        ('schedule.drop_at', ('5',), 'a tuple of (a positive number and a unit'),
        ('batch_norm.epsilon', 0, 'a number, above 0, at most 1'),
        ('precision.compute', 'float16', 'one of float32, bfloat16'),
        ('parallel.devices', 0, 'an integer, at least 1'),
    ],
)
def test_the_error_of_a_wrong_value_names_field_value_and_what_is_allowed(
    name: str, value: object, allowed: str
) -> None:
    config = small_config()
    group, _, leaf = name.rpartition('.')
    (config[group] if group else config)[leaf] = value
    with pytest.raises(ConfigError, match=re.escape(f'config.{name}={value!r}: must be {allowed}')) as error:
        as_config(config)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'batch_size': 201, 'batch_norm.group_size': 0}, 'config.batch_size=201: must be at most the 200 examples'),
        (
            {'batch_norm.group_size': 24},
            'config.batch_norm.group_size=24: the batch size, 32, must be a multiple of the BatchNorm group size, 24',
        ),
        ({'parallel.devices': 9}, 'config.parallel.devices=9: must be at most the 8 devices'),
        ({'parallel.devices': 3}, 'config.batch_size=32: must be a multiple of the 3 devices'),
        ({'train_for': '1e12 epochs'}, 'config.train_for'),
        ({'schedule.drop_at': ('6 steps', '5 steps')}, 'drops must be in order'),
        ({'schedule.warmup_for': '3 steps'}, 'config.schedule.warmup_learning_rate: must be given with warmup_for'),
        ({'dataset.crop': 19}, 'config.dataset.crop=19'),
        ({'dataset.test_crop': 17}, 'test_crop=17: must be at most 18 and 16'),
        (
            {'memory.microbatches': 4},
            'config.memory.microbatches=4: each must have a multiple of 16 of the 32 examples',
        ),
        ({'memory.microbatches': 2, 'batch_norm.group_size': 0}, 'a multiple of 32 of the 32 examples'),
        ({'schedule.name': 'cosine'}, r"config.schedule.drop_at=.*: must be \(\) with name='cosine'"),
        ({'dataset.pad_with': 'black'}, "config.dataset.pad_with='black'"),
        ({'dataset.normalization': 'channel'}, r'config.dataset.channel_mean=\(.*\): must be 1 numbers'),
        ({'model.num_classes': 100}, 'config.model.num_classes=100: must be 10, the classes of digits'),
        ({'model': {'name': 'cifar_resnet', 'depth': 21}}, 'config.model: depth must be 6n'),
    ],
)
def test_values_that_do_not_fit_each_other(changes: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        set_up(whole_config(**changes))
    assert '\n' not in str(error.value)
