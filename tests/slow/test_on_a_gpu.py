"""The first quarter of an hour on a GPU, rehearsed on a CPU, with its faults. Nothing that is timed is compared."""

import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from jax_resnet.data import Examples, cache
from tests.slow.processes import ROOT

SCRIPT = ROOT / 'benchmarks' / 'on_a_gpu.py'

sys.path.insert(0, str(SCRIPT.parent))
import gpu_page  # noqa: E402
import gpu_parts  # noqa: E402
import gpu_runs  # noqa: E402
import kernels  # noqa: E402
import on_a_gpu  # noqa: E402
import packed  # noqa: E402


def start(out: Path, *arguments: str) -> subprocess.Popen:
    command = [sys.executable, str(SCRIPT), '--rehearse', '--minutes=60', f'--out={out}', *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)


def test_the_rehearsal_does_all_parts_and_one_that_fails_leaves_the_others(tmp_path: Path) -> None:
    planned = gpu_parts.parts(rehearse=True)
    first, *others = planned
    assert start(tmp_path / 'out', '--only', first, 'fails', *others).wait() == 0
    results = json.loads((tmp_path / 'out' / 'results.json').read_text())
    assert {name: one['ended'] for name, one in results.items() if name != 'fails'} == dict.fromkeys(
        planned, 'completed'
    )
    assert results['fails']['ended'].endswith('this part fails on purpose')
    assert results['fails']['found'] == {'before the failure': True}
    found = results['trains']['found']
    assert len({value for name, value in found.items() if name.startswith('bits')}) == 1 and found['bits, default']
    assert int(found['continued from step']) > 0
    assert found['first losses, GPU'] == found['first losses, CPU'] and len(found['first losses, CPU']) == 3
    runs = results['runs']['found']
    assert runs['data cifar10'] == 'complete' and all(0 <= runs[run]['error'] <= 100 for run in runs if ',' in run)
    page = (tmp_path / 'out' / 'page.md').read_text()
    parts = ('The machine', 'Does it train', 'How fast, beside PyTorch', 'The kernels of ', 'Runs at full length')
    assert all(f'## {part}' in page for part in parts)
    files = list((tmp_path / 'out').iterdir())
    assert len(files) <= 8 and max(file.stat().st_size for file in files) < 16 * 2**20
    gpu_runs.unpack_runs(tmp_path / 'out', tmp_path)
    for run in gpu_runs.FULL_LENGTH[4:6]:
        folder = tmp_path / 'runs' / run.config / f'seed{run.seed}'
        assert (folder / 'summary.json').exists() and not (folder / 'tensorboard').exists()
        assert len([path for path in (folder / 'checkpoints').iterdir() if path.name.isdigit()]) == 1


@pytest.mark.parametrize('number', [signal.SIGKILL, signal.SIGTERM])
def test_killed_in_the_middle_it_leaves_what_was_finished(tmp_path: Path, number: int) -> None:
    process, results = start(tmp_path, '--only', 'machine', 'options'), tmp_path / 'results.json'
    while not results.exists() or len(psutil.Process(process.pid).children()) == 0:
        assert process.poll() is None
        time.sleep(0.05)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    assert process.wait() in (-signal.SIGKILL, 128 + signal.SIGTERM)
    if number == signal.SIGTERM:
        assert not psutil.wait_procs(children, timeout=30)[1]
    for child in children:
        if child.is_running():
            os.kill(child.pid, signal.SIGKILL)
    assert json.loads(results.read_text())['machine']['ended'] == 'completed'
    assert '## The machine' in (tmp_path / 'page.md').read_text()


def test_a_second_call_takes_what_is_left(tmp_path: Path) -> None:
    """The first call has trained seed 4 and half of plain-20; `fails` is tried again after the others."""
    whole = {'ended': 'completed', 'seconds': 1.0, 'found': {'cores': 2}}
    cut = {'ended': 'cut by its time limit', 'seconds': 9.0, 'found': {}}
    before = {'machine': whole, 'fails': cut, 'runs': cut}
    (tmp_path / 'first').mkdir()
    (tmp_path / 'first' / 'results.json').write_text(json.dumps(before))
    folders = [tmp_path / 'resnet20_cifar10' / 'seed4', tmp_path / 'plain20_cifar10' / 'seed0']
    for folder, file in zip(folders, ('summary.json', 'parameters.txt'), strict=True):
        folder.mkdir(parents=True)
        (folder / file).write_text('{}')
        assert gpu_runs.keep(folder, tmp_path / 'first') == 'runs-1.tar'
    second = tmp_path / 'second'
    assert start(second, f'--after={tmp_path / "first"}', '--only', 'machine', 'fails', 'runs').wait() == 0
    results = json.loads((second / 'results.json').read_text())
    assert results['machine'] == whole and results['fails']['ended'].startswith('failed')
    assert (second / 'log.txt').read_text().index('=== runs') < (second / 'log.txt').read_text().index('=== fails')
    assert {run for run in results['runs']['found'] if ',' in run} == {'plain20_cifar10, seed 0'}


