"""The parts of `on_a_gpu.py`. Each runs in its own process, which writes what it has found after each finding."""

import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from gpu_job import ROOT, Job, metrics
from gpu_runs import runs

BENCHMARKS = Path(__file__).parent
OPTIONS = {
    'without CUDA graphs': {'gpu.graphs': False},
    'without flat arrays': {'gpu.flat_arrays': False},
    "without BatchNorm's sums in one pass": {'gpu.batch_norm_sums': False},
    'without all three': {'gpu.graphs': False, 'gpu.flat_arrays': False, 'gpu.batch_norm_sums': False},
}
"""What was only counted so far, each switched off; and the plain program."""


def machine(job: Job) -> None:
    """Versions, device, driver, clocks and memory; and the two rates that limit every step."""
    import importlib.metadata

    import peers

    job.record('time', time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime()))
    if shutil.which('git'):
        asked = subprocess.run(['git', 'rev-parse', 'HEAD'], cwd=ROOT, capture_output=True, text=True)
        job.record('commit', asked.stdout.strip() or 'not known')
    job.record('cores', os.cpu_count())
    names = 'jax', 'jaxlib', 'jax-cuda13-plugin', 'flax', 'optax', 'orbax-checkpoint', 'numpy', 'torch', 'triton'
    names = (*names, 'nvidia-cudnn-cu13', 'nvidia-cublas')
    versions = {'python': sys.version.split()[0]}
    for name in names:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    job.record('versions', versions)
    job.record('gpu, idle', nvidia_smi())
    job.record('device', peers.versions()['device'])
    job.record('multiply-adds a second, bfloat16', peers.matrix_rate('bfloat16'))
    job.record('gpu, after matrix products', nvidia_smi())
    job.record('bytes a second, copied', peers.copy_rate())


def graphs(job: Job) -> None:
    """Whether CUDA graphs work: a small program, in this process alone, which XLA may abort."""
    from jax_resnet.platform import gpu

    job.record('work', gpu.has_graphs())


