"""Sets all options and contexts of JAX on which results could depend, while networks are trained or evaluated."""

import contextlib
from collections.abc import Iterator
from typing import Any

import jax

from jax_resnet.errors import ConfigError, reason
from jax_resnet.jax_options import OPTIONS, default


@contextlib.contextmanager
def exact(matmul: str = 'default', draws: bool = True) -> Iterator[dict[str, dict[str, Any]]]:
    """A context in which JAX uses OPTIONS in this thread.

    Args:
        matmul: `config.precision.matmul`, the precision of float32 matrix products and convolutions: 'float32' or
            'default'. On an NVIDIA GPU, 'default' is TF32, which rounds the factors to 10 bits of mantissa. On a CPU,
            it is float32.
        draws: whether random numbers are drawn in the context.

    Yields:
        {'found': ..., 'set': ...}: the options' values before the context, and inside it.

    Raises:
        ConfigError: JAX finds no devices, or not the platforms in JAX_PLATFORMS; or random numbers are drawn, and
            `jax_random_seed_offset` is not 0.
    """
    found = {f'jax_{name}': getattr(jax.config, f'jax_{name}') for name in OPTIONS}
    found['jax_default_device'] = found['jax_default_device'] and str(found['jax_default_device'])
    offset = jax.config.jax_random_seed_offset  # type: ignore[attr-defined]  # has no context manager
    if offset and draws:
        raise ConfigError(f'jax_random_seed_offset={offset}: must be 0; config.seed chooses the seed')
    options = OPTIONS | {'default_matmul_precision': 'float32' if matmul == 'float32' else None}
    with contextlib.ExitStack() as stack:
        stack.enter_context(default(options))
        with contextlib.suppress(ValueError):  # inside a caller's `jax.jit`, where no mesh can be set
            stack.enter_context(jax.set_mesh(None))
        _check_devices()
        yield {'found': found, 'set': {f'jax_{name}': value for name, value in options.items()}}


def _check_devices() -> None:
    """Raises ConfigError, with JAX's reason, if JAX finds no devices or does not know a platform."""
    try:
        jax.local_devices()
    except (AssertionError, RuntimeError) as e:
        platforms = getattr(jax.config, 'jax_platforms', None) or ''
        raise ConfigError(
            f'JAX_PLATFORMS={platforms}: must name platforms that JAX finds here, or be empty; {reason(e)}'
        ) from None
