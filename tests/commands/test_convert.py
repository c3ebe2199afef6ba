"""The command `convert`: weights from PyTorch and to PyTorch."""

from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_resnet import models
from jax_resnet.config.network import network
from jax_resnet.runs import weights
from jax_resnet.training.load import flat, read_network
from tests.conftest import Ended

ROOT = Path(__file__).parents[2]


def small(**arguments: object) -> dict:
    """Returns random variables of a ResNet-8."""
    net = models.cifar_resnet(8, **arguments)
    shapes = jax.eval_shape(net.init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda x: rng.uniform(0.1, 1, x.shape).astype(np.float32), shapes)


def tensors() -> dict[str, np.ndarray]:
    return models.to_pytorch(small(), 'cifar')


def test_pytorch_to_ours_and_back(tmp_path: Path, command: Callable[..., Ended]) -> None:
    weights.write(tmp_path / 'theirs.safetensors', tensors())
    numbers = sum(tensor.size for tensor in tensors().values())
    code, output, errors = command('convert', tmp_path / 'theirs.safetensors', tmp_path / 'ours.safetensors')
    assert code == 0 and f'ours.safetensors: {len(tensors())} arrays, {numbers:,} numbers\n' in output, errors
    assert 'theirs.safetensors does not name its network. Readers of ' in output
    ours = weights.read(tmp_path / 'ours.safetensors').arrays
    assert ours['params/stem/conv/kernel'].shape == (3, 3, 3, 16) and ours['params/head/kernel'].shape == (64, 10)
    assert command('convert', tmp_path / 'ours.safetensors', tmp_path / 'back.safetensors', '--to=cifar')[0] == 0
    back = weights.read(tmp_path / 'back.safetensors').arrays
    assert back.keys() == tensors().keys()
    for name, tensor in tensors().items():
        np.testing.assert_array_equal(back[name], tensor)
    np.testing.assert_array_equal(models.from_pytorch(back)['params']['stem']['norm']['scale'], tensors()['bn1.weight'])


CONFIG = (f'--config={ROOT}/configs/resnet20_cifar10.py', '--config.model.depth=8')


def test_the_network_of_a_config_is_recorded_in_the_weights_and_later_checked(
    tmp_path: Path, command: Callable[..., Ended], caplog: pytest.LogCaptureFixture
) -> None:
    theirs, ours, back = (tmp_path / f'{name}.safetensors' for name in ('theirs', 'ours', 'back'))
    weights.write(theirs, tensors())
    assert command('convert', theirs, ours, *CONFIG, '--config.model.shortcut=A_centred').code == 0
    assert 'shortcut A_centred, order original, units basic are taken from the config, unchecked' in caplog.text
    config = weights.read(ours).network
    net = network(config)
    assert config.model.shortcut == 'A_centred' and net.shortcut == 'A_centred' and net.stage_sizes == (1, 1, 1)
    assert command('convert', ours, back, '--to=cifar')[0] == 0
    assert network(weights.read(back).network) == net
    for name, tensor in tensors().items():
        np.testing.assert_array_equal(weights.read(back).arrays[name], tensor)
    code, _, err = command('convert', back, tmp_path / 'no.safetensors', *CONFIG)
    assert (
        code == 2
        and 'back.safetensors: has another network; shortcut is A_centred in the weights, A in the config' in err
    )
    assert len(err.splitlines()) == 1 and not (tmp_path / 'no.safetensors').exists()


@pytest.mark.parametrize(
    ('added', 'message'),
    [
        ([], 'its shortcut is A; must be A_centred or B'),
        (['--config.model.name=cifar_plain'], 'its shortcut is none; must be A_centred or B'),
        (['--config.model.order=relu_before_addition'], 'its order is relu_before_addition; must be original'),
    ],
)
def test_a_network_that_does_not_fit_the_target_style(
    tmp_path: Path, command: Callable[..., Ended], added: list[str], message: str
) -> None:
    weights.write(tmp_path / 'ours.safetensors', flat(small()))
    arguments = (tmp_path / 'ours.safetensors', tmp_path / 'out.safetensors', '--to=cifar', *CONFIG, *added)
    code, _, err = command('convert', *arguments)
    assert code == 2 and message in err and len(err.splitlines()) == 1
    assert not (tmp_path / 'out.safetensors').exists()


def test_a_run_folder_and_a_card_give_the_network(
    tmp_path: Path, finished_run: Path, command: Callable[..., Ended]
) -> None:
    for source in (finished_run, ROOT / 'results/weights/resnet20_digits.safetensors'):
        code, _, err = command('convert', source, tmp_path / 'out.safetensors', '--to=cifar')
        assert code == 2 and f'{source}: is not a network of style cifar: ' in err
        assert command('convert', source, tmp_path / 'out.safetensors')[0] == 0
        assert network(weights.read(tmp_path / 'out.safetensors').network) == network(read_network(source)[0].network)