def nvidia_smi() -> dict[str, str]:
    """What the driver says of the GPU; {} without one."""
    fields = (
        'name,driver_version,memory.total,memory.used,clocks.sm,clocks.mem,clocks.max.sm,power.draw,temperature.gpu'
    )
    try:
        done = subprocess.run(
            ['nvidia-smi', f'--query-gpu={fields}', '--format=csv,noheader'], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return {}
    lines = done.stdout.splitlines()
    return dict(zip(fields.split(','), lines[0].split(', '), strict=False)) if lines else {}


def trains(job: Job) -> None:
    """Does it train: the loss falls, the first losses are those of a CPU, stopped and continued gives the same bits."""
    small = {'model.depth': 8, 'batch_size': 16}
    common = {**(small if job.rehearse else {}), 'checkpoint_every': '1000 epochs', 'log_every': '1000 epochs'}
    length, unit = (40, 4) if job.rehearse else (2000, 100)  # of the runs that compare bits, and of what is between
    exact = {**common, 'precision.deterministic': True, 'train_for': f'{length} steps'}
    exact |= {'evaluate_every': f'{length // 4} steps'}

    def run(name: str, changes: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> str:
        process = job.train(name, 'resnet20_digits', changes, environment)
        text, _ = process.communicate()
        print(f'--- {name}\n{text}', flush=True)
        return text if process.returncode == 0 else ''

    def long() -> None:
        steps = 12 if job.rehearse else 500
        if run('long', {**common, 'train_for': f'{steps} steps', 'evaluate_every': f'{steps // 4} steps'}):
            job.record('loss', [[line['step'], line['train_loss']] for line in metrics(job.scratch / 'long')])

    def first(name: str, changes: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> None:
        steps = 3 if job.rehearse else 10
        run(name, {**common, 'train_for': f'{steps} steps', 'evaluate_every': '1 step', **changes}, environment)
        losses = [line['train_loss'] for line in metrics(job.scratch / name)]
        job.record(f'{name}', losses)

    def bits(name: str, changes: Mapping[str, Any]) -> None:
        run(name, {**exact, **changes})
        job.record(f'bits, {name}', digest(job.scratch / name))

    def stopped() -> None:
        changes = {**exact, 'log_every': f'{unit} steps'}
        process = job.train('stopped', 'resnet20_digits', changes)
        for line in process.stdout or ():
            print(f'stopped: {line}', end='', flush=True)
            if line.startswith('step '):
                process.send_signal(signal.SIGTERM)
                break
        text, _ = process.communicate()
        print(text, flush=True)
        again = run('stopped', changes)
        continued = re.search(r'continued from step ([\d,]*\d)', again)
        job.record('continued from step', continued[1] if continued else None)
        job.record('bits, stopped and continued', digest(job.scratch / 'stopped'))

    off = dict(list(OPTIONS.items())[-1:]) if job.rehearse else OPTIONS
    on_cpu = {'JAX_PLATFORMS': 'cpu'}
    with ThreadPoolExecutor(2 if job.rehearse else 10) as pool:  # nothing here is timed
        tasks = [
            pool.submit(stopped),  # the longest: two starts
            pool.submit(bits, 'default', {}),
            pool.submit(long),
            pool.submit(first, 'first losses, GPU', {}),
            pool.submit(first, 'first losses, GPU, float32', {'precision.matmul': 'float32'}),
            pool.submit(first, 'first losses, CPU', {}, on_cpu),
            *(pool.submit(bits, name, changes) for name, changes in off.items()),
        ]
    for task in tasks:
        task.result()


def digest(folder: Path) -> str | None:
    """A digest of what a run has computed: its losses, and its predictions. None if it has not ended."""
    import numpy as np

    if not (folder / 'predictions.npz').exists():
        return None
    found = sha256(json.dumps([[line['train_loss'], line['test_loss']] for line in metrics(folder)]).encode())
    with np.load(folder / 'predictions.npz') as arrays:
        for name in sorted(arrays.files):
            found.update(arrays[name].tobytes())
    return found.hexdigest()[:16]


def options(job: Job) -> None:
    """Seconds of a step of ResNet-20 in float32 (TF32), as training runs it and with each option of the GPU off."""
    import contextlib

    import peers

    case = ('ResNet-8', 4, 1) if job.rehearse else ('ResNet-20', 128, 500)
    variants: dict[str, dict[str, Any]] = {'default': {}, **OPTIONS, 'exact': {'precision.deterministic': True}}
    if job.rehearse:
        variants = {name: variants[name] for name in ('default', 'without all three')}
    variants = {name: job.changes | changes for name, changes in variants.items()}
    others = [name for name in variants if variants[name] != variants['default']]
    with contextlib.ExitStack() as stack:
        runs = {}

        def start(name: str) -> None:
            runs[name] = stack.enter_context(peers.in_a_process(peers.ours, *case, **variants[name]))

        start('default')
        runs['default']()  # XLA chooses algorithms; the others, which start together, find its choices
        for name in others:
            start(name)
        for name in others:
            try:
                runs[name]()
            except RuntimeError as e:
                print(f'{name}: {e}', flush=True)
                del runs[name]
        rounds = []
        for one in peers.rounds_in_turn(runs, pause=0.0):
            rounds.append(one)
            job.record('seconds', peers.medians(rounds))
            job.record('rounds', len(rounds))
            if len(rounds) >= (1 if job.rehearse else 7) or job.left < 5:
                break
        job.record('start_seconds', {name: run.start_seconds() for name, run in runs.items()})


class Speed(NamedTuple):
    """A network whose steps are timed beside PyTorch's."""

    network: str
    batch_size: int
    steps: int
    size: int = 32
    dtype: str = 'bfloat16'
    compiled: bool = False


def speed(job: Job, case: Speed) -> None:
    """Times training steps beside PyTorch's, if it is installed, by `train_step.py`."""
    file = job.scratch / 'train_step.json'
    file.unlink(missing_ok=True)
    command = [sys.executable, str(BENCHMARKS / 'train_step.py'), '--networks', case.network, '--dtypes', case.dtype]
    command += [f'--batch_size={case.batch_size}', f'--steps={case.steps}', f'--size={case.size}', f'--json={file}']
    command += [f'--seconds={0 if job.rehearse else 8}', '--most_rounds=15', '--fields', *job.words]
    command += ['--alone'] if job.rehearse or not find_spec('torch') else ['--compiled'] if case.compiled else []
    process = subprocess.Popen(command, cwd=ROOT)
    while True:  # what is measured is written after each round
        code = process.poll()
        if file.exists():
            (found,) = json.loads(file.read_text())['results']
            job.found.update(found)
            job.record('network', found['network'])  # all in one write
        if code is not None:
            break
        time.sleep(1)
    if code:
        raise SystemExit(f'train_step.py has failed with exit code {code}')


def profile(job: Job, case: Speed) -> None:
    """Sums 20 steps by kernel, by `kernels.py`."""
    command = [sys.executable, str(BENCHMARKS / 'kernels.py'), '--network', case.network, '--dtype', case.dtype]
    command += [f'--batch_size={case.batch_size}', f'--size={case.size}', f'--steps={2 if job.rehearse else 20}']
    command += ['--fields', *job.words]
    done = subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    print(done.stdout, flush=True)
    for name, value in json.loads(done.stdout.splitlines()[-1]).items():
        job.record(name, value[:10] if name == 'kernels' else value)


def fails(job: Job) -> None:
    """Fails, in the rehearsal of faults."""
    job.record('before the failure', True)
    raise RuntimeError('this part fails on purpose')


class Part(NamedTuple):
    """A part: its title, its function, and its time limit in seconds."""

    title: str
    run: Callable[[Job], None]
    seconds: float


def parts(rehearse: bool) -> dict[str, Part]:
    """All parts, in the order of their worth."""
    if rehearse:
        small, pictures = Speed('ResNet-8', 4, 1), Speed('ImageNet ResNet-18', 2, 1, 32)
        cases, profiled = [small, pictures], [small._replace(dtype='float32')]
    else:
        small, pictures = Speed('ResNet-20', 128, 200), Speed('ImageNet ResNet-50', 256, 20, 224)
        deep, profiled = Speed('ResNet-110', 128, 60), [small, pictures]
        cases = [small._replace(compiled=True), pictures._replace(compiled=True), deep]
        cases += [case._replace(dtype='float32') for case in (small, pictures, deep)]
        cases += [Speed('ResNet-56', 128, 100)]

    def titled(case: Speed) -> str:
        return f'{case.network}, {case.dtype}' + (', PyTorch compiled' if case.compiled else '')

    return {
        'machine': Part('The machine', machine, 60),
        'graphs': Part('Do CUDA graphs work', graphs, 60),
        'trains': Part('Does it train', trains, 150),
        'options': Part('What was only counted so far, with and without', options, 120),
        **{f'speed: {titled(case)}': Part(titled(case), functools.partial(speed, case=case), 150)
           for case in cases[:3]},
        'runs': Part('Runs at full length', runs, 3600),
        **{f'profile: {titled(case)}': Part(titled(case), functools.partial(profile, case=case), 80)
           for case in profiled},
        **{f'speed: {titled(case)}': Part(titled(case), functools.partial(speed, case=case), 150)
           for case in cases[3:]},
    }  # fmt: skip


if __name__ == '__main__':
    _, chosen, given = sys.argv
    this = Job.from_json(given)
    (fails if chosen == 'fails' else parts(this.rehearse)[chosen].run)(this)
