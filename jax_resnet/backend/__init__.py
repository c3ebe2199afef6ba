"""What a platform needs and no other room knows: attributes of the network, compiler options, memory, caches.

`backend.of('cpu')` is what training asks. A new platform is a file here and a line in `of`. Importing this room is
light: `huge_pages` must act before JAX is there.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jax_resnet.backend.base import Backend


def of(
    platform: str, deterministic: bool = False, fused_kernels: bool = False, multiply_adds: float = 0.0
) -> 'Backend':
    """What a platform needs; one that is not known (a TPU, an AMD GPU) runs the plain network with no options.

    Args:
        platform: its name, as `jax.Device.platform` has it: 'cpu', 'gpu', 'cuda', 'tpu'.
        deterministic: whether each start must give the same bits, which takes an option on a GPU alone.
        fused_kernels: whether a GPU runs training by `fused`.
        multiply_adds: of all that it is to run; a CPU takes longer to compile what runs for long.
    """
    from jax_resnet.backend import base, cpu, gpu

    if platform in ('gpu', 'cuda'):
        return gpu.backend(deterministic, fused_kernels)
    return cpu.backend(multiply_adds) if platform == 'cpu' else base.Backend()
