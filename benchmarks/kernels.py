"""Traces some training steps and sums the time of their kernels: `python benchmarks/kernels.py`.

XLA runs a program without CUDA graphs while it is traced, so the gaps between kernels are those of a program whose
kernels the host launches. Beside the sum stands the time of a step without a trace. On a CPU, the operations of XLA's
program are summed instead of kernels. Prints a table and, last, a line of JSON.
"""

import argparse
import gzip
import json
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from networks import NETWORKS, begun, fields, many_examples, synthetic


def trace(network: str, batch_size: int, size: int, steps: int, folder: Path, **changes: Any) -> float:
    """Writes a trace of `steps` steps to `folder`. Returns the seconds of a step without a trace."""
    import time

    import jax

    is_gpu = jax.devices()[0].platform == 'gpu'  # then the program is that of train_step.py, which is in the cache
    examples = many_examples(batch_size, size) if is_gpu else steps * batch_size
    program, state = begun(*synthetic(network, batch_size, size, examples=examples, **changes))

    def run() -> float:
        nonlocal state
        first, began = int(state.step), time.perf_counter()
        while int(state.step) < first + steps:
            state = jax.block_until_ready(program(state, first + steps))
        return (time.perf_counter() - began) / steps

    run()
    seconds = min(run() for _ in range(3))
    options = jax.profiler.ProfileOptions()
    options.python_tracer_level, options.host_tracer_level = 0, 1
    jax.profiler.start_trace(str(folder), profiler_options=options)
    run()
    jax.profiler.stop_trace()
    return seconds


def read(folder: Path) -> list[dict[str, Any]]:
    """Returns the events of the trace in `folder`, in Chrome's format."""
    file = next(folder.rglob('*.trace.json.gz'))
    events: list[dict[str, Any]] = json.loads(gzip.decompress(file.read_bytes()))['traceEvents']
    return events


def kernels(events: Iterable[Mapping[str, Any]]) -> list[tuple[str, float, float]]:
    """Returns the kernels on a GPU's streams, or XLA's operations on a CPU: name, start and duration in microseconds.

    A device's other threads repeat the same time by module, operation and so on.
    """
    events = list(events)
    names = {
        (event['name'], event['pid'], event.get('tid')): event['args']['name']
        for event in events
        if event.get('ph') == 'M' and event['name'] in ('process_name', 'thread_name')
    }
    gpus = {pid for (event, pid, _), name in names.items() if event == 'process_name' and '/device:GPU' in name}
    streams = {
        (pid, tid)
        for (event, pid, tid), name in names.items()
        if event == 'thread_name' and pid in gpus and name.startswith('Stream')
    }
    return [
        (event['name'], float(event['ts']), float(event['dur']))
        for event in events
        if event.get('ph') == 'X'
        and ((event['pid'], event['tid']) in streams if streams else 'hlo_op' in event.get('args', {}))
    ]


def summarize(found: Iterable[tuple[str, float, float]], steps: int) -> dict[str, Any]:
    """Sums kernels by their names without numbers. All times are milliseconds of a step.

    Returns:
        `kernels`, a list of the name, its time and its number, the longest first; `count`, the number of kernels;
        `busy`, the time in which at least one runs; and `gaps`, the time between the first and the last in which none
        runs.
    """
    totals: dict[str, list[float]] = defaultdict(lambda: [0.0, 0])
    busy = end = 0.0
    first: float | None = None
    for name, start, duration in sorted(found, key=lambda kernel: kernel[1]):
        total = totals[re.sub(r'([._]\d+)+$', '', name)]
        total[0] += duration / 1e3 / steps
        total[1] += 1 / steps
        first = start if first is None else first
        busy += max(0.0, start + duration - max(start, end))
        end = max(end, start + duration)
    kernels = sorted(((name, *total) for name, total in totals.items()), key=lambda each: -each[1])
    return {
        'kernels': kernels,
        'count': sum(number for _, _, number in kernels),
        'busy': busy / 1e3 / steps,
        'gaps': (end - (first or 0.0) - busy) / 1e3 / steps,
    }


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--network', default='ResNet-20', choices=NETWORKS)
    parser.add_argument('--batch_size', type=int, default=128)
    parser.add_argument('--size', type=int, default=32, help='size of the images in pixels')
    parser.add_argument('--dtype', default='bfloat16', choices=['float32', 'bfloat16'])
    parser.add_argument('--steps', type=int, default=20)
    parser.add_argument('--fields', nargs='*', default=[], metavar='FIELD=VALUE', help='fields of the config')
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        case = options.network, options.batch_size, options.size, options.steps
        seconds = trace(*case, Path(folder), **{'precision.compute': options.dtype}, **fields(options.fields))
        found = summarize(kernels(read(Path(folder))), options.steps)
    print('| kernels | ms a step | number |')
    print('|---|---:|---:|')
    for name, milliseconds, number in found['kernels'][:10]:
        print(f'| `{name[:80]}` | {milliseconds:.3f} | {number:.0f} |')
    print(f'all {found["count"]:.0f} kernels: {found["busy"]:.3f} ms; gaps: {found["gaps"]:.3f} ms', end='; ')
    print(f'a step without a trace: {1e3 * seconds:.3f} ms')
    print(json.dumps({'network': options.network, 'dtype': options.dtype, 'step': 1e3 * seconds, **found}))


if __name__ == '__main__':
    main()
