"""Bad input gives exit code 2 and one line that names the field or file, the value, and what is allowed."""

import dataclasses
import hashlib
import json
import os
import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from jax_resnet import training
from jax_resnet.config.loading import as_config, load
from jax_resnet.data import cifar, open_source
from jax_resnet.errors import ConfigError
from jax_resnet.training.setup import set_up
from tests.conftest import Ended, of_damage, small_config, whole_config
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
    """Makes a small CIFAR-10 in `data`, and damaged copies of it."""
    true, archive = cifar.ARCHIVES['cifar10'], here / 'archive' / 'cifar-10-batches-bin'
    archive.mkdir(parents=True)
    rng, splits = np.random.default_rng(0), {}
    for split, files in true.splits.items():
        splits[split] = {}
        for file in files:
            records = rng.integers(0, 256, (24, 3073), dtype=np.uint8)
            records[:, 0] %= 10
            (archive / file).write_bytes(records.tobytes())
            splits[split][file] = hashlib.sha256(records.tobytes()).hexdigest()
    names = 'airplane automobile bird cat deer dog frog horse ship truck'
    (archive / 'batches.meta.txt').write_text(names)
    with pytest.MonkeyPatch.context() as patch:
        small = dataclasses.replace(true, splits=splits, records={'train': 24, 'test': 24})
        patch.setitem(cifar.ARCHIVES, 'cifar10', small)
        cifar.prepare('cifar10', here / 'data', here / 'archive')
    open_source('cifar10', str(here / 'data')).read('test')
    version = next((here / 'data' / 'cifar10').iterdir()).name
    folder = {}
    for name in ('cut', 'foreign', 'nine', 'eleven', 'infoless', 'shardless', 'text'):
        folder[name] = Path(shutil.copytree(here / 'data', here / f'data-{name}'), 'cifar10', version)
    shard = next(path.name for path in folder['cut'].iterdir() if 'test' in path.name)
    (folder['cut'] / shard).write_bytes((folder['cut'] / shard).read_bytes()[:5000])
    (folder['foreign'] / shard).write_bytes(b'PK' + bytes(5000))
    (folder['nine'] / 'label.labels.txt').write_text('\n'.join(names.split()[:9]) + '\n')
    (folder['eleven'] / 'label.labels.txt').write_text('\n'.join([*names.split(), 'snake']) + '\n')
    (folder['infoless'] / 'dataset_info.json').unlink()
    (folder['shardless'] / shard).unlink()
    (folder['text'] / 'features.json').write_text('no JSON')


