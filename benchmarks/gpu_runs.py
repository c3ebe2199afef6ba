"""The part of `on_a_gpu.py` that trains the papers' runs at full length, as many as fit."""

import json
import os
import shutil
import signal
import subprocess
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import packed
from gpu_job import Job, metrics

MOST_BYTES = 15 * 2**20
"""Maximum size of a tar with run folders."""

MOST_TARS = 4


class Run(NamedTuple):
    """A run at full length. `depth` is the network's, for an estimate of its time."""

    config: str
    seed: int
    depth: int


FULL_LENGTH = [
    *(Run('resnet20_cifar10', seed, 20) for seed in range(5)),
    Run('plain20_cifar10', 0, 20), Run('resnet56_cifar10', 0, 56), Run('plain56_cifar10', 0, 56),
    Run('resnet110_cifar10', 0, 110), Run('plain110_cifar10', 0, 110), Run('preact_resnet110_cifar10', 0, 110),
    Run('preact_resnet164_cifar10', 0, 164),
    Run('resnet20_cifar100', 0, 20), Run('resnet56_cifar100', 0, 56), Run('resnet110_cifar100', 0, 110),
]  # fmt: skip
STEPS = 64_000


def runs(job: Job) -> None:
    """Trains the runs of FULL_LENGTH, as many as fit. One that was cut by an earlier call is continued first."""
    job.found.update(job.earlier.get('runs', {}).get('found', {}))
    os.environ['XDG_CACHE_HOME'] = str(job.scratch / 'cache')
    for name in {file.name.rsplit('-', 1)[0] for file in job.data}:
        problem = packed.unpack([file for file in job.data if file.name.startswith(f'{name}-')])
        job.record(f'data {name}', problem or 'complete')
    planned = FULL_LENGTH[4:6] if job.rehearse else FULL_LENGTH
    changes: dict[str, Any] = {'checkpoint_every': '20 epochs', 'log_every': '40 epochs', 'evaluate_every': '4 epochs'}
    if job.rehearse:
        changes |= {'model.depth': 8, 'batch_size': 16, 'train_for': '6 steps', 'dataset.test': 'test[:32]'}
    folders = {run: job.scratch / 'runs' / run.config / f'seed{run.seed}' for run in planned}
    for run in sorted(planned, key=lambda run: not folders[run].exists()):  # a stable order: those that were cut first
        key, name = f'{run.config}, seed {run.seed}', run.config.split('_')[-1]
        if (folders[run] / 'summary.json').exists():
            continue  # it came back from an earlier call
        if job.found.get(f'data {name}') != 'complete':
            job.record(key, 'no data')
            continue
        needed = estimate(job, run)
        was_cut = folders[run].exists()
        if job.left < needed and not was_cut:
            job.record(key, f'not begun: it needs about {needed:.0f} s')
            continue
        train_one(job, run, folders[run], {**changes, 'seed': run.seed}, key)


def train_one(job: Job, run: Run, folder: Path, changes: Mapping[str, Any], key: str) -> None:
    """Trains one run until the end of the job, and packs its folder."""
    began = time.time()
    process = job.train(str(folder.relative_to(job.scratch)), run.config, changes)
    try:
        output, _ = process.communicate(timeout=max(1.0, job.left - 8))
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)  # it saves its state
        output, _ = process.communicate()
    print(f'--- {key}\n{output}', flush=True)
    lines, summary = metrics(folder), folder / 'summary.json'
    found = {'seconds': time.time() - began, 'step': lines[-1]['step'] if lines else 0, 'depth': run.depth}
    found['error'] = json.loads(summary.read_text())['final_test_error'] if summary.exists() else None
    if process.returncode and not summary.exists():
        found['ended'] = output.strip().splitlines()[-1] if output.strip() else f'exit code {process.returncode}'
    if folder.exists():
        found['in'] = keep(folder, job.out)
    job.record(key, found)


def estimate(job: Job, run: Run) -> float:
    """Seconds of a run: those of a finished one of the same depth; or else by the step of ResNet-20 and the depth."""
    same = [found['seconds'] for found in job.found.values() if isinstance(found, dict) and _is_done(found, run.depth)]
    if same:
        return 1.05 * max(same)
    step = job.earlier.get('options', {}).get('found', {}).get('seconds', {}).get('default', 0.001)
    return 30 + 1.2 * STEPS * step * run.depth / 20 if not job.rehearse else 1.0


def _is_done(found: Mapping[str, Any], depth: int) -> bool:
    return found.get('error') is not None and found['depth'] == depth


def keep(folder: Path, out: Path) -> str | None:
    """Adds a run folder, with its last checkpoint only, to the first tar with room. Returns its name, or None."""
    steps = sorted(
        (path for path in (folder / 'checkpoints').glob('*') if path.name.isdigit()), key=lambda p: int(p.name)
    )
    left_out = {*steps[:-1], folder / 'tensorboard', folder / 'profile', folder / 'lock'}
    files = [path for path in sorted(folder.rglob('*')) if path.is_file() and not left_out & {path, *path.parents}]
    size = sum(path.stat().st_size + 1024 for path in files)
    for number in range(1, MOST_TARS + 1):
        path, draft = out / f'runs-{number}.tar', out / f'runs-{number}.draft'
        if size + (path.stat().st_size if path.exists() else 0) > MOST_BYTES:
            continue
        if path.exists():
            shutil.copy(path, draft)
        with tarfile.open(draft, 'a') as tar:
            for file in files:
                tar.add(file, file.relative_to(folder.parent.parent))
        draft.replace(path)
        return path.name
    return None


def unpack_runs(out: Path, scratch: Path) -> None:
    """Unpacks the run folders of an earlier call."""
    for path in sorted(out.glob('runs-*.tar')):
        with tarfile.open(path) as tar:
            tar.extractall(scratch / 'runs', filter='data')
