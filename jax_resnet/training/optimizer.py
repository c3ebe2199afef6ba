"""The optimizers by name. Weight decay is L2 regularization: it is added to the gradient before the momentum."""

from collections.abc import Callable
from typing import Any

import jax
import optax

from jax_resnet.config.fields import Optimizer
from jax_resnet.models.variables import category

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
    """Adam (Kingma and Ba 2014, arXiv 1412.6980). `momentum` is b1; b2 is 0.999.

    Raises:
        ValueError: momentum_of is 'steps', which only SGD has.
    """
    if config.momentum_of == 'steps':
        raise ValueError("momentum_of='steps': is for name='sgd'")
    return optax.adam(schedule, config.momentum, nesterov=config.nesterov)


OPTIMIZERS = {'sgd': sgd, 'adam': adam}
"""Valid values of `config.optimizer.name`. To add an optimizer, add a function, an entry in this table, and its name in
`config/fields.py`."""


def create(config: Optimizer, schedule: optax.Schedule, head_factor: float = 1.0) -> optax.GradientTransformation:
    """Makes the optimizer of `config.optimizer`.

    Args:
        config: the group `optimizer` of a config.
        schedule: the learning rate as a function of the step.
        head_factor: the learning rate of the head, divided by that of the other parameters.

    Raises:
        ValueError: fields of the config exclude each other.
    """
    decay = optax.add_decayed_weights(config.weight_decay, mask=lambda params: decay_mask(config.decay, params))
    transformations = [decay, OPTIMIZERS[config.name](config, schedule)]
    if head_factor != 1:
        transformations.append(optax.masked(optax.scale(head_factor), head_mask))
    return optax.chain(*transformations)


def decay_mask(decay: str, params: Any) -> Any:
    """Which parameters decay: a tree of bools."""
    return _mask(DECAYED[decay], params)


def head_mask(params: Any) -> Any:
    """Which parameters belong to the head: a tree of bools."""
    return _mask(lambda name: 'head/' in name, params)


def _mask(is_selected: Callable[[str], bool], params: Any) -> Any:
    return jax.tree.map_with_path(
        lambda path, _: is_selected(category([str(getattr(entry, 'key', '')) for entry in path])), params
    )


def describe_decay(config: Optimizer, params: Any) -> str:
    """A line for the log that says how many parameters decay."""
    mask = jax.tree.leaves(decay_mask(config.decay, params))
    sizes = [x.size for x in jax.tree.leaves(params)]
    decayed = sum(size for size, decays in zip(sizes, mask, strict=True) if decays)
    return f'weight decay {config.weight_decay:g} on {config.decay}: {decayed:,} of {sum(sizes):,} parameters'
