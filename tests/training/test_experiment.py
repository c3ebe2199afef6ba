import re

import jax
import pytest

from jax_resnet.errors import ConfigError
from jax_resnet.training.experiment import Experiment
from tests.conftest import small_config


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'batch_size': 201, 'batch_norm.group_size': 0}, 'config.batch_size=201: must be at most the 200 examples'),
        ({'batch_norm.group_size': 24}, 'config.batch_norm.group_size=24: .* do not divide the batch of 32'),
        ({'parallel.devices': 9}, 'config.parallel.devices=9: must be at most the 8 local devices'),
        ({'parallel.devices': 3}, 'config.batch_size=32: must be a multiple of the 3 devices'),
        ({'train_for': '1e12 epochs'}, 'config.train_for'),
        ({'schedule.drop_at': ('6 steps', '5 steps')}, 'one after another'),
        ({'schedule.warmup_for': '3 steps'}, 'config.schedule.warmup_learning_rate: must be given with warmup_for'),
        ({'dataset.crop': 19}, 'config.dataset.crop=19'),
        ({'dataset.test_crop': 17}, 'test_crop=17: must be at most 18 and 16'),
        ({'dataset.pad_with': 'black'}, "config.dataset.pad_with='black'"),
        ({'dataset.normalization': 'channel'}, r'config.dataset.channel_mean=\(.*\): must be 1 numbers'),
        ({'model.num_classes': 100}, 'config.model.num_classes=100: must be 10, the classes of digits'),
        (
            {'memory.microbatches': 4},
            'config.memory.microbatches=4: each must hold a multiple of 16 of 32 examples',
        ),
        (
            {'memory.microbatches': 2, 'parallel.devices': 4, 'batch_norm.group_size': 0},
            'a multiple of 32 of 32 examples',
        ),
        (
            {'schedule.name': 'cosine'},
            "config.schedule.drop_at=.*: must be () with name='cosine'".replace('()', r'\(\)'),
        ),
        ({'model.depth': 21}, 'config.model: depth must be 6n'),
    ],
)
def test_what_cannot_be_together_is_one_line(changes: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        Experiment.of(small_config(**changes))
    assert '\n' not in str(error.value)


def test_learning_rate_of_the_update_that_leads_to_a_step() -> None:
    experiment = Experiment.of(small_config())
    assert [experiment.learning_rate(step) for step in (0, 1, 6, 7)] == [0.1, 0.1, 0.1, pytest.approx(0.01)]


def test_paper_options_reach_the_network() -> None:
    experiment = Experiment.of(small_config(**{'precision.compute': 'bfloat16', 'batch_norm.momentum': 0.8}))
    assert experiment.model.dtype == 'bfloat16' and experiment.model.stacked
    assert experiment.model.norm.keywords == {'group_size': 16, 'momentum': 0.8, 'epsilon': 1e-5}
    on_cpu = jax.local_devices()[0].platform == 'cpu'
    assert hasattr(experiment.model.conv, 'keywords') == on_cpu  # hand-written gradients on a CPU alone


def test_several_processes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jax, 'process_count', lambda: 2)
    with pytest.raises(ConfigError, match=re.escape('one process')):
        Experiment.of(small_config())
