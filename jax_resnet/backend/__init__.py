"""What a platform needs and no other room knows: attributes of the network, compiler options, memory, caches.

`backend.of('cpu')` is what training asks. A new platform is a file here and a line in `of`. Importing this room is
light: `huge_pages` must act before JAX is there.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jax_resnet.backend.base import Backend


def of(platform: str) -> 'Backend':
    """What a platform needs; one that is not known (a TPU, an AMD GPU) runs the plain network with no options.

    Args:
        platform: its name, as `jax.Device.platform` has it: 'cpu', 'gpu', 'cuda', 'tpu'.
    """
    from jax_resnet.backend import base, cpu, gpu

    known = {'cpu': cpu.backend, 'gpu': gpu.backend, 'cuda': gpu.backend}
    return known.get(platform, base.Backend)()
