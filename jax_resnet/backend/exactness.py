"""JAX's options that results depend on: training and evaluation set them meanwhile, and say what they found.

The environment (`JAX_ENABLE_X64=1`) or a program that imports this one may have set them otherwise.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import jax

from jax_resnet.errors import ConfigError

OPTIONS: dict[str, Any] = {
    'threefry_partitionable': True,
    'default_prng_impl': 'threefry2x32',
    'enable_x64': False,
    'default_matmul_precision': None,
    'numpy_dtype_promotion': 'standard',
    'numpy_rank_promotion': 'allow',
    'disable_jit': False,
}
"""By the name of JAX's context manager, what results are made with: JAX's own defaults, but where a config asks."""


@contextlib.contextmanager
def exact(matmul: str = 'default') -> Iterator[dict[str, dict[str, Any]]]:
    """Meanwhile, in this thread, JAX computes with OPTIONS.

    Args:
        matmul: what float32 means in products and convolutions, as `config.precision.matmul`: 'default', which is TF32
            on an NVIDIA GPU (numbers are rounded to 10 bits of mantissa before they are multiplied) and float32 on a
            CPU; or 'float32'.

    Returns:
        (Of the `with`.) By 'found' and 'set', the options' values before and meanwhile.

    Raises:
        ConfigError: JAX finds no devices, or none of the platform that it was told; or every random key is offset.
    """
    found = {f'jax_{name}': getattr(jax.config, f'jax_{name}') for name in OPTIONS}
    offset = jax.config.jax_random_seed_offset  # type: ignore[attr-defined]  # has no context manager
    if offset:
        raise ConfigError(f'jax_random_seed_offset={offset}: must be 0; config.seed chooses the seed')
    with contextlib.ExitStack() as stack:
        options = OPTIONS | {'default_matmul_precision': 'float32' if matmul == 'float32' else None}
        for name, value in options.items():
            stack.enter_context(getattr(jax, name)(value))
        _check_devices()
        yield {'found': found, 'set': {f'jax_{name}': value for name, value in options.items()}}


def _check_devices() -> None:
    """Raises ConfigError, with JAX's reason, where it finds no devices or does not know the platform."""
    try:
        jax.local_devices()
    except (AssertionError, RuntimeError) as e:
        platforms = getattr(jax.config, 'jax_platforms', None) or ''
        reason = ' '.join(str(e).split())[:300]
        raise ConfigError(
            f'JAX_PLATFORMS={platforms}: must name platforms that JAX finds here, or be empty; {reason}'
        ) from None
