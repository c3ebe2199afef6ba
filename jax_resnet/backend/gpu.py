"""What an NVIDIA GPU needs: the plain gradients, which its compiler recognises, and an option for exact results."""

from jax_resnet.backend.base import Backend

DETERMINISTIC = {'xla_gpu_deterministic_ops': True}
"""The same operations in the same order, in each start: nothing is chosen by timing, or added as threads come."""


def backend(deterministic: bool = False) -> Backend:
    """How a GPU runs a network; a deterministic one gives the same bits again."""
    options = DETERMINISTIC if deterministic else {}
    return Backend(compiler_options=options, one_call_options=options)
