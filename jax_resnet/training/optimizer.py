"""The optimizers by name, with coupled L2: the decay is added to the gradient, before the momentum."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import optax

from jax_resnet.models.kinds import kind

DECAYED: dict[str, Callable[[str], bool]] = {
    'kernels': lambda kind: kind.endswith('kernel'),
    'all_but_batch_norm': lambda kind: 'norm/' not in kind,
    'all': lambda kind: True,
}
"""What `config.optimizer.decay` may be, by the kind of a parameter (`models.kinds`): the kernels of convolutions and
head; all but BatchNorm's scales and biases (Goyal et al. 2017, section 5.1); or every parameter."""


def sgd(config: Mapping[str, Any], schedule: optax.Schedule) -> optax.GradientTransformation:
    """Stochastic gradient descent with momentum (He et al. 2015, section 3.4).

    The momentum holds a sum of gradients, which the learning rate multiplies, as in PyTorch; or of steps, each with the
    learning rate of its time, as in the authors' Caffe. The two differ after the learning rate has changed.
    """
    momentum, nesterov = config['momentum'], config['nesterov']
    if config['momentum_of'] == 'steps':
        return optax.chain(optax.scale_by_learning_rate(schedule), optax.trace(momentum, nesterov))
    return optax.sgd(schedule, momentum, nesterov=nesterov)


def adam(config: Mapping[str, Any], schedule: optax.Schedule) -> optax.GradientTransformation:
    """Adam (Kingma, Ba, 2014, arXiv 1412.6980) with b2 = 0.999.

    Raises:
        ValueError: momentum_of='steps', which is SGD's.
    """
    if config['momentum_of'] == 'steps':
        raise ValueError("momentum_of='steps': is for name='sgd'")
    return optax.adam(schedule, config['momentum'], nesterov=config['nesterov'])


OPTIMIZERS = {'sgd': sgd, 'adam': adam}
"""What `config.optimizer.name` may be. A new optimizer is a function here, a line in this table, and its
name in `config/fields.py`."""


def create(
    config: Mapping[str, Any], schedule: optax.Schedule, head_factor: float = 1.0
) -> optax.GradientTransformation:
    """The optimizer of `config.optimizer`.

    Args:
        config: of which `name`, `momentum`, `momentum_of`, `nesterov`, `weight_decay` and `decay` are read.
        schedule: the learning rate by step.
        head_factor: the head's learning rate over that of all else.

    Raises:
        ValueError: what cannot be together.
    """
    decay = optax.add_decayed_weights(config['weight_decay'], mask=lambda params: decay_mask(config['decay'], params))
    parts = [decay, OPTIMIZERS[config['name']](config, schedule)]
    if head_factor != 1:
        parts.append(optax.masked(optax.scale(head_factor), head_mask))
    return optax.chain(*parts)


def decay_mask(decay: str, params: Any) -> Any:
    """A tree of bools: which parameters decay."""
    return _mask(DECAYED[decay], params)


def head_mask(params: Any) -> Any:
    """A tree of bools: which parameters are the head's."""
    return _mask(lambda kind: 'head/' in kind, params)


def _mask(chosen: Callable[[str], bool], params: Any) -> Any:
    return jax.tree.map_with_path(
        lambda path, _: chosen(kind([str(getattr(part, 'key', '')) for part in path])), params
    )


def describe_decay(config: Mapping[str, Any], params: Any) -> str:
    """One line that says which tensors decay."""
    mask = jax.tree.leaves(decay_mask(config['decay'], params))
    sizes = [x.size for x in jax.tree.leaves(params)]
    decayed = sum(size for size, yes in zip(sizes, mask, strict=True) if yes)
    return f'weight decay {config["weight_decay"]:g} on {config["decay"]}: {decayed:,} of {sum(sizes):,} parameters'
