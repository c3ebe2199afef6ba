"""The same training step here and in PyTorch, timed in turn; and the rates of the chip that bound it."""

import contextlib
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

CIFAR = {'name': 'cifar_resnet', 'num_classes': 10}
NETWORKS: dict[str, dict[str, Any]] = {
    **{f'ResNet-{depth}': {**CIFAR, 'depth': depth} for depth in (8, 20, 32, 44, 56, 110, 1202)},
    'pre-act ResNet-164': {**CIFAR, 'depth': 164, 'unit': 'bottleneck', 'order': 'full_preactivation'},
    'pre-act ResNet-1001': {**CIFAR, 'depth': 1001, 'unit': 'bottleneck', 'order': 'full_preactivation'},
    'ImageNet ResNet-18': {'name': 'imagenet_resnet', 'depth': 18, 'num_classes': 10},
    'ImageNet ResNet-50': {'name': 'imagenet_resnet', 'depth': 50, 'num_classes': 10},
    'ImageNet ResNet-152': {'name': 'imagenet_resnet', 'depth': 152, 'num_classes': 10},
    'ImageNet pre-act ResNet-200': {
        'name': 'imagenet_resnet', 'depth': 200, 'num_classes': 10, 'order': 'full_preactivation',
    },
}  # fmt: skip
Run = Callable[..., float]
"""Trains for some steps, which may be given; returns the seconds of each."""


def experiment(network: str, batch_size: int, size: int = 32, devices: int = 1, **changes: Any) -> Any:
    """An Experiment of a network, on random images of that size."""
    import numpy as np

    from configs import base
    from jax_resnet.data import Examples, Source
    from jax_resnet.training.experiment import Experiment

    count, rng = max(512, batch_size), np.random.default_rng(0)
    images = rng.integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    examples = Examples(images, rng.integers(0, 10, count, dtype=np.int32))
    splits = dict.fromkeys(('train', 'test'), SimpleNamespace(num_examples=count, shard_lengths=[count]))
    source = Source('random', (size, size, 3), tuple('0123456789'), splits, lambda split: examples, f'{count} {size}')
    config = base.get_config()
    config.model = NETWORKS[network]
    config.update_from_flattened_dict({'batch_size': batch_size, 'parallel.devices': devices, **changes})
    return Experiment.of(config.to_dict(), source)


def experiment_of(file: str, changes: Mapping[str, Any]) -> Any:
    """An Experiment of a config's file, on black images: nothing but their number and size is of its data set."""
    import numpy as np

    from jax_resnet.config.loader import load
    from jax_resnet.data import Examples, Source
    from jax_resnet.data.datasets import DATASETS
    from jax_resnet.training.experiment import Experiment

    class Black(Source):
        def read(self, spec: str) -> Examples:
            count = self.count(spec)
            return Examples(np.zeros((count, *self.image_shape), np.uint8), np.zeros(count, np.int32))

    config, _ = load(file, changes)
    known = DATASETS[config.dataset.name]
    splits = {name: SimpleNamespace(num_examples=n, shard_lengths=[n]) for name, n in known.splits.items()}
    names = tuple(map(str, range(known.num_classes)))
    return Experiment.of(config.to_dict(), Black('black', known.image_shape, names, splits, lambda split: None, ''))


def multiply_adds(exp: Any) -> float:
    """Of a step: the forward pass, and twice that for the gradients of inputs and of kernels."""
    from jax_resnet import models

    forward: int = models.count_multiply_adds(exp.model, exp.source.image_shape)
    return 3.0 * exp.config['batch_size'] * forward


def ours(network: str, batch_size: int, steps: int, **changes: Any) -> Run:
    """As training does it: with augmentation, several steps a dispatch. `changes` as for `experiment`."""
    import jax

    exp = experiment(network, batch_size, **changes)
    state = exp.initial_state()
    program = exp.compile(state)

    def run(steps: int = steps) -> float:
        nonlocal state
        first, began = int(state.step), time.perf_counter()
        while (step := int(state.step)) < first + steps:
            state = jax.block_until_ready(program(state, min(first + steps, exp.window_end(step))))
        return (time.perf_counter() - began) / steps

    return run


def in_turn(runs: Mapping[str, Run], rounds: int) -> dict[str, float]:
    """Median seconds of each: in every round one after the other, twice, of which the second call counts.

    While others have their turn, memory that a process gave back may go back to the machine's owner, and the caches to
    the others; a training does not pause, and the first call brings back what it would have.
    """
    for run in runs.values():
        run()
    seconds = []
    for _ in range(rounds):
        seconds.append({})
        for name, run in runs.items():
            time.sleep(0.5)  # OpenMP's threads spin for a while after their work is done
            run()
            seconds[-1][name] = run()
    return {name: statistics.median(one[name] for one in seconds) for name in runs}


@contextlib.contextmanager
def in_a_process(make: Callable[..., Run], *arguments: Any, **options: Any) -> Iterator[Run]:
    """What `make` makes, in a process of its own, so that peers share neither threads nor memory."""
    context = multiprocessing.get_context('spawn')
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, make, arguments, options), daemon=True)
    process.start()

    def run() -> float:
        here.send(True)
        seconds: float = here.recv()
        return seconds

    try:
        yield run
    finally:
        here.send(False)
        process.join()


def _serve(pipe: Any, make: Callable[..., Run], arguments: tuple, options: dict[str, Any]) -> None:
    run = make(*arguments, **options)
    while pipe.recv():
        pipe.send(run())


def matrix_rate(dtype: str) -> float:
    """Multiply-adds a second of one large matrix product."""
    import jax
    import jax.numpy as jnp

    n = 8192 if jax.devices()[0].platform == 'gpu' else 2048
    x = jnp.ones((n, n), dtype)
    return n**3 / _seconds(jax.jit(lambda x: x @ x), x)


def copy_rate() -> float:
    """Bytes a second, read and written, of one pass over an array much larger than any cache."""
    import jax
    import jax.numpy as jnp

    x = jnp.ones(2**28 if jax.devices()[0].platform == 'gpu' else 2**26)
    return 2 * x.nbytes / _seconds(jax.jit(lambda x: x + 1), x)


def _seconds(function: Callable, x: Any) -> float:
    import jax

    def run() -> float:
        began = time.perf_counter()
        jax.block_until_ready(function(x))
        return time.perf_counter() - began

    return in_turn({'run': run}, 7)['run']


def versions() -> dict[str, str]:
    """Of what was measured, and on what."""
    import importlib.metadata
    import os

    import jax

    found = {'jax': jax.__version__}
    for name in ('torch', 'flax'):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = 'not installed'
    kind = jax.devices()[0].device_kind
    return {**found, 'device': kind + (f' ({os.cpu_count()} cores)' if kind == 'cpu' else '')}
