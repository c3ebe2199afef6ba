"""The networks that the benchmarks measure, with configs and synthetic data."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

CIFAR = {'name': 'cifar_resnet', 'num_classes': 10}
NETWORKS: dict[str, dict[str, Any]] = {
    **{f'ResNet-{depth}': {**CIFAR, 'depth': depth} for depth in (8, 20, 32, 44, 56, 110, 1202)},
    'pre-act ResNet-164': {**CIFAR, 'depth': 164, 'unit': 'bottleneck', 'order': 'full_preactivation'},
    'pre-act ResNet-1001': {**CIFAR, 'depth': 1001, 'unit': 'bottleneck', 'order': 'full_preactivation'},
    'ImageNet ResNet-18': {'name': 'imagenet_resnet', 'depth': 18, 'num_classes': 10},
    'ImageNet ResNet-50': {'name': 'imagenet_resnet', 'depth': 50, 'num_classes': 10},
    'ImageNet ResNeXt-50 32x4d': {
        'name': 'imagenet_resnet', 'depth': 50, 'num_classes': 10, 'v1_5': True, 'groups': 32, 'group_width': 4,
    },
    'ImageNet ResNet-152': {'name': 'imagenet_resnet', 'depth': 152, 'num_classes': 10},
    'ImageNet pre-act ResNet-200': {
        'name': 'imagenet_resnet', 'depth': 200, 'num_classes': 10, 'order': 'full_preactivation',
    },
}  # fmt: skip


def synthetic(
    network: str, batch_size: int, size: int = 32, devices: int = 1, examples: int = 512, **changes: Any
) -> tuple[Any, Any]:
    """Makes the config of a network, and random images of `size` x `size` pixels. Their number limits a dispatch."""
    import numpy as np

    from configs import base
    from jax_resnet.config.loading import as_config
    from jax_resnet.data import Examples, Source

    count, rng = max(examples, batch_size), np.random.default_rng(0)
    images = rng.integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    data = Examples(images, rng.integers(0, 10, count, dtype=np.int32))
    source = Source('random', tuple('0123456789'), {'train': count, 'test': count}, (size, size, 3), lambda split: data)
    config = base.get_config(**NETWORKS[network])
    config.update_from_flattened_dict({'batch_size': batch_size, 'parallel.devices': devices, **changes})
    return as_config(config.to_dict()), source


def many_examples(batch_size: int, size: int) -> int:
    """Returns a number of images with which a dispatch can have many steps: of small ones, those of CIFAR-10."""
    return 50_000 if size <= 32 else 24 * batch_size


def blackened(file: str, changes: Mapping[str, Any]) -> tuple[Any, Any]:
    """Loads a config file, and makes black images. Only their number and size are those of its data set."""
    from jax_resnet.config.loading import load
    from jax_resnet.data.datasets import DATASETS

    config, _ = load(file, changes)
    return config, black(DATASETS[config.dataset.name])


def model(network: str) -> Any:
    """Returns a network in the layout in which this platform trains it."""
    import jax

    from jax_resnet import models
    from jax_resnet.platform import for_platform

    platform = for_platform(jax.devices()[0].platform, gpu_options={'graphs': False})  # no test of graphs is needed
    return models.from_config(NETWORKS[network], **platform.network)


def begun(config: Any, source: Any) -> tuple[Any, Any]:
    """Compiles the training of a config, and computes its first state. Returns both."""
    from jax_resnet.training import setup

    made = setup.set_up(config, source)
    first = made.initial_state()
    return made.compile(made.training_backend()), first


def black(known: Any) -> Any:
    """Makes a source as large as a data set of DATASETS, of black images; if it streams, of one black picture."""
    import io

    import numpy as np
    from PIL import Image

    from jax_resnet.data import Examples, PictureSource, Source

    class Black(Source):
        def read(self, spec: str) -> Examples:
            count = self.count(spec)
            return Examples(np.zeros((count, *self.image_shape), np.uint8), np.zeros(count, np.int32))

    class Pictures:
        def __init__(self, count: int) -> None:
            file = io.BytesIO()
            Image.new('RGB', (32, 32)).save(file, 'JPEG')
            self.count, self.picture = count, (file.getvalue(), 0)

        def __len__(self) -> int:
            return self.count

        def __getitem__(self, index: int) -> tuple[bytes, int]:
            return self.picture

        def name(self, index: int) -> str:
            return f'black picture {index}'

    about = 'black', known.class_names, known.splits
    if known.image_shape is None:
        return PictureSource(*about, {name: Pictures(n) for name, n in known.splits.items()}, 'black')
    return Black(*about, known.image_shape, lambda split: None)


def fields(words: Sequence[str]) -> dict[str, Any]:
    """Returns fields of a config, by dotted name, from command-line words: 'batch_size=8', 'dataset.name="folder"'."""
    return {name: json.loads(value) for name, value in (word.split('=', 1) for word in words)}


def multiply_adds(model: Any, batch_size: int, image_shape: Sequence[int]) -> float:
    """Returns the multiply-adds of a step: the forward pass, and twice as many for the two gradients."""
    from jax_resnet import models

    forward: int = models.count_multiply_adds(model, image_shape)
    return 3.0 * batch_size * forward
