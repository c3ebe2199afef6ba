"""What an NVIDIA GPU needs: the plain gradients, which its compiler recognises, and so far no options."""

from jax_resnet.backend.base import Backend


def backend() -> Backend:
    """How a GPU runs a network."""
    return Backend(network={'stacked': True})
