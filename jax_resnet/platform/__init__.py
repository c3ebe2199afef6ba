"""Everything that depends on the platform (CPU, GPU): network attributes, compiler options, memory, caches.

Training calls `platform.for_platform('cpu')`. To add a platform, write a module here and add a line to `for_platform`.
"""

from collections.abc import Mapping

from jax_resnet.platform import cpu, gpu
from jax_resnet.platform.base import Backend


def for_platform(
    platform: str,
    deterministic: bool = False,
    gpu_options: Mapping[str, bool] | None = None,
    multiply_adds: float = 0.0,
) -> Backend:
    """Returns how a platform runs a network. Other platforms (a TPU) run the plain network without options.

    Args:
        platform: name of the platform, as in `jax.Device.platform`: 'cpu', 'gpu', 'cuda', 'tpu'.
        deterministic: whether every start must give the same bits. Only a GPU needs an option for this.
        gpu_options: `config.gpu`, the further arguments of `gpu.backend`; all are on by default.
        multiply_adds: number of multiply-adds of the whole run. A CPU uses oneDNN for long runs: see `cpu.backend`.
    """
    if platform in ('gpu', 'cuda'):
        return gpu.backend(deterministic, **(gpu_options or {}))
    if platform == 'cpu':
        return cpu.backend(multiply_adds)
    return Backend()
