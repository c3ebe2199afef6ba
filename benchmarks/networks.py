"""The networks that the benchmarks measure, as experiments on synthetic data."""

import json
import sys
from collections.abc import Mapping, Sequence
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


def experiment(
    network: str, batch_size: int, size: int = 32, devices: int = 1, examples: int = 512, **changes: Any
) -> Any:
    """Makes an Experiment of a network, on random images of `size` x `size` pixels. Their number limits a dispatch."""
    import numpy as np

    from configs import base
    from jax_resnet.data import Examples, Source
    from jax_resnet.training.experiment import Experiment

    count, rng = max(examples, batch_size), np.random.default_rng(0)
    images = rng.integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    data = Examples(images, rng.integers(0, 10, count, dtype=np.int32))
    splits = dict.fromkeys(('train', 'test'), SimpleNamespace(num_examples=count, shard_lengths=[count]))
    source = Source('random', tuple('0123456789'), splits, (size, size, 3), lambda split: data, f'{count} {size}')
    config = base.get_config()
    config.model = NETWORKS[network]
    config.update_from_flattened_dict({'batch_size': batch_size, 'parallel.devices': devices, **changes})
    return Experiment.from_config(config.to_dict(), source)


def experiment_of(file: str, changes: Mapping[str, Any]) -> Any:
    """Makes an Experiment of a config file, on black images. Only their number and size are those of its data set."""
    from jax_resnet.config.loading import load
    from jax_resnet.data.datasets import DATASETS
    from jax_resnet.training.experiment import Experiment

    config, _ = load(file, changes)
    return Experiment.from_config(config, black(DATASETS[config.dataset.name]))


def black(known: Any) -> Any:
    """Makes a source as large as a data set of DATASETS, of black images; if it streams, of one black picture."""
    import io

    import numpy as np
    from PIL import Image

    from jax_resnet.data import Examples, PictureSource, Source
    from jax_resnet.data.pictures.source import Picture

    class Black(Source):
        def read(self, spec: str) -> Examples:
            count = self.count(spec)
            return Examples(np.zeros((count, *self.image_shape), np.uint8), np.zeros(count, np.int32))

    class Pictures:
        def __init__(self, count: int) -> None:
            file = io.BytesIO()
            Image.new('RGB', (32, 32)).save(file, 'JPEG')
            self.count, self.picture = count, Picture(file.getvalue(), 0)

        def __len__(self) -> int:
            return self.count

        def __getitem__(self, index: int) -> Picture:
            return self.picture

        def name(self, index: int) -> str:
            return f'black picture {index}'

    names = tuple(map(str, range(known.num_classes)))
    if known.image_shape is None:
        return PictureSource.from_pictures(
            'black', names, {name: Pictures(n) for name, n in known.splits.items()}, 'black'
        )
    splits = {name: SimpleNamespace(num_examples=n, shard_lengths=[n]) for name, n in known.splits.items()}
    return Black('black', names, splits, known.image_shape, lambda split: None, '')


def fields(words: Sequence[str]) -> dict[str, Any]:
    """Returns fields of a config, by dotted name, from command-line words: 'batch_size=8', 'dataset.name="folder"'."""
    return {name: json.loads(value) for name, value in (word.split('=', 1) for word in words)}


def multiply_adds(exp: Any) -> float:
    """Returns the multiply-adds of a step: the forward pass, and twice as many for the two kinds of gradients."""
    from jax_resnet import models

    height, width, channels = exp.input.image_shape
    crop = exp.config.dataset.crop  # the size of training images, if it differs
    forward: int = models.count_multiply_adds(exp.model, (crop or height, crop or width, channels))
    return 3.0 * exp.config.batch_size * forward
