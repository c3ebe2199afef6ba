"""Faults with several processes: all end in time with an error, and the same command continues the run.

The suite runs two cases. `make soak` runs all: process 0 or process 1 is killed, stopped or frozen, at five moments.
"""

import itertools
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import assert_equal_trees, metrics, saved_state
from tests.slow.processes import SMALL, ProcessGroup

PATIENCE = 8
"""Value of --patience in seconds, less than its default of 60. A step of this network takes a thousandth of it."""

MOST_SECONDS = PATIENCE + 60.0
"""Maximum time from a fault to the end of the last process."""

MOMENTS = {'start': '', 'compilation': 'compiling', 'step': 'step 3', 'evaluation': 'step 10', 'save': 'checkpoint'}
"""For each moment, the beginning of the last line that process 0 has printed."""


def arguments(folder: Path) -> list[str]:
    return [*SMALL, f'--patience={PATIENCE}', '--join-timeout=20', f'--workdir={folder}']


@pytest.fixture(scope='module')
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of two processes without faults."""
    folder = tmp_path_factory.mktemp('undisturbed')
    finish(folder)
    return folder


def finish(folder: Path) -> None:
    with ProcessGroup(2, 1, folder / 'outputs', arguments(folder)) as group:
        assert [ended.code for ended in group.wait()] == [0, 0], group.texts()


def reach(group: ProcessGroup, folder: Path, moment: str) -> None:
    """Waits until the run is at this moment."""
    if moment == 'start':
        time.sleep(2)
    elif moment == 'save':
        group.wait_for('compiled')
        while not any((folder / 'checkpoints').glob('*tmp*')):
            assert group.processes[0].poll() is None, group.texts()
    else:
        group.wait_for(MOMENTS[moment])
        time.sleep(0.05)


FAULTS = {'killed': signal.SIGKILL, 'frozen': signal.SIGSTOP, 'stopped': signal.SIGTERM}
FAST = {('killed', 'step', 0), ('killed', 'step', 1)}


@pytest.mark.parametrize(
    ('fault', 'moment', 'faulty'),
    [
        pytest.param(*case, marks=[] if case in FAST else pytest.mark.soak, id='-'.join(map(str, case)))
        for case in itertools.product(FAULTS, MOMENTS, (0, 1))
    ],
)
def test_all_processes_end_and_the_same_command_continues(
    fault: str, moment: str, faulty: int, undisturbed: Path, tmp_path: Path
) -> None:
    folder, other = tmp_path / 'run', 1 - faulty
    with ProcessGroup(2, 1, tmp_path, arguments(folder)) as group:
        reach(group, folder, moment)
        group.processes[faulty].send_signal(FAULTS[fault])
        if fault == 'frozen':  # it continues later, and finds that the other is missing
            group.processes[other].wait(MOST_SECONDS)
            group.processes[faulty].send_signal(signal.SIGCONT)
        ended = group.wait(MOST_SECONDS)
    assert all(one.code for one in ended), ended
    if fault == 'stopped' and moment not in ('start', 'compilation'):
        assert [one.code for one in ended] == [143, 143]
        assert 'stopped by SIGTERM at step ' in ended[0].err
    finish(folder)
    assert_equal_trees(saved_state(folder, 40), saved_state(undisturbed, 40))
    assert metrics(folder) == metrics(undisturbed)
    with np.load(folder / 'predictions.npz') as mine, np.load(undisturbed / 'predictions.npz') as its:
        np.testing.assert_array_equal(mine['logits'], its['logits'])
