"""The first quarter of an hour on a GPU: `python benchmarks/on_a_gpu.py --minutes=9 --out=FOLDER`.

It asks whether training works there, how fast it is beside PyTorch, and what the choices bring that were only counted
so far; then it trains the papers' runs at full length, as many as fit. The parts run in the order of their worth, each
in its own process with a time limit. What a part has found is written at once, so that neither a failure nor a kill
loses it: `results.json`, the page `page.md`, `log.txt`, and `runs-<number>.tar`, at most eight files.

Before, on a machine that has CIFAR:
  --pack=FOLDER      writes CIFAR-10 as two files that a machine without TFDS can be sent
  --wheels=FILE      lists the packages that a run needs and FILE does not name (the output of `pip list` there)
  --rehearse         does all parts on a CPU, as small as possible

A second call continues the first: --after=FOLDER takes the results and runs that came back from it.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import gpu_page
import gpu_parts
import gpu_runs
from gpu_job import ROOT, Job

BENCHMARKS = Path(__file__).parent
GRACE = 10.0
"""Seconds that a part gets to save its state, after its time."""


def perform(options: argparse.Namespace, scratch: Path) -> None:
    """Runs all parts that no earlier call has done, and writes what each has found."""
    began, out = time.time(), options.out
    check_imports()
    out.mkdir(parents=True, exist_ok=True)
    data = sorted(options.data.glob('*.tar')) if options.data else []
    if options.rehearse:
        data = random_data(scratch / 'packed')
    results: dict[str, Any] = {}
    if options.after:
        results = json.loads((options.after / 'results.json').read_text())
        gpu_runs.unpack_runs(options.after, scratch)
    planned = gpu_parts.parts(options.rehearse)
    if unknown := {*(options.only or ())} - {*planned, 'fails'}:
        raise SystemExit(f'--only: {", ".join(sorted(unknown))}: the parts are {", ".join(planned)}')
    chosen = sorted(
        options.only or planned, key=lambda name: name != 'runs' and results.get(name, {}).get('seconds', 0) > 0
    )
    for name in chosen:  # last are those that an earlier call has begun in vain
        left = began + 60 * options.minutes - GRACE - time.time()
        if results.get(name, {}).get('ended') == 'completed' and name != 'runs':
            continue
        if left < 5:
            results.setdefault(name, {'ended': 'no time was left', 'seconds': 0.0, 'found': {}})
            continue
        title, _, limit = planned.get(name, gpu_parts.Part(name, gpu_parts.fails, 60.0))
        limit = min(limit * (20 if options.rehearse else 1), left)
        end, graphs = time.time() + limit, have_graphs(results)
        job = Job(scratch / 'found.json', out, scratch, data, results, end, options.rehearse, graphs)
        print(f'{title} (at most {limit:.0f} s)', flush=True)
        results[name] = run(name, job, limit, out / 'log.txt')
        print(f'    {results[name]["seconds"]:.0f} s; {results[name]["ended"]}', flush=True)
        write(out, results, planned)
    write(out, results, planned)
    for path in sorted(out.iterdir()):
        print(f'{path.name}: {path.stat().st_size:,} bytes')


def check_imports() -> None:
    """Ends with a line if a package is missing, which --wheels would have listed: then no part would run."""
    done = subprocess.run(
        [sys.executable, '-c', 'import configs.base, jax_resnet.training.train, orbax.checkpoint, tensorboardX'],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(done.stderr.strip().splitlines()[-1])


def have_graphs(results: dict[str, Any]) -> bool:
    """Whether CUDA graphs work, as far as it is known: a small program has run, and training does not need them off."""
    small, bits = results.get('graphs'), results.get('trains', {}).get('found', {})
    is_broken = bits.get('bits, without CUDA graphs') and bits.get('bits, default', '') is None
    return (small is None or small['found'].get('work') is True) and not is_broken


def run(name: str, job: Job, limit: float, log: Path) -> dict[str, Any]:
    """Runs one part in its own process. Returns how it ended, its seconds, and what it has found."""
    job.file.unlink(missing_ok=True)
    began, command = time.time(), [sys.executable, str(BENCHMARKS / 'gpu_parts.py'), name, job.json()]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get('PYTHONPATH')]))
    # a folder that a second call finds again
    environment = {
        'JAX_COMPILATION_CACHE_DIR': str(Path(tempfile.gettempdir(), f'jax_resnet_compiled-{os.getuid()}')),
        'PYTHONPATH': path,
    }
    with log.open('a') as file:
        file.write(f'\n=== {name}\n')
        file.flush()
        process = subprocess.Popen(
            command,
            stdout=file,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=os.environ | environment,
            start_new_session=True,
        )
        try:
            code = process.wait(limit)
            ended = 'completed' if code == 0 else f'failed with exit code {code}'
        except subprocess.TimeoutExpired:
            ended = 'cut by its time limit'
        finally:
            end_group(process)
    if ended.startswith('failed'):
        ended += f': {last_line(log)}'
    found = json.loads(job.file.read_text()) if job.file.exists() else {}
    return {'ended': ended, 'seconds': time.time() - began, 'found': found, 'graphs': job.graphs}


def end_group(process: subprocess.Popen) -> None:
    """Ends a process and all that it has started, which may save their state first."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        end = time.time() + GRACE / 2
        while time.time() < end and process.poll() is None:
            time.sleep(0.05)
    process.wait()


