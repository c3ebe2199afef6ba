"""ImageNet's recipes, compared with their sources: learning rates, weight decay, initialization and views."""

from math import cos, pi, sqrt
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from msgspec import structs

from jax_resnet import models
from jax_resnet.config import schedule
from jax_resnet.config.durations import Clock
from jax_resnet.config.fields import Config, flatten
from jax_resnet.data import image_shape
from jax_resnet.training.streamed import check_sizes
from tests.test_parameter_counts import CONFIGS, get_config

IMAGENET = 1_281_167
EPOCHS_30_60_80 = {256: (150_137, 300_274, 400_365), 512: (75_069, 150_137, 200_183), 1024: (37_535, 75_069, 100_092),
                   2048: (18_768, 37_535, 50_046), 4096: (9_384, 18_768, 25_023), 8192: (4_692, 9_384, 12_512)}  # fmt: skip
DEPTHS = (18, 34, 50, 101, 152, 200)
OF_2015 = ('plain18', 'plain34', 'resnet18', 'resnet34', 'resnet34b', 'resnet34c', 'resnet50', 'resnet101', 'resnet152')
OF_2016 = ('resnet152', 'preact_resnet152', 'resnet200', 'preact_resnet200', 'preact_resnet200_aspect')
PICTURES = [key for key in CONFIGS if 'imagenet' in key[0]]


def learning_rate(config: Config) -> tuple[schedule.Schedule, int]:
    """Returns the learning rate of a config, and the last step."""
    clock = Clock(IMAGENET, config.batch_size)
    end = clock.steps(config.train_for)
    return schedule.create(config.schedule, clock, end), end


def check_steps(config: Config, end: int) -> None:
    """Asserts that a config has the steps of batches of 256, and momentum and decay, that most recipes have."""
    rate, last = learning_rate(config)
    assert [(start, round(value, 9)) for start, value in rate.pieces] == [(0, 0.1), (150_137, 0.01), (300_274, 0.001)]
    assert (config.batch_size, last) == (256, end)
    assert (config.optimizer.name, config.optimizer.momentum, config.optimizer.weight_decay) == ('sgd', 0.9, 1e-4)


@pytest.mark.parametrize('name', OF_2015)
def test_the_recipe_of_2015(name: str) -> None:
    """Sources: Section 3.4, the authors' Caffe, and the ten crops of Tables 2 and 3."""
    config = get_config(f'{name}_imagenet')
    check_steps(config, 600_548)
    assert (config.optimizer.decay, config.optimizer.momentum_of) == ('kernels', 'steps')
    assert config.batch_norm.group_size == 32 and not config.optimizer.nesterov
    views = {'view': 'scale', 'shorter_side': (256, 480), 'lighting': 0.1, 'normalization': 'pixel_mean'}
    check_views(config, **views, protocol='ten_crop')
    shortcuts = {'plain18': 'none', 'plain34': 'none', 'resnet18': 'A', 'resnet34': 'A', 'resnet34c': 'C'}
    assert models.from_config(flatten(config.model)).shortcut == shortcuts.get(name, 'B')


@pytest.mark.parametrize('name', OF_2016)
def test_the_recipe_of_2016(name: str) -> None:
    """Sources: Section 5 and Table 5. Drops at epochs 30 and 60, and one crop of 320."""
    config = get_config('table5_imagenet', name)
    check_steps(config, 450_411)
    assert (config.optimizer.decay, config.optimizer.momentum_of) == ('kernels', 'steps')
    view = 'area' if name.endswith('aspect') else 'scale'
    check_views(config, view=view, lighting=0.1, test=(320, 320), shorter_side=(256, 480), area=(0.08, 1.0))
    net = models.from_config(flatten(config.model))
    assert net.order == ('full_preactivation' if name.startswith('preact') else 'original')
    assert net.stage_sizes == ((3, 8, 36, 3) if '152' in name else (3, 24, 36, 3))


@pytest.mark.parametrize('name', [*(f'fb:{n}' for n in DEPTHS), *(f'torchvision:{n}' for n in DEPTHS[:-1])])
def test_the_recipes_of_fb_and_torchvision(name: str) -> None:
    family, depth = name.split(':')[0], int(name.split(':')[1])
    config, of_fb = get_config(f'{family}_imagenet', f'resnet{depth}'), family == 'fb'
    check_steps(config, 450_411)
    assert config.optimizer.decay == 'all' and config.optimizer.nesterov == of_fb
    assert config.model.shortcut == 'B' and config.model.v1_5 == (depth >= 50)
    assert config.model.order == ('full_preactivation' if depth == 200 else 'original')
    assert config.batch_norm.group_size == (64 if of_fb and depth <= 50 else 32)
    views = {'color_jitter': 0.4, 'lighting': 0.1, 'interpolation': 'bicubic'} if of_fb else {}
    check_views(config, **views, protocol='ten_crop' if of_fb else 'center', average='logits' if of_fb else 'softmax')