def test_what_a_run_from_packed_data_needs(tmp_path: Path) -> None:
    """It trains without TFDS, grain and array_record, and without a home."""
    (tmp_path / 'there.txt').write_text('Package Version\nflax 0.12.8\njax  0.11.2\nml_dtypes==0.6.0\n')
    missing = on_a_gpu.wheels(tmp_path / 'there.txt')
    names = {line.split('==')[0].lower() for line in missing}
    assert {'msgspec', 'ml_collections'} <= names and not names & {'flax', 'jax', 'ml_dtypes', 'jax_resnet'}
    assert not names & {'grain', 'array_record', 'tensorflow-datasets'}


def test_packed_images_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    rng = np.random.default_rng(0)
    splits = {
        split: Examples(rng.integers(0, 256, (count, 32, 32, 3), np.uint8), rng.integers(0, 10, count, np.int32))
        for split, count in (('train', 2600), ('test', 40))
    }
    one, two = packed.pack('cifar10', splits, tmp_path)
    assert packed.unpack([one]) == 'cifar10: 2 of 3 sheets of images are here'
    assert packed.unpack([one, two]) is None
    found = cache.load('cifar10', dict)
    for split, expected in splits.items():
        np.testing.assert_array_equal(found[f'{split}_images'], expected.images)
        np.testing.assert_array_equal(found[f'{split}_labels'], expected.labels)
    content = bytearray(two.read_bytes())
    with tarfile.open(two) as tar:
        content[tar.getmember('test-000000.labels').offset_data] ^= 1
    two.write_bytes(content)
    assert packed.unpack([one, two]) == 'cifar10: the images of test are not those that were packed'


def test_kernels_of_a_trace() -> None:
    def event(name: str, ts: float, dur: float, tid: int = 7) -> dict:
        return {'ph': 'X', 'pid': 1, 'tid': tid, 'name': name, 'ts': ts, 'dur': dur}

    events = [
        {'ph': 'M', 'pid': 1, 'name': 'process_name', 'args': {'name': '/device:GPU:0'}},
        {'ph': 'M', 'pid': 1, 'tid': 7, 'name': 'thread_name', 'args': {'name': 'Stream #7(Compute)'}},
        {'ph': 'M', 'pid': 1, 'tid': 8, 'name': 'thread_name', 'args': {'name': 'XLA Ops'}},
        event('conv_3', 0, 2000),
        event('add.1', 1000, 2000),  # runs beside the first
        event('conv_4', 5000, 1000),
        event('conv_4', 5000, 1000, tid=8),
    ]
    found = kernels.summarize(kernels.kernels(events), steps=2)
    assert found == {'kernels': [('conv', 1.5, 1.0), ('add', 1.0, 0.5)], 'count': 1.5, 'busy': 2.0, 'gaps': 1.0}
    on_a_cpu = [{'ph': 'X', 'pid': 1, 'tid': 1, 'name': 'dot', 'ts': 0, 'dur': 1, 'args': {'hlo_op': 'dot'}}]
    assert kernels.kernels(on_a_cpu) == [('dot', 0.0, 1.0)]


def test_a_page_of_half_of_the_findings() -> None:
    seconds = {'default': 0.001, 'without flat arrays': 0.0012, 'without CUDA graphs': 0.00105}
    results = {
        'options': {'ended': 'cut by its time limit', 'seconds': 1.0, 'found': {'seconds': seconds}},
        'speed: x': {'ended': 'failed', 'seconds': 1.0, 'found': {}},
    }
    page = gpu_page.page(results, {'options': 'With and without'})
    assert '| without flat arrays | 833 | +20.0% | stays |' in page
    assert '| without CUDA graphs | 952 | +5.0% | goes |' in page
    assert 'How fast' not in page