# Each case: the command with its arguments, and a text in its line. {here} is the folder of the fixture `here`.
DIGITS = 'train --config=configs/resnet20_digits.py'
SMALL = 'train --config=configs/resnet20_cifar10.py --config.batch_size=16 --config.batch_norm.group_size=0 --config.model.depth=8'
CASES = [
    # the command line of main.py
    ('train', '--config: must be given, such as --config=configs/resnet20_digits.py'),
    ('train --confg=3', "unknown argument '--confg=3'; fields are changed by --config.field=value"),
    (f'{DIGITS} batch_size=3', "unknown argument 'batch_size=3'; fields are changed by --config.field=value"),
    (f'{DIGITS} --workdir=', '--workdir: must name a folder; got none'),
    (f'{DIGITS} --workdir={{here}}/file', '/file: must be a folder, or a path where one can be made (File exists)'),
    (
        f'{DIGITS} --workdir={{here}}/file/run',
        '/file/run: must be a folder, or a path where one can be made (Not a directory)',
    ),
    (f'{DIGITS} --workdir=/proc/x', '/proc/x: must be a folder, or a path where one can be made'),
    (f'{DIGITS} --workdir={{here}}/run', '/run: has a run of another config (config.'),
    ('train --config={here}/same.py --workdir={here}/run-summary', '/run-summary/summary.json is damaged'),
    ('train --config={here}/same.py --workdir={here}/run-metrics', '/run-metrics/metrics.jsonl: line 1 is damaged'),
    ('train --config={here}/same.py --workdir={here}/run-damaged', '/run-damaged/checkpoints/90 is damaged'),
    # config files
    ('train --config=', '--config=.: must be a config file, or a folder with some; it has none'),
    ('train --config={here}/no.py', '/no.py: no such file; the files of this package are in its folder configs'),
    ('train --config={here}/empty', '/empty: must be a config file, or a folder with some; it has none'),
    ('train --config={here}/raises.py', '/raises.py: RuntimeError: no such luck'),
    ('train --config={here}/divides.py', '/divides.py: ZeroDivisionError: division by zero'),
    ('train --config={here}/lacks.py', '/lacks.py: must be a config file; it has no function get_config'),
    ('train --config={here}/syntax.py', '/syntax.py: SyntaxError: invalid syntax (syntax.py, line 1)'),
    ('train --config={here}/imports.py', "/imports.py: ModuleNotFoundError: No module named 'no_such_module'"),
    ('train --config={here}/binary.py', '/binary.py: SyntaxError: source code string cannot contain null bytes'),
    ('train --config={here}/none.py', '/none.py: its get_config must return a ConfigDict; it returns NoneType'),
    ('train --config={here}/argument.py', '/argument.py: TypeError: get_config() missing 1 required positional'),
    ('train --config={here}/plain.py --config.seed=-1', 'config.seed=-1: must be an integer, at least 0'),
    ('train --config={here}/nameless.py', 'config.model.name: is missing (the network); must be one of cifar_resnet, '),
    (
        'train --config={here}/digits.py',
        'config.seed=a huge integer: must be an integer, at least 0',
    ),
    ('train --config={here}/rate.py', '/rate.py: OverflowError: int too large to convert to float'),
    ('train --config={here}/cyclic.py', 'config: must be groups of fields that do not contain themselves'),
    ('train --config={here}/cyclic_list.py', 'config: must be groups of fields that do not contain themselves'),
    ('train --config={here}/deep.py', 'config.dataset.shape: unknown field; the nearest are config.'),
    ('train --config={here}/number.py', 'config: must be a group of fields by name'),
    ('train --config={here}/dotted.py', 'config.a.b: unknown field; the nearest are config.'),
    ('train --config={here}/unhashable.py', "config.model.name=('cifar_resnet',): must be one of cifar_resnet, "),
    ('train --config={here}/pipe', '/pipe: no such file; the files of this package'),
    ('train --config={here}/more.py', 'config.speed: unknown field; the nearest are config.seed, '),
    (
        'train --config=configs/resnet20_digits.py:x',
        'digits.py:x: TypeError: get_config() takes 0 positional arguments',
    ),
    (
        'train --config=configs/lab_cifar10.py:resnet57',
        "py:resnet57: ValueError: unknown network 'resnet57'; known are",
    ),
    ('train --config={here}/exits.py', '/exits.py: SystemExit: 3'),
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
        'train --config=configs/plain20_cifar10.py --config.model.shortcut=A',
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
        'train --config=configs/preact_resnet110_cifar10.py --config.model.name=scaled_resnet',
        "config.model.name='scaled_resnet': has no argument order, which the config sets to 'full_preactivation'; its a",
    ),
    (
        'train --config=configs/identity4_cifar10.py --config.model.name=cifar_resnet --config.model.stage_sizes=3,3,3',
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
    (f'{DIGITS} --config.dataset.train=trian', "split 'trian' of digits: Unknown split 'trian'"),
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
    (f'{SMALL} --config.dataset.data_dir={{here}}/data-cut', "cifar10/3.0.2, split 'test', cannot be decoded"),
    (f'{SMALL} --config.dataset.data_dir={{here}}/data-foreign', "cifar10/3.0.2, split 'test', cannot be decoded"),
    (f'{SMALL} --config.dataset.data_dir={{here}}/data-shardless', "cifar10/3.0.2, split 'test', cannot be decoded"),
    (f'{SMALL} --config.dataset.data_dir={{here}}/data-nine', 'config.model.num_classes=10: must be 9, the classes of'),
    (
        f'{SMALL} --config.dataset.data_dir={{here}}/data-nine --config.model.num_classes=9',
        'labels must be from 0 to 8',
    ),
    (f'{SMALL} --config.dataset.data_dir={{here}}/data-eleven', 'config.model.num_classes=10: must be 11, the classes'),
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
    ('data cifar10 --data_dir={here}/file', 'cifar10 cannot be prepared in '),
    ('data cifar10 --data_dir={here}/prepared --manual_dir={here}/empty', 'empty has neither'),
    (
        'data cifar10 --data_dir={here}/prepared --manual_dir={here}/archive',
        'data_batch_1.bin has 73,752 bytes; it must have 30,730,000',
    ),
]


@of_damage
@pytest.mark.parametrize(('line', 'message'), CASES)
def test_a_command_reports_the_error_in_one_line(
    line: str, message: str, here: Path, command: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(loop, 'compile_training', None)  # train nothing
    monkeypatch.setattr(cifar, 'HOST', 'http://127.0.0.1:9/')  # download nothing
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