@pytest.mark.parametrize('batch', EPOCHS_30_60_80)
def test_goyals_rate_grows_with_the_batch(batch: int) -> None:
    """Sources: Sections 2.1, 2.2 and 5.1."""
    config = get_config('goyal_imagenet', str(batch))
    high, (first, second, third) = 0.1 * batch / 256, EPOCHS_30_60_80[batch]
    warm = Clock(IMAGENET, batch).steps('5 epochs')
    assert learning_rate(config)[0].pieces == [
        (at, pytest.approx(rate))
        for at, rate in [(0, 0.1), (warm, high), (first, high / 10), (second, high / 100), (third, high / 1000)]
    ]
    assert config.optimizer.nesterov and config.optimizer.decay == 'all_but_batch_norm'
    assert config.batch_norm.group_size == 32
    check_views(config)


def test_goyals_8192() -> None:
    rate, end = learning_rate(get_config('goyal_imagenet', '8192'))
    step = (3.2 - 0.1) / 782
    expected = {1: 0.1 + step, 781: 3.2 - step, 782: 3.2, 4_691: 3.2, 4_692: 0.32, 14_075: 0.0032}
    assert end == 14_076
    assert {at: rate.rate(at) for at in expected} == pytest.approx(expected)
    no_warmup, _ = learning_rate(get_config('goyal_imagenet', '8192_no_warmup'))
    assert no_warmup.pieces == [(0, 3.2), *[(at, pytest.approx(rate.rate(at))) for at in (4_692, 9_384, 12_512)]]


@pytest.mark.parametrize(
    ('name', 'high', 'warm', 'end'),
    [('nvidia', 0.256 * 2048 / 256, 5_005, 56_302), ('flax', 0.1 * 512 / 256, 12_512, 250_228)],
)
def test_cosines_after_a_linear_warm_up_from_zero(name: str, high: float, warm: int, end: int) -> None:
    rate, last = learning_rate(get_config(f'{name}_imagenet'))
    expected = {0: 0.0, 1: high / warm, warm - 1: high - high / warm, warm: high, end: 0.0}
    for share in (1 / 3, 1 / 2, 3 / 4):
        at = round(warm + share * (end - warm))
        expected[at] = high * (1 + cos(pi * (at - warm) / (end - warm))) / 2
    assert last == end
    assert {at: rate.rate(at) for at in expected} == pytest.approx(expected)


def test_the_rest_of_nvidias_and_flaxs_recipes() -> None:
    nvidia, flax = get_config('nvidia_imagenet'), get_config('flax_imagenet')
    assert nvidia.loss.label_smoothing == 0.1 and flax.loss.label_smoothing == 0.0
    assert nvidia.optimizer.momentum == 0.875 and nvidia.optimizer.weight_decay == 3.0517578125e-05
    assert (nvidia.optimizer.nesterov, flax.optimizer.nesterov) == (False, True)
    assert (nvidia.batch_norm.group_size, flax.batch_norm.group_size) == (256, 64)
    check_views(nvidia)
    check_views(flax, interpolation='bicubic')


def check_views(config: Config, test: tuple[int, int] = (256, 224), **others: Any) -> None:
    """Asserts that a config has the usual views, except for the fields in `others`; and its crop in evaluation."""
    usual = {
        'view': 'area', 'area': (0.08, 1.0), 'aspect_ratio': (3 / 4, 4 / 3), 'interpolation': 'bilinear', 'crop': 224,
        'flip': True, 'color_jitter': 0.0, 'lighting': 0.0, 'normalization': 'channel', 'protocol': 'center',
    }  # fmt: skip
    fields = structs.asdict(config.dataset) | structs.asdict(config.pictures)
    expected = usual | others
    assert {name: fields[name] for name in expected} == expected
    if expected['normalization'] == 'channel':
        assert fields['channel_mean'] == (0.485, 0.456, 0.406) and fields['channel_std'] == (0.229, 0.224, 0.225)
    assert (config.pictures.test_shorter_side, image_shape(config.dataset)[0]) == test


@pytest.mark.parametrize(('name', 'argument'), PICTURES)
def test_the_fields_of_pictures_fit_each_other(name: str, argument: str | None) -> None:
    config = get_config(name, argument)
    check_sizes(config.dataset, config.pictures)
    learning_rate(config)


@pytest.mark.parametrize(
    ('name', 'argument', 'conv', 'head', 'last_scale'),
    [
        # standard deviations of a 1x1 convolution from 64 to 256 channels, and of the head from 256 to 1,000
        ('torchvision_imagenet', 'resnet50', sqrt(2 / 256), sqrt(1 / 3 / 256), 1),
        ('goyal_imagenet', '256', sqrt(2 / 256), 0.01, 0),
        ('nvidia_imagenet', None, sqrt(2 / 64), sqrt(2 / 256), 1),
        ('flax_imagenet', None, sqrt(1 / 64), sqrt(1 / 256), 0),
    ],
)
def test_initialization(name: str, argument: str | None, conv: float, head: float, last_scale: int) -> None:
    """Of a network with only one unit, which has 256 channels."""
    net = models.from_config(flatten(get_config(name, argument).model))
    small = net.clone(stage_sizes=(1,), widths=net.widths[:1], layers=net.layers[:1])
    params = jax.jit(small.init)(jax.random.key(0), jnp.zeros((1, 32, 32, 3)))['params']
    unit = params['stage1']['unit1']
    assert np.std(unit['conv3']['kernel']) == pytest.approx(conv, rel=0.02)
    assert np.std(params['head']['kernel']) == pytest.approx(head, rel=0.01)
    assert np.all(unit['norm3']['scale'] == last_scale) and np.all(unit['norm2']['scale'] == 1)
