"""What a platform needs and no other room knows: attributes of the network, compiler options, memory, caches.

`backend.of('cpu')` is what training asks. A new platform is a file here and a line in `_BACKENDS`.
"""

from jax_resnet.backend import cpu, gpu
from jax_resnet.backend.base import Backend

__all__ = ['Backend', 'of']

_BACKENDS = {'cpu': cpu.backend, 'cuda': gpu.backend, 'gpu': gpu.backend}
"""By the platform's name, as `jax.Device.platform` has it."""


def of(platform: str) -> Backend:
    """What a platform needs; one that is not known (a TPU, an AMD GPU) runs the plain network with no options."""
    return _BACKENDS.get(platform, Backend)()
