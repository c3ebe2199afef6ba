"""Measures time and memory of a step against depth, batch and devices: `python benchmarks/growth.py`.

Each case runs in its own process, so that its peak memory is measured separately. Several devices are simulated on the
CPU's cores. Their total work is the same as with one device, so that the table shows the cost of sharding. Prints three
tables and, last, a line of JSON.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time

from networks import NETWORKS
from peers import in_turn, ours, versions


def one(network: str, batch_size: int, devices: int, rounds: int) -> None:
    """Measures one case, in its own process. Prints seconds and bytes, as JSON."""
    import jax

    on_cpu = jax.config.jax_platforms == 'cpu' or devices > 1
    if on_cpu:
        jax.config.update('jax_platforms', 'cpu')
        jax.config.update('jax_num_cpu_devices', devices)
    began = time.perf_counter()
    run = ours(network, batch_size, 2, devices=devices)
    run(steps=1)
    first = time.perf_counter() - began
    seconds = in_turn({'step': run}, rounds)['step']
    stats = jax.devices()[0].memory_stats() or {}
    peak = stats.get('peak_bytes_in_use', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
    print(json.dumps({'first': first, 'seconds': seconds, 'peak_bytes': peak}))


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--depths', type=int, nargs='*', default=[20, 56, 110, 1202])
    parser.add_argument('--batches', type=int, nargs='*', default=[32, 128, 512, 2048, 4096])
    parser.add_argument('--devices', type=int, nargs='*', default=[1, 2, 4, 8])
    parser.add_argument('--batch_size', type=int, default=128, help='batch size of the tables by depth and by devices')
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--one', nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        one(options.one[0], int(options.one[1]), int(options.one[2]), options.rounds)
        return
    assert all(f'ResNet-{depth}' in NETWORKS for depth in options.depths), (
        f'--depths: must be depths of {", ".join(NETWORKS)}'
    )
    size = options.batch_size
    tables = {
        'depth': [(f'ResNet-{depth}', size, 1) for depth in options.depths],
        'batch': [('ResNet-20', batch, 1) for batch in options.batches],
        'devices': [('ResNet-20', size, devices) for devices in options.devices],  # simulated on the CPU
    }
    print(', '.join(f'{name} {value}' for name, value in versions().items()))
    results: dict[str, list[dict[str, float]]] = {}
    for by, cases in tables.items():
        print(f'\nBy {by}:\n\n| network | batch | devices | first update, s | step, ms | images/s | peak memory, MB |')
        print('|---|---:|---:|---:|---:|---:|---:|', flush=True)
        for case in cases:
            command = [sys.executable, __file__, f'--rounds={options.rounds}', '--one', *map(str, case)]
            environment = os.environ | ({'JAX_PLATFORMS': 'cpu'} if by == 'devices' else {})
            found = json.loads(subprocess.check_output(command, text=True, env=environment).splitlines()[-1])
            results.setdefault(by, []).append({'network': case[0], 'batch': case[1], 'devices': case[2], **found})
            print(
                f'| {case[0]} | {case[1]} | {case[2]} | {found["first"]:.1f} | {1e3 * found["seconds"]:,.0f} | '
                f'{case[1] / found["seconds"]:,.0f} | {found["peak_bytes"] / 1e6:,.0f} |',
                flush=True,
            )
    print(json.dumps({**versions(), 'results': results}))


if __name__ == '__main__':
    main()
