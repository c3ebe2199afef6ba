"""Times a training step of ResNet-20 against PyTorch's, in turn, in one run: `python benchmarks/train_step.py`.

The same network and update on random images: forward, backward, SGD with momentum and weight decay.
PyTorch is eager and channels-last, on the same device and precision; ours runs several steps a dispatch, as
training does, with its augmentation (PyTorch's has none). Medians over rounds; each round times one after the other.
Then the start: from building to the end of the first update, each in a process of its own.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).parents[1]))


def ours(depth: int, batch_size: int, steps: int) -> Callable[[], float]:
    """Returns a function that trains for `steps` and returns the seconds per step."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from configs import base
    from jax_resnet.data import Examples, Source
    from jax_resnet.training.experiment import Experiment

    size = max(512, batch_size)
    rng = np.random.default_rng(0)
    examples = Examples(
        rng.integers(0, 256, (size, 32, 32, 3), dtype=np.uint8), rng.integers(0, 10, size, dtype=np.int32)
    )
    splits = dict.fromkeys(('train', 'test'), SimpleNamespace(num_examples=size, shard_lengths=[size]))
    source = Source('random', (32, 32, 3), tuple('0123456789'), splits, lambda split: examples, f'{size}')
    config = base.get_config()
    config.update_from_flattened_dict({'batch_size': batch_size, 'model.depth': depth, 'parallel.devices': 1})
    experiment = Experiment.of(config.to_dict(), source)
    state = experiment.initial_state()
    on_device = jax.device_put((examples.images, examples.labels), experiment.everywhere)
    program = jax.jit(
        experiment.steps().run,
        donate_argnums=0,
        out_shardings=experiment.everywhere,
        compiler_options=experiment.compiler_options,
    )

    def run() -> float:
        nonlocal state
        first, began = int(state.step), time.perf_counter()
        state = program(state, jnp.int32(first + steps), *on_device)
        jax.block_until_ready(state)
        return (time.perf_counter() - began) / steps

    return run


def torchs(depth: int, batch_size: int, steps: int) -> Callable[[], float]:
    """The same in PyTorch."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    class Unit(nn.Module):
        def __init__(self, old: int, new: int, stride: int) -> None:
            super().__init__()
            self.conv1, self.norm1 = nn.Conv2d(old, new, 3, stride, 1, bias=False), nn.BatchNorm2d(new)
            self.conv2, self.norm2 = nn.Conv2d(new, new, 3, 1, 1, bias=False), nn.BatchNorm2d(new)
            self.stride, self.new_channels = stride, new - old

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
            if self.stride != 1:
                x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, self.new_channels))
            return F.relu(x + y)

    layers: list[nn.Module] = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    old = 16
    for new, stride in ((16, 1), (32, 2), (64, 2)):
        for i in range((depth - 2) // 6):
            layers.append(Unit(old, new, stride if i == 0 else 1))
            old = new
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    net = net.to(device, memory_format=torch.channels_last)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.benchmark = True
    optimizer = torch.optim.SGD(net.parameters(), 0.1, 0.9, weight_decay=1e-4)
    x = torch.randn(batch_size, 3, 32, 32, device=device).contiguous(memory_format=torch.channels_last)
    y = torch.arange(batch_size, device=device) % 10

    def run() -> float:
        began = time.perf_counter()
        for _ in range(steps):
            optimizer.zero_grad(set_to_none=True)
            loss = F.cross_entropy(net(x), y)
            loss.backward()
            optimizer.step()
        loss.item()
        return (time.perf_counter() - began) / steps

    return run


def first_step(depth: int, batch_size: int) -> float:
    """Seconds from building the network to the end of the first update, in a new process, imports apart."""
    program = (
        'import sys, time, jax, flax, optax, orbax.checkpoint, tensorflow_datasets\n'
        f'sys.path.insert(0, {str(Path(__file__).parent)!r})\n'
        'import train_step\n'
        'jax.devices()\n'
        'began = time.perf_counter()\n'
        f'train_step.ours({depth}, {batch_size}, 1)()\n'
        'print(time.perf_counter() - began)\n'
    )
    return float(subprocess.check_output([sys.executable, '-c', program], text=True).split()[-1])


def main() -> None:
    """Runs the command line; prints a table and, last, a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--depths', default='20', help='such as 20,110')
    parser.add_argument('--batch_size', type=int, default=128)
    parser.add_argument('--steps', type=int, default=5, help='in a round')
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument(
        '--first_steps', default='110,1202', help='depths whose start at batch 8 is timed; may be empty'
    )
    options = parser.parse_args()
    import jax
    import torch

    versions = {'jax': jax.__version__, 'torch': torch.__version__, 'device': jax.local_devices()[0].device_kind}
    print(', '.join(f'{name} {value}' for name, value in versions.items()))
    results: dict[str, dict[str, float]] = {}
    for depth in map(int, options.depths.split(',')):
        runs = {
            name: make(depth, options.batch_size, options.steps)
            for name, make in [('jax_resnet', ours), ('torch', torchs)]
        }
        for run in runs.values():
            run()  # compiles, warms up
        seconds = {name: [] for name in runs}
        for _ in range(options.rounds):
            for name, run in runs.items():
                seconds[name].append(run())
        medians = {name: statistics.median(values) for name, values in seconds.items()}
        ratio = medians['jax_resnet'] / medians['torch']
        results[f'ResNet-{depth}, batch {options.batch_size}'] = medians | {'ratio': ratio}
        print(
            f'ResNet-{depth}, batch {options.batch_size}: jax_resnet {1e3 * medians["jax_resnet"]:.1f} ms a step, '
            f'torch {1e3 * medians["torch"]:.1f} ms, ratio {ratio:.2f}'
        )
    for depth in filter(None, options.first_steps.split(',')):
        seconds_taken = first_step(int(depth), 8)
        results[f'first step of ResNet-{depth}, batch 8'] = {'jax_resnet': seconds_taken}
        print(f'ResNet-{depth}, batch 8: {seconds_taken:.1f} s from building to the end of the first update')
    print(json.dumps({**versions, 'results': results}))


if __name__ == '__main__':
    main()
