"""Measures the error after units are deleted or exchanged: each alone, several at random, and pairs of equal shape.

Veit, Wilber, Belongie 2016, arXiv 1605.06431. A deleted unit has no branch: its shortcut stays. In a plain network,
which has no shortcuts, the unit's input becomes its output, if the shapes agree; other units cannot be deleted. Several
units are drawn from those that keep the shape, and so are the pairs of one stage that are exchanged; Kendall's tau
compares the new order of all units with the old one. --seed gives all draws.
"""

import argparse
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from jax_resnet.errors import ConfigError
from jax_resnet.inspections import charts

if TYPE_CHECKING:
    from jax_resnet.inspections.networks import Network


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--split', help="split in TFDS's syntax, such as test[:1000] (default: the test split)")
    parser.add_argument('--draws', type=int, default=5, help='random draws for each number of units (default: 5)')
    parser.add_argument('--seed', type=int, default=0, help='seed of these draws (default: 0)')


def measure(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Deletes and exchanges the units of each network."""
    from jax_resnet.inspections.networks import open_networks

    if options.draws < 1:
        raise ConfigError(f'--draws={options.draws}: must be at least 1')
    return [_measure(net, options) for net in open_networks(options)]


def _measure(net: 'Network', options: argparse.Namespace) -> dict[str, Any]:
    from scipy.stats import kendalltau

    keeps_shape = find_units(net.model)
    units, same = [*keeps_shape], np.flatnonzero([*keeps_shape.values()])
    pairs = exchangeable(net.variables['params'], [units[i] for i in same])
    split, draws = options.split or net.test_split, np.random.default_rng(options.seed)
    counts = [k for k in range(1, len(same) + 1) if k <= 10 or k % 5 == 0 or k == len(same)]
    swaps = [2**k for k in range(len(same).bit_length()) for _ in range(options.draws)] if pairs else []
    score = net.scorer(split, without(net.model, units))
    intact = score(net.variables, np.ones(len(units), bool))
    work = len(units) + options.draws * len(counts) + len(swaps)
    with tqdm(total=work, desc=f'lesions of {net.name}', disable=None, leave=False) as bar:

        def error(deleted: Any = (), order: Any = None) -> float:
            keep = np.ones(len(units), bool)
            keep[[*deleted]] = False
            bar.update()
            return score(net.variables if order is None else reordered(net.variables, units, order), keep).error

        can_delete = [net.model.shortcut != 'none' or keeps for keeps in keeps_shape.values()]
        single = [error([i]) if can else None for i, can in enumerate(can_delete)]
        several = [
            {'deleted': k, 'errors': [error(draws.choice(same, k, replace=False)) for _ in range(options.draws)]}
            for k in counts
        ]
        exchanged = []
        for k in swaps:
            order = np.arange(len(units))
            for i, j in same[draws.choice(pairs, k)]:
                order[[i, j]] = order[[j, i]]
            tau = float(kendalltau(order, np.arange(len(units))).statistic)
            exchanged.append({'swaps': k, 'tau': tau, 'error': error(order=order)})
    about = {'network': net.name, 'split': split, 'examples': intact.count, 'seed': options.seed, 'error': intact.error}
    names = ['/'.join(unit) for unit in units]
    changes_shape = [not keeps for keeps in keeps_shape.values()]
    found = {'single': single, 'several': several, 'exchanged': exchanged}
    return {**about, 'units': names, 'changes_shape': changes_shape, **found}


def find_units(model: Any) -> dict[tuple[str, str], bool]:
    """Returns the path of each unit, in order, such as ('stage1', 'unit2'), and whether it keeps its input's shape."""
    return {
        (f'stage{i}', f'unit{j}'): j > 1 or (i == 1 and model.widths[0] == model.stem.channels)
        for i, size in enumerate(model.stage_sizes, start=1)
        for j in range(1, size + 1)
    }


def exchangeable(params: Any, units: Sequence[tuple[str, str]]) -> list[tuple[int, int]]:
    """Returns the indices of each pair of units in one stage, which keep the shape and have the same layers."""
    alike = [(stage, *sorted(params[stage][unit])) for stage, unit in units]
    return [pair for pair in combinations(range(len(units)), 2) if len({alike[i] for i in pair}) == 1]


def without(model: Any, units: Sequence[tuple[str, ...]]) -> Any:
    """Returns a function that computes a network's logits without some of its units.

    Args:
        model: an unstacked network.
        units: the path of each unit, such as ('stage1', 'unit2').

    Returns:
        A function of variables, inputs, and for each unit whether it is kept, bool [units].
    """
    import flax.linen as nn
    import jax.numpy as jnp

    from jax_resnet.models.shortcuts import Shortcut
    from jax_resnet.models.units import Unit

    intercepted = Unit if model.shortcut == 'none' else Shortcut

    def apply(variables: Any, inputs: Any, keep: Any) -> Any:
        def intercept(call: Any, args: tuple, kwargs: dict, context: nn.module.InterceptorContext) -> Any:
            if not isinstance(context.module, intercepted) or context.method_name != '__call__':
                return call(*args, **kwargs)
            kept = keep[units.index(context.module.path[:2])]
            if intercepted is Shortcut:
                x, branch = args
                return call(x, jnp.where(kept, branch, 0))
            y = call(*args, **kwargs)
            return jnp.where(kept, y, args[0]) if y.shape == args[0].shape else y

        with nn.intercept_methods(intercept):
            return model.apply(variables, inputs)

    return apply


def reordered(variables: Any, units: Sequence[tuple[str, ...]], order: Any) -> Any:
    """Gives each unit the arrays of another one."""
    new = {name: {stage: dict(tree) for stage, tree in stages.items()} for name, stages in variables.items()}
    for (stage, unit), source in zip(units, order, strict=True):
        for collection in new:
            new[collection][stage][unit] = variables[collection][units[source][0]][units[source][1]]
    return new


def draw(measured: Sequence[dict[str, Any]]) -> list[Any]:
    """Draws the errors without each unit, without several, and after exchanges."""
    single, several, exchanged = [], [], []
    for name, one in charts.named(measured):
        of = {'network': name}
        single += [
            {**of, 'unit': i, 'name': unit, 'error': error}
            for i, (unit, error) in enumerate(zip(one['units'], one['single'], strict=True), start=1)
        ]
        several.append({**of, 'deleted': 0, 'error': one['error']})
        several += [
            {**of, 'deleted': row['deleted'], 'error': sum(row['errors']) / len(row['errors'])}
            for row in one['several']
        ]
        exchanged += [{**of, **row} for row in one['exchanged']]
    error = 'error', 'error (%)'
    return [
        charts.panel(single, ('unit', 'the deleted unit'), error, also=['name:N']),
        charts.panel(several, ('deleted', 'number of deleted units, mean over draws'), error),
        charts.panel(exchanged, ('tau', "Kendall's tau of the new order"), error, mark='point', also=['swaps:Q']),
    ]


def summarize(measured: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yields lines for each network."""
    for one in measured:
        yield f'{one["network"]}: error {one["error"]:.2f} % on {one["split"]}, {one["examples"]:,} examples'
        for changes, verb in ((False, 'keeps'), (True, 'changes')):
            errors = [
                error
                for error, has in zip(one['single'], one['changes_shape'], strict=True)
                if has == changes and error is not None
            ]
            if errors:
                yield f'  without one unit that {verb} the shape: {min(errors):.2f} to {max(errors):.2f} %'
        for row in one['several'][-1:]:
            yield f'  without all {row["deleted"]} units that keep the shape: {row["errors"][0]:.2f} %'
