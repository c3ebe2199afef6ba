"""Inspections beside independent arithmetic, in small networks."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_resnet import models, training
from jax_resnet.inspections import agreement, calibration, lesions, surface
from jax_resnet.inspections import path as paths
from jax_resnet.runs import outputs
from tests.conftest import Ended, small_config

ROOT = Path(__file__).parents[2]
PUBLISHED = str(ROOT / 'results' / 'weights' / 'resnet20_digits.safetensors')


def options(*names: object, **others: Any) -> argparse.Namespace:
    given = {'networks': [*map(str, names)], 'config': None, 'data': None, 'initial': False, 'split': None, 'seed': 0}
    return argparse.Namespace(**given | others)


def random_variables(net: models.ResNet, seed: int = 0) -> Any:
    """Variables whose BatchNorm statistics and scales differ between units, too."""
    shapes = jax.eval_shape(net.init, jax.random.key(0), jnp.zeros((1, 8, 8, 3)))
    draw = np.random.default_rng(seed)
    return jax.tree.map(lambda x: jnp.asarray(draw.uniform(0.1, 0.5, x.shape), jnp.float32), shapes)


@pytest.mark.parametrize('order', ['original', 'full_preactivation'])
def test_a_network_with_a_deleted_unit_is_the_one_built_without_it(order: str) -> None:
    net = models.cifar_resnet(20, order=order)
    variables, images = random_variables(net), jax.random.normal(jax.random.key(1), (2, 8, 8, 3))
    smaller = {
        name: {**stages, 'stage2': {'unit1': stages['stage2']['unit1'], 'unit2': stages['stage2']['unit3']}}
        for name, stages in variables.items()
    }
    units = lesions.find_units(net)
    assert [unit for unit, keeps in units.items() if not keeps] == [('stage2', 'unit1'), ('stage3', 'unit1')]
    apply = jax.jit(lesions.without(net, [*units]))
    keep = np.array([unit != ('stage2', 'unit2') for unit in units])
    without = apply(variables, images, keep)
    built = net.clone(stage_sizes=(3, 2, 3)).apply(smaller, images)
    np.testing.assert_allclose(without, built, rtol=1e-5)
    whole = net.apply(variables, images)
    np.testing.assert_allclose(apply(variables, images, np.ones(9, bool)), whole, rtol=1e-5)
    assert not np.allclose(without, whole, rtol=1e-2)


def test_a_deleted_unit_of_a_plain_network_passes_its_input_on() -> None:
    net = models.cifar_plain(14)
    variables, images = random_variables(net), jax.random.normal(jax.random.key(1), (2, 8, 8, 3))
    keep = np.array([unit != ('stage1', 'unit2') for unit in lesions.find_units(net)])
    without = lesions.without(net, [*lesions.find_units(net)])(variables, images, keep)
    built = net.clone(stage_sizes=(1, 2, 2)).apply(variables, images)
    np.testing.assert_allclose(without, built, rtol=1e-5)


def test_exchanged_units() -> None:
    net = models.cifar_resnet(14)
    variables = random_variables(net)
    units = [(f'stage{i}', f'unit{j}') for i in (1, 2, 3) for j in (1, 2)]
    new = lesions.reordered(variables, units, [1, 0, 2, 3, 4, 5])
    assert new['params']['stage1']['unit1'] is variables['params']['stage1']['unit2']
    assert new['batch_stats']['stage1']['unit2'] is variables['batch_stats']['stage1']['unit1']
    assert new['params']['stage2'] == variables['params']['stage2']
    assert lesions.exchangeable(variables['params'], units) == [(0, 1), (2, 3), (4, 5)]
    # 2016's stem of ImageNet has the first BatchNorm of the first unit
    params = {'stage1': {f'unit{i}': dict.fromkeys(['conv1', 'norm1', 'conv2', 'norm2']) for i in (1, 2, 3)}}
    del params['stage1']['unit1']['norm1']
    assert lesions.exchangeable(params, [('stage1', f'unit{i}') for i in (1, 2, 3)]) == [(1, 2)]


HAND_MADE = np.array(
    [.95, .95, .92, .91, .88, .85, .81, .77, .74, .71, .68, .66, .64, .62, .60, .57, .55, .53, .52, .51]
)  # fmt: skip
"""The confidence of 20 predictions of two classes; each is for class 0."""
LABELS = np.array([0, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 1, 0, 0, 1, 1, 0, 1, 0, 1])


def test_the_calibration_error_of_twenty_predictions() -> None:
    logits = np.stack([np.log(HAND_MADE), np.log(1 - HAND_MADE)], 1)
    expected = 0.0
    for low in np.arange(15) / 15:
        inside = (low < HAND_MADE) & (low + 1 / 15 >= HAND_MADE)
        if inside.any():
            expected += inside.sum() / 20 * abs(HAND_MADE[inside].mean() - (LABELS[inside] == 0).mean())
    found = calibration.judge(logits, LABELS)
    assert found['calibration_error'] == pytest.approx(100 * expected)
    probability_of_label = np.where(LABELS == 0, HAND_MADE, 1 - HAND_MADE)
    assert found['negative_log_likelihood'] == pytest.approx(-np.log(probability_of_label).mean())
    assert sum(one['count'] for one in found['bins']) == 20
    best = calibration.temperature(logits, LABELS)
    around = [
        calibration.judge(logits / t, LABELS)['negative_log_likelihood'] for t in (0.99 * best, best, 1.01 * best)
    ]
    assert around[1] < min(around[0], around[2])


def write(folder: Path, name: str, guesses: list[int], labels: list[int]) -> Path:
    path = folder / f'{name}.npz'
    path.write_bytes(outputs.npz({'logits': 4 * np.eye(3, dtype=np.float16)[guesses], 'labels': np.array(labels)}))
    return path


def test_predictions_alone_show_agreement_and_calibration(tmp_path: Path) -> None:
    labels = [0, 1, 2, 0]
    files = [write(tmp_path, 'a', [0, 1, 1, 1], labels), write(tmp_path, 'b', [0, 2, 1, 2], labels)]
    found = agreement.measure(options(*files))
    assert found['errors'] == [50, 75] and found['wrong_by'] == [1, 1, 2] and found['wrong_by_all'] == [2, 3]
    assert found['wrong_by_if_independent'] == pytest.approx([0.5, 2, 1.5])
    (pair,) = found['pairs']
    assert (pair['same_prediction'], pair['consistent']) == (0.5, 0.75)
    assert pair['consistent_if_independent'] == pytest.approx(0.5 * 0.75 + 0.5 * 0.25)
    assert pair['kappa'] == pytest.approx((0.75 - 0.5) / (1 - 0.5))
    (one, _) = calibration.measure(options(*files))
    assert one['fitted_half_before']['examples'] == one['judged_half_after']['examples'] == 2 and one['error'] == 50


@pytest.fixture(scope='module')
def other_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('other') / 'run'
    training.train(small_config(seed=1), folder)
    return folder


def test_the_ends_of_a_path_are_the_two_networks(finished_run: Path, other_run: Path) -> None:
    found = paths.measure(options(finished_run, other_run, points=3))
    own = [training.evaluate(run) for run in (finished_run, other_run)]
    ends = found['points'][0], found['points'][-1]
    assert [end['error'] for end in ends] == [scores.error for scores in own]
    assert [end['loss'] for end in ends] == pytest.approx([scores.loss for scores in own], rel=1e-5)
    assert found['examples'] == 100 and found['points'][1]['loss'] not in [end['loss'] for end in ends]


def test_the_middle_of_a_surface_is_the_network(finished_run: Path) -> None:
    (found,) = surface.measure(options(finished_run, split='train[:64]', points=3, reach=1.0))
    own = training.evaluate(finished_run, 'train[:64]')
    assert found['line'][1]['loss'] == pytest.approx(own.loss, rel=1e-5) and found['line'][1]['error'] == own.error
    assert (
        len(found['plane']) == 9
        and found['plane'][4] == found['line'][1]
        and len({point['loss'] for point in found['line']}) == 3
    )


def test_a_direction_has_the_norms_of_the_filters() -> None:
    params = random_variables(models.cifar_resnet(8))['params']
    drawn = surface.direction(params, jax.random.key(0))
    for x, d in zip(*map(jax.tree.leaves, (params, drawn)), strict=True):
        if x.ndim == 1:
            assert not np.any(d)
        else:
            filters = [np.asarray(array).reshape(-1, array.shape[-1]) for array in (x, d)]
            np.testing.assert_allclose(*(np.linalg.norm(array, axis=0) for array in filters), rtol=1e-5)


@pytest.mark.parametrize(
    ('inspection', 'words'),
    [
        ('lesions', ['--split=test[:50]', '--draws=1']),
        ('calibration', []),
        ('agreement', []),
        ('surface', ['--split=train[:50]', '--points=3']),
        ('path', ['--points=2']),
    ],
)
def test_each_inspection_writes_numbers_and_a_chart(
    inspection: str,
    words: list[str],
    finished_run: Path,
    other_run: Path,
    tmp_path: Path,
    command: Callable[..., Ended],
) -> None:
    ended = command('inspect', inspection, finished_run, other_run, *words, f'--out={tmp_path / inspection}')
    assert ended.code == 0, ended.err
    numbers = json.loads((tmp_path / f'{inspection}.json').read_text())
    assert '"examples": ' in json.dumps(numbers) and 'examples' in ended.out
    assert (tmp_path / f'{inspection}.svg').read_text().startswith('<svg')


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['agreement', 'RUN'], 'must have at least two networks'),
        (['path', 'RUN'], 'must have two networks'),
        (['path', 'RUN', PUBLISHED], 'has another network'),
        (['surface', 'RUN', '--points=2'], '--points=2: must be an odd number'),
        (['lesions', 'RUN', '--draws=0'], '--draws=0: must be at least 1'),
        (['calibration', 'RUN', '--split=test[:1]'], 'must have at least two examples'),
        (['calibration', 'RUN', '--initial'], '--initial: must be given to an inspection of weights'),
    ],
)
def test_errors_are_one_line(
    words: list[str], message: str, finished_run: Path, tmp_path: Path, command: Callable[..., Ended]
) -> None:
    words = [str(finished_run) if word == 'RUN' else word for word in words]
    code, _, error = command('inspect', *words, f'--out={tmp_path / "x"}')
    assert code == 2 and message in error and len(error.splitlines()) == 1
