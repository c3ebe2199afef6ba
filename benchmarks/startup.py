"""Times the start: imports, building (the network and its first weights), compiling, the first step.

Each is timed without a compilation cache, with an empty one and with a full one.

    python benchmarks/startup.py

Each network starts in its own process, with batch size 8, like a training. Then the commands themselves are timed.
Prints a table and, last, a line of JSON.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from networks import NETWORKS
from peers import versions

ROOT = Path(__file__).parents[1]


def one(name: str, size: int) -> None:
    """Starts one network, in its own process, and prints the seconds of each part."""
    began = time.perf_counter()
    import flax  # noqa: F401
    import jax
    import optax  # noqa: F401
    import orbax.checkpoint  # noqa: F401
    import tensorflow_datasets  # noqa: F401

    jax.devices()
    imported = time.perf_counter()
    from networks import synthetic

    from jax_resnet.training import setup

    config, source = synthetic(name, 8, size=size)
    made = setup.set_up(config, source)
    settings, state = made.training_backend(), made.initial_state()
    built = time.perf_counter()
    program = made.compile(settings)
    compiled = time.perf_counter()
    state = jax.block_until_ready(program(state, 1))
    first = time.perf_counter()
    jax.block_until_ready(program(state, 2))
    seconds = {'imports': imported - began, 'building': built - imported, 'compiling': compiled - built}
    seconds |= {'first step': first - compiled, 'from building to the first update': first - imported}
    print(json.dumps(seconds | {'another step': time.perf_counter() - first}))


def timed_lines(command: list[str], environment: dict[str, str]) -> list[tuple[float, str]]:
    """Returns the lines that a command prints, each with the seconds since its start; last, '' at its end."""
    began = time.perf_counter()
    environment = {**os.environ, 'PYTHONUNBUFFERED': '1', **environment}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        lines = [(time.perf_counter() - began, line) for line in process.stdout or ()]
    if process.returncode:
        raise SystemExit(f'{" ".join(command)}: exit code {process.returncode}')
    return [*lines, (time.perf_counter() - began, '')]


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--networks', nargs='+', choices=NETWORKS, default=[
        'ResNet-20', 'ResNet-110', 'ResNet-1202', 'pre-act ResNet-1001', 'ImageNet ResNet-152'])  # fmt: skip
    parser.add_argument('--one', nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        one(options.one[0], int(options.one[1]))
        return
    print(', '.join(f'{name} {value}' for name, value in versions().items()), flush=True)
    results: dict[str, dict[str, dict[str, float]]] = {}
    print(
        '| network, batch 8 | cache | imports | building | compiling | first step | building to first update | a step |'
    )
    print('|---|---|---:|---:|---:|---:|---:|---:|', flush=True)
    for network in options.networks:
        size = 64 if 'ImageNet' in network else 32
        with tempfile.TemporaryDirectory() as folder:
            cached = {'JAX_COMPILATION_CACHE_DIR': folder, 'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS': '0.3'}
            for cache, environment in {'none': {}, 'empty': cached, 'full': cached}.items():
                command = [sys.executable, __file__, '--one', network, str(size)]
                seconds = json.loads(timed_lines(command, environment)[-2][1])
                results.setdefault(network, {})[cache] = seconds
                print(
                    f'| {network} ({size}x{size}) | {cache} | {" | ".join(f"{s:.1f}" for s in seconds.values())} |',
                    flush=True,
                )
    with tempfile.TemporaryDirectory() as folder:
        train = [sys.executable, 'main.py', '--config=configs/resnet20_digits.py', '--config.train_for=1 step']
        commands = {
            'python main.py --help': ('', [sys.executable, 'main.py', '--help']),
            'quick start, first update and evaluation, empty cache': ('epoch', [*train, f'--workdir={folder}/1']),
            'quick start, first update and evaluation, full cache': ('epoch', [*train, f'--workdir={folder}/2']),
        }
        for name, (start, command) in commands.items():
            lines = timed_lines(command, {'XDG_CACHE_HOME': folder})
            seconds = next(second for second, line in lines if (line.startswith(start) if start else not line))
            results[name] = {'none': {'seconds': seconds}}
            print(f'{name}: {seconds:.1f} s')
    print(json.dumps({**versions(), 'results': results}))


if __name__ == '__main__':
    main()