def last_line(log: Path) -> str:
    """The last line of a log, shortened."""
    lines = log.read_text(errors='replace').strip().splitlines()
    return lines[-1][:200]


def write(out: Path, results: dict[str, Any], planned: dict[str, gpu_parts.Part]) -> None:
    """Writes the results and the page."""
    page = gpu_page.page(results, {name: part.title for name, part in planned.items()})
    for name, content in (('results.json', json.dumps(results, indent=1)), ('page.md', page)):
        draft = out / f'{name}.draft'
        draft.write_text(content)
        draft.replace(out / name)


def random_data(folder: Path) -> list[Path]:
    """Packs images of one random colour each as if they were CIFAR-10."""
    import numpy as np
    import packed

    from jax_resnet.data import Examples

    rng = np.random.default_rng(0)
    splits = {
        split: Examples(
            rng.integers(0, 256, (count, 1, 1, 3), np.uint8).repeat(32, 1).repeat(32, 2),
            rng.integers(0, 10, count, np.int32),
        )
        for split, count in (('train', 50_000), ('test', 10_000))
    }
    return packed.pack('cifar10', splits, folder)


def pack(folder: Path) -> None:
    """Packs CIFAR-10 and prints the sizes of what travels."""
    import packed

    from jax_resnet.data import open_source

    source = open_source('cifar10')
    splits = {split: source.read(split) for split in source.sizes}
    for path in packed.pack('cifar10', splits, folder):
        print(f'{path}: {path.stat().st_size / 2**20:.1f} MiB')
    listed = subprocess.run(['git', 'ls-files', '-z'], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    size = sum((ROOT / name).stat().st_size for name in listed.split('\0') if (ROOT / name).is_file())
    print(f'the repository: {size / 2**20:.1f} MiB')


WHAT_IS_IMPORTED = """
import importlib.metadata, json, runpy, sys
sys.modules.update(dict.fromkeys({refused}))  # an import of these fails
sys.argv = {argv}
try:
    runpy.run_path('main.py', run_name='__main__')
except SystemExit as e:
    assert not e.code, e.code
packages = importlib.metadata.packages_distributions()
modules = {{name.split('.')[0] for name, module in list(sys.modules.items()) if module}}
print(json.dumps(sorted({{package for name in modules for package in packages.get(name, ())}})))
"""
"""A program that trains and prints the packages that it has imported."""

REFUSED = 'tensorflow_datasets', 'grain', 'array_record'
"""What a run from packed data must not import."""


def imported(scratch: Path) -> list[str]:
    """Trains two steps on packed data, without a home and without what is REFUSED. Returns the packages it imports."""
    import packed

    os.environ['XDG_CACHE_HOME'] = str(scratch / 'cache')
    if problem := packed.unpack(random_data(scratch)):
        raise SystemExit(problem)
    argv = ['main.py', '--config=configs/resnet20_cifar10.py', f'--workdir={scratch / "run"}']
    argv += ['--config.dataset.test=test[:32]', '--config.model.depth=8', '--config.batch_size=16']
    argv += ['--config.train_for=2 steps']
    program = WHAT_IS_IMPORTED.format(refused=REFUSED, argv=argv)
    environment = os.environ | {
        'HOME': '/proc/nowhere',
        'JAX_PLATFORMS': 'cpu',
        'PYTHONPATH': os.pathsep.join([str(ROOT), os.environ.get('PYTHONPATH', '')]),
    }
    done = subprocess.run([sys.executable, '-c', program], cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def wheels(there: Path, python: str = '3.12') -> list[str]:
    """Returns the packages that a run imports and `there` does not name, with the versions of constraints.txt."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    def key(line: str) -> str:
        return canonicalize_name(line.replace('=', ' ').split()[0])

    present = {key(line) for line in there.read_text().splitlines() if line.strip()}
    pinned = {}
    for line in (ROOT / 'constraints.txt').read_text().splitlines():
        if line.startswith('#'):
            continue
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or marker.evaluate({'python_version': python, 'python_full_version': f'{python}.0'}):
            pinned[canonicalize_name(requirement.name)] = f'{requirement.name}{requirement.specifier}'
    with tempfile.TemporaryDirectory() as scratch:
        needed = {canonicalize_name(name) for name in imported(Path(scratch))} - {'jax-resnet', 'jax_resnet'}
    return [pinned.get(name, name) for name in sorted(needed - present)]


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--minutes', type=float, default=9.0)
    parser.add_argument('--out', type=Path, default=Path('on_a_gpu'), help='folder for what comes back')
    parser.add_argument('--data', type=Path, help='folder with the files of --pack')
    parser.add_argument('--after', type=Path, help='folder of an earlier call')
    parser.add_argument('--rehearse', action='store_true')
    parser.add_argument('--only', nargs='+', metavar='PART', help='do these parts only')
    parser.add_argument('--pack', type=Path, metavar='FOLDER')
    parser.add_argument('--wheels', type=Path, metavar='FILE')
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # ends the part that runs
    sys.path.insert(0, str(ROOT))
    if options.pack:
        pack(options.pack)
    elif options.wheels:
        print('\n'.join(wheels(options.wheels)))
    else:
        with tempfile.TemporaryDirectory() as scratch:
            perform(options, Path(scratch))


if __name__ == '__main__':
    main()
