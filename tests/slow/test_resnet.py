"""Steps of training of whole networks, with every shortcut and convolution, against what PyTorch computed."""

import pytest

from tests.models.test_resnet import CONVOLUTIONS, check_training


@pytest.mark.parametrize('shortcut', ['A', pytest.param('B', marks=pytest.mark.soak), 'none'])
@pytest.mark.parametrize('stacked', [False, True])
@pytest.mark.parametrize('conv', CONVOLUTIONS)
def test_training(shortcut: str, stacked: bool, conv: str) -> None:
    check_training(shortcut, stacked, conv)
