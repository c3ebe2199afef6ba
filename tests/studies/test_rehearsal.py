"""The recipe of a rehearsal."""

import pytest

from configs import base, report_cifar10, resnet50_imagenet
from jax_resnet.config.durations import Clock
from jax_resnet.config.loading import as_config, change
from jax_resnet.data import datasets
from jax_resnet.errors import ConfigError
from jax_resnet.studies import rehearsal


def test_a_rehearsal_has_about_a_twentieth_of_the_epochs() -> None:
    digits = datasets.DATASETS['digits'].splits['train']
    lengths = []
    for config in (base.get_config(), report_cifar10.get_config()):  # 64,000 steps, and 350 epochs
        config = change(as_config(config), rehearsal.changes(as_config(config)))
        clock = Clock(digits, config.batch_size, config.shorten)
        lengths.append(clock.epochs(clock.steps(config.train_for)))
    assert lengths == pytest.approx([163.84 / 20, 350 / 20], rel=0.06)


def test_pictures_have_no_rehearsal() -> None:
    with pytest.raises(
        ConfigError, match=r'--rehearse: is only for studies on CIFAR; .* imagenet_resnet on imagenet2012$'
    ):
        rehearsal.changes(as_config(resnet50_imagenet.get_config()))
