"""Measures the cost of several processes for the same work: `python benchmarks/processes.py`, on this machine's CPU.

Trains ResNet-20 on CIFAR-10, always with the same batch: in one process with one or more devices, and in several
processes with one device each. The processes exchange gradients through gloo, over the network of this machine.
TFDS_DATA_DIR names the data. Prints images a second, as the median over the lines of metrics.jsonl after the first.
Also prints how much a step sums over the devices, counted in the compiled program.
"""

import argparse
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
from math import prod
from pathlib import Path

ROOT = Path(__file__).parents[1]


def train(processes: int, devices: int, config: list[str], folder: Path) -> float:
    """Trains, and returns the images a second of the run."""
    with socket.socket() as listener:
        listener.bind(('', 0))
        port = listener.getsockname()[1]
    environment = {**os.environ, 'JAX_PLATFORMS': 'cpu', 'JAX_NUM_CPU_DEVICES': str(devices)}
    running = []
    for index in range(processes):
        place = [f'--coordinator=127.0.0.1:{port}', f'--processes={processes}', f'--process={index}']
        command = [sys.executable, 'main.py', *config, f'--workdir={folder}', *(place if processes > 1 else [])]
        running.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL))
    if sum(process.wait() for process in running):
        raise SystemExit('a training process has failed')
    lines = [json.loads(line) for line in (folder / 'metrics.jsonl').read_text().splitlines()]
    return statistics.median(line['images_per_second'] for line in lines[1:])


def exchanged(devices: int, batch_size: int) -> tuple[int, int]:
    """Returns the number of all-reduces of a step, and their bytes, in the program for so many devices."""
    import jax

    jax.config.update('jax_platforms', 'cpu')
    jax.config.update('jax_num_cpu_devices', devices)
    from networks import begun, synthetic

    from jax_resnet.platform import base

    begun(*synthetic('ResNet-20', batch_size, devices=devices))
    text = [*base._programs.values()][-1].as_text()  # of the program that was compiled last
    found = [m for line in text.splitlines() if (m := re.match(r'.* = (.*?) all-reduce(-start)?\(', line))]
    sizes = [re.findall(r'(f32|s32|pred|bf16)\[([\d,]*)\]', shape[1]) for shape in found]
    width = {'f32': 4, 's32': 4, 'pred': 1, 'bf16': 2}
    total_bytes = [
        sum(width[kind] * prod(map(int, filter(None, sides.split(',')))) for kind, sides in one) for one in sizes
    ]
    return len(total_bytes), sum(total_bytes)


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--batch_size', type=int, default=128)
    parser.add_argument('--steps', type=int, default=60)
    options = parser.parse_args()
    config = [
        *('--config=configs/resnet20_cifar10.py', f'--config.batch_size={options.batch_size}'),
        *(f'--config.train_for={options.steps} steps', f'--config.evaluate_every={max(1, options.steps // 6)} steps'),
        *('--config.dataset.test=test[:128]', '--config.batch_norm.group_size=32'),
    ]
    print('| processes x devices | images/s |\n|---|---:|')
    for processes, devices in ((1, 1), (1, 2), (2, 1), (1, 4), (4, 1)):
        with tempfile.TemporaryDirectory() as folder:
            print(f'| {processes} x {devices} | {train(processes, devices, config, Path(folder)):,.0f} |', flush=True)
    count, size = exchanged(4, options.batch_size)
    print(f'\nA step of four devices has {count} all-reduces of {size:,} bytes together.')


if __name__ == '__main__':
    main()
