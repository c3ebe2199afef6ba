"""The optimizers by name, with coupled L2: the decay is added to the gradient, before the momentum."""

from collections.abc import Mapping
from typing import Any

import jax
import optax

DECAYED = {
    'kernels': lambda path: path[-1].key == 'kernel',
    'all': lambda path: True,
}
"""What `config.optimizer.decay` may be: convolutions' and the head's kernels, or every parameter."""


def sgd(config: Mapping[str, Any], schedule: optax.Schedule) -> optax.GradientTransformation:
    """Stochastic gradient descent with momentum (He et al. 2015, section 3.4)."""
    return optax.sgd(schedule, config['momentum'], nesterov=config['nesterov'])


def adam(config: Mapping[str, Any], schedule: optax.Schedule) -> optax.GradientTransformation:
    """Adam (Kingma, Ba, 2014, arXiv 1412.6980) with b2 = 0.999."""
    return optax.adam(schedule, config['momentum'], nesterov=config['nesterov'])


OPTIMIZERS = {'sgd': sgd, 'adam': adam}
"""What `config.optimizer.name` may be. A new optimizer is a function here, a line in this table, and its
name in `config/fields.py`."""


def create(config: Mapping[str, Any], schedule: optax.Schedule) -> optax.GradientTransformation:
    """The optimizer of `config.optimizer`."""
    decay = optax.add_decayed_weights(config['weight_decay'], mask=lambda params: decay_mask(config['decay'], params))
    return optax.chain(decay, OPTIMIZERS[config['name']](config, schedule))


def decay_mask(decay: str, params: Any) -> Any:
    """A tree of bools: which parameters decay."""
    return jax.tree.map_with_path(lambda path, _: DECAYED[decay](path), params)


def describe_decay(config: Mapping[str, Any], params: Any) -> str:
    """One line that says which tensors decay."""
    mask = jax.tree.leaves(decay_mask(config['decay'], params))
    sizes = [x.size for x in jax.tree.leaves(params)]
    decayed = sum(size for size, yes in zip(sizes, mask, strict=True) if yes)
    return f'weight decay {config["weight_decay"]:g} on {config["decay"]}: {decayed:,} of {sum(sizes):,} parameters'
