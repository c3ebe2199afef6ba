import pytest

from jax_resnet import models


@pytest.mark.parametrize('stacked', [False, True])
def test_multiply_adds_by_hand(stacked: bool) -> None:
    """ResNet-14: each 3x3 convolution costs 9 x channels in x channels out x positions."""
    first, second, third = 16 * 16 * 32**2, 32 * 32 * 16**2, 64 * 64 * 8**2
    convolutions = 3 * 16 * 32**2 + 4 * first + (second // 2 + 3 * second) + (third // 2 + 3 * third)
    net = models.cifar_resnet(14, stacked=stacked)
    assert models.count_multiply_adds(net, (32, 32, 3)) == 9 * convolutions + 640
    projections = second // 2 + third // 2
    net = models.cifar_resnet(14, shortcut='B', stacked=stacked)
    assert models.count_multiply_adds(net, (32, 32, 3)) == 9 * convolutions + 640 + projections


def test_describe() -> None:
    lines = models.describe(models.cifar_resnet(20), (32, 32, 3)).splitlines()
    assert [line.split()[0] for line in lines[1:]] == ['stem', 'stage1', 'stage2', 'stage3', 'head', 'total']
    assert lines[-1].split()[1:] == ['269,722', '40,551,040']
