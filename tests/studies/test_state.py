"""What a run folder says of its run."""

import json
from pathlib import Path

from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.studies import read
from jax_resnet.studies.state import FAILED, FINISHED, MISSING, RUNNING, STOPPED, State, prepare, state_of


def test_states(checkout: Path) -> None:
    run = read('small.py', [0]).runs[0]
    assert state_of(run) == State(MISSING)
    prepare(run)
    assert state_of(run) == State(STOPPED, 'before its first evaluation')
    folder = RunFolder(run.folder)
    folder.add_metrics({'step': 5, 'epoch': 0.8})
    assert state_of(run) == State(STOPPED, 'at epoch 0.8 of 12 steps')
    with folder.locked():
        assert state_of(run) == State(RUNNING, 'at epoch 0.8 of 12 steps')
    folder.write_failure('the loss is not finite')
    assert state_of(run) == State(FAILED, 'the loss is not finite')
    folder.write_failure(None)
    folder.write_summary({'final_test_error': 5.0, 'seconds': 3.2})
    assert state_of(run) == State(FINISHED, '5.00 % test error, 3 s')


def test_a_folder_of_another_run_is_a_failure(checkout: Path) -> None:
    run = read('small.py', [0]).runs[0]
    prepare(run)
    config = json.loads((run.folder / 'config.json').read_text())
    (run.folder / 'config.json').write_text(json.dumps(config | {'batch_size': 33}))
    state = state_of(run)
    assert state.name == FAILED and 'config.batch_size is 33 there, 32 here' in state.detail


def test_a_rehearsal_is_marked(checkout: Path) -> None:
    run, rehearsed = (read('small.py', [0], is_rehearsal=flag).runs[0] for flag in (False, True))
    for each in (run, rehearsed):
        prepare(each)
    assert not (run.folder / 'rehearsal.txt').exists() and (rehearsed.folder / 'rehearsal.txt').exists()
