"""The recipe of a rehearsal."""

import pytest

from configs import base, preact_resnet1001_batch64_cifar10, report_cifar10, resnet50_imagenet
from jax_resnet.config.loading import as_config
from jax_resnet.errors import ConfigError
from jax_resnet.studies import rehearsal


def test_every_duration_is_a_twentieth_of_its_epochs() -> None:
    config = base.get_config()
    config.schedule.warmup_for = '400 steps'
    changes = rehearsal.changes(as_config(config))
    assert changes['train_for'] == '8.192 epochs'  # of 64,000 steps of 128, 163.84 epochs of CIFAR
    assert changes['schedule.drop_at'] == ('4.096 epochs', '6.144 epochs')
    assert changes['schedule.warmup_for'] == '0.0512 epochs'
    assert rehearsal.changes(as_config(report_cifar10.get_config()))['train_for'] == '17.5 epochs'


def test_no_warm_up_stays_none() -> None:
    config = as_config(preact_resnet1001_batch64_cifar10.get_config())
    assert 'schedule.warmup_for' not in rehearsal.changes(config)


def test_pictures_have_no_rehearsal() -> None:
    with pytest.raises(
        ConfigError, match=r'--rehearse: is only for studies on CIFAR; .* imagenet_resnet on imagenet2012$'
    ):
        rehearsal.changes(as_config(resnet50_imagenet.get_config()))
