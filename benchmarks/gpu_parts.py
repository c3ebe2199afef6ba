"""The parts of `on_a_gpu.py`. Each runs in its own process, which writes what it has found after each finding."""

import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
BENCHMARKS = Path(__file__).parent
OPTIONS = {
    'without CUDA graphs': {'gpu.graphs': False},
    'without flat arrays': {'gpu.flat_arrays': False},
    "without BatchNorm's sums in one pass": {'gpu.batch_norm_sums': False},
    'without all three': {'gpu.graphs': False, 'gpu.flat_arrays': False, 'gpu.batch_norm_sums': False},
}
"""What was only counted so far, each switched off; and the plain program."""

MOST_BYTES = 15 * 2**20
"""Maximum size of a tar with run folders."""

MOST_TARS = 4


@dataclass
class Job:
    """A part that runs, and what it has found.

    Attributes:
        file: where the findings are written, as JSON.
        out: folder for tars of run folders.
        scratch: folder for run folders and compiled programs.
        data: files of `packed`.
        earlier: results of the parts that have ended, by name.
        end: the time at which the part should have ended.
        rehearse: whether everything is as small as possible.
    """

    file: Path
    out: Path
    scratch: Path
    data: list[Path]
    earlier: dict[str, Any]
    end: float
    rehearse: bool
    found: dict[str, Any] = field(default_factory=dict)

    def record(self, name: str, value: Any) -> None:
        """Adds a finding."""
        self.found[name] = value
        draft = self.file.with_suffix('.draft')
        draft.write_text(json.dumps(self.found))
        draft.replace(self.file)

    @property
    def left(self) -> float:
        """Seconds until the end."""
        return self.end - time.time()

    def json(self) -> str:
        """The arguments of this job as text, for its process."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> 'Job':
        """The inverse of `json`."""
        given = json.loads(text)
        paths = {name: Path(given[name]) for name in ('file', 'out', 'scratch')}
        return cls(**{**given, **paths, 'data': [Path(file) for file in given['data']]})

    def train(
        self, folder: str, config: str, changes: Mapping[str, Any], environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen:
        """Starts `main.py`. Its run folder is `scratch/folder`. The caller reads its output."""
        command = [sys.executable, 'main.py', f'--config=configs/{config}.py', f'--workdir={self.scratch / folder}']
        command += [f'--config.{name}={value}' for name, value in changes.items()]
        shared = {'XLA_PYTHON_CLIENT_PREALLOCATE': 'false'}  # several share a GPU's memory
        pipes = {'stdout': subprocess.PIPE, 'stderr': subprocess.STDOUT, 'text': True}
        return subprocess.Popen(command, cwd=ROOT, env=os.environ | shared | dict(environment or {}), **pipes)


def machine(job: Job) -> None:
    """Versions, device, driver, clocks and memory; and the two rates that limit every step."""
    import importlib.metadata

    import peers

    job.record('time', time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime()))
    commit = subprocess.run(['git', 'rev-parse', 'HEAD'], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    job.record('commit', commit or 'not known')
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
            pool.submit(long),
            pool.submit(first, 'first losses, GPU', {}),
            pool.submit(first, 'first losses, GPU, float32', {'precision.matmul': 'float32'}),
            pool.submit(first, 'first losses, CPU', {}, on_cpu),
            pool.submit(stopped),
            pool.submit(bits, 'default', {}),
            *(pool.submit(bits, name, changes) for name, changes in off.items()),
        ]
    for task in tasks:
        task.result()


def metrics(folder: Path) -> list[dict[str, Any]]:
    """The lines of metrics of a run; [] if there are none."""
    file = folder / 'metrics.jsonl'
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


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
    with contextlib.ExitStack() as stack:
        runs = {
            name: stack.enter_context(peers.in_a_process(peers.ours, *case, **changes))
            for name, changes in variants.items()
        }
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
    from importlib.util import find_spec

    file = job.scratch / 'train_step.json'
    file.unlink(missing_ok=True)
    command = [sys.executable, str(BENCHMARKS / 'train_step.py'), '--networks', case.network, '--dtypes', case.dtype]
    command += [f'--batch_size={case.batch_size}', f'--steps={case.steps}', f'--size={case.size}', f'--json={file}']
    command += [f'--seconds={0 if job.rehearse else max(5.0, job.left / 3)}', '--most_rounds=15']
    command += ['--alone'] if job.rehearse or not find_spec('torch') else ['--compiled'] if case.compiled else []
    subprocess.run(command, check=True, cwd=ROOT)
    (found,) = json.loads(file.read_text())['results']
    for name, value in found.items():
        job.record(name, value)


def profile(job: Job, case: Speed) -> None:
    """Sums 20 steps by kernel, by `kernels.py`."""
    command = [sys.executable, str(BENCHMARKS / 'kernels.py'), '--network', case.network, '--dtype', case.dtype]
    command += [f'--batch_size={case.batch_size}', f'--size={case.size}', f'--steps={2 if job.rehearse else 20}']
    done = subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    print(done.stdout, flush=True)
    for name, value in json.loads(done.stdout.splitlines()[-1]).items():
        job.record(name, value[:10] if name == 'kinds' else value)


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
    import packed

    job.found.update(job.earlier.get('runs', {}).get('found', {}))
    data_dir = job.scratch / 'data'
    for name in {file.name.rsplit('-', 1)[0] for file in job.data}:
        problem = packed.unpack([file for file in job.data if file.name.startswith(f'{name}-')], data_dir)
        job.record(f'data {name}', problem or 'whole')
    planned = FULL_LENGTH[4:6] if job.rehearse else FULL_LENGTH
    changes = {'dataset.data_dir': data_dir, 'checkpoint_every': '20 epochs', 'log_every': '40 epochs'}
    if job.rehearse:
        changes |= {'model.depth': 8, 'batch_size': 16, 'train_for': '6 steps'}
    folders = {run: job.scratch / 'runs' / run.config / f'seed{run.seed}' for run in planned}
    for run in sorted(planned, key=lambda run: not folders[run].exists()):  # a stable order: those that were cut first
        key, name = f'{run.config}, seed {run.seed}', run.config.split('_')[-1]
        if (folders[run] / 'summary.json').exists():
            continue  # it came back from an earlier call
        if job.found.get(f'data {name}') != 'whole':
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
        text, _ = process.communicate(timeout=max(1.0, job.left - 8))
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)  # it saves its state
        text, _ = process.communicate()
    print(f'--- {key}\n{text}', flush=True)
    lines, summary = metrics(folder), folder / 'summary.json'
    found = {'seconds': time.time() - began, 'step': lines[-1]['step'] if lines else 0, 'depth': run.depth}
    found['error'] = json.loads(summary.read_text())['final_test_error'] if summary.exists() else None
    if process.returncode and not summary.exists():
        found['ended'] = text.strip().splitlines()[-1] if text.strip() else f'exit code {process.returncode}'
    if folder.exists():
        found['in'] = keep(folder, job.out)
    job.record(key, found)


def estimate(job: Job, run: Run) -> float:
    """Seconds of a run: those of a finished one of the same depth; or else by the step of ResNet-20 and the depth."""
    same = [found['seconds'] for found in job.found.values() if isinstance(found, dict) and _is_whole(found, run.depth)]
    if same:
        return 1.05 * max(same)
    step = job.earlier.get('options', {}).get('found', {}).get('seconds', {}).get('default', 0.001)
    return 30 + 1.2 * STEPS * step * run.depth / 20 if not job.rehearse else 1.0


def _is_whole(found: Mapping[str, Any], depth: int) -> bool:
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
        cases = [small, pictures, deep, small._replace(compiled=True), pictures._replace(compiled=True)]
        cases += [Speed('ResNet-56', 128, 100), Speed('pre-act ResNet-164', 128, 30)]
        cases += [case._replace(dtype='float32') for case in (small, pictures, deep)]
    limits = dict(zip(cases, (40, 100, 60, 60, 100, 50, 60, 40, 80, 50), strict=False))

    def titled(case: Speed) -> str:
        return f'{case.network}, {case.dtype}' + (', PyTorch compiled' if case.compiled else '')

    return {
        'machine': Part('The machine', machine, 30),
        'trains': Part('Does it train', trains, 90),
        'options': Part('What was only counted so far, with and without', options, 70),
        **{f'speed: {titled(case)}': Part(titled(case), functools.partial(speed, case=case), limits[case])
           for case in cases[:5]},
        **{f'profile: {titled(case)}': Part(titled(case), functools.partial(profile, case=case), 50)
           for case in profiled},
        'runs': Part('Runs at full length', runs, 3600),
        **{f'speed: {titled(case)}': Part(titled(case), functools.partial(speed, case=case), limits[case])
           for case in cases[5:]},
    }  # fmt: skip


if __name__ == '__main__':
    _, chosen, given = sys.argv
    this = Job.from_json(given)
    (fails if chosen == 'fails' else parts(this.rehearse)[chosen].run)(this)
