"""The loss: cross-entropy, with label smoothing where it is asked for."""

import jax
import jax.numpy as jnp
import optax


def cross_entropy(logits: jax.Array, labels: jax.Array, label_smoothing: float = 0.0) -> jax.Array:
    """The batch's mean.

    Args:
        logits: [batch, classes].
        labels: int32 [batch].
        label_smoothing: share of each label that is spread over all classes (Szegedy et al. 2015, arXiv 1512.00567,
            section 7).
    """
    if not label_smoothing:
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
    smooth = optax.smooth_labels(jax.nn.one_hot(labels, logits.shape[-1]), label_smoothing)
    return jnp.asarray(optax.softmax_cross_entropy(logits, smooth).mean())
