"""A small folder of pictures, and the config of a small network that is trained on them."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import small_config

loop = importlib.import_module('jax_resnet.training.train')
"""The module, whose name in the package is that of its function."""

CLASSES = ('circles', 'lines', 'noise')


@pytest.fixture(scope='session')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pictures of several sizes: 60 for training and 21 for validation."""
    root, rng = tmp_path_factory.mktemp('pictures'), np.random.default_rng(0)
    for split, count in (('train', 20), ('val', 7)):
        for label, name in enumerate(CLASSES):
            (root / split / name).mkdir(parents=True)
            for i in range(count):
                height, width = (int(side) for side in rng.integers(20, 40, 2))
                image = rng.integers(0, 60 + 60 * label, (height, width, 3), dtype=np.uint8)
                image[:: label + 2] += 90
                Image.fromarray(image).save(root / split / name / f'{i}.jpg', quality=90)
    return root


def picture_config(folder: Path, **changes: Any) -> dict[str, Any]:
    """Returns the config of a small network on views of 16 x 16 pixels. `changes` are fields to change, by dotted name."""
    fields = {
        'train_for': '9 steps', 'evaluate_every': '5 steps', 'checkpoint_every': '4 steps', 'log_every': '2 steps',
        'dataset.name': 'folder', 'dataset.folder': str(folder), 'dataset.train': 'train', 'dataset.test': 'validation',
        'dataset.pad': 0, 'dataset.crop': 16, 'dataset.flip': True, 'dataset.normalization': 'half',
        'pictures.test_shorter_side': 18, 'model.num_classes': 3,
    }  # fmt: skip
    return small_config(**{**fields, **changes})
