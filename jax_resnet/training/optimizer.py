"""The optimizers by name. Weight decay is L2 regularization: it is added to the gradient before the momentum."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax.traverse_util import flatten_dict

from jax_resnet import models
from jax_resnet.config.fields import Optimizer
from jax_resnet.errors import ConfigError
from jax_resnet.models.variables import category
from jax_resnet.own_parts import choose, errors

DECAYED: dict[str, Callable[[str], bool]] = {
    'kernels': lambda name: name.endswith('kernel'),
    'all_but_batch_norm': lambda name: 'norm/' not in name,
    'all': lambda name: True,
}
"""Valid values of `config.optimizer.decay`. Each selects parameters by their category (see `models.variables`).

'kernels' selects the kernels of the convolutions and of the head; 'all_but_batch_norm' selects all parameters except
BatchNorm's scales and biases (Goyal et al. 2017, section 5.1); 'all' selects every parameter.
"""


def sgd(config: Optimizer, schedule: optax.Schedule) -> optax.GradientTransformation:
    """Stochastic gradient descent with momentum (He et al. 2015, section 3.4).

    With `momentum_of='gradients'`, the momentum sums gradients, and the current learning rate multiplies the sum, as in
    PyTorch. With 'steps', it sums gradients that are already multiplied by the learning rate of their step, as in the
    authors' Caffe. The two differ only after the learning rate has changed.
    """
    momentum, nesterov = config.momentum, config.nesterov
    if config.momentum_of == 'steps':
        return optax.chain(optax.scale_by_learning_rate(schedule), optax.trace(momentum, nesterov))
    return optax.sgd(schedule, momentum, nesterov=nesterov)


def adam(config: Optimizer, schedule: optax.Schedule) -> optax.GradientTransformation:
    """Adam (Kingma and Ba 2014, arXiv 1412.6980). `momentum` is b1; b2 is 0.999."""
    if config.momentum_of == 'steps':
        raise ConfigError("config.optimizer.momentum_of='steps': is for name='sgd'")
    if config.momentum == 1:
        raise ConfigError("config.optimizer.momentum=1.0: must be below 1 with name='adam'")
    return optax.adam(schedule, config.momentum, nesterov=config.nesterov)


OPTIMIZERS = {'sgd': sgd, 'adam': adam}
"""Valid values of `config.optimizer.name`. To add an optimizer, add a function, an entry in this table, and its name in
`config/fields.py`; or give the import path of an own function."""


def create(config: Optimizer, schedule: optax.Schedule, head_factor: float = 1.0) -> optax.GradientTransformation:
    """Makes the optimizer of `config.optimizer`.

    Args:
        config: the group `optimizer` of a config.
        schedule: the learning rate as a function of the step.
        head_factor: the learning rate of the head, divided by that of the other parameters.

    Raises:
        ConfigError: fields of the config exclude each other, or an own optimizer is not valid.
    """
    decays = choose('config.optimizer.decay', config.decay, DECAYED)
    decay = optax.add_decayed_weights(config.weight_decay, mask=partial(mask, decays))
    with errors('config.optimizer.name', config.name):
        tx = choose('config.optimizer.name', config.name, OPTIMIZERS)(config, schedule)
        if not isinstance(tx, optax.GradientTransformation):
            raise TypeError(f'must return an optax.GradientTransformation; it returns a {type(tx).__name__}')
    if config.name not in OPTIMIZERS:  # one such as LARS needs the norm of each array
        tx = optax.GradientTransformation(partial(by_unit, tx.init), partial(by_unit, tx.update))
    transformations = [decay, tx]
    if head_factor != 1:
        transformations.append(optax.masked(optax.scale(head_factor), partial(mask, lambda name: 'head/' in name)))
    if config.frozen:  # neither the decay nor the optimizer changes frozen layers
        zero = optax.stateless(lambda updates, _: map_frozen(jnp.zeros_like, config.frozen, updates))
        transformations = [decay, zero, *transformations[1:], zero]
    return optax.chain(*transformations)


def map_frozen(function: Callable[[jax.Array], jax.Array], frozen: Sequence[str], params: Any) -> Any:
    """Applies a function to the arrays of frozen layers: `config.optimizer.frozen`. The others stay as they are."""
    if not frozen:
        return params

    def apply(path: Sequence[Any], array: jax.Array) -> jax.Array:
        return function(array) if is_frozen(frozen, _name(path)) else array

    return by_unit(lambda params: jax.tree.map_with_path(apply, params), params)


def is_frozen(frozen: Sequence[str], name: str) -> bool:
    """Whether an array of an unstacked network, such as 'stem/conv/kernel', is frozen."""
    return any(f'{name}/'.startswith(f'{layer}/') for layer in frozen)


def check_frozen(frozen: Sequence[str], params: Mapping[str, Any]) -> None:
    """Raises ConfigError if a network has no such layer. `params` are unstacked."""
    for layer in frozen:
        tree, known = params, 'the network'
        for part in layer.split('/'):
            if part not in tree:
                parts = ', '.join(tree)[:200]
                raise ConfigError(f'config.optimizer.frozen: there is no layer {layer!r}; {known} has {parts}')
            tree, known = (tree[part] if isinstance(tree[part], Mapping) else {}), part


def by_unit(function: Callable[..., Any], *trees: Any) -> Any:
    """Calls a function of trees of a network's arrays with each unit's own arrays, also if they are stacked.

    Returns its result in the layout of the last tree, the parameters.
    """
    single = [models.unstack(tree) for tree in trees]
    is_stacked = [*flatten_dict(single[-1])] != [*flatten_dict(trees[-1])]
    result = function(*single)
    return models.stack(result) if is_stacked else result


def mask(is_selected: Callable[[str], bool], params: Any) -> Any:
    """Which parameters a function of their categories selects: a tree of bools."""
    return jax.tree.map_with_path(lambda path, _: is_selected(category(_name(path).split('/'))), params)


def _name(path: Sequence[Any]) -> str:
    return '/'.join(str(getattr(entry, 'key', '')) for entry in path)


def describe(config: Optimizer, params: Any) -> list[str]:
    """Lines for the log that say how many parameters are frozen, and how many decay."""
    sizes = {_name(path): x.size for path, x in jax.tree.leaves_with_path(jax.eval_shape(models.unstack, params))}
    decays = choose('config.optimizer.decay', config.decay, DECAYED)
    frozen_names = {name for name in sizes if is_frozen(config.frozen, name)}
    decaying_names = {name for name in sizes if decays(category(name.split('/')))} - frozen_names
    total, frozen, decaying = (sum(sizes[name] for name in names) for names in (sizes, frozen_names, decaying_names))
    lines = [f'frozen: {", ".join(config.frozen)}: {frozen:,} of {total:,} parameters'] if config.frozen else []
    return [*lines, f'weight decay {config.weight_decay:g} on {config.decay}: {decaying:,} of {total:,} parameters']
