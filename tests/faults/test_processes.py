"""Faults of several processes: each ends within its time by one line, none is left, and the same command goes on.

Two run in the suite; `make soak` runs all: a kill, a stop, a freeze or a cable that is pulled, at five moments, of
process 0 or another. The cables are those of network namespaces (Debian's iproute2, as root).
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from jax_resnet.runs.run_folder import RunFolder
from tests.conftest import assert_equal_trees
from tests.processes import SMALL, Ended, Several
from tests.training.test_processes import metrics, state

PATIENCE = 8.0
"""Seconds, in place of a minute: a step of these networks takes a thousandth of it."""

MOST_SECONDS = 3 * PATIENCE + 10
"""From a fault to the end of the last process."""

MOMENTS = {
    'start': '',
    'compilation': 'compiling',
    'step': 'step 3',
    'evaluation': 'step 10',
    'save': 'checkpoint',
}
"""What process 0 has printed last, at each moment."""

CLOCKS = ('seconds', 'images_per_second')


def arguments(folder: Path) -> list[str]:
    return [*SMALL, f'--patience={PATIENCE}', '--join_timeout=60', f'--workdir={folder}']


@pytest.fixture(scope='module')
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of two processes that nothing disturbs."""
    folder = tmp_path_factory.mktemp('undisturbed')
    finish(folder)
    return folder


def finish(folder: Path) -> None:
    with Several(2, 1, folder / 'outputs', arguments(folder)) as several:
        assert [ended.code for ended in several.wait()] == [0, 0], several.texts()


def reach(several: Several, folder: Path, moment: str) -> None:
    """Waits for a moment."""
    if moment == 'start':
        time.sleep(2)
    elif moment == 'save':
        several.wait_for('compiled')
        while not any((folder / 'checkpoints').glob('*tmp*')):
            assert several.processes[0].poll() is None, several.texts()
    else:
        several.wait_for(MOMENTS[moment])
        time.sleep(0.05)


def check_lines(ended: Ended, faulty: int, index: int) -> None:
    """One line, that names the process which is missing or has ended."""
    lines = ended.errors.strip().splitlines()
    assert len(lines) == 1, ended
    names = f'process {faulty} of 2', f'process {faulty} (', f'cannot reach process {faulty}', 'not all of them came'
    assert any(name in lines[0] for name in names), ended
    assert ended.code in (75, 2), (index, ended)


def check_continued(folder: Path, undisturbed: Path) -> None:
    """The same command ends as the run that nothing disturbed, on as many processes."""
    finish(folder)
    assert_equal_trees(state(folder, 40), state(undisturbed, 40))
    for mine, its in zip(metrics(folder), metrics(undisturbed), strict=True):
        assert {k: v for k, v in mine.items() if k not in CLOCKS} == {k: v for k, v in its.items() if k not in CLOCKS}
    with np.load(folder / 'predictions.npz') as mine, np.load(undisturbed / 'predictions.npz') as its:
        np.testing.assert_array_equal(mine['logits'], its['logits'])


FAST = {('killed', 'step', 0), ('killed', 'step', 1)}


