"""Weights of timm and torchvision. `tests/references/make_pretrained.py` lists the tensors of these libraries' networks."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image

from jax_resnet import models
from jax_resnet.data.pictures.imagenet import IMAGENET_CLASSES
from jax_resnet.runs import weights
from tests.conftest import Ended
from tests.references.draw import draw_pytorch, real_images

REFERENCES = Path(__file__).parents[1] / 'references'
SHAPES = json.loads((REFERENCES / 'timm.json').read_text())
NETS = {
    'resnet18': models.imagenet_resnet(18, shortcut='B'),
    'resnet34': models.imagenet_resnet(34, shortcut='B'),
    'resnet50': models.imagenet_resnet(50, v1_5=True),
    'resnet101': models.imagenet_resnet(101, v1_5=True),
    'resnet152': models.imagenet_resnet(152, v1_5=True),
    'wide_resnet50_2': models.imagenet_resnet(50, v1_5=True, width_factor=2),
    'wide_resnet101_2': models.imagenet_resnet(101, v1_5=True, width_factor=2),
    'resnext50_32x4d': models.imagenet_resnet(50, v1_5=True, groups=32, group_width=4),
    'resnext101_32x8d': models.imagenet_resnet(101, v1_5=True, groups=32, group_width=8),
    'resnext101_64x4d': models.imagenet_resnet(101, v1_5=True, groups=64, group_width=4),
}
CONFIG = f'--config={REFERENCES.parents[1]}/configs/torchvision_imagenet.py:resnet18 --config.dataset.crop=64 --config.pictures.interpolation=bicubic'

MEAN = '--config.dataset.normalization=pixel_mean'


def random_tensors(name: str) -> dict[str, np.ndarray]:
    """Returns a state dict with the names and shapes of a network of timm, and with our own random numbers."""
    return {
        key: draw_pytorch(key, tuple(shape)) if 'num_batches' not in key else np.int64(7)
        for key, shape in SHAPES[name].items()
    }


@pytest.fixture(scope='module')
def resnet18(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp('weights') / 'resnet18.safetensors'
    weights.write(path, random_tensors('resnet18'))
    return path


@pytest.mark.parametrize(
    'name', [pytest.param(name, marks=pytest.mark.soak) if '101' in name or '152' in name else name for name in NETS]
)
def test_conversion_in_both_directions_and_timms_logits(name: str) -> None:
    tensors = random_tensors(name)
    variables = models.from_pytorch(tensors)
    back = models.to_pytorch(variables)
    assert back.keys() == {key for key in tensors if 'num_batches' not in key}
    for key, tensor in back.items():
        np.testing.assert_array_equal(tensor, tensors[key])
    logits = jax.jit(NETS[name].clone(stacked=True).apply)(models.stack(variables), real_images(64)[::4])
    expected = np.load(REFERENCES / 'timm.npz')[name]
    assert expected.std(0).mean() > 0.01
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-4 * expected.std())


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        (
            'seresnet18',
            'layer1.0.se.fc1.weight: is not a tensor .*; it belongs to a network with squeeze-and-excitation',
        ),
        ('resnetv2_18', "stem.conv.weight: is not a tensor .*; it belongs to a network of timm's resnetv2"),
    ],
)
def test_the_error_of_an_unsupported_network_is_one_line(name: str, message: str) -> None:
    tensors = {key: np.broadcast_to(np.float32(0), shape) for key, shape in SHAPES[name].items()}
    with pytest.raises(ValueError, match=f'^{message}') as error:
        models.from_pytorch(tensors)
    assert '\n' not in str(error.value)


def test_a_card_and_predictions_need_no_data(
    resnet18: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[..., Ended]
) -> None:
    """The package has ImageNet's classes, and the config has the means of the channels."""
    monkeypatch.setenv('TFDS_DATA_DIR', str(tmp_path / 'nowhere'))
    ours, config = tmp_path / 'ours.safetensors', shlex.split(CONFIG)
    assert command('convert', resnet18, ours, '--card', *config).code == 0
    found = weights.read(ours)
    assert found.preprocessing.class_names == tuple(IMAGENET_CLASSES.values())
    assert found.network.model.shortcut == 'B'
    Image.fromarray(np.arange(80 * 70 * 3, dtype=np.uint32).reshape(80, 70, 3).astype(np.uint8)).save(
        tmp_path / 'picture.png'
    )
    outputs = []
    for arguments in ([ours, tmp_path / 'picture.png'], [resnet18, tmp_path / 'picture.png', *config]):
        outputs.append(command('predict', *arguments).out)
    assert outputs[0] == outputs[1] and len(outputs[0].splitlines()) == 6
    ended = command('convert', resnet18, tmp_path / 'x.safetensors', '--card', *config, MEAN)
    assert 'the mean that pixel_mean subtracts, come from the training data' in ended.err


@pytest.mark.parametrize(('v1_5', 'logged'), [('True', 'units bottleneck_v1.5 are taken'), ('False', 'v1_5=True')])
def test_convert_logs_the_position_of_the_stride(
    v1_5: str, logged: str, tmp_path: Path, command: Callable[..., Ended], caplog: pytest.LogCaptureFixture
) -> None:
    tensors = {key: np.zeros(shape, np.float16) for key, shape in SHAPES['resnet50'].items()}
    weights.write(tmp_path / 'theirs.safetensors', tensors)
    config = f'--config={REFERENCES.parents[1]}/configs/torchvision_imagenet.py:resnet50', f'--config.model.v1_5={v1_5}'
    arguments = tmp_path / 'theirs.safetensors', tmp_path / 'ours.safetensors', *config
    assert command('convert', *arguments).code == 0 and logged in caplog.text
