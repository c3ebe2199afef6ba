"""Measures each layer of a network: the standard deviation of its response, and the norm of the loss's gradient there.

The module belongs to `models`, not to `training`, because it only needs a network, inputs and a loss.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jax_resnet.models.batch_norm import BatchNorm

Loss = Callable[[jax.Array, jax.Array], jax.Array]
"""Maps logits [batch, classes] and labels [batch] to the batch's mean loss."""


class LayerResponses(NamedTuple):
    """For each layer, in order: name, standard deviation of the response, and norm of the loss's gradient there.

    A layer is a 3x3 convolution. Its response is the output of the BatchNorm that follows it, before ReLU and addition
    (He et al. 2015, section 4.2 and Figure 7). If no BatchNorm follows directly, as in pre-activation units, the
    response is the output of the convolution itself.
    """

    names: list[str]
    std: np.ndarray
    gradient_norm: np.ndarray


def measure(
    model: nn.Module,
    variables: Any,
    batches: Iterable[tuple[Any, Any]],
    loss: Loss,
    jit: Callable[[Callable], Callable] = jax.jit,
) -> LayerResponses:
    """Measures the layers' responses to a few batches. BatchNorm uses the batch's statistics, as in training.

    Args:
        model: an unstacked network without rematerialization, so that each layer occurs once.
        variables: its parameters and statistics.
        batches: inputs [batch, height, width, channels] and labels [batch]; all batches have the same size. The
            standard deviation is over the responses of all batches. The gradient norm is computed for each batch's
            mean loss, and then averaged over the batches.
        loss: the loss of a batch.
        jit: compiles the program that measures a batch.
    """
    batches = list(batches)
    layers = _find(model, variables, batches[0][0])
    measure_batch = jit(partial(_measure, model, dict(layers.values()), loss))
    found = np.stack([measure_batch(variables, *batch) for batch in batches]).astype(np.float64)
    means, variances, norms = found.transpose(1, 0, 2)  # each [batches, layers]
    return LayerResponses(list(layers), np.sqrt(variances.mean(0) + means.var(0)), norms.mean(0))


def _find(model: nn.Module, variables: Any, inputs: Any) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Finds the 3x3 convolutions. Maps each name to the module whose output is the response, and to its shape."""
    layers: dict[str, tuple[str, tuple[int, ...]]] = {}
    output_of: dict[str, Any] = {}

    def record(path: str, module: nn.Module, x: Any, y: Any) -> Any:
        if isinstance(module, nn.Conv):
            if module.kernel_size == (3, 3) and 'shortcut' not in path:
                layers[path], output_of[path] = (path, y.shape), y
        else:
            for name in [name for name, output in output_of.items() if output is x]:
                layers[name] = path, y.shape
        return y

    jax.eval_shape(lambda variables, inputs: _apply(model, variables, inputs, record), variables, inputs)
    return layers


def _measure(
    model: nn.Module, shapes: dict[str, tuple[int, ...]], loss: Loss, variables: Any, inputs: Any, labels: Any
) -> jax.Array:
    """float32 [3, layers]: mean and variance of each response, and norm of the loss's gradient with respect to it.

    `shapes` has the responses' shapes, by the names of the modules that compute them.
    """

    def shifted_loss(shifts: dict[str, jax.Array]) -> tuple[jax.Array, dict[str, jax.Array]]:
        responses = {}

        def shift(path: str, module: nn.Module, x: Any, y: Any) -> Any:
            if path in shifts:
                responses[path] = y
                y = y + shifts[path].astype(y.dtype)
            return y

        return loss(_apply(model, variables, inputs, shift), labels), responses

    zeros = {name: jnp.zeros(shape) for name, shape in shapes.items()}
    gradients, responses = jax.grad(shifted_loss, has_aux=True)(zeros)
    return jnp.array(
        [
            [responses[name].mean() for name in shapes],
            [responses[name].var() for name in shapes],
            [jnp.sqrt(jnp.square(gradients[name]).sum()) for name in shapes],
        ]
    )


def _apply(model: nn.Module, variables: Any, inputs: Any, visit: Callable[[str, nn.Module, Any, Any], Any]) -> Any:
    """Computes logits. `visit` gets each convolution and BatchNorm, its input and output, and returns its output."""

    def intercept(call: Callable, args: tuple, kwargs: dict, context: nn.module.InterceptorContext) -> Any:
        y = call(*args, **kwargs)
        if isinstance(context.module, nn.Conv | BatchNorm) and context.method_name == '__call__':
            y = visit('/'.join(context.module.path), context.module, args[0], y)
        return y

    with nn.intercept_methods(intercept):
        logits, _ = model.apply(
            variables, inputs, train=True, mutable=['batch_stats'], rngs={'dropout': jax.random.key(0)}
        )
    return logits