@pytest.mark.parametrize(
    ('fault', 'moment', 'faulty'),
    [
        pytest.param(*case, marks=[] if case in FAST else pytest.mark.slow, id='-'.join(map(str, case)))
        for case in [(fault, moment, of) for fault in ('killed', 'frozen') for moment in MOMENTS for of in (0, 1)]
    ],
)
def test_the_others_end_where_one_is_missing(
    fault: str, moment: str, faulty: int, undisturbed: Path, tmp_path: Path
) -> None:
    folder, other = tmp_path / 'run', 1 - faulty
    with Several(2, 1, tmp_path, arguments(folder)) as several:
        reach(several, folder, moment)
        began = time.monotonic()
        several.send(faulty, signal.SIGKILL if fault == 'killed' else signal.SIGSTOP)
        several.processes[other].wait(90 if moment == 'start' else MOST_SECONDS)
        print(f'{fault}, {moment}, process {faulty}: the other ended after {time.monotonic() - began:.1f} s')
        if fault == 'frozen':  # what wakes up finds that the others have gone
            several.send(faulty, signal.SIGCONT)
        ended = several.wait(90 if moment == 'start' else MOST_SECONDS)
    print(ended)
    check_lines(ended[other], faulty, other)
    check_continued(folder, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize('faulty', [0, 1])
@pytest.mark.parametrize('moment', list(MOMENTS))
def test_a_stop_of_one_ends_all(moment: str, faulty: int, undisturbed: Path, tmp_path: Path) -> None:
    folder, other = tmp_path / 'run', 1 - faulty
    with Several(2, 1, tmp_path, arguments(folder)) as several:
        reach(several, folder, moment)
        several.send(faulty, signal.SIGTERM)
        ended = several.wait(90 if moment == 'start' else MOST_SECONDS)
    print(ended)
    if moment in ('start', 'compilation'):  # there is nothing to save: the system ends it, and the others miss it
        assert ended[faulty].code in (-signal.SIGTERM, 143)
        if ended[other].code != 143:
            check_lines(ended[other], faulty, other)
    else:
        assert [one.code for one in ended] == [143, 143]
        assert 'stopped by SIGTERM at step ' in ended[0].errors
    check_continued(folder, undisturbed)


@pytest.mark.slow
def test_the_number_of_processes_changes_from_kill_to_kill(tmp_path: Path) -> None:
    """4, 1, 2, 4 and 1 processes with four devices together: every line of metrics comes once."""
    folder = tmp_path / 'run'
    command = [*arguments(folder), '--config.train_for=120 steps', '--config.evaluate_every=7 steps']
    for number, count in enumerate((4, 1, 2, 4)):
        with Several(count, 4 // count, tmp_path / f'output{number}', command) as several:
            several.wait_for('step ' if number == 0 else 'epoch ')
            time.sleep(0.3)
            several.send(count - 1, signal.SIGKILL)
            assert [ended.code for ended in several.wait(MOST_SECONDS)] == [75] * (count - 1) + [-signal.SIGKILL]
        print(f'{count} processes, killed; lines of {[line["step"] for line in metrics(folder)]}')
    with Several(1, 4, tmp_path / 'output', command) as several:
        assert several.wait()[0].code == 0, several.texts()
    assert [line['step'] for line in metrics(folder)] == [*range(7, 120, 7), 120]
    devices = [start['device'] for start in RunFolder(folder).starts()]
    assert [' in ' in device for device in devices] == [True, False, True, True, False], devices


@pytest.fixture
def hosts() -> Iterator[list[str]]:
    """Two network namespaces, each a host with an address of its own, and a cable between them."""
    if os.geteuid() or shutil.which('ip') is None:
        pytest.skip('network namespaces need root, and iproute2')
    names = ['jax_resnet_0', 'jax_resnet_1']

    def ip(*words: str) -> None:
        subprocess.run(['ip', *words], check=True, capture_output=True)

    for name in names:
        subprocess.run(['ip', 'netns', 'delete', name], capture_output=True)
        ip('netns', 'add', name)
        folder = Path('/etc/netns', name)
        folder.mkdir(parents=True, exist_ok=True)
        address = f'10.77.0.{names.index(name) + 1}'
        (folder / 'hosts').write_text(f'{address} {os.uname().nodename}\n127.0.0.1 localhost\n')
    ip('link', 'add', 'cable0', 'netns', names[0], 'type', 'veth', 'peer', 'name', 'cable1', 'netns', names[1])
    for index, name in enumerate(names):
        ip('-n', name, 'address', 'add', f'10.77.0.{index + 1}/24', 'dev', f'cable{index}')
        ip('-n', name, 'link', 'set', f'cable{index}', 'up')
        ip('-n', name, 'link', 'set', 'lo', 'up')
    yield names
    for name in names:
        subprocess.run(['ip', 'netns', 'delete', name], capture_output=True)
        shutil.rmtree(Path('/etc/netns', name), ignore_errors=True)


@pytest.mark.slow
@pytest.mark.parametrize('faulty', [0, 1])
@pytest.mark.parametrize('moment', list(MOMENTS))
def test_a_cable_is_pulled(moment: str, faulty: int, undisturbed: Path, tmp_path: Path, hosts: list[str]) -> None:
    folder = tmp_path / 'run'
    inside = {'host': '10.77.0.1', 'within': lambda index: ('ip', 'netns', 'exec', hosts[index])}
    with Several(2, 1, tmp_path, arguments(folder), **inside) as several:  # type: ignore[arg-type]
        reach(several, folder, moment)
        began = time.monotonic()
        subprocess.run(['ip', '-n', hosts[faulty], 'link', 'set', f'cable{faulty}', 'down'], check=True)
        ended = several.wait(90 if moment == 'start' else MOST_SECONDS)
        print(f'cable down, {moment}, of process {faulty}: both ended after {time.monotonic() - began:.1f} s')
    print(ended)
    for index in (0, 1):
        check_lines(ended[index], 1 - index, index)
    check_continued(folder, undisturbed)
